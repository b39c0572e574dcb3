package capacity

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"ingot/loadgen/result"
	"ingot/loadgen/stats"
)

// Scaling is how throughput grows with N.
type Scaling struct {
	// By is what N counts.
	By     string
	Points []stats.Point
	// Fit is nil if there is none; Refused says why.
	Fit     *stats.USL
	Refused string
}

// trustedFactor is up to how many times the largest measured N a fit is shown.
const trustedFactor = 2

// hardware says whether N counts what can be bought.
func (s Scaling) hardware() bool { return s.By == "cores" || s.By == "nodes" }

// scale fits throughput over N.
func (p *Part) scale(by string) Scaling {
	if by == "" {
		by = p.varies()
	}
	s := Scaling{By: by}
	if by == "concurrency" {
		s.Points = p.offered()
	} else {
		s.Points = p.highest(by)
	}
	slices.SortFunc(s.Points, func(a, b stats.Point) int {
		switch {
		case a.N < b.N:
			return -1
		case a.N > b.N:
			return 1
		}
		return 0
	})
	fit, err := stats.FitUSL(s.Points)
	if err != nil {
		s.Refused = err.Error()
		return s
	}
	s.Fit = &fit
	return s
}

// highest has, for each N, the highest throughput that held its objective, if
// there was one.
func (p *Part) highest(by string) []stats.Point {
	best := map[float64]float64{}
	for _, in := range p.inputs {
		r := in.Result
		if n, x := in.count(by, 0), p.rate(r); n > 0 && x > 0 && !r.Generator.Saturated && (r.Objective == nil || r.Objective.Met) {
			best[n] = max(best[n], x)
		}
	}
	var points []stats.Point
	for n, x := range best {
		points = append(points, stats.Point{N: n, X: x})
	}
	return points
}

// offered has one point for each load that was offered: the mean concurrency and
// throughput of all results with it. Repetitions of one load differ in their
// concurrency by noise, and noise has no shape to fit.
func (p *Part) offered() []stats.Point {
	type load struct {
		rate    float64
		clients int
	}
	values := map[load][2][]float64{}
	for _, in := range p.inputs {
		r := in.Result
		n, x := in.count("concurrency", p.rate(r)), p.rate(r)
		if n > 0 && x > 0 && !r.Generator.Saturated {
			v := values[load{r.Pacing.Rate, r.Pacing.Clients}]
			values[load{r.Pacing.Rate, r.Pacing.Clients}] = [2][]float64{append(v[0], n), append(v[1], x)}
		}
	}
	var points []stats.Point
	for _, v := range values {
		points = append(points, stats.Point{N: stats.Mean(v[0]), X: stats.Mean(v[1])})
	}
	return points
}

// varies chooses what N counts.
func (p *Part) varies() string {
	given := slices.ContainsFunc(p.inputs, func(in Input) bool { return in.N > 0 })
	switch {
	case given || p.distinct("cores") >= 3:
		return "cores"
	case p.distinct("clients") >= 3:
		return "clients"
	}
	return "concurrency"
}

func (p *Part) distinct(by string) int {
	seen := map[float64]bool{}
	for _, in := range p.inputs {
		seen[in.count(by, 0)] = true
	}
	return len(seen)
}

// count is N of one result; 0 if it does not say.
func (in Input) count(by string, rate float64) float64 {
	if in.N > 0 {
		return in.N
	}
	r := in.Result
	switch by {
	case "cores":
		return float64(r.Machine.Cores)
	case "clients":
		return float64(r.Pacing.Clients)
	case "concurrency":
		return rate * timeInside(r)
	}
	n, err := strconv.ParseFloat(r.Workload.Parameters[by], 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return 0
	}
	return n
}

// timeInside is the mean time in seconds that a run (an event, if there are no
// runs) is in the server.
func timeInside(r *result.Result) float64 {
	for _, name := range []string{result.Complete, result.Request} {
		if h := r.Latency[name]; h != nil && h.Histogram != nil && h.TotalCount() > 0 {
			return h.Mean() / 1e6
		}
	}
	return 0
}

// Trust says in words how far the fit can be relied on.
func (s Scaling) Trust() string {
	if s.Fit == nil {
		return ""
	}
	f, text := s.Fit, ""
	switch {
	case f.Distinct == 3:
		text = "Three different N determine the three coefficients: the curve goes through them whatever they are, and nothing checks it. Measure more before relying on it."
	case f.R2 < 0.9:
		text = fmt.Sprintf("The curve explains only %.0f %% of the variance: the law does not describe these results (different settings, or noise). Do not extrapolate.", 100*f.R2)
	case f.Sigma < 1e-6 && f.Kappa < 1e-9:
		text = "No contention shows in the measured range, so growth looks linear. It will not stay so: where it ends cannot be told from these results."
	default:
		text = fmt.Sprintf("The curve explains %.1f %% of the variance of results with %d different N.", 100*f.R2, f.Distinct)
	}
	return text + fmt.Sprintf(" It is measured up to N = %.3g. Up to twice that it is an estimate; beyond, a guess. A limit that has not shown yet (disk, network, a lock) is in no curve.", f.MaxN)
}
