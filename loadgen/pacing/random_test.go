package pacing

import (
	"math"
	"slices"
	"testing"
	"time"
)

func random1(t *testing.T, rate float64, duration time.Duration, seed uint64) []time.Duration {
	t.Helper()
	s, err := Parse("poisson", rate, duration, seed)
	if err != nil {
		t.Fatal(err)
	}
	if s.MeanRate() != rate {
		t.Errorf("the mean rate is %g", s.MeanRate())
	}
	return all(t, s)
}

// In a Poisson process the numbers of requests per second are independent and their
// variance is their mean.
func TestPoissonCounts(t *testing.T) {
	t.Parallel()
	const rate, seconds = 50.0, 20_000
	counts := make([]float64, seconds)
	for _, at := range random1(t, rate, seconds*time.Second, 7) {
		counts[at/time.Second]++
	}
	mean, variance := moments(counts)
	// Standard errors: 0.05 of the mean, 0.5 of the variance.
	if math.Abs(mean-rate) > 0.25 || math.Abs(variance-rate) > 2.5 {
		t.Errorf("mean %.3f, variance %.3f; both should be %g", mean, variance, rate)
	}
	var together float64
	for i := range seconds - 1 {
		together += (counts[i] - mean) * (counts[i+1] - mean) / (seconds - 1)
	}
	if correlation := together / variance; math.Abs(correlation) > 0.035 { // five standard errors
		t.Errorf("one second and the next are correlated by %.4f", correlation)
	}
}

// The gaps are exponential: their standard deviation is their mean, and the part that
// is longer than x means is exp(-x).
func TestPoissonGaps(t *testing.T) {
	t.Parallel()
	const rate = 1000.0
	times := random1(t, rate, 1000*time.Second, 3)
	gaps := make([]float64, len(times)-1)
	for i := range gaps {
		gaps[i] = (times[i+1] - times[i]).Seconds() * rate
	}
	mean, variance := moments(gaps)
	if math.Abs(mean-1) > 0.005 || math.Abs(variance-1) > 0.015 {
		t.Errorf("mean %.4f, variance %.4f; both should be 1", mean, variance)
	}
	slices.Sort(gaps)
	for _, x := range []float64{0.01, 0.1, 0.5, 1, 2, 5} {
		i, _ := slices.BinarySearch(gaps, x)
		if longer := 1 - float64(i)/float64(len(gaps)); math.Abs(longer-math.Exp(-x)) > 0.0025 {
			t.Errorf("%.4f are longer than %g means; want %.4f", longer, x, math.Exp(-x))
		}
	}
}

func moments(list []float64) (mean, variance float64) {
	n := float64(len(list))
	for _, x := range list {
		mean += x / n
	}
	for _, x := range list {
		variance += (x - mean) * (x - mean) / (n - 1)
	}
	return mean, variance
}

func TestSeedDecides(t *testing.T) {
	t.Parallel()
	a, b, c := random1(t, 100, 10*time.Second, 1), random1(t, 100, 10*time.Second, 1), random1(t, 100, 10*time.Second, 2)
	if !slices.Equal(a, b) {
		t.Error("the same seed gives another schedule")
	}
	if slices.Equal(a, c) {
		t.Error("another seed gives the same schedule")
	}
}

// Total is an upper bound also where chance is largest compared with the mean.
func TestFewRandomRequests(t *testing.T) {
	t.Parallel()
	sum := 0
	for seed := range uint64(10_000) {
		sum += len(random1(t, 1, time.Second, seed))
	}
	if sum < 9_500 || sum > 10_500 {
		t.Errorf("%d requests in 10,000 schedules with one on average", sum)
	}
}
