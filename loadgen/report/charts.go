package report

import (
	"fmt"
	"html/template"
	"math"

	"ingot/loadgen/report/chart"
	"ingot/loadgen/result"
)

// chartView is one chart with its words.
type chartView struct {
	Title, Note string
	SVG         template.HTML
	Legend      []legendView
}

type legendView struct {
	Name   string
	Color  int
	Dashed bool
}

// logSpread is from which ratio of the largest to the smallest value on a
// logarithmic axis shows more than a linear one.
const logSpread = 60

// charts draws everything that was recorded.
func charts(gs []*group) []chartView {
	var list []chartView
	for _, l := range latencies {
		if l.name != result.Service { // it differs from Request only when requests are late, which is the figure to look at then
			list = add(list, l.title+" by percentile", "ms, "+l.meaning, percentiles(gs, l.name))
		}
	}
	if len(gs) == 1 {
		list = add(list, "Throughput over time", "per second", overTime(gs, mean, "",
			series{"accepted events", rate(func(s result.Sample) int64 { return s.Accepted })},
			series{"completed runs", rate(func(s result.Sample) int64 { return s.Completed })}))
	} else {
		list = add(list, "Accepted events over time", "per second", overTime(gs, mean, "", series{"", rate(func(s result.Sample) int64 { return s.Accepted })}))
		list = add(list, "Completed runs over time", "per second", overTime(gs, mean, "", series{"", rate(func(s result.Sample) int64 { return s.Completed })}))
	}
	list = add(list, "Backlog over time", "accepted runs that have not completed", overTime(gs, mean, "", series{"", rate(func(s result.Sample) int64 { return s.Backlog })}))
	latency := []series{
		{"request p99", us(func(s result.Sample) int64 { return s.RequestP99 })},
		{"first call p99", us(func(s result.Sample) int64 { return s.FirstCallP99 })},
		{"step p99", us(func(s result.Sample) int64 { return s.StepP99 })},
	}
	if len(gs) == 1 {
		list = add(list, "Latency over time", "p99 of each second, ms", overTime(gs, worst, "ms", latency...))
	} else {
		for _, s := range latency {
			list = add(list, "Latency over time: "+s.name, "of each second, ms", overTime(gs, worst, "ms", series{"", s.value}))
		}
	}
	list = add(list, "Server CPU over time", "cores", overTime(gs, mean, "", series{"", func(s result.Sample) float64 { return s.ServerCores }}))
	return add(list, "Server memory over time", "resident MB", overTime(gs, mean, "MB", series{"", func(s result.Sample) float64 {
		if s.ServerRSS < 0 {
			return -1
		}
		return float64(s.ServerRSS) / 1e6
	}}))
}

// add appends a chart unless nothing was recorded.
func add(list []chartView, title, note string, c chart.Lines) []chartView {
	if c.Empty() {
		return list
	}
	c.Label = title
	v := chartView{Title: title, Note: note}
	for _, l := range c.Lines {
		v.Legend = append(v.Legend, legendView{l.Name, l.Color, l.Dashed})
	}
	if c.Y.Log {
		v.Note += "; logarithmic"
	}
	v.SVG = c.SVG()
	return append(list, v)
}

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
		for x := 1.0; x < end*1.0001 && x <= 1e7; x *= math.Pow(10, 0.05) {
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
	for n := 1.0; n <= nines; n++ {
		c.X.Ticks = append(c.X.Ticks, chart.Tick{At: math.Pow(10, n), Label: percentile(math.Pow(10, n))})
	}
	return c
}

// percentile writes 1/(1-p) as its percentile: 1000 is 99.9 %.
func percentile(x float64) string { return fmt.Sprintf("%.6g %%", 100-100/x) }

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
		Y: chart.Axis{Format: func(v float64) string { return short(v) }},
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
