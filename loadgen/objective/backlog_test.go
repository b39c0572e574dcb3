package objective

import (
	"math"
	"math/rand/v2"
	"testing"

	"ingot/loadgen/result"
)

// queue is the result of a run whose backlog is given second by second.
func queue(rate float64, seconds int, backlog func(second int) float64) *result.Result {
	r := &result.Result{Window: result.Seconds(seconds), Counts: result.Counts{Expected: int64(rate * float64(seconds))}}
	// The seconds before and after the window say something else.
	for i := -5; i < seconds+5; i++ {
		s := result.Sample{At: result.Seconds(i), Backlog: int64(1e6 * (i + 10))}
		if i >= 0 && i < seconds {
			s.Backlog = max(0, int64(backlog(i)))
		}
		r.Series = append(r.Series, s)
	}
	return r
}

func TestGrowth(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	noise := func(mean float64) float64 { return mean + math.Sqrt(mean)*rng.NormFloat64() }
	for name, x := range map[string]struct {
		rate    float64
		seconds int
		backlog func(second int) float64
		growing bool
	}{
		"empty":                       {1000, 10, func(int) float64 { return 0 }, false},
		"balanced":                    {1000, 10, func(int) float64 { return noise(100) }, false},
		"balanced, long":              {1000, 3600, func(int) float64 { return noise(100) }, false},
		"slow server, few runs":       {50, 5, func(int) float64 { return noise(20) }, false},
		"falling":                     {1000, 10, func(s int) float64 { return noise(1000 - 50*float64(s)) }, false},
		"10 % too much":               {1000, 10, func(s int) float64 { return noise(50 + 100*float64(s)) }, true},
		"3 % too much":                {1000, 30, func(s int) float64 { return noise(50 + 30*float64(s)) }, true},
		"1 % too much, as tolerated":  {1000, 30, func(s int) float64 { return noise(50 + 10*float64(s)) }, false},
		"20 % too much of few":        {50, 10, func(s int) float64 { return noise(5 + 10*float64(s)) }, true},
		"a stall of two seconds":      {1000, 10, func(s int) float64 { return 100 + 1000*float64(s%10/8) }, false},
		"one stall and balance again": {1000, 20, func(s int) float64 { return []float64{100, 1000}[btoi(s >= 5 && s < 8)] }, false},
		"growing between stalls":      {1000, 20, func(s int) float64 { return 100*float64(s) + 800*float64(btoi(s%5 == 4)) }, true},
		"too short to tell":           {1000, 3, func(s int) float64 { return 500 * float64(s) }, false},
		"no runs":                     {0, 10, func(s int) float64 { return 500 * float64(s) }, false},
		"long and growing":            {1000, 3600, func(s int) float64 { return noise(100 + 50*float64(s)) }, true},
	} {
		if slope, growing := growth(queue(x.rate, x.seconds, x.backlog)); growing != x.growing {
			t.Errorf("%s: slope %.1f, growing %v", name, slope, growing)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A balanced queue is rarely called a growing one, and one that is driven 10 % above
// its capacity nearly always.
func TestGrowthIsReliable(t *testing.T) {
	t.Parallel()
	const rate, trials = 500, 2000
	rng := rand.New(rand.NewPCG(2, 2))
	wrong, missed := 0, 0
	for range trials {
		mean := 1 + 200*rng.Float64()
		balanced := queue(rate, 8, func(int) float64 { return mean + math.Sqrt(mean)*rng.NormFloat64() })
		overload := queue(rate, 8, func(s int) float64 {
			return mean + 0.1*rate*float64(s) + math.Sqrt(mean)*rng.NormFloat64()
		})
		if _, growing := growth(balanced); growing {
			wrong++
		}
		if _, growing := growth(overload); !growing {
			missed++
		}
	}
	if wrong > trials/1000 || missed > trials/100 {
		t.Errorf("of %d, %d balanced ones were called growing and %d growing ones balanced", trials, wrong, missed)
	}
}
