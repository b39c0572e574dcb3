// Package stats holds the statistics that comparisons and capacity plans need:
// ratios of paired rounds with confidence intervals, tests that go with them,
// and the fit of the Universal Scalability Law.
//
// It knows numbers only. What is compared and how a verdict is worded lives in
// package compare; what a fit means for a machine, in package capacity. All
// results are deterministic: random resampling uses a fixed seed.
package stats

import (
	"math"
	"slices"
)

// Median returns the middle value, or the mean of the two in the middle; NaN if
// there is none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return medianInPlace(slices.Clone(values))
}

// medianInPlace sorts its argument.
func medianInPlace(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

// Mean returns the arithmetic mean; NaN if there is no value.
func Mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// deviation is the standard deviation of a sample (n-1), 0 for fewer than two.
func deviation(values []float64) float64 {
	if len(values) < 2 {
		return 0
	}
	mean, sum := Mean(values), 0.0
	for _, v := range values {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / float64(len(values)-1))
}
