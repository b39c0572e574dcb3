package metrics

import (
	"math"
	"strings"
	"testing"

	"ingot/engine"
	"ingot/internal/ids"
)

func page(sources ...Source) string {
	var r Registry
	for _, s := range sources {
		r.Register(s)
	}
	return string(r.Append(nil))
}

func TestPage(t *testing.T) {
	t.Parallel()
	got := page(func(p *Page) {
		p.Gauge("depth", "How deep", 3)
		p.Counters("ends_total", "Ends", []Sample{{[]string{"fn", "a\"b\\c\nd", "status", "x"}, 1e15}, {nil, 0.5}})
	}, func(p *Page) {
		p.Gauge("far", "Far", math.Inf(1))
		p.Histogram("took_seconds", "Took", []float64{.5, 1}, []uint64{1, 2}, 3, 4.25)
	})
	want := `# HELP depth How deep
# TYPE depth gauge
depth 3
# HELP ends_total Ends
# TYPE ends_total counter
ends_total{fn="a\"b\\c\nd",status="x"} 1000000000000000
ends_total 0.5
# HELP far Far
# TYPE far gauge
far +Inf
# HELP took_seconds Took
# TYPE took_seconds histogram
took_seconds_bucket{le="0.5"} 1
took_seconds_bucket{le="1"} 2
took_seconds_bucket{le="+Inf"} 3
took_seconds_sum 4.25
took_seconds_count 3
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRuntime(t *testing.T) {
	t.Parallel()
	got := page(Runtime("v1"))
	for _, want := range []string{`ingot_build_info{version="v1",go="go`, "\ngo_goroutines ", "\ngo_gc_cycles_total_gc_cycles_total ", "\nprocess_start_time_seconds 1"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, f := range runtimeFigures {
		if !strings.Contains(got, "\n"+f.name+" ") {
			t.Errorf("the runtime does not know %s", f.metric)
		}
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	a, b, gone := ids.UUID{1}, ids.UUID{2}, ids.UUID{3}
	r := NewRuns(func(fn ids.UUID) string { return map[ids.UUID]string{a: "app-a", b: "app-b"}[fn] })
	r.Observe([]*engine.Lifecycle{
		{Kind: engine.RunScheduled, Fn: a}, {Kind: engine.RunScheduled, Fn: b}, {Kind: engine.RunScheduled, Fn: gone},
		{Kind: engine.RunStarted, Fn: a}, {Kind: engine.CallStarted, Fn: a},
		{Kind: engine.CallEnded, Fn: a, Started: 1, Duration: 2e6},
		{Kind: engine.CallEnded, Fn: a, Name: "amended"},
		{Kind: engine.StepCompleted, Fn: a},
		{Kind: engine.CallStarted, Fn: a, Op: engine.OpGateway}, {Kind: engine.CallEnded, Fn: a, Op: engine.OpGateway, Started: 1},
		{Kind: engine.CallStarted, Fn: a}, {Kind: engine.CallEnded, Fn: a, Started: 1, Duration: 3e9, Name: "HTTP 500", Due: 9},
		{Kind: engine.CallStarted, Fn: a}, {Kind: engine.CallEnded, Fn: a, Started: 1, Duration: 9e12, Name: "HTTP 500"},
		{Kind: engine.EventSkipped, Fn: a, Name: engine.SkipRateLimit}, {Kind: engine.EventSkipped, Fn: b, Name: engine.SkipRateLimit},
		{Kind: engine.EventSkipped, Fn: a, Name: "unheard of"}, {Kind: engine.EventPending, Fn: a, Name: engine.SkipBatch},
		{Kind: engine.RunFailed, Fn: a}, {Kind: engine.RunCompleted, Fn: a}, {Kind: engine.RunCancelled, Fn: b},
	})
	got := page(r.Totals, r.ByFunction)
	for _, want := range []string{
		"ingot_runs_scheduled_total 3\n", "ingot_runs_started_total 1\n", `ingot_runs_ended_total{status="cancelled"} 1` + "\n",
		"ingot_calls_started_total 3\n", `ingot_calls_ended_total{status="errored"} 1` + "\n",
		`ingot_call_duration_seconds_bucket{le="0.0025"} 1` + "\n", `ingot_call_duration_seconds_bucket{le="5"} 2` + "\n",
		`ingot_call_duration_seconds_bucket{le="+Inf"} 3` + "\n", "ingot_call_duration_seconds_sum 9003.002\n",
		`inngest_function_run_scheduled_total{fn="app-b"} 1` + "\n", `inngest_function_run_scheduled_total{fn="unknown"} 1` + "\n",
		`inngest_function_run_ended_total{fn="app-a",status="failed"} 1` + "\n", `inngest_function_run_ended_total{fn="app-b",status="cancelled"} 1` + "\n",
		`inngest_sdk_req_started_total{fn="app-a"} 3` + "\n", `inngest_sdk_req_ended_total{fn="app-a",status="success"} 1` + "\n",
		`inngest_sdk_req_ended_total{fn="app-a",status="failed"} 1` + "\n",
		`ingot_events_skipped_total{reason="rate limit"} 2` + "\n", `ingot_events_skipped_total{reason="other"} 1` + "\n",
		`ingot_events_skipped_total{reason="singleton"} 0` + "\n", `ingot_events_collected_total{reason="batch"} 1` + "\n",
		`ingot_function_events_skipped_total{fn="app-b",reason="rate limit"} 1` + "\n",
		`ingot_function_events_collected_total{fn="app-a",reason="batch"} 1` + "\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestLoads(t *testing.T) {
	t.Parallel()
	a, old, b, c, gone := ids.UUID{1}, ids.UUID{2}, ids.UUID{3}, ids.UUID{4}, ids.UUID{5}
	slug := func(fn ids.UUID) string { return map[ids.UUID]string{a: "a", old: "a", b: "b", c: "c"}[fn] }
	loads := []engine.FunctionLoad{
		{Fn: a, Backlog: 9, Calls: 2, AtLimit: true, Throttled: 1, Limited: 2, Full: 3},
		{Fn: old, Backlog: 1, Calls: 1},
		{Fn: b, Mode: engine.ModePaused, Backlog: 7, AtLimit: true, Debounces: 4},
		{Fn: c, Mode: engine.ModeDraining, Batches: 5},
		{Fn: gone, Backlog: 1},
	}
	got := page(func(p *Page) { p.Loads(loads); p.LoadsByFunction(loads, slug) })
	for _, want := range []string{
		"ingot_calls_in_flight 3", `ingot_flow_waiting_lanes{limit="throttle"} 1`, `ingot_flow_waiting_lanes{limit="concurrency"} 2`,
		`ingot_flow_waiting_lanes{limit="runs"} 3`, `ingot_flow_pending_keys{kind="debounce"} 4`, `ingot_flow_pending_keys{kind="batch"} 5`,
		"ingot_functions_at_limit 1", "ingot_functions_at_limit_runs 7", "ingot_functions_paused 1", "ingot_functions_paused_runs 7", "ingot_functions_draining 1",
		`ingot_function_calls_in_flight{fn="a"} 3`, `ingot_function_waiting_lanes{fn="a",limit="runs"} 3`, `ingot_function_at_limit{fn="a"} 1`,
		`ingot_function_pending_keys{fn="b",kind="debounce"} 4`, `ingot_function_mode{fn="b",mode="paused"} 1`, `ingot_function_mode{fn="c",mode="draining"} 1`,
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := page(func(p *Page) { p.Loads(nil); p.LoadsByFunction(nil, slug) }); strings.Contains(got, "fn=") || !strings.Contains(got, "\ningot_functions_paused 0\n") {
		t.Errorf("of nothing\n%s", got)
	}
}
