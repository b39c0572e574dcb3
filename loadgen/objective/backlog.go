package objective

import (
	"math"
	"slices"

	"ingot/loadgen/result"
)

const (
	// minSamples is how many seconds of backlog are needed to judge it.
	minSamples = 4
	// tolerated is the part of the rate of runs by which a backlog may grow: it is
	// also how far above its capacity a server could be driven unnoticed.
	tolerated = 0.02
	// maxSamples bounds the work, which grows with their square: of longer windows only
	// every so many samples are looked at.
	maxSamples = 600
	// clearly is by how many times the scatter the growth over the window has to
	// exceed it.
	clearly = 4
)

// growth returns the slope of the backlog over the window in runs per second, and
// whether it is clearly above zero:
//
//   - the slope is that of Theil and Sen, the median of the slopes between all pairs
//     of samples, which a stall of some seconds does not move;
//   - it is above 2 % of the rate at which runs were to be started, and
//   - over the whole window it comes to more than four times the scatter around the
//     line (from the median of the deviations), which is taken to be at least that of
//     a queue in balance, the square root of its length.
//
// Fewer than four samples, or a workload without runs, are not judged: such a backlog
// shows in the latencies or as loss.
func growth(r *result.Result) (slope float64, growing bool) {
	at, backlog := within(r)
	if len(at) < minSamples || r.Counts.Expected == 0 {
		return 0, false
	}
	var slopes []float64
	for i := range at {
		for j := range i {
			slopes = append(slopes, (backlog[i]-backlog[j])/(at[i]-at[j]))
		}
	}
	slope = median(slopes)
	rate := float64(r.Counts.Expected) / float64(r.Window)
	grown := slope * (at[len(at)-1] - at[0])
	return slope, slope > tolerated*rate && grown > clearly*scatter(at, backlog, slope)
}

// within returns when the samples of the window were taken, in seconds that grow,
// and the backlog at each.
func within(r *result.Result) (at, backlog []float64) {
	stride := 1 + len(r.Series)/maxSamples
	for i := 0; i < len(r.Series); i += stride {
		s := r.Series[i]
		if s.At < 0 || s.At >= r.Window || len(at) > 0 && float64(s.At) <= at[len(at)-1] {
			continue
		}
		at, backlog = append(at, float64(s.At)), append(backlog, float64(s.Backlog))
	}
	return at, backlog
}

// scatter is the standard deviation of the backlog around a line of the given slope,
// estimated from the median deviation.
func scatter(at, backlog []float64, slope float64) float64 {
	const deviationsPerMAD = 1.4826 // of a normal distribution
	rest := make([]float64, len(at))
	for i := range at {
		rest[i] = backlog[i] - slope*at[i]
	}
	offset := median(rest)
	for i := range rest {
		rest[i] = math.Abs(rest[i] - offset)
	}
	return max(deviationsPerMAD*median(rest), math.Sqrt(max(1, slices.Min(backlog))))
}

// median returns that of a list that is not empty.
func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
