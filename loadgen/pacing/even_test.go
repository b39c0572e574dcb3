package pacing

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// shape is a schedule's spec with the integral of its rate, worked out differently.
type shape struct {
	spec     string
	rate     float64
	integral func(t float64) float64 // over the first t seconds
}

func drawShape(t *rapid.T, seconds float64) shape {
	rate := func(name string) float64 { return float64(rapid.IntRange(0, 3_000).Draw(t, name)) / 4 }
	a, b := rate("a")+1, rate("b")
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		return shape{"constant", a, func(t float64) float64 { return a * t }}
	case 1:
		return shape{fmt.Sprintf("ramp:%g-%g", a, b), 0, func(t float64) float64 {
			now := a + (b-a)*t/seconds
			return (a + now) / 2 * t
		}}
	case 2:
		c := rate("c")
		return shape{fmt.Sprintf("steps:%g,%g,%g", a, b, c), 0, func(t float64) float64 {
			third := seconds / 3
			return a*min(t, third) + b*min(max(0, t-third), third) + c*max(0, t-2*third)
		}}
	}
	every := float64(rapid.IntRange(1_000, 9_000).Draw(t, "every")) / 1000
	length := every / 4
	return shape{fmt.Sprintf("spike:%g-%g/%gs/%gs", b, a, every, length), 0, func(t float64) float64 {
		whole := math.Floor(t / every)
		in := min(max(0, t-whole*every-(every-length)/2), length)
		return b*t + (a-b)*(whole*length+in)
	}}
}

// Within every interval there are as many requests as the integral of the rate says,
// but for the one at either end.
func TestRequestsFollowTheRate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seconds := float64(rapid.IntRange(1, 30).Draw(t, "seconds"))
		sh := drawShape(t, seconds)
		s, err := Parse(sh.spec, sh.rate, time.Duration(seconds)*time.Second, 1)
		if sh.integral(seconds) == 0 { // a spike that would come after the end
			if err == nil {
				t.Fatalf("%s: a schedule without requests", sh.spec)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		times := all(t, s)
		if want := sh.integral(seconds); math.Abs(float64(len(times))-want) > 1+1e-6 || math.Abs(s.MeanRate()*seconds-want) > 1e-6*want {
			t.Fatalf("%s: %d requests, mean rate %g; the integral is %g", sh.spec, len(times), s.MeanRate(), want)
		}
		for i, at := range times {
			// A nanosecond, to which times are rounded, is worth at most rate × 1e-9.
			if got := sh.integral(at.Seconds()); math.Abs(got-float64(i)) > 1e-4 {
				t.Fatalf("%s: request %d is at %s, where the integral is %g", sh.spec, i, at, got)
			}
		}
	})
}

// all drains a schedule and checks what holds for every one.
func all(t interface {
	Helper()
	Fatalf(string, ...any)
}, s Schedule) []time.Duration {
	t.Helper()
	total := s.Total()
	var times []time.Duration
	for at, ok := s.Next(); ok; at, ok = s.Next() {
		if len(times) > 0 && at < times[len(times)-1] || at < 0 {
			t.Fatalf("request %d is at %s, after one at %s", len(times), at, times[len(times)-1])
		}
		times = append(times, at)
	}
	if _, even := s.(*even); len(times) > total || even && len(times) != total {
		t.Fatalf("%d requests; Total says %d", len(times), total)
	}
	if _, ok := s.Next(); ok || s.Total() != total {
		t.Fatalf("it goes on after its end")
	}
	return times
}

func TestNothingAtTheEndOfTheDuration(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]int{0.1: 3, 1: 30, 3: 90, 0.3: 9, 1e3 / 3: 10_000, 0.01: 1} {
		s, err := Parse("constant", rate, 30*time.Second, 0)
		if err != nil {
			t.Fatal(err)
		}
		if times := all(t, s); len(times) != want {
			t.Errorf("%g/s for 30 s: %d requests, the last at %s; want %d", rate, len(times), times[len(times)-1], want)
		}
	}
}

func TestNoErrorGathersOverAWeek(t *testing.T) {
	t.Parallel()
	const rate = 3_300 // 2e9 requests in a week
	s, err := Parse("constant", rate, MaxDuration, 0)
	if err != nil {
		t.Fatal(err)
	}
	e := s.(*even)
	if want := int(MaxDuration/time.Second) * rate; e.Total() != want {
		t.Errorf("%d requests, want %d", e.Total(), want)
	}
	for _, i := range []int{1, 7, 1_000_003, 1_234_567_891, e.Total() - 1} {
		e.next = i
		at, ok := e.Next()
		want := time.Duration(i/rate)*time.Second + time.Duration(i%rate)*time.Second/rate
		if off := at - want; !ok || off < -time.Nanosecond || off > time.Nanosecond {
			t.Errorf("request %d is at %s, want %s", i, at, want)
		}
	}
}

func TestPausesAndCutSpikes(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string][]time.Duration{
		"steps:1,0,1":       {0, 2 * time.Second},
		"steps:0,0,2":       {2 * time.Second, 2500 * time.Millisecond},
		"spike:0-2/2s/1s":   {500 * time.Millisecond, time.Second, 2500 * time.Millisecond},
		"spike:0-2/10s/9s":  {500 * time.Millisecond, time.Second, 1500 * time.Millisecond, 2 * time.Second, 2500 * time.Millisecond},
		"ramp:0.5-0.499999": {0, 2 * time.Second},
	} {
		s, err := Parse(spec, 0, 3*time.Second, 0)
		if err != nil {
			t.Fatal(err)
		}
		got := all(t, s)
		same := len(got) == len(want)
		for i := range got {
			same = same && (got[i]-want[i]).Abs() < 10*time.Microsecond
		}
		if !same {
			t.Errorf("%s: %v, want %v", spec, got, want)
		}
	}
}
