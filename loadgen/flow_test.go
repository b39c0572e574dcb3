package loadgen_test

import (
	"strings"
	"testing"
	"time"

	"ingot/loadgen"
	"ingot/loadgen/flow"
	"ingot/loadgen/result"
)

// TestBrokenFlowControlIsFound measures a server that knows no flow control.
func TestBrokenFlowControlIsFound(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]flow.Config{
		"more calls at once":       {Limit: 1},
		"more runs at once":        {RunLimit: 1},
		"the throttle allows":      {Throttle: flow.Rate{Limit: 10, Period: time.Second}},
		"the rate limit allows":    {RateLimit: flow.Rate{Limit: 10, Period: 10 * time.Second}},
		"its debounce was over":    {Debounce: flow.Debounce{Period: time.Second}},
		"neither full nor due":     {Batch: flow.Batch{Size: 10, Timeout: time.Second}},
		"a singleton's key":        {Singleton: flow.Skip},
		"singleton had cancelled":  {Singleton: flow.Cancel},
		"calls at once than the l": {Limit: 1, Keys: 2, Scope: flow.ScopeEnv},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := quick()
			p.Shape.Flow, p.Shape.Think = c, 400*time.Millisecond
			if c.Singleton == flow.Cancel { // runs that start far apart are known to be in order
				p.Rate, p.Count, p.Shape.Think = 1.5, 3, 900*time.Millisecond
			}
			r, err := loadgen.Run(t.Context(), p, new(fakeServer).open(t))
			if err != nil {
				t.Fatal(err)
			}
			found := ""
			for k := range r.Errors {
				if strings.HasPrefix(k, "flow control: ") && strings.Contains(k, kind) {
					found = k
				}
			}
			if found == "" || r.Flow.Broken < 1 || !strings.Contains(strings.Join(r.Warnings, "\n"), "flow control was broken") {
				t.Errorf("errors %v, flow %+v, warnings %q", r.Errors, r.Flow, r.Warnings)
			}
		})
	}
}

// TestLimitsThatAreNotReached: nothing is broken, skipped or lost.
func TestLimitsThatAreNotReached(t *testing.T) {
	t.Parallel()
	p := quick()
	p.Shape.Flow = flow.Config{Keys: 1000, Limit: 1000, Scope: flow.ScopeEnv, RunLimit: 1000, Throttle: flow.Rate{Limit: 1e6, Period: time.Second},
		RateLimit: flow.Rate{Limit: 1e6, Period: time.Second}, Singleton: flow.Skip, Priority: 60}
	r, err := loadgen.Run(t.Context(), p, new(fakeServer).open(t))
	if err != nil {
		t.Fatal(err)
	}
	check(t, r, 300, false)
	if f := r.Flow; f == nil || f.Runs != 300 || f.Skipped+f.Cancelled+f.Broken != 0 || f.CallsAtOnce < 1 || f.RunsAtOnce < 1 {
		t.Errorf("%+v", f)
	}
	if r.Workload.Parameters["throttle"] != "1000000/1s" {
		t.Errorf("%v", r.Workload.Parameters)
	}
}

// TestNewestEventMustRun: a server that skips all events of a key has lost one; of a
// rate limit it may have been used up before.
func TestNewestEventMustRun(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		c    flow.Config
		lost int64
	}{
		"debounce":   {flow.Config{Debounce: flow.Debounce{Period: time.Second}, Keys: 7}, 7},
		"cancel":     {flow.Config{Singleton: flow.Cancel}, 1},
		"skip":       {flow.Config{Singleton: flow.Skip, Keys: 3}, 3},
		"rate limit": {flow.Config{RateLimit: flow.Rate{Limit: 1, Period: time.Hour}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := quick()
			p.Shape.Flow = tc.c
			r, err := loadgen.Run(t.Context(), p, (&fakeServer{loseEvery: 1}).open(t))
			if err != nil {
				t.Fatal(err)
			}
			if r.Counts.Lost != tc.lost || r.Flow.Skipped != 300 || r.Counts.Expected != 0 {
				t.Errorf("%d lost, %d skipped, counts %+v", r.Counts.Lost, r.Flow.Skipped, r.Counts)
			}
		})
	}
}

func TestFlowControlThatCannotBe(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*loadgen.Plan){
		"cannot be combined with workload parallel": func(p *loadgen.Plan) {
			p.Workload, p.Shape.Flow.Batch = "parallel", flow.Batch{Size: 2, Timeout: time.Second}
		},
		"keys times functions is 2000000": func(p *loadgen.Plan) { p.Shape.Functions, p.Shape.Flow.Keys = 2000, 1000 },
		"cannot be combined with debounce": func(p *loadgen.Plan) {
			p.Workload, p.Shape.Flow.Singleton = "batch", flow.Skip
		},
		"a call carries at most": func(p *loadgen.Plan) {
			p.Workload, p.Shape.Flow.Batch.Size, p.Shape.Flow.Batch.Timeout, p.Shape.Size = "batch", 1000, time.Second, 5000
		},
		"keys is -1": func(p *loadgen.Plan) { p.Shape.Flow.Keys = -1 },
	} {
		p := quick()
		change(&p)
		if _, err := loadgen.Run(t.Context(), p, new(fakeServer).open(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestFlowControl runs the workloads of flow control against Ingot: each promise is
// kept and no event is lost.
func TestFlowControl(t *testing.T) {
	srv := openServer(t)
	all := func(t *testing.T, r *result.Result) { check(t, r, 300, false) }
	for name, judge := range map[string]func(*testing.T, *result.Result){
		"keys": all, "shared-limit": all, "run-concurrency": all, "throttle": all, "priority": all,
		"rate-limit": func(t *testing.T, r *result.Result) { // 11 at once and 100 a second
			if f := r.Flow; f.Runs < 50 || f.Runs > 200 || f.Runs+f.Skipped != 300 || r.Counts.Completed != f.Runs {
				t.Errorf("flow %+v, counts %+v", f, r.Counts)
			}
		},
		"debounce": func(t *testing.T, r *result.Result) { // more than one of a key if the sender was held up
			if f := r.Flow; f.Runs < 100 || f.Runs > 200 || f.Runs+f.Skipped != 300 || r.Counts.Completed != f.Runs {
				t.Errorf("flow %+v, counts %+v", f, r.Counts)
			}
		},
		"batch": func(t *testing.T, r *result.Result) {
			if f := r.Flow; f.Runs < 30 || f.Runs > 60 || f.LargestBatch != 10 || r.Counts.Completed != 300 {
				t.Errorf("flow %+v, counts %+v", f, r.Counts)
			}
		},
		"singleton": func(t *testing.T, r *result.Result) {
			if f := r.Flow; f.Runs < 10 || f.Skipped == 0 || f.Runs+f.Skipped != 300 || r.Counts.Completed != f.Runs {
				t.Errorf("flow %+v, counts %+v", f, r.Counts)
			}
		},
		"cancel": func(t *testing.T, r *result.Result) {
			if f := r.Flow; f.Cancelled == 0 || f.Runs+f.Skipped != 300 || r.Counts.Completed+f.Cancelled != f.Runs {
				t.Errorf("flow %+v, counts %+v", f, r.Counts)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := small(name)
			switch name {
			case "singleton":
				p.Shape.Think = 50 * time.Millisecond
			case "cancel":
				p.Workload, p.Shape.Think, p.Shape.Flow.Singleton = "singleton", 50*time.Millisecond, flow.Cancel
			case "throttle":
				p.WarmUp = 0
			case "priority": // a backlog of seconds
				p.Rate, p.WarmUp, p.Shape.Flow.Limit, p.Shape.Think = 0, 0, 2, 10*time.Millisecond
			}
			r, err := loadgen.Run(t.Context(), p, srv)
			if err != nil {
				t.Fatal(err)
			}
			judge(t, r)
			if c := r.Counts; c.Lost+c.DoubledRuns+c.DoubledSteps+c.Stray != 0 || len(r.Errors) > 0 || r.Flow.Broken > 0 {
				t.Errorf("counts %+v, errors %v", c, r.Errors)
			}
		})
	}
}
