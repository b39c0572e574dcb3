package capacity

import "ingot/loadgen/result"

// Sustained is the highest rate that held one objective.
type Sustained struct {
	Objective string
	// Rate is 0 if no measured rate held it.
	Rate float64
	// FailedAt is the lowest higher rate that did not hold it with as many cores or
	// nodes, 0 if none was tried, and Reason why.
	FailedAt float64
	Reason   string

	size size // of what held it
}

// size tells apart what a result was measured on: more of it sustains more.
type size struct {
	n     float64
	cores int
}

func (in Input) size() size { return size{in.N, in.Result.Machine.Cores} }

// sustain finds the highest rate per objective, and the best of all.
func (p *Part) sustain() {
	index := map[string]int{}
	for _, in := range p.inputs {
		o := in.Result.Objective
		if o == nil {
			continue
		}
		if _, ok := index[o.Text]; !ok {
			index[o.Text] = len(p.Sustained)
			p.Sustained = append(p.Sustained, Sustained{Objective: o.Text})
		}
		s := &p.Sustained[index[o.Text]]
		if rate := p.rate(in.Result); o.Met && rate > s.Rate {
			s.Rate, s.size = rate, in.size()
		}
	}
	for _, in := range p.inputs {
		r := in.Result
		if r.Objective == nil || r.Objective.Met {
			continue
		}
		s := &p.Sustained[index[r.Objective.Text]]
		if tried := p.tried(r); tried > s.Rate && (s.Rate == 0 || in.size() == s.size) && (s.FailedAt == 0 || tried < s.FailedAt) {
			s.FailedAt, s.Reason = tried, r.Objective.Reason
		}
	}
	p.choose()
	for _, s := range p.Sustained {
		if p.Best != nil && p.Best.Objective != nil && s.Objective == p.Best.Objective.Text {
			p.Proven = s.FailedAt > 0
		}
	}
}

// choose takes the best result: of those that held an objective, if any has one.
func (p *Part) choose() {
	for _, in := range p.inputs {
		r := in.Result
		held := r.Objective != nil && r.Objective.Met
		if len(p.Sustained) == 0 {
			held = r.Counts.Lost == 0
		}
		if held && p.rate(r) > p.Knee {
			p.Best, p.Knee = r, p.rate(r)
		}
	}
}

// tried is the rate that was asked for, in the unit of the part: what was achieved
// of a rate that did not hold says less.
func (p *Part) tried(r *result.Result) float64 {
	rate := r.Pacing.Rate
	if p.Unit == "runs" && r.Counts.Accepted > 0 {
		rate *= float64(r.Counts.Expected) / float64(r.Counts.Accepted)
	}
	return max(rate, p.rate(r))
}
