package report

import (
	"slices"

	"ingot/loadgen/result"
)

// table is a table of the page.
type table struct {
	Head []string
	Rows []row
}

type row struct {
	Group string // a heading across the table; the row has no cells then
	Name  string
	Cells []cell
}

type cell struct {
	Text string
	Bad  bool
	Long bool
}

// tile is one large figure.
type tile struct{ Name, Value, Unit, Class string }

// tiles are the figures that one result is looked at for first.
func tiles(g *group) []tile {
	r := g.Results[0]
	var list []tile
	if r.Objective != nil {
		t := tile{"Objective " + r.Objective.Text, "met", "", "good"}
		if !r.Objective.Met {
			t.Value, t.Class = "not met", "bad"
		}
		list = append(list, t)
	}
	if r.Throughput.Runs > 0 {
		list = append(list, tile{"Runs", Number(r.Throughput.Runs), "/s", ""})
	}
	list = append(list, tile{"Events", Number(r.Throughput.Events), "/s", ""})
	for _, l := range latencies {
		if h := g.latency[l.name]; recorded(h) && (l.name == result.Request || l.name == result.FirstCall || l.name == result.Step) {
			list = append(list, tile{l.title + " p50 / p99, ms", milliseconds(h.Quantile(50)) + " / " + milliseconds(h.Quantile(99)), "", ""})
		}
	}
	if r.Server.CPUPerRun >= 0 && r.Counts.Completed > 0 {
		list = append(list, tile{"Server CPU per run", Number(r.Server.CPUPerRun), "ms", ""})
	}
	t := tile{"Lost / doubled runs", thousands(r.Counts.Lost) + " / " + thousands(r.Counts.DoubledRuns), "", "good"}
	if r.Counts.Lost+r.Counts.DoubledRuns > 0 {
		t.Class = "bad"
	}
	return append(list, t)
}

// figures is the table of all figures, one column per series.
func figures(gs []*group) table {
	t := table{Head: []string{""}}
	for _, g := range gs {
		t.Head = append(t.Head, g.Label)
	}
	line := func(name string, of func(*group) cell) {
		r := row{Name: name}
		for _, g := range gs {
			r.Cells = append(r.Cells, of(g))
		}
		t.Rows = append(t.Rows, r)
	}
	head := func(name string) { t.Rows = append(t.Rows, row{Group: name}) }
	value := func(name, unit string, of func(*result.Result) float64) {
		line(name, func(g *group) cell { return cell{Text: known(g.median(of), unit)} })
	}
	count := func(name string, bad bool, of func(result.Counts) int64) {
		line(name, func(g *group) cell {
			n := g.sum(func(r *result.Result) int64 { return of(r.Counts) })
			return cell{Text: thousands(n), Bad: bad && n > 0}
		})
	}

	head("Throughput, per second")
	value("Events", "", func(r *result.Result) float64 { return r.Throughput.Events })
	value("Requests", "", func(r *result.Result) float64 { return r.Throughput.Requests })
	value("Runs", "", func(r *result.Result) float64 { return r.Throughput.Runs })
	value("Steps", "", func(r *result.Result) float64 { return r.Throughput.Steps })

	if len(gs) > 1 {
		latencyRows(gs, head, line)
	}

	head("What became of the events")
	count("Sent", false, func(c result.Counts) int64 { return c.Events })
	count("Accepted", false, func(c result.Counts) int64 { return c.Accepted })
	count("Refused", true, func(c result.Counts) int64 { return c.Refused })
	count("Unanswered", true, func(c result.Counts) int64 { return c.Unknown })
	count("Unsent: the generator could not", true, func(c result.Counts) int64 { return c.Unsent })
	count("Runs expected", false, func(c result.Counts) int64 { return c.Expected })
	count("Runs completed", false, func(c result.Counts) int64 { return c.Completed })
	count("Runs lost", true, func(c result.Counts) int64 { return c.Lost })
	count("Runs doubled", true, func(c result.Counts) int64 { return c.DoubledRuns })
	count("Steps doubled", true, func(c result.Counts) int64 { return c.DoubledSteps })
	count("Runs late", true, func(c result.Counts) int64 { return c.Late })

	flowRows(gs, head, line)

	head("Server")
	value("CPU", "cores", func(r *result.Result) float64 { return r.Server.Cores })
	value("CPU per run", "ms", func(r *result.Result) float64 { return r.Server.CPUPerRun })
	value("CPU per event", "µs", func(r *result.Result) float64 { return r.Server.CPUPerEvent })
	line("Memory at most", func(g *group) cell {
		return cell{Text: Bytes(g.median(func(r *result.Result) float64 { return float64(r.Server.RSSMax) }))}
	})
	line("Disk written per run", func(g *group) cell {
		return cell{Text: Bytes(g.median(func(r *result.Result) float64 { return r.Server.BytesPerRun }))}
	})
	value("Fsyncs per run", "", func(r *result.Result) float64 { return r.Server.FsyncsPerRun })
	if slices.ContainsFunc(gs, func(g *group) bool { return g.Results[0].Redis != nil }) {
		value("Redis commands per step", "", func(r *result.Result) float64 {
			if r.Redis == nil {
				return -1
			}
			return r.Redis.CommandsPerStep
		})
	}

	head("Generator")
	value("CPU", "cores", func(r *result.Result) float64 { return r.Generator.Cores })
	value("Late by, p99", "ms", func(r *result.Result) float64 { return float64(r.Generator.LagP99) / 1000 })
	return t
}
