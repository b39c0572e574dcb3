package chart

import "math"

// scale maps values to 0..1 and knows where its ticks are.
type scale struct {
	low, high float64 // in logarithms if log
	log       bool
	ticks     []Tick
}

func newScale(a Axis, low, high float64) scale {
	s := scale{log: a.Log && low > 0, ticks: a.Ticks}
	if high-low < smallestSpread*max(1, math.Abs(high)) {
		high = low + 1
	}
	if s.log {
		s.low, s.high = math.Log10(low), math.Log10(high)
	} else {
		s.low, s.high = low, high
	}
	if s.ticks == nil {
		places := linearTicks(low, high)
		if s.log {
			places = logTicks(low, high)
		}
		for _, at := range places {
			s.ticks = append(s.ticks, Tick{at, a.text(at)})
		}
	}
	return s
}

func (s scale) at(v float64) float64 {
	if s.log {
		v = math.Log10(math.Max(v, math.SmallestNonzeroFloat64))
	}
	return math.Min(1, math.Max(0, (v-s.low)/(s.high-s.low)))
}

// linearTicks are multiples of 1, 2 or 5 times a power of ten.
func linearTicks(low, high float64) []float64 {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/tickTarget)))
	for _, f := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*f) <= tickTarget {
			step *= f
			break
		}
	}
	var ticks []float64
	for i := math.Ceil(low / step); i*step <= high+step*1e-9; i++ {
		ticks = append(ticks, i*step+0) // + 0 makes -0 a 0
	}
	return ticks
}

// logTicks are powers of ten, with 2 and 5 between them while they are few.
func logTicks(low, high float64) []float64 {
	factors := []float64{1}
	if high/low < 300 {
		factors = []float64{1, 2, 5}
	}
	var ticks []float64
	for decade := math.Floor(math.Log10(low)); decade <= math.Log10(high); decade++ {
		for _, f := range factors {
			if v := f * math.Pow(10, decade); v >= low && v <= high {
				ticks = append(ticks, v)
			}
		}
	}
	return ticks
}
