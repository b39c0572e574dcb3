package loadgen_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ingot/internal/e2e/rawapp"
	"ingot/loadgen"
	"ingot/loadgen/flow"
	"ingot/loadgen/result"
	"ingot/loadgen/target"
)

// server builds Ingot once for all tests.
var server = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "loadgen-test-")
	if err != nil {
		return "", err
	}
	return rawapp.Build(context.Background(), dir)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built {
		if bin, err := server(); err == nil {
			_ = os.RemoveAll(filepath.Dir(bin))
		}
	}
	os.Exit(code)
}

var built bool

func openServer(t *testing.T) *target.Target {
	t.Helper()
	built = true
	bin, err := server()
	if err != nil {
		t.Fatal(err)
	}
	spec, err := target.Parse("ingot=" + bin + " dev --no-discovery --no-poll --port {port} --data-dir {dir}")
	if err != nil {
		t.Fatal(err)
	}
	s, err := spec.Open(t.Context(), target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// small is a plan that takes little time.
func small(workload string) loadgen.Plan {
	p := loadgen.DefaultPlan()
	p.Workload, p.Count, p.Clients, p.WarmUp = workload, 300, 4, 100*time.Millisecond
	p.Duration, p.Drain = time.Minute, time.Minute
	p.Rate = 300 // the warm-up is not a flood
	return p
}

// TestWorkloads runs every workload against Ingot but those of flow control: nothing
// is lost or doubled.
func TestWorkloads(t *testing.T) {
	srv := openServer(t)
	for _, w := range loadgen.Workloads() {
		if w.Shape.Flow != (flow.Config{}) && w.Name != "concurrency" {
			continue // TestFlowControl
		}
		t.Run(w.Name, func(t *testing.T) {
			p := small(w.Name)
			events := int64(300)
			switch w.Name {
			case "mix":
				p.File = writeFile(t, "mix.yaml", "- workload: steps\n  weight: 2\n- {workload: sleep, sleep: 200ms}\n- workload: ingest\n- {workload: parallel, steps: 3}\n")
			case "replay":
				p.File = writeFile(t, "events.ndjson", recordedEvents(events))
				p.Rate, p.Count = 0, 0
			case "tenants":
				p.Shape.Functions = 50
			case "wait":
				p.Shape.ResumeAfter = 300 * time.Millisecond
			}
			r, err := loadgen.Run(t.Context(), p, srv)
			if err != nil {
				t.Fatal(err)
			}
			check(t, r, events, w.Name == "ingest" || w.Name == "mix")
		})
	}
}

func check(t *testing.T, r *result.Result, events int64, fewer bool) {
	t.Helper()
	c := r.Counts
	if c.Events != events || c.Accepted != events || c.Lost+c.DoubledRuns+c.DoubledSteps+c.Stray+c.Unsent != 0 || len(r.Errors) > 0 {
		t.Errorf("counts %+v, errors %v, warnings %q", c, r.Errors, r.Warnings)
	}
	if !fewer && (c.Expected != events || c.Completed != events) {
		t.Errorf("not all runs: %+v", c)
	}
	if c.Completed != c.Expected || c.Started != c.Expected {
		t.Errorf("some runs have not completed: %+v", c)
	}
	if want := int64(r.Workload.StepsPerRun * float64(c.Completed)); !fewer && c.Steps != want {
		t.Errorf("%d steps, want %d", c.Steps, want)
	}
	if want := int64(r.Workload.CallsPerRun * float64(c.Completed)); !fewer && c.Calls != want {
		t.Errorf("%d calls, want %d", c.Calls, want)
	}
	if n := r.Latency[result.Request].TotalCount(); n != c.Requests {
		t.Errorf("%d request latencies", n)
	}
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func recordedEvents(n int64) (s string) {
	for i := range n {
		s += fmt.Sprintf(`{"id":"old-%d","name":"shop/order.%d","data":{"order":%d,"lg":"theirs"},"user":{"id":7},"ts":%d}`+"\n", i, i%3, i, 1_700_000_000_000+i)
	}
	return s
}

// TestVariants are the settings that cut across workloads.
func TestVariants(t *testing.T) {
	srv := openServer(t)
	for name, change := range map[string]func(*loadgen.Plan){
		"arrays":     func(p *loadgen.Plan) { p.Batch = 7 },
		"gzip":       func(p *loadgen.Plan) { p.Gzip, p.Batch = true, 10 },
		"ids":        func(p *loadgen.Plan) { p.EventID = true },
		"closed":     func(p *loadgen.Plan) { p.Rate, p.WarmUp = 0, 0 },
		"poisson":    func(p *loadgen.Plan) { p.Pacing = "poisson" },
		"functions":  func(p *loadgen.Plan) { p.Shape.Functions = 20 },
		"think":      func(p *loadgen.Plan) { p.Shape.Think = 2 * time.Millisecond },
		"checkpoint": func(p *loadgen.Plan) { p.Shape.Checkpoint = true },
		"payload":    func(p *loadgen.Plan) { p.Shape.Size, p.Shape.Output = 5000, 5000 },
	} {
		t.Run(name, func(t *testing.T) {
			p := small("steps")
			change(&p)
			r, err := loadgen.Run(t.Context(), p, srv)
			if err != nil {
				t.Fatal(err)
			}
			check(t, r, 300, false)
		})
	}
}

// TestHold measures with runs in the background, which must not be touched.
func TestHold(t *testing.T) {
	p := small("wait")
	p.Shape.ResumeAfter = 200 * time.Millisecond
	p.Hold = loadgen.Hold{Sleeping: 500, Waiting: 500, Queued: 500, Functions: 100}
	r, err := loadgen.Run(t.Context(), p, openServer(t))
	if err != nil {
		t.Fatal(err)
	}
	check(t, r, 300, false)
	if r.Workload.Parameters["held_waiting"] != "500" || r.Workload.Parameters["held_after"] == "" {
		t.Errorf("parameters %v", r.Workload.Parameters)
	}
}
