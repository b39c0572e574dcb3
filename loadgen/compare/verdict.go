package compare

import (
	"fmt"
	"math"

	"ingot/loadgen/stats"
)

// Outcome sorts verdicts.
type Outcome string

// Outcomes.
const (
	Better  Outcome = "better"
	Worse   Outcome = "worse"
	Perhaps Outcome = "perhaps" // beyond its own interval, but not beyond chance among so many figures
	Same    Outcome = "same"
	Noise   Outcome = "noise"
	Unknown Outcome = "unknown"
)

const (
	// tolerance is how far the interval may reach for "no difference".
	tolerance = 1.10
	// negligible is a difference that nobody would act on, however sure it is.
	negligible = 1.02
)

// method tells readers what decides; it states the rules of judge and decide.
const method = "Each ratio is the geometric mean over the rounds, measured in turn in alternating order (A B B A). " +
	"The 95 % interval covers Student's interval of the logarithms and the bootstrap interval of the ratio of medians. " +
	"A difference is reported if it is beyond chance, with at most 5 % false ones expected among all figures of a target " +
	"(paired t test and, from eight rounds, an exact sign-flip test; Benjamini-Hochberg), and above 2 %. " +
	"“Perhaps” means that only the figure's own interval excludes 1. " +
	"“No difference” means that the whole interval lies within 10 % of 1; where it is wider, the noise is too great to tell."

// judge gives every ratio its verdict.
func (c *Comparison) judge() {
	for i := 1; i < len(c.Targets); i++ {
		var open []*Versus
		var qualities []Quality
		var p []float64
		for _, row := range c.Rows {
			if v := row.Figures[i].Versus; v.Outcome == "" {
				open, qualities, p = append(open, v), append(qualities, row.Quality), append(p, v.P)
			}
		}
		for j, believed := range stats.Discoveries(p, 1-stats.Level) {
			open[j].decide(qualities[j], believed)
		}
	}
}

// decide words one verdict. The rules are those of method.
func (v *Versus) decide(q Quality, believed bool) {
	size := math.Exp(math.Abs(math.Log(v.Ratio)))
	excludes1 := v.Low > 1 || v.High < 1
	switch {
	case v.Rounds < 2:
		v.Outcome, v.Text = Noise, fmt.Sprintf("one round cannot tell (%s)", Times(v.Ratio))
	case believed && size > negligible:
		v.Outcome, v.Text = v.direction(q), v.difference(q)
	case v.Low >= 1/tolerance && v.High <= tolerance:
		v.Outcome, v.Text = Same, fmt.Sprintf("no difference (%s to %s)", number(v.Low), number(v.High))
	case excludes1:
		v.Outcome, v.Text = Perhaps, "perhaps "+v.difference(q)
	default:
		v.Outcome, v.Text = Noise, fmt.Sprintf("noise too great to tell (%s to %s)", number(v.Low), number(v.High))
	}
}

// Improvement is how many times better the target is than the first, with its
// bounds: above 1 is better for every quality.
func (v *Versus) Improvement(q Quality) (estimate, low, high float64) {
	if q == Speed {
		return v.Ratio, v.Low, v.High
	}
	return 1 / v.Ratio, 1 / v.High, 1 / v.Low
}

func (v *Versus) direction(q Quality) Outcome {
	if estimate, _, _ := v.Improvement(q); estimate > 1 {
		return Better
	}
	return Worse
}

// difference is "2.1x faster (1.9 to 2.3)".
func (v *Versus) difference(q Quality) string {
	words := map[Quality][2]string{Speed: {"faster", "slower"}, Time: {"faster", "slower"}, Cost: {"less", "more"}}[q]
	estimate, low, high := v.Improvement(q)
	word := words[0]
	if estimate < 1 {
		estimate, low, high, word = 1/estimate, 1/high, 1/low, words[1]
	}
	return fmt.Sprintf("%s %s (%s to %s)", Times(estimate), word, number(low), number(high))
}

// Times formats a factor: 1.04x, 2.1x, 340x.
func Times(v float64) string { return number(v) + "x" }

// number keeps the digits of a factor that matter.
func number(v float64) string {
	switch {
	case v >= 9.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 1.995:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.0995:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.2g", v)
}
