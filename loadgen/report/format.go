package report

import (
	"math"
	"strconv"
	"strings"
	"time"

	"ingot/loadgen/result"
)

// Number writes a value with three significant digits, and thousands apart.
func Number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case a >= 99.95:
		return thousands(int64(math.Round(v)))
	case a >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.9995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a >= 0.001:
		return strconv.FormatFloat(v, 'f', 3, 64)
	case a == 0:
		return "0"
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	var parts []string
	for len(s) > 3 {
		parts = append([]string{s[len(s)-3:]}, parts...)
		s = s[:len(s)-3]
	}
	return sign + strings.Join(append([]string{s}, parts...), ",")
}

// milliseconds writes a latency that is given in microseconds.
func milliseconds(us int64) string { return Number(float64(us) / 1000) }

// known writes v with its unit, or "–" where it is negative: not measured.
func known(v float64, unit string) string {
	if v < 0 {
		return "–"
	}
	return strings.TrimSpace(Number(v) + " " + unit)
}

// Bytes writes a size in the unit that fits; "–" for a negative one.
func Bytes(n float64) string {
	if n < 0 {
		return "–"
	}
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if n < 999.5 {
			return Number(n) + " " + unit
		}
		n /= 1000
	}
	return Number(n) + " TB"
}

// date writes a time as people read it.
func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// short writes numbers on an axis: 20k, 1.5M.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 4, 64) + "M"
	case a >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 4, 64) + "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// seconds writes a length of time.
func seconds(v result.Seconds) string {
	return strconv.FormatFloat(math.Round(float64(v)*10)/10, 'f', -1, 64) + " s"
}
