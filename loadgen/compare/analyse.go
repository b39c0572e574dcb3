package compare

import (
	"ingot/loadgen/result"
	"ingot/loadgen/stats"
)

// Row is one quantity of all targets.
type Row struct {
	Metric  string  `json:"metric"`
	Title   string  `json:"title"`
	Unit    string  `json:"unit,omitempty"`
	Quality Quality `json:"quality"`
	// Figures are those of the targets, in their order.
	Figures []Figure `json:"figures"`
}

// Figure is one quantity of one target.
type Figure struct {
	Target string `json:"target"`
	// Values are those of the rounds that were measured, in their order.
	Values []float64 `json:"values"`
	Median float64   `json:"median"`
	// Versus compares with the first target; nil for that one itself.
	Versus *Versus `json:"versus,omitempty"`
}

// Versus is a ratio to the first target, over the rounds that both have.
type Versus struct {
	Rounds int     `json:"rounds"`
	Ratio  float64 `json:"ratio,omitempty"`
	// Low and High bound the ratio with 95 % confidence; 0 with fewer than two rounds.
	Low  float64 `json:"low,omitempty"`
	High float64 `json:"high,omitempty"`
	// P is the probability of such a ratio without a difference.
	P       float64 `json:"p"`
	Outcome Outcome `json:"outcome"`
	// Text is the verdict in words.
	Text string `json:"text"`
}

// analyse makes rows and warnings of the results.
func (c *Comparison) analyse() {
	c.Method = method
	rounds := map[string]map[int]*result.Result{}
	for _, r := range c.Results {
		if r.Interrupted {
			continue
		}
		if rounds[r.Target.Name] == nil {
			rounds[r.Target.Name] = map[int]*result.Result{}
		}
		rounds[r.Target.Name][r.Round] = r
	}
	for _, m := range metrics() {
		if row, ok := c.row(m, rounds); ok {
			c.Rows = append(c.Rows, row)
		}
	}
	c.judge()
	c.warn()
}

// row collects one metric; it is false if no target has it.
func (c *Comparison) row(m metric, rounds map[string]map[int]*result.Result) (Row, bool) {
	row, any := Row{Metric: m.name, Title: m.title, Unit: m.unit, Quality: m.quality}, false
	for i, target := range c.Targets {
		f := Figure{Target: target}
		var base, other []float64 // of the rounds that both have
		for round := 1; round <= c.Rounds; round++ {
			v, ok := value(m, rounds[target][round])
			if !ok {
				continue
			}
			f.Values = append(f.Values, v)
			if b, ok := value(m, rounds[c.Targets[0]][round]); ok {
				base, other = append(base, b), append(other, v)
			}
		}
		if len(f.Values) > 0 {
			f.Median, any = stats.Median(f.Values), true
		}
		if i > 0 {
			f.Versus = versus(base, other)
		}
		row.Figures = append(row.Figures, f)
	}
	return row, any
}

func value(m metric, r *result.Result) (float64, bool) {
	if r == nil {
		return 0, false
	}
	return m.value(r)
}

// versus computes a ratio; its verdict follows when all are known.
func versus(base, other []float64) *Versus {
	v := &Versus{Rounds: len(base), P: 1}
	switch {
	case len(base) == 0:
		v.Outcome, v.Text = Unknown, "not measured for both"
		return v
	case allZero(base) && allZero(other):
		v.Ratio, v.Low, v.High = 1, 1, 1
		v.Outcome, v.Text = Same, "no difference (both 0)"
		return v
	}
	r, err := stats.PairedRatio(base, other)
	if err != nil {
		v.Outcome, v.Text = Unknown, "no ratio: 0 in some rounds"
		return v
	}
	v.Ratio, v.P = r.Estimate, r.P
	if r.Rounds > 1 {
		v.Low, v.High = r.Low, r.High
	}
	return v
}

func allZero(values []float64) bool {
	for _, v := range values {
		if v != 0 {
			return false
		}
	}
	return true
}
