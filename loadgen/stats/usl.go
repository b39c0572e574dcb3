package stats

import (
	"fmt"
	"math"
)

// Point is a throughput X, measured with N workers (clients, cores, nodes).
type Point struct{ N, X float64 }

// USL is a fit of Gunther's Universal Scalability Law:
//
//	X(N) = λN / (1 + σ(N-1) + κN(N-1))
type USL struct {
	// Lambda is the throughput of one worker without any other.
	Lambda float64
	// Sigma is contention: the share of the work that cannot be done in parallel.
	Sigma float64
	// Kappa is coherence: what each pair of workers costs by keeping each other up
	// to date. It makes throughput fall beyond a peak.
	Kappa float64
	// R2 is the share of the variance that the fit explains.
	R2 float64
	// Distinct is how many different N there were; with three the curve goes through
	// them by construction, and R2 says nothing.
	Distinct int
	// MaxN is the largest of them.
	MaxN float64
}

// At returns the throughput with n workers.
func (u USL) At(n float64) float64 {
	return u.Lambda * n / (1 + u.Sigma*(n-1) + u.Kappa*n*(n-1))
}

// Peak returns the N of the highest throughput, and false if throughput only
// grows (towards λ/σ) as far as the fit can say.
func (u USL) Peak() (float64, bool) {
	if u.Kappa <= 0 {
		return 0, false
	}
	return math.Max(1, math.Sqrt(math.Max(0, 1-u.Sigma)/u.Kappa)), true
}

// FitUSL fits the law by least squares, with σ and κ not below 0. It refuses
// fewer than three different N, and values that are not positive.
func FitUSL(points []Point) (USL, error) {
	distinct := map[float64]bool{}
	largest := 0.0
	for _, p := range points {
		if !positive(p.N) || !positive(p.X) {
			return USL{}, fmt.Errorf("scalability fit: throughput %v at N = %v, must both be positive", p.X, p.N)
		}
		distinct[p.N] = true
		largest = max(largest, p.N)
	}
	if len(distinct) < 3 {
		return USL{}, fmt.Errorf("scalability fit: results for %d different N, needs at least 3", len(distinct))
	}
	best, found := USL{}, false
	// The bounds are met by trying each combination of coefficients that are held
	// at 0: the best of the admissible ones is the constrained optimum.
	for _, free := range [][]int{{0, 1, 2}, {0, 1}, {0, 2}, {0}} {
		u, ok := fitFree(points, free)
		if ok && (!found || squares(points, u) < squares(points, best)*(1-1e-9)) {
			best, found = u, true
		}
	}
	if !found {
		return USL{}, fmt.Errorf("scalability fit: no curve goes through these %d results", len(points))
	}
	best.R2, best.Distinct, best.MaxN = explained(points, best), len(distinct), largest
	return best, nil
}

// fitFree fits the coefficients named by free (0 λ, 1 σ, 2 κ) and holds the
// others at 0. It is false if the optimum has a negative coefficient.
func fitFree(points []Point, free []int) (USL, bool) {
	u, ok := linearStart(points, free)
	if !ok {
		return USL{}, false
	}
	u = refine(points, free, u)
	return u, u.Lambda > 0 && u.Sigma >= 0 && u.Kappa >= 0
}

// linearStart solves the linearised law N/X = (1 + σ(N-1) + κN(N-1)) / λ.
func linearStart(points []Point, free []int) (USL, bool) {
	var s system
	for _, p := range points {
		s.add([3]float64{1, p.N - 1, p.N * (p.N - 1)}, p.N/p.X, free)
	}
	c, ok := s.solve(free, 0)
	if !ok || c[0] <= 0 {
		return USL{}, false
	}
	return USL{Lambda: 1 / c[0], Sigma: c[1] / c[0], Kappa: c[2] / c[0]}, true
}

// refine goes from there to the least squares of X itself by the method of
// Levenberg and Marquardt.
func refine(points []Point, free []int, u USL) USL {
	const rounds = 200
	sum, damping := squares(points, u), 1e-3
	for range rounds {
		var s system
		for _, p := range points {
			s.add(gradient(u, p.N), p.X-u.At(p.N), free)
		}
		d, ok := s.solve(free, damping)
		if !ok {
			break
		}
		next := USL{Lambda: u.Lambda + d[0], Sigma: u.Sigma + d[1], Kappa: u.Kappa + d[2]}
		if after := squares(points, next); after < sum {
			done := sum-after < sum*1e-15
			u, sum, damping = next, after, damping/4
			if done {
				break
			}
		} else if damping *= 8; damping > 1e12 {
			break
		}
	}
	return u
}

// gradient holds the derivatives of X at n for λ, σ and κ.
func gradient(u USL, n float64) [3]float64 {
	d := 1 + u.Sigma*(n-1) + u.Kappa*n*(n-1)
	x := u.Lambda * n / (d * d)
	return [3]float64{n / d, -x * (n - 1), -x * n * (n - 1)}
}

func squares(points []Point, u USL) float64 {
	sum := 0.0
	for _, p := range points {
		e := p.X - u.At(p.N)
		sum += e * e
	}
	return sum
}

func explained(points []Point, u USL) float64 {
	mean, total := 0.0, 0.0
	for _, p := range points {
		mean += p.X / float64(len(points))
	}
	for _, p := range points {
		total += (p.X - mean) * (p.X - mean)
	}
	if total == 0 {
		return 1
	}
	return 1 - squares(points, u)/total
}
