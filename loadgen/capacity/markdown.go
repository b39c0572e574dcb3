package capacity

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Markdown writes the plan as a Markdown document.
func (plan *Plan) Markdown(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "# Capacity plan")
	for _, p := range plan.Parts {
		fmt.Fprintf(b, "\n## %s: %s\n", escape(p.Target), escape(p.Workload))
		for _, s := range p.sections(plan.Config) {
			fmt.Fprintf(b, "\n### %s\n", escape(s.Title))
			for _, text := range s.Text {
				fmt.Fprintf(b, "\n%s\n", escape(text))
			}
			markdownTable(b, s)
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("writing a capacity plan: %w", err)
	}
	return nil
}

func markdownTable(w io.Writer, s section) {
	if len(s.Rows) == 0 {
		return
	}
	line := func(cells []string) {
		for _, c := range cells {
			fmt.Fprintf(w, "| %s ", escape(c))
		}
		fmt.Fprintln(w, "|")
	}
	fmt.Fprintln(w)
	line(s.Head)
	fmt.Fprintln(w, strings.Repeat("|---", len(s.Head))+"|")
	for _, row := range s.Rows {
		line(row)
	}
}

// markup are the characters that Markdown, or HTML within it, would interpret.
var markup = strings.NewReplacer("\n", " ", "\r", " ", "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, `\`, `\\`)

func escape(s string) string { return markup.Replace(s) }
