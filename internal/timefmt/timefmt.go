// Package timefmt reads the texts in which SDKs write instants and durations:
// the date formats of spec 01 §1.5, durations with days and weeks, and timeouts
// that are either (§1.4). It has no clock: callers pass the time.
package timefmt

import (
	"fmt"
	"strings"
	"time"
)

// layouts are tried in order.
var layouts = [...]string{
	time.RFC3339,
	"2006-01-02T15:04:05",
	time.RFC1123,
	time.RFC822,
	time.RFC822Z,
	time.RFC850,
	time.RubyDate,
	time.UnixDate,
	time.ANSIC,
	time.Stamp,
	time.StampMilli,
	time.DateOnly,
	"2006-01-02 15:04:05.999999999 -0700 MST",
}

// ParseTime reads an instant in any of the accepted formats; a text without a
// zone is UTC.
func ParseTime(s string) (time.Time, error) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("invalid date %q", s)
}

// ParseTimeout reads the timeout of a wait or an invoke: an extended duration
// from now, or an RFC 3339 instant, which may lie in the past. The empty text,
// which SDKs send for negative durations, is now.
func ParseTimeout(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return now, nil
	}
	d, durErr := ParseDuration(s)
	if durErr == nil {
		return now.Add(d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err == nil {
		return t, nil
	}
	if strings.Contains(s, "T") {
		return time.Time{}, fmt.Errorf("invalid RFC 3339 timestamp %q: %w", s, err)
	}
	return time.Time{}, fmt.Errorf("invalid duration %q: %w", s, durErr)
}
