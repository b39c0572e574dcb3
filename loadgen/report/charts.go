package report

import (
	"html/template"

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
			list = add(list, "Latency over time: "+s.name, "of each second, the worst of all rounds, ms", overTime(gs, worst, "ms", series{"", s.value}))
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
