package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ingot/loadgen/result"
)

// figure is one line of the table: what was measured against what was promised.
type figure struct {
	group, title, unit string // {held} and {functions} in the title are the numbers of params
	// The budget: at least limit, or below it.
	atLeast bool
	limit   float64
	from    []string // measurements, in the order in which value gets their results
	value   func(r []*result.Result) (float64, error)
}

// Budgets are those of the section "The push"; those of flow control are in
// flow.go.
var figures = append([]figure{
	{groupIngest, "single events, share of the empty handler's requests/s (64 connections)", "%", true, 60,
		[]string{"ingest-single", "ceiling-single"}, share(requests)},
	{groupIngest, "100 events per request, share of the empty handler's requests/s", "%", true, 45,
		[]string{"ingest-arrays", "ceiling-arrays"}, share(requests)},
	{groupIngest, "acknowledgement at half of the highest rate, p99", "ms", false, 3,
		[]string{"ingest-half"}, only(quantile(result.Request, 99))},

	{groupLatency, "event to first call at 100 events/s, p50", "ms", false, 1, []string{"latency-100"}, only(quantile(result.FirstCall, 50))},
	{groupLatency, "event to first call at 100 events/s, p99", "ms", false, 5, []string{"latency-100"}, only(quantile(result.FirstCall, 99))},
	{groupLatency, "event to first call at 70 % of the highest rate, p99", "ms", false, 20, []string{"latency-70"}, only(quantile(result.FirstCall, 99))},
	{groupLatency, "step to next step at 100 events/s, p50", "ms", false, 0.3, []string{"latency-100"}, only(quantile(result.Step, 50))},
	{groupLatency, "step to next step at 100 events/s, p99", "ms", false, 2, []string{"latency-100"}, only(quantile(result.Step, 99))},

	{groupFlood, "three-step runs of one function", "runs/s", true, 10_000, []string{"flood-one"}, only(runs)},
	{groupFlood, "three-step runs of 100 functions", "runs/s", true, 10_000, []string{"flood-hundred"}, only(runs)},
	{groupFlood, "server CPU of a three-step run", "ms", false, 0.15, []string{"flood-one"}, only(cpuPerRun)},
	{groupFlood, "server CPU of a three-step run, 100 functions", "ms", false, 0.15, []string{"flood-hundred"}, only(cpuPerRun)},

	{groupFlat, "CPU per run with {held} sleeping runs, against the empty case", "x", false, 1.3, []string{"flat-sleeping", "flat-empty"}, ratio(cpuPerRun)},
	{groupFlat, "CPU per run with {held} queued runs, against the empty case", "x", false, 1.3, []string{"flat-queued", "flat-empty"}, ratio(cpuPerRun)},
	{groupFlat, "CPU per run with {functions} functions, against the empty case", "x", false, 1.3, []string{"flat-functions", "flat-empty"}, ratio(cpuPerRun)},
	{groupFlat, "CPU per call of 500-step runs, against that of 3-step runs (bodies grow with the steps)", "x", false, 1.3, []string{"flat-long", "flat-empty"}, ratio(cpuPerCall)},
	{groupFlat, "resident memory with {held} sleeping runs", "MB", false, 1000, []string{"flat-sleeping"}, only(memory)},
}, flowFigures()...)

// figuresOf are the figures of the groups.
func figuresOf(chosen []string, p params) []figure {
	sizes := strings.NewReplacer("{held}", thousands(p.held), "{functions}", thousands(p.functions))
	var some []figure
	for _, f := range figures {
		if slices.Contains(chosen, f.group) {
			f.title = sizes.Replace(f.title)
			some = append(some, f)
		}
	}
	return some
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// quantity reads one number of a result.
type quantity func(*result.Result) (float64, error)

func requests(r *result.Result) (float64, error) {
	return positive(r.Throughput.Requests, "no request was answered")
}

func runs(r *result.Result) (float64, error) { return positive(r.Throughput.Runs, "no run completed") }

func cpuPerRun(r *result.Result) (float64, error) {
	return positive(r.Server.CPUPerRun, "the server's CPU time is unknown")
}

func cpuPerEvent(r *result.Result) (float64, error) {
	return positive(r.Server.CPUPerEvent, "the server's CPU time is unknown")
}

func cpuPerCall(r *result.Result) (float64, error) {
	cpu, err := cpuPerRun(r)
	if err != nil {
		return 0, err
	}
	calls, err := positive(r.Workload.CallsPerRun, "the number of calls per run is unknown")
	return cpu / calls, err
}

func memory(r *result.Result) (float64, error) {
	v, err := positive(float64(r.Server.RSSMax), "the server's memory is unknown")
	return v / 1e6, err
}

func positive(v float64, otherwise string) (float64, error) {
	if v > 0 {
		return v, nil
	}
	return 0, fmt.Errorf("%s", otherwise)
}

// quantile is one of a latency, in milliseconds.
func quantile(name string, q float64) quantity {
	return func(r *result.Result) (float64, error) {
		h := r.Latency[name]
		if h == nil || h.TotalCount() == 0 {
			return 0, fmt.Errorf("the latency %s was not measured", name)
		}
		return float64(h.Quantile(q)) / 1000, nil
	}
}

// only is a figure that is one quantity.
func only(q quantity) func([]*result.Result) (float64, error) {
	return func(r []*result.Result) (float64, error) { return q(r[0]) }
}

// ratio is the first result's quantity over the second's.
func ratio(q quantity) func([]*result.Result) (float64, error) {
	return func(r []*result.Result) (float64, error) {
		a, err := q(r[0])
		if err != nil {
			return 0, err
		}
		b, err := q(r[1])
		if err != nil {
			return 0, err
		}
		return a / b, nil
	}
}

// share is ratio in percent.
func share(q quantity) func([]*result.Result) (float64, error) { return percent(ratio(q)) }

func percent(of func([]*result.Result) (float64, error)) func([]*result.Result) (float64, error) {
	return func(r []*result.Result) (float64, error) {
		v, err := of(r)
		return v * 100, err
	}
}
