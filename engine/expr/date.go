package expr

import (
	"fmt"
	"math"
	"strings"
	"time"

	"ingot/internal/timefmt"
)

// Integers below are too early to be a time, from secLimit on they are
// milliseconds, from msLimit on nanoseconds.
const (
	minDate  = 946684800 // 2000-01-01
	secLimit = 9_999_999_999
	msLimit  = 9_999_999_999_999
)

func date(_ *ctx, a []value) value {
	switch v := a[0]; v.k {
	case kTime:
		return v
	case kString:
		t, err := timefmt.ParseTime(v.s)
		if err != nil {
			return errorf("date: unknown format %q", v.s)
		}
		return timeValue(t.UTC())
	case kInt:
		return dateFromInt(v.int())
	case kDouble:
		if f := v.double(); f == math.Trunc(f) && math.Abs(f) < 1<<62 {
			return dateFromInt(int64(f))
		}
		return errorf("date: %v is no whole number", v.double())
	default:
		return noOverload("date", v.k)
	}
}

func dateFromInt(n int64) value {
	switch {
	case n < minDate:
		return errorf("date: %d is before 2000-01-01", n)
	case n < secLimit:
		return timeValue(time.Unix(n, 0).UTC())
	case n < msLimit:
		return timeValue(time.UnixMilli(n).UTC())
	default:
		return timeValue(time.Unix(0, n).UTC())
	}
}

// parseDuration is time.ParseDuration with the units d and w, e.g. "1w2d3h".
func parseDuration(s string) (time.Duration, error) {
	rest, neg := strings.TrimPrefix(s, "-"), strings.HasPrefix(s, "-")
	var total time.Duration
	for rest != "" {
		n := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if n <= 0 {
			break
		}
		unit := strings.IndexFunc(rest[n:], func(r rune) bool { return r == '.' || r >= '0' && r <= '9' })
		if unit < 0 {
			unit = len(rest) - n
		}
		part, name := rest[:n], rest[n:n+unit]
		scale := time.Duration(1)
		switch name {
		case "d":
			name, scale = "h", 24
		case "w":
			name, scale = "h", 7*24
		}
		d, err := time.ParseDuration(part + name)
		if err != nil {
			break
		}
		d, ok := mulDuration(d, scale)
		if !ok || total > math.MaxInt64-d {
			return 0, fmt.Errorf("duration %q is out of range", s)
		}
		total += d
		if rest = rest[n+unit:]; rest == "" {
			if neg {
				total = -total
			}
			return total, nil
		}
	}
	if s == "0" {
		return 0, nil
	}
	return 0, fmt.Errorf("invalid duration %q", s)
}

func mulDuration(d, n time.Duration) (time.Duration, bool) {
	if d > math.MaxInt64/n {
		return 0, false
	}
	return d * n, true
}
