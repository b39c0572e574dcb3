package summary

import (
	"bytes"
	"fmt"
	"strings"
)

func header(b *bytes.Buffer, cells ...string) {
	row(b, cells...)
	b.WriteString("|---" + strings.Repeat("|---:", len(cells)-1) + "|\n")
}

func row(b *bytes.Buffer, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// code shows a function's name; a bar would end the cell.
func code(function string) string { return "`" + strings.ReplaceAll(function, "|", `\|`) + "`" }

// micros shows nanoseconds as microseconds; nothing is a dash.
func micros(ns float64) string {
	switch us := ns / 1e3; {
	case us == 0:
		return "–"
	case us < 0.1:
		return fmt.Sprintf("%.3f", us)
	case us < 100:
		return fmt.Sprintf("%.2f", us)
	default:
		return fmt.Sprintf("%.0f", us)
	}
}

func amount(v float64) string {
	switch {
	case v == 0:
		return "–"
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

func share(v, total int64) string {
	if total == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(v)/float64(total))
}
