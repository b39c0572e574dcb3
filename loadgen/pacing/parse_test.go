package pacing

import (
	"strings"
	"testing"
	"time"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		spec     string
		rate     float64
		duration time.Duration
		want     string
	}{
		{"constant", 1, 0, "duration: 0s is not above 0"},
		{"constant", 1, MaxDuration + 1, "at most 168h0m0s"},
		{"constant", 0, time.Second, "rate: constant pacing needs one above 0"},
		{"poisson", 0, time.Second, "rate: poisson pacing needs one above 0"},
		{"constant", -1, time.Second, "rate: -1 is not a rate from 0 to 10000000"},
		{"constant", MaxRate + 1, time.Second, "rate: 1.0000001e+07"},
		{"constant", MaxRate, time.Hour, "36000000000 requests in 1h0m0s; the limit is 2000000000"},
		{"", 1, time.Second, "none of constant"},
		{"constant:5", 1, time.Second, "none of constant"},
		{"ramp", 1, time.Second, "none of constant"},
		{"zigzag:1-2", 1, time.Second, "none of constant"},
		{"ramp:1", 1, time.Second, `pacing ramp: "1" is not a pair`},
		{"ramp:x-1", 1, time.Second, `pacing ramp: first rate: "x" is not a number`},
		{"ramp:1-", 1, time.Second, `pacing ramp: second rate: "" is not a number`},
		{"ramp:1-NaN", 1, time.Second, "second rate: NaN is not a rate"},
		{"ramp:0-0", 1, time.Second, "every rate is 0"},
		{"steps:", 1, time.Second, `pacing steps: rate 1: "" is not a number`},
		{"steps:1,1e9", 1, time.Second, "rate 2: 1e+09 is not a rate"},
		{"steps:" + strings.Repeat("1,", MaxParts) + "1", 1, time.Second, "10001 rates; the limit is 10000"},
		{"spike:1-2/1s", 1, time.Second, "not BASE-PEAK/EVERY/LENGTH"},
		{"spike:1-2/x/1s", 1, time.Second, "EVERY: time: invalid duration"},
		{"spike:1-2/1s/x", 1, time.Second, "LENGTH: time: invalid duration"},
		{"spike:1-2/0s/1s", 1, time.Second, "EVERY: 0s is not above 0"},
		{"spike:1-2/1s/1s", 1, time.Second, "LENGTH: 1s is not above 0 and below EVERY"},
		{"spike:1-2/1ms/1us", 1, time.Hour, "3600000 spikes; the limit is 10000"},
		{"spike:1/1s/1ms", 1, time.Hour, "pacing spike"},
	} {
		if _, err := Parse(x.spec, x.rate, x.duration, 0); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%.40s at %g for %s: %v; want %q", x.spec, x.rate, x.duration, err, x.want)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	for _, spec := range []string{"constant", "poisson", "ramp:500000-600000", "spike:100000-900000/1s/100ms"} {
		b.Run(spec, func(b *testing.B) {
			b.ReportAllocs()
			var s Schedule
			for i := 0; b.Loop(); i++ {
				if i%1_000_000 == 0 {
					s, _ = Parse(spec, 100_000, time.Minute, 1)
				}
				s.Next()
			}
		})
	}
}
