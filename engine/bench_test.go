package engine_test

import (
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"
	"ingot/storage/memstore"
)

// applyGroup is the number of commands of one measured round: what comes together
// under load.
const applyGroup = 256

// applyRig is a partition whose rounds a benchmark runs by hand, on the store in
// memory. Calls are kept until the benchmark answers them.
type applyRig struct {
	b     testing.TB
	store *memstore.Store
	node  *engine.SimNode
	now   int64
	calls []heldCall
	spare []heldCall
}

type heldCall struct {
	call *engine.Call
	done func(engine.Result)
}

func (r *applyRig) Call(c *engine.Call, done func(engine.Result)) {
	r.calls = append(r.calls, heldCall{c, done})
}

func (r *applyRig) Gateway(*engine.GatewayCall, func(engine.GatewayResult)) {}

func newApplyRig(b testing.TB, history bool) *applyRig {
	b.Helper()
	r := &applyRig{b: b, now: time.Now().UnixMilli(), store: memstore.New(1, memstore.Options{Partitions: 1})}
	cat := openCatalog(b, r.store)
	if err := cat.Update(func(tx *engine.Tx) error { tx.PutFunction(fn("f", "bench/event")); return nil }); err != nil {
		b.Fatal(err)
	}
	var err error
	r.node, err = engine.NewSimNode(engine.Config{Store: r.store, Catalog: cat, Transport: r, History: history,
		Now: func() int64 { return r.now }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, 0)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// send puts a group of events into the partition's mailbox.
func (r *applyRig) send() {
	var rec []byte
	for range applyGroup {
		ev := event.Event{InternalID: ids.New(r.now), Name: []byte("bench/event"), TS: r.now, ReceivedAt: r.now,
			Data: []byte(`{"amount":12.5,"items":[1,2,3],"order":"o-12345"}`)}
		rec = ev.AppendRecord(rec)
	}
	if err := r.store.Log().Append(rec, applyGroup); err != nil {
		r.b.Fatal(err)
	}
	for r.node.RouteGroup() {
	}
}

// answer puts the results of all calls into the partition's mailbox.
func (r *applyRig) answer(res engine.Result) {
	r.calls, r.spare = r.spare[:0], r.calls
	for _, h := range r.spare {
		res.Ref = h.call.Ref
		h.done(res)
	}
	clear(r.spare)
}

// rounds runs the partition until it has nothing to do.
func (r *applyRig) rounds() {
	for {
		if run, _ := r.node.Runnable(0); !run {
			return
		}
		r.node.Round(0, applyGroup)
	}
}

func stepResult(n int) engine.Result {
	return engine.Result{Status: 206, RequestVersion: 2,
		Ops: []engine.Op{{Code: engine.OpStepRun, ID: fmt.Sprintf("%040d", n), Data: []byte(`{"n":1}`)}}}
}

var endResult = engine.Result{Status: 200, RequestVersion: 2, Output: []byte(`"ok"`)}

// BenchmarkApply measures rounds of the partition: starting runs, the result of a
// step (which asks for the next call), and the end of a run that has one step.
// Only the named part is timed; figures are per run.
func BenchmarkApply(b *testing.B) {
	parts := []string{"start", "step", "end"}
	for _, history := range []bool{false, true} {
		for timed, name := range parts {
			b.Run(fmt.Sprintf("%s/history=%t", name, history), func(b *testing.B) {
				r := newApplyRig(b, history)
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					for i, prepare := range []func(){r.send, func() { r.answer(stepResult(0)) }, func() { r.answer(endResult) }} {
						prepare()
						if i == timed {
							b.StartTimer()
						}
						r.rounds()
						if i == timed {
							b.StopTimer()
						}
						if i < 2 && len(r.calls) != applyGroup {
							b.Fatalf("%d calls of %d runs", len(r.calls), applyGroup)
						}
					}
					b.StartTimer()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/applyGroup, "ns/run")
			})
		}
	}
}

// BenchmarkThreeStepRun measures the engine alone: routing, rounds and batches of
// whole runs with three steps. One operation is a group of runs.
func BenchmarkThreeStepRun(b *testing.B) { benchRuns(b, 3) }

// BenchmarkManySteps is the same with many steps: one must not cost more because
// many came before it.
func BenchmarkManySteps(b *testing.B) {
	for _, steps := range []int{10, 100, 500} {
		b.Run(fmt.Sprintf("steps=%d", steps), func(b *testing.B) { benchRuns(b, steps) })
	}
}

// runResults are the answers to the calls of a run with that many steps.
func runResults(steps int) []engine.Result {
	results := make([]engine.Result, steps, steps+1)
	for i := range results {
		results[i] = stepResult(i)
	}
	return append(results, endResult)
}

// group lets a group of runs go through, each of whose calls gets the next result.
func (r *applyRig) group(results []engine.Result) {
	r.send()
	r.rounds()
	for _, res := range results {
		r.answer(res)
		r.rounds()
	}
}

// TestRunAllocations holds what a whole three-step run costs the collector, with its
// event and its share of the store in memory: a change that adds to it should know.
func TestRunAllocations(t *testing.T) {
	const limit = 50
	r := newApplyRig(t, true)
	results := runResults(3)
	r.group(results) // warms up what is reused
	if n := testing.AllocsPerRun(5, func() { r.group(results) }) / applyGroup; n > limit {
		t.Errorf("%.1f allocations per run, want at most %d", n, limit)
	}
	if s := r.node.InMemory(); s != "" {
		t.Errorf("left in memory: %s", s)
	}
}

func benchRuns(b *testing.B, steps int) {
	r := newApplyRig(b, false)
	results := runResults(steps)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	for b.Loop() {
		r.group(results)
	}
	runtime.ReadMemStats(&after)
	runs := float64(b.N) * applyGroup
	ns := float64(b.Elapsed().Nanoseconds())
	b.ReportMetric(ns/runs, "ns/run")
	b.ReportMetric(ns/runs/float64(steps), "ns/step")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/runs, "allocs/run")
}
