package timefmt

import (
	"fmt"
	"math"
	"time"
)

// invalid is the error for text without the shape of a duration. Its wording, and
// that of the errors in part, is what the reference shows its users.
func invalid(s string) error { return fmt.Errorf("time: invalid duration %q", s) }

// units has the length of each unit in ns. The two spellings of "µs" are
// U+00B5 (micro sign) and U+03BC (Greek mu).
var units = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "μs": time.Microsecond,
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	"d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// ParseDuration reads an extended duration (spec 01 §1.4): what
// time.ParseDuration reads, with the units d (24 hours) and w (7 days).
func ParseDuration(s string) (time.Duration, error) {
	rest := s
	negative := false
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		negative = rest[0] == '-'
		rest = rest[1:]
	}
	if rest == "0" {
		return 0, nil
	}
	if rest == "" {
		return 0, invalid(s)
	}
	var total time.Duration
	for rest != "" {
		d, n, err := part(rest, s)
		if err != nil {
			return 0, err
		}
		if total > math.MaxInt64-d {
			return 0, invalid(s)
		}
		total += d
		rest = rest[n:]
	}
	if negative {
		total = -total
	}
	return total, nil
}

// part reads one number with its unit from the beginning of s and returns the
// length of the text read. all is the whole text, for errors.
func part(s, all string) (d time.Duration, n int, err error) {
	var whole, frac, scale uint64
	scale = 1
	digits := 0
	for ; n < len(s) && isDigit(s[n]); n++ {
		if whole > (math.MaxInt64-9)/10 {
			return 0, 0, invalid(all)
		}
		whole = whole*10 + uint64(s[n]-'0')
		digits++
	}
	if n < len(s) && s[n] == '.' {
		for n++; n < len(s) && isDigit(s[n]); n++ {
			if scale < 1e15 { // further digits are far below a nanosecond
				frac = frac*10 + uint64(s[n]-'0')
				scale *= 10
			}
			digits++
		}
	}
	if digits == 0 {
		return 0, 0, invalid(all)
	}
	from := n
	for n < len(s) && s[n] != '.' && !isDigit(s[n]) {
		n++
	}
	if from == n {
		return 0, 0, fmt.Errorf("time: missing unit in duration %q", all)
	}
	unit, ok := units[s[from:n]]
	if !ok {
		return 0, 0, fmt.Errorf("time: unknown unit %q in duration %q", s[from:n], all)
	}
	if whole > math.MaxInt64/uint64(unit) {
		return 0, 0, invalid(all)
	}
	d = time.Duration(whole) * unit
	extra := time.Duration(float64(frac) / float64(scale) * float64(unit))
	if d > math.MaxInt64-extra {
		return 0, 0, invalid(all)
	}
	return d + extra, n, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
