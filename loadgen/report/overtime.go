package report

import (
	"math"

	"ingot/loadgen/report/chart"
	"ingot/loadgen/result"
)

// series is one quantity of each second.
type series struct {
	name  string
	value func(result.Sample) float64 // negative: not measured
}

func rate(of func(result.Sample) int64) func(result.Sample) float64 {
	return func(s result.Sample) float64 { return float64(of(s)) }
}

func us(of func(result.Sample) int64) func(result.Sample) float64 {
	return func(s result.Sample) float64 { return float64(of(s)) / 1000 }
}

// maxTimes bounds the points of a line over time; longer runs are shown in
// intervals of several seconds.
const maxTimes = 300

// overTime draws quantities of each second. Several rounds of a group have the
// same colour.
func overTime(gs []*group, combine func([]float64) float64, unit string, all ...series) chart.Lines {
	c := chart.Lines{
		X: chart.Axis{Title: "seconds since the beginning of the window", Format: func(v float64) string { return short(v) + " s" }},
		Y: chart.Axis{Format: short},
	}
	low, high := math.Inf(1), 0.0
	for _, g := range gs {
		for i, s := range all {
			line := chart.Line{Name: g.Label, Color: g.Color}
			if len(all) > 1 {
				line.Name, line.Color = s.name, i
			}
			for _, p := range g.over(s, combine) {
				line.Points = append(line.Points, p)
				high = max(high, p.Y)
				if p.Y > 0 {
					low = min(low, p.Y)
				}
			}
			if high > 0 && len(line.Points) > 0 && !zero(line.Points) {
				c.Lines = append(c.Lines, line)
			}
		}
	}
	c.Y.Log = unit == "ms" && high/low > logSpread && !anyZero(c.Lines)
	return c
}

// over is one quantity of a group at each second: the rounds combined.
func (g *group) over(s series, combine func([]float64) float64) []chart.Point {
	length := 0.0
	for _, r := range g.Results {
		if n := len(r.Series); n > 0 {
			length = max(length, float64(r.Series[n-1].At-r.Series[0].At))
		}
	}
	width := math.Max(1, math.Ceil(length/maxTimes))
	at := map[int][]float64{}
	lowest, highest := math.MaxInt, math.MinInt
	for _, r := range g.Results {
		for _, sample := range r.Series {
			if v := s.value(sample); v >= 0 {
				k := int(math.Floor(float64(sample.At) / width))
				at[k] = append(at[k], v)
				lowest, highest = min(lowest, k), max(highest, k)
			}
		}
	}
	var points []chart.Point
	for k := lowest; k <= highest; k++ {
		if values := at[k]; values != nil {
			points = append(points, chart.Point{X: float64(k) * width, Y: combine(values)})
		}
	}
	return points
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func worst(values []float64) float64 {
	v := 0.0
	for _, w := range values {
		v = max(v, w)
	}
	return v
}

func zero(points []chart.Point) bool {
	for _, p := range points {
		if p.Y != 0 {
			return false
		}
	}
	return true
}

func anyZero(lines []chart.Line) bool {
	for _, l := range lines {
		for _, p := range l.Points {
			if p.Y <= 0 {
				return true
			}
		}
	}
	return false
}
