package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ingot/loadgen/result"
)

// runTable has one line per result.
func runTable(rs []*result.Result) *table {
	t := &table{Head: []string{"Target", "Round", "Started", "Pacing", "Events/s", "Runs/s", "First call p50, ms", "p99, ms", "CPU per run, ms", "Memory", "Lost", "Doubled", "Objective"}}
	for _, r := range rs {
		round := "–"
		if r.Round > 0 {
			round = fmt.Sprint(r.Round)
		}
		p50, p99 := "–", "–"
		if h := r.Latency[result.FirstCall]; recorded(h) {
			p50, p99 = milliseconds(h.Quantile(50)), milliseconds(h.Quantile(99))
		}
		doubled := r.Counts.DoubledRuns + r.Counts.DoubledSteps
		met := cell{Text: "–"}
		if r.Objective != nil {
			met = cell{Text: objective(r.Objective), Bad: !r.Objective.Met, Long: true}
		}
		t.Rows = append(t.Rows, row{Name: r.Target.Name, Cells: []cell{
			{Text: round}, {Text: r.Started.UTC().Format("15:04:05")}, {Text: pacing(r.Pacing)},
			{Text: Number(r.Throughput.Events)}, {Text: Number(r.Throughput.Runs)}, {Text: p50}, {Text: p99},
			{Text: known(r.Server.CPUPerRun, "")}, {Text: Bytes(float64(r.Server.RSSMax))},
			{Text: thousands(r.Counts.Lost), Bad: r.Counts.Lost > 0}, {Text: thousands(doubled), Bad: doubled > 0}, met,
		}})
	}
	return t
}

// errorTable lists the errors of all results; nil if there was none.
func errorTable(rs []*result.Result) *table {
	t := &table{Head: []string{"Target", "Round", "Count", "Error"}}
	for _, r := range rs {
		for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
			t.Rows = append(t.Rows, row{Name: r.Target.Name, Cells: []cell{
				{Text: fmt.Sprint(r.Round)}, {Text: thousands(r.Errors[kind])}, {Text: kind, Long: true},
			}})
		}
	}
	if t.Rows == nil {
		return nil
	}
	return t
}

// detail is what one has to know to repeat a measurement.
type detail struct{ Name, Value string }

// details tells each differing value once.
func details(rs []*result.Result) []detail {
	var list []detail
	say := func(name, value string) {
		if d := (detail{name, strings.TrimSpace(value)}); d.Value != "" && !slices.Contains(list, d) {
			list = append(list, d)
		}
	}
	for _, r := range rs {
		say("Machine", machine(r.Machine))
	}
	for _, r := range rs {
		say("Target "+r.Target.Name, r.Target.Version+" "+r.Target.Command)
	}
	for _, r := range rs {
		say("Command", r.Command)
	}
	if len(rs) > 0 {
		say("Measured", date(rs[0].Started)+" to "+date(rs[len(rs)-1].Started))
	}
	return list
}
