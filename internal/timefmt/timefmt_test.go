package timefmt

import (
	"strings"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	second := time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)
	cases := map[string]time.Time{
		"2026-11-22T15:04:05Z":                    second,
		"2026-11-22T15:04:05.25Z":                 second.Add(250 * time.Millisecond),
		"2026-11-22T16:04:05+01:00":               second,
		"2026-11-22T15:04:05":                     second,
		"Sun, 22 Nov 2026 15:04:05 GMT":           second,
		"22 Nov 26 15:04 UTC":                     second.Truncate(time.Minute),
		"22 Nov 26 17:04 +0200":                   second.Truncate(time.Minute),
		"Sunday, 22-Nov-26 15:04:05 UTC":          second,
		"Sun Nov 22 15:04:05 +0000 2026":          second,
		"Sun Nov 22 15:04:05 UTC 2026":            second,
		"Sun Nov 22 15:04:05 2026":                second,
		"Nov 22 15:04:05":                         time.Date(0, 11, 22, 15, 4, 5, 0, time.UTC),
		"Nov 22 15:04:05.500":                     time.Date(0, 11, 22, 15, 4, 5, 5e8, time.UTC),
		"2026-11-22":                              second.Truncate(24 * time.Hour),
		"2026-11-22 15:04:05.000000001 +0000 UTC": second.Add(1),
	}
	for in, want := range cases {
		got, err := ParseTime(in)
		if err != nil || !got.Equal(want) {
			t.Errorf("%q: got %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "soon", "1732287845", "2026-13-01"} {
		if got, err := ParseTime(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	cases := map[string]time.Duration{
		"0": 0, "1s": time.Second, "1500ms": 1500 * time.Millisecond, "1s500ms": 1500 * time.Millisecond, "0.5s": time.Second / 2,
		".5s": time.Second / 2, "1.s": time.Second, "2d3h": 2*day + 3*time.Hour, "1w": 7 * day, "1.5d": 36 * time.Hour, "1d12h30m": 36*time.Hour + 30*time.Minute,
		"-1h": -time.Hour, "+1h": time.Hour, "10us": 10 * time.Microsecond, "10µs": 10 * time.Microsecond, "10μs": 10 * time.Microsecond, "7ns": 7,
		"365d": 365 * day, "0.000000000000000000001s": 0,
	}
	for in, want := range cases {
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-", "abc", "1", "1 s", "s", ".s", "1x", "1s2", "1y", "--1s", "9999999999999999999s", "300000w", "15250w1w1w", "15250.9999w"} {
		if got, err := ParseDuration(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

func TestParseDurationTexts(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"abc": `time: invalid duration "abc"`, "": `time: invalid duration ""`, "1h5": `time: missing unit in duration "1h5"`,
		"3y": `time: unknown unit "y" in duration "3y"`, "9999999999999999999s": `time: invalid duration "9999999999999999999s"`,
	} {
		if _, err := ParseDuration(in); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", in, err, want)
		}
	}
}

// FuzzParseDuration checks that whatever Go reads as a duration means the same here.
func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"1h2m3.5s", "-1.5h", "1d", "0", "1w2d", "9223372036s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseDuration(s)
		want, goErr := time.ParseDuration(s)
		if goErr != nil || want == -1<<63 {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v, want %v", s, err, want)
		}
		if diff := got - want; diff < -time.Microsecond || diff > time.Microsecond {
			t.Fatalf("%q: got %v, want %v", s, got, want)
		}
	})
}

func TestParseTimeout(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	cases := map[string]time.Time{
		"": now, "1h": now.Add(time.Hour), "2d": now.Add(48 * time.Hour), "-1s": now.Add(-time.Second),
		"2026-11-22T13:00:00.000Z": now.Add(time.Hour), "2020-01-01T00:00:00Z": time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for in, want := range cases {
		if got, err := ParseTimeout(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %v, %v; want %v", in, got, err, want)
		}
	}
	for in, prefix := range map[string]string{
		"abc":                 `invalid duration "abc": `,
		"2026-11-22":          `invalid duration "2026-11-22": `,
		"2026-11-22T13:00:00": `invalid RFC 3339 timestamp "2026-11-22T13:00:00": `,
		"Tomorrow":            `invalid RFC 3339 timestamp "Tomorrow": `,
	} {
		if _, err := ParseTimeout(in, now); err == nil || !strings.HasPrefix(err.Error(), prefix) {
			t.Errorf("%q: got %v, want %s…", in, err, prefix)
		}
	}
}
