package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	// resamples of the bootstrap; the bounds then move by well below 1 % of the
	// interval's width with the seed.
	resamples = 4_000
	// Level is the confidence of intervals.
	Level = 0.95
	// signFlipRounds is from how many rounds on the sign-flip test has a say: with
	// fewer its smallest possible p-value (2 of 2^n) is too large to decide anything.
	signFlipRounds = 8
)

// Ratio is how many times as large one quantity is as another.
type Ratio struct {
	// Estimate is the geometric mean of the ratios of the single rounds.
	Estimate float64
	// Low and High bound the interval in which the true ratio lies with 95 %
	// confidence. With a single round nothing is known: 0 and +Inf.
	Low, High float64
	// Error is the standard error of the mean of the logarithms, about that of Estimate
	// relative to it; +Inf with a single round.
	Error float64
	// P is the probability of a ratio at least as far from 1 if there were no
	// difference (two-sided).
	P float64
	// Rounds is the number of pairs.
	Rounds int
}

// PairedRatio compares other with base, which were measured in the same rounds:
// base[i] and other[i] belong together, so what slows a whole round down (a
// neighbour on the machine) cancels.
//
// The interval covers both Student's t interval of the logarithms, which is
// honest about few rounds, and the bootstrap interval of the ratio of medians
// (whole rounds resampled, fixed seed), which assumes no distribution. P is that
// of the t test; from eight rounds on an exact sign-flip test must agree.
//
// All values must be positive and finite, and the lengths the same and not 0.
func PairedRatio(base, other []float64) (Ratio, error) {
	if len(base) != len(other) || len(base) == 0 {
		return Ratio{}, fmt.Errorf("paired ratio: %d and %d values, must be as many and at least 1", len(base), len(other))
	}
	logs := make([]float64, len(base))
	for i := range base {
		if !positive(base[i]) || !positive(other[i]) {
			return Ratio{}, fmt.Errorf("paired ratio: round %d has %v and %v, must be positive", i+1, base[i], other[i])
		}
		logs[i] = math.Log(other[i]) - math.Log(base[i])
	}
	r := Ratio{Estimate: math.Exp(Mean(logs)), Low: 0, High: math.Inf(1), Error: math.Inf(1), P: 1, Rounds: len(base)}
	if len(base) < 2 {
		return r, nil
	}
	half := 0.0
	half, r.P = studentTest(logs)
	r.Error = standardError(logs)
	low, high := bootstrap(base, other)
	r.Low = min(low, math.Exp(Mean(logs)-half))
	r.High = max(high, math.Exp(Mean(logs)+half))
	if len(logs) >= signFlipRounds {
		r.P = max(r.P, signFlip(logs))
	}
	return r, nil
}

func positive(v float64) bool { return v > 0 && !math.IsInf(v, 1) }

// studentTest returns half the width of the interval of the mean, and the
// p-value of its being 0.
func studentTest(values []float64) (half, p float64) {
	mean, freedom := Mean(values), float64(len(values)-1)
	e := standardError(values)
	if e < 1e-12 { // equal but for rounding
		if math.Abs(mean) < 1e-12 {
			return 0, 1
		}
		return 0, 0
	}
	return studentQuantile(1-Level, freedom) * e, studentTail(mean/e, freedom)
}

func standardError(values []float64) float64 {
	return deviation(values) / math.Sqrt(float64(len(values)))
}

// bootstrap returns the percentile interval of the ratio of medians.
func bootstrap(base, other []float64) (low, high float64) {
	random := rand.New(rand.NewPCG(1, uint64(len(base))))
	a, b := make([]float64, len(base)), make([]float64, len(base))
	ratios := make([]float64, resamples)
	for i := range ratios {
		for j := range a {
			k := random.IntN(len(base))
			a[j], b[j] = base[k], other[k]
		}
		ratios[i] = medianInPlace(b) / medianInPlace(a)
	}
	slices.Sort(ratios)
	tail := int(float64(resamples) * (1 - Level) / 2)
	return ratios[tail], ratios[resamples-1-tail]
}

// signFlip is the permutation test for paired values: if there is no difference,
// each could as well have had the other sign. It is exact up to 2^12 sign
// patterns and samples as many beyond.
func signFlip(values []float64) float64 {
	const exact = 12
	n := len(values)
	patterns := uint64(1) << min(n, exact)
	random := rand.New(rand.NewPCG(2, uint64(n)))
	observed := math.Abs(Mean(values)) * (1 - 1e-12) // the observed pattern itself counts in spite of rounding
	asFar := 0
	for pattern := range patterns {
		bits := pattern
		if n > exact {
			bits = random.Uint64()
		}
		sum := 0.0
		for i, v := range values {
			if bits>>(uint(i)%64)&1 == 1 {
				v = -v
			}
			sum += v
		}
		if math.Abs(sum/float64(n)) >= observed {
			asFar++
		}
	}
	return math.Min(1, float64(max(asFar, 1))/float64(patterns))
}
