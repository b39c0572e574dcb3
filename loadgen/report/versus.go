package report

import (
	"fmt"
	"html/template"

	"ingot/loadgen/compare"
	"ingot/loadgen/report/chart"
)

// versusView shows a comparison: one block per target that is compared with the
// first.
type versusView struct {
	Method string
	Blocks []versusBlock
}

type versusBlock struct {
	Name, Base string
	Tally      string // how many verdicts of each kind
	Ticks      template.HTML
	Rows       []versusRow
}

type versusRow struct {
	Title, Base, Other, Text string
	Class                    compare.Outcome
	Bar                      template.HTML
}

func newVersusView(c *compare.Comparison) *versusView {
	v := &versusView{Method: c.Method}
	for i := 1; i < len(c.Targets); i++ {
		v.Blocks = append(v.Blocks, newVersusBlock(c, i))
	}
	return v
}

func newVersusBlock(c *compare.Comparison, i int) versusBlock {
	var bounds []float64
	for _, row := range c.Rows {
		if v := versusOf(row, i); v != nil && v.Ratio > 0 {
			bounds = append(bounds, v.Ratio)
			if v.Outcome != compare.Noise { // wide ones are cut off, or they would flatten all others
				bounds = append(bounds, v.Low, v.High)
			}
		}
	}
	axis := chart.NewFactors(bounds...)
	b := versusBlock{Name: c.Targets[i], Base: c.Targets[0], Ticks: axis.Ticks()}
	n := map[compare.Outcome]int{}
	for _, row := range c.Rows {
		v := versusOf(row, i)
		if v == nil {
			continue
		}
		r := versusRow{Title: row.Title, Base: figure(row.Figures[0], row.Unit), Other: figure(row.Figures[i], row.Unit), Text: v.Text, Class: v.Outcome}
		if v.Ratio > 0 {
			bar := chart.Interval{Class: string(v.Outcome), Label: row.Title + ": " + v.Text}
			bar.Estimate, bar.Low, bar.High = v.Improvement(row.Quality)
			if v.Low == 0 {
				bar.Low, bar.High = 0, 0
			}
			r.Bar = bar.SVG(axis)
		}
		b.Rows = append(b.Rows, r)
		n[v.Outcome]++
	}
	b.Tally = fmt.Sprintf("%s against %s: %d figures better, %d worse, %d without a difference, %d that cannot be told", b.Name, b.Base,
		n[compare.Better], n[compare.Worse], n[compare.Same], n[compare.Perhaps]+n[compare.Noise]+n[compare.Unknown])
	return b
}

// versusOf is nil if the saved row has no such figure.
func versusOf(row compare.Row, i int) *compare.Versus {
	if i >= len(row.Figures) {
		return nil
	}
	return row.Figures[i].Versus
}
