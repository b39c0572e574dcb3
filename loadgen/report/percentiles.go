package report

import (
	"fmt"
	"math"

	"ingot/loadgen/report/chart"
)

// percentileStart leaves out the lowest tenth, which says nothing and would
// stretch a logarithmic axis downwards.
const percentileStart = 1.12

// percentiles is the plot of HdrHistogram: each nine of the percentile takes the
// same room, so that the tail is as large as the bulk.
func percentiles(gs []*group, name string) chart.Lines {
	c := chart.Lines{X: chart.Axis{Title: "percentile", Log: true, Format: percentile}, Y: chart.Axis{Format: short}}
	nines, low, high := 1.0, math.Inf(1), 0.0
	for _, g := range gs {
		h := g.latency[name]
		if !recorded(h) {
			continue
		}
		line := chart.Line{Name: g.Label, Color: g.Color}
		end := float64(h.TotalCount()) // beyond 1 in this many there is only the maximum
		for x := percentileStart; x < end*1.0001 && x <= 1e7; x *= math.Pow(10, 0.05) {
			y := float64(h.Quantile(100-100/x)) / 1000
			line.Points = append(line.Points, chart.Point{X: x, Y: y})
			low, high = min(low, y), max(high, y)
		}
		line.Points = append(line.Points, chart.Point{X: min(end, 1e7), Y: float64(h.Max()) / 1000})
		high = max(high, float64(h.Max())/1000)
		nines = max(nines, math.Log10(min(end, 1e7)))
		c.Lines = append(c.Lines, line)
	}
	c.Y.Log = low > 0 && high/low > logSpread
	c.X.Ticks = []chart.Tick{{At: 2, Label: "50 %"}}
	for n := 1.0; n < nines-0.2; n++ { // a label at the very end would not fit
		c.X.Ticks = append(c.X.Ticks, chart.Tick{At: math.Pow(10, n), Label: percentile(math.Pow(10, n))})
	}
	return c
}

// percentile writes 1/(1-p) as its percentile: 1000 is 99.9 %.
func percentile(x float64) string { return fmt.Sprintf("%.6g %%", 100-100/x) }
