package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ingot/internal/e2e/rawapp"

	"github.com/valyala/fasthttp"
)

// witness is the app of the kill test: it runs the functions and remembers what
// each run was told and did.
type witness struct {
	calls, stale atomic.Int64
	// epoch is the current server process's. A call of an earlier one was sent by a
	// process that is dead: its answer reaches nobody.
	epoch atomic.Int64
	// last is the id of the run that was called last.
	last atomic.Value

	mu   sync.Mutex
	runs map[string]*seenRun
	// byEvent are the runs that events started, by the event's number.
	byEvent map[int64]map[string]bool
	// ended is the number of distinct runs whose function returned.
	ended int
	// told are the runs of `watch` (lifecycle events), by the run that ended.
	told  map[string]map[string]bool
	wrong []string
}

// seenRun is what one run was told and did.
type seenRun struct {
	memos map[string]string // by step id, as first seen
	ended bool
}

func newWitness() *witness {
	return &witness{runs: map[string]*seenRun{}, byEvent: map[int64]map[string]bool{}, told: map[string]map[string]bool{}}
}

func (w *witness) functions() []rawapp.Function {
	return []rawapp.Function{
		{ID: "seq", Event: "kill/seq", Retries: 20},
		{ID: "nap", Event: "kill/nap", Retries: 20},
		{ID: "fan", Event: "kill/fan", Retries: 20},
		{ID: "watch", Event: "inngest/function.finished", Retries: 20},
	}
}

func (w *witness) finished() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

func (w *witness) failf(format string, args ...any) {
	if len(w.wrong) < 20 {
		w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
	}
}

// handle answers one call.
func (w *witness) handle(ctx *fasthttp.RequestCtx) {
	w.calls.Add(1)
	if rawapp.Epoch(ctx) < w.epoch.Load() {
		w.stale.Add(1)
		rawapp.Reply(ctx, fasthttp.StatusServiceUnavailable, []byte(`{"message":"the caller is dead"}`))
		return
	}
	call, err := rawapp.ParseCall(ctx.PostBody())
	if err != nil {
		rawapp.Reply(ctx, fasthttp.StatusBadRequest, []byte(`{"message":"unreadable call"}`))
		w.mu.Lock()
		w.failf("%v", err)
		w.mu.Unlock()
		return
	}
	w.last.Store(call.Ctx.RunID)
	target := string(ctx.QueryArgs().Peek("stepId"))

	w.mu.Lock()
	defer w.mu.Unlock()
	if strings.HasPrefix(string(ctx.Path()), "/watch") {
		w.watch(call)
		rawapp.Reply(ctx, fasthttp.StatusOK, []byte(`"noted"`))
		return
	}
	run := w.note(call)
	done := func(step string) bool { _, ok := call.Steps[rawapp.StepID(step)]; return ok }
	result := func(step string) rawapp.Op { return w.execute(call, run, step) }
	finish := func() {
		if !run.ended {
			run.ended = true
			w.ended++
		}
		rawapp.Reply(ctx, fasthttp.StatusOK, []byte(`{"ok":true}`))
	}

	switch string(ctx.Path()) {
	case "/seq":
		for _, step := range []string{"a", "b", "c"} {
			if !done(step) {
				w.inOrder(call, run)
				rawapp.ReplyOps(ctx, result(step))
				return
			}
		}
		finish()
	case "/nap":
		w.inOrder(call, run)
		switch {
		case !done("a"):
			rawapp.ReplyOps(ctx, result("a"))
		case !done("nap"):
			rawapp.ReplyOps(ctx, rawapp.Sleep("nap", 200*time.Millisecond))
		case !done("b"):
			rawapp.ReplyOps(ctx, result("b"))
		default:
			finish()
		}
	case "/fan":
		parts := []string{"p1", "p2", "p3"}
		for _, step := range parts {
			if target == rawapp.StepID(step) {
				rawapp.ReplyOps(ctx, result(step))
				return
			}
		}
		var planned []rawapp.Op
		for _, step := range parts {
			if !done(step) {
				planned = append(planned, rawapp.StepPlanned(step))
			}
		}
		switch {
		case len(planned) > 0:
			rawapp.ReplyOps(ctx, planned...)
		case !done("sum"):
			rawapp.ReplyOps(ctx, result("sum"))
		default:
			finish()
		}
	}
}

// note remembers the run and the memos that it is called with.
func (w *witness) note(call *rawapp.Call) *seenRun {
	var data struct{ N int64 }
	if err := json.Unmarshal(call.Event.Data, &data); err != nil || data.N == 0 {
		w.failf("run %s has event data %s", call.Ctx.RunID, call.Event.Data)
	}
	if w.byEvent[data.N] == nil {
		w.byEvent[data.N] = map[string]bool{}
	}
	w.byEvent[data.N][call.Ctx.RunID] = true
	if len(w.told[call.Ctx.RunID]) > 0 {
		w.failf("run %s is called after its end was committed and told", call.Ctx.RunID)
	}
	run := w.runs[call.Ctx.RunID]
	if run == nil {
		run = &seenRun{memos: map[string]string{}}
		w.runs[call.Ctx.RunID] = run
	}
	for id, memo := range call.Steps {
		if old, ok := run.memos[id]; ok && old != string(memo) {
			w.failf("run %s: the memo of %s changed from %s to %s", call.Ctx.RunID, id, old, memo)
		}
		run.memos[id] = string(memo)
	}
	return run
}

// inOrder checks, for functions without parallel steps, that no memo is missing
// that an earlier call had.
func (w *witness) inOrder(call *rawapp.Call, run *seenRun) {
	for id := range run.memos {
		if _, ok := call.Steps[id]; !ok {
			w.failf("run %s: the memo of %s was there and is missing", call.Ctx.RunID, id)
		}
	}
}

// execute runs a step: its result is different each time, so that a second
// execution that took effect shows as a changed memo.
func (w *witness) execute(call *rawapp.Call, run *seenRun, step string) rawapp.Op {
	if memo, ok := run.memos[rawapp.StepID(step)]; ok {
		w.failf("run %s: step %s runs again after its result %s was committed", call.Ctx.RunID, step, memo)
	}
	return rawapp.StepRun(step, w.calls.Load())
}

// watch counts lifecycle events: each run ends once.
func (w *witness) watch(call *rawapp.Call) {
	var data struct {
		RunID string `json:"run_id"`
	}
	if err := json.Unmarshal(call.Event.Data, &data); err != nil || data.RunID == "" {
		w.failf("lifecycle event with data %s", call.Event.Data)
		return
	}
	if w.told[data.RunID] == nil {
		w.told[data.RunID] = map[string]bool{}
	}
	w.told[data.RunID][call.Ctx.RunID] = true
}

// waitFinished waits until each of the events has a run that ended and was told of.
func (w *witness) waitFinished(events []int64, limit time.Duration, exited <-chan struct{}) error {
	deadline := time.Now().Add(limit)
	for {
		var missing []int64
		w.mu.Lock()
		for _, n := range events {
			if !w.eventDone(n) {
				missing = append(missing, n)
			}
		}
		w.mu.Unlock()
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("the server ended with %d runs unfinished", len(missing))
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d acknowledged events did not run to their end: %v", len(missing), len(events), missing[:min(10, len(missing))])
		}
	}
}

// waitQuiet waits until no call has come for a second.
func (w *witness) waitQuiet() {
	for last := int64(-1); last != w.calls.Load(); time.Sleep(time.Second) {
		last = w.calls.Load()
	}
}

func (w *witness) eventDone(n int64) bool {
	for id := range w.byEvent[n] {
		if w.runs[id].ended && len(w.told[id]) > 0 {
			return true
		}
	}
	return false
}

// check reports every broken promise.
func (w *witness) check(t *testing.T, acked []int64) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for n, runs := range w.byEvent {
		if len(runs) != 1 {
			w.failf("event %d started %d runs", n, len(runs))
		}
	}
	for _, n := range acked {
		if len(w.byEvent[n]) == 0 {
			w.failf("event %d was acknowledged and never ran", n)
		}
	}
	for id, by := range w.told {
		if len(by) != 1 {
			w.failf("the end of run %s was told %d times", id, len(by))
		}
	}
	for _, s := range w.wrong {
		t.Error(s)
	}
}
