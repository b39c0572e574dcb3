package stats

import "math"

// system is the normal equations of a least-squares problem with up to three
// coefficients.
type system struct {
	a [3][3]float64
	b [3]float64
}

// add takes one equation: x·c = y, for the coefficients named by free.
func (s *system) add(x [3]float64, y float64, free []int) {
	for _, i := range free {
		for _, j := range free {
			s.a[i][j] += x[i] * x[j]
		}
		s.b[i] += x[i] * y
	}
}

// solve returns the coefficients; those that are not free are 0. The diagonal
// grows by the share damping. It is false if the equations do not determine them.
func (s *system) solve(free []int, damping float64) ([3]float64, bool) {
	a, b := s.a, s.b
	// Columns differ by many orders of magnitude (λ against κ): scaled to a unit
	// diagonal, the pivots can be compared with a fixed limit.
	var scale [3]float64
	for _, i := range free {
		if s.a[i][i] <= 0 {
			return [3]float64{}, false
		}
		scale[i] = 1 / math.Sqrt(s.a[i][i])
	}
	for _, i := range free {
		for _, j := range free {
			a[i][j] *= scale[i] * scale[j]
		}
		a[i][i] += damping
		b[i] *= scale[i]
	}
	for k, p := range free {
		if math.Abs(a[p][p]) < 1e-13 || math.IsNaN(a[p][p]) {
			return [3]float64{}, false
		}
		for _, i := range free[k+1:] {
			f := a[i][p] / a[p][p]
			for _, j := range free {
				a[i][j] -= f * a[p][j]
			}
			b[i] -= f * b[p]
		}
	}
	var c [3]float64
	for k := len(free) - 1; k >= 0; k-- {
		i := free[k]
		v := b[i]
		for _, j := range free[k+1:] {
			v -= a[i][j] * c[j]
		}
		c[i] = v / a[i][i]
	}
	for _, i := range free {
		c[i] *= scale[i]
	}
	return c, true
}
