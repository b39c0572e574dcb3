package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"

	"github.com/oklog/ulid/v2"
)

// Single rules of flow control that the simulation does not look at.

// TestBatchOfManyBytes: a batch runs at once when its events reach 10 MiB.
func TestBatchOfManyBytes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script(), `f "triggers":[{"event":"e"}],"batchEvents":{"maxSize":100,"timeout":"1h"}`)
	data := fmt.Sprintf(`{"x":%q}`, strings.Repeat("x", 3<<20))
	for range 3 {
		d.send("e", data)
	}
	d.wantCalls("f", 0)
	d.send("e", data)
	if c := d.wantCalls("f", 1)[0]; len(c.Events) != 4 {
		t.Errorf("the run has %d events, want 4", len(c.Events))
	}
	d.send("e", `{}`)
	d.pass(time.Hour)
	if c := d.wantCalls("f", 2)[1]; len(c.Events) != 1 {
		t.Errorf("the next run has %d events, want 1", len(c.Events))
	}
	d.wantClean()
}

// TestBatchRunsAtOnce: a timestamp in the future does not put a batch's run off.
func TestBatchRunsAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script(), `f "triggers":[{"event":"e"}],"batchEvents":{"maxSize":2,"timeout":"1h"},"timeouts":{"start":"1s"}`)
	for range 2 {
		d.send("e", `{}`, func(ev *event.Event) { ev.TS += time.Hour.Milliseconds() })
	}
	d.wantCalls("f", 1)
	d.wantClean()
}

// TestDebouncedStartInTheFuture: the newest event's timestamp holds for the start.
func TestDebouncedStartInTheFuture(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script(), `f "triggers":[{"event":"e"}],"debounce":{"period":"1s"}`)
	d.send("e", `{}`, func(ev *event.Event) { ev.TS += 10_000 })
	d.pass(9999 * time.Millisecond)
	d.wantCalls("f", 0)
	d.pass(time.Millisecond)
	d.wantCalls("f", 1)
	d.wantClean()
}

// TestInvokersOfCollectedEvents: all of them get the result of the one run.
func TestInvokersOfCollectedEvents(t *testing.T) {
	t.Parallel()
	for _, config := range []string{`"debounce":{"period":"2s"}`, `"batchEvents":{"maxSize":10,"timeout":"2s"}`} {
		d := newDesk(t, func(c *engine.Call) engine.Result {
			if c.Fn.Slug == "f" || has(c, "i") {
				return engine.Result{Status: 200, Output: []byte(`"result"`)}
			}
			return ops(2, op(engine.OpInvokeFunction, "i", `{"function_id":"f","payload":{},"timeout":"1h"}`))
		}, "in", `f "triggers":[{"event":"none"}],`+config)
		for range 3 {
			d.send("in", `{}`)
			d.pass(500 * time.Millisecond)
		}
		d.pass(10 * time.Second)
		d.wantCalls("f", 1)
		for _, c := range d.wantCalls("in", 6)[3:] {
			if memo := memoOf(c, "i"); memo != `{"data":"result"}` {
				t.Errorf("%s: an invoker got %s", config, memo)
			}
		}
		d.wantClean()
	}
}

// TestThrottleHoldsUpStartsAlone: runs that have started go on.
func TestThrottleHoldsUpStartsAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, twoSteps, `f "triggers":[{"event":"e"}],"throttle":{"limit":1,"period":"1h"},"concurrency":{"step":[{"limit":1}]}`)
	for range 3 {
		d.send("e", `{}`)
	}
	d.wantCalls("f", 3)
	d.pass(time.Hour)
	d.wantCalls("f", 6)
	d.pass(time.Hour)
	d.wantCalls("f", 9)
	d.wantClean()
}

func twoSteps(c *engine.Call) engine.Result {
	if n := len(c.Steps); n < 2 {
		return ops(2, ran(fmt.Sprint("s", n)))
	}
	return finalResult()
}

// napping sleeps for a minute in its middle.
func napping(c *engine.Call) engine.Result {
	if !has(c, "z") {
		return ops(2, engine.Op{Code: engine.OpSleep, ID: "z", Name: "1m"})
	}
	return finalResult()
}

// TestSleepHoldsNoSlotOfCalls: a limit on calls lets others run while a run sleeps, one
// on runs does not, and survives a restart.
func TestSleepHoldsNoSlotOfCalls(t *testing.T) {
	t.Parallel()
	for config, calls := range map[string]int{`"step":[{"limit":1}]`: 3, `"fn":[{"limit":1}]`: 1} {
		d := newDesk(t, napping, `f "triggers":[{"event":"e"}],"concurrency":{`+config+`}`)
		for range 3 {
			d.send("e", `{}`)
		}
		d.wantCalls("f", calls)
		d.reopen()
		d.wantCalls("f", calls)
		d.pass(3 * time.Minute)
		d.wantCalls("f", 6)
		d.wantClean()
	}
}

// reopen is a restart that takes the catalog up, as a server does.
func (d *desk) reopen() {
	d.t.Helper()
	d.open()
	d.work()
}

// TestRunSlotOfARetriedStart: a first call that fails and is made again takes one slot
// (the reference leaks them).
func TestRunSlotOfARetriedStart(t *testing.T) {
	t.Parallel()
	failed := engine.Result{Status: 500, Error: "invalid status code: 500"}
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if c.Attempt < 2 {
			return failed
		}
		return finalResult()
	}, `f "triggers":[{"event":"e"}],"concurrency":{"fn":[{"limit":1}]}`)
	for range 3 {
		d.send("e", `{}`)
	}
	d.wantCalls("f", 1) // the others wait while it backs off
	d.pass(time.Minute)
	d.wantCalls("f", 9)
	active := 0
	for _, l := range d.history() {
		switch l.Kind {
		case engine.RunStarted:
			if active++; active > 1 {
				t.Error("two runs are active at once")
			}
		case engine.RunCompleted:
			active--
		}
	}
	d.wantClean()
}

// TestCancelledWhileQueued: a run that is cancelled while it waits takes no part any
// more, whatever held it back.
func TestCancelledWhileQueued(t *testing.T) {
	t.Parallel()
	for _, config := range []string{
		`"concurrency":{"step":[{"limit":1}]}`,
		`"concurrency":{"step":[{"limit":1,"key":"event.data.k"}]}`,
		`"concurrency":{"step":[{"limit":1,"key":"event.data.k","scope":"env"}]}`,
		`"concurrency":{"fn":[{"limit":1,"key":"event.data.k"}]}`,
		`"throttle":{"limit":1,"period":"1m","key":"event.data.k"}`,
	} {
		h := newHand(t, 2, 0, `f "triggers":[{"event":"e"}],`+config)
		var sent []ulid.ULID
		for n := range 5 {
			sent = append(sent, h.send("e", fmt.Sprintf(`{"k":1,"n":%d}`, n)))
		}
		for _, l := range h.history() {
			if l.Kind == engine.RunScheduled && l.Run != h.held[0].Ref.RunID && l.Events[0] != sent[3] {
				h.node.Cancel(l.Run)
			}
		}
		h.work()
		h.answer(0, finalResult())
		h.pass(time.Minute)
		if len(h.held) != 1 || !contains(h.held[0].Call, `"n":3`) {
			t.Errorf("%s: %d calls after four runs were cancelled or ended, want that of the last", config, len(h.held))
			continue
		}
		h.answer(0, finalResult())
		h.pass(time.Minute)
		h.wantClean()
	}
}

// TestChangedKeyFreesTheQueue: runs that wait under a key expression which the
// configuration has no more are not limited by it.
func TestChangedKeyFreesTheQueue(t *testing.T) {
	t.Parallel()
	h := newHand(t, 2, 0, `f "triggers":[{"event":"e"}],"concurrency":{"step":[{"limit":1,"key":"event.data.k"}]}`)
	for range 3 {
		h.send("e", `{"k":1,"j":1}`)
	}
	if len(h.held) != 1 {
		t.Fatalf("%d calls, want 1", len(h.held))
	}
	h.configure(`f "triggers":[{"event":"e"}],"concurrency":{"step":[{"limit":1,"key":"event.data.j"}]}`)
	if len(h.held) != 3 {
		t.Errorf("%d calls after the key has changed, want 3", len(h.held))
	}
	for range 2 {
		h.send("e", `{"k":2,"j":1}`)
	}
	if len(h.held) != 4 {
		t.Errorf("%d calls under the new key, want 1 of 2", len(h.held)-3)
	}
}

// TestIdempotency: a function's idempotency key lets one event through in 24 h.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script(), `f "triggers":[{"event":"e"}],"rateLimit":{"limit":1,"period":"24h0m0s","key":"event.data.k"}`)
	for range 3 {
		d.send("e", `{"k":"a"}`)
		d.send("e", `{"k":"b"}`)
		d.pass(7 * time.Hour)
	}
	d.wantCalls("f", 2)
	d.pass(3 * time.Hour)
	d.send("e", `{"k":"a"}`)
	d.wantCalls("f", 3)
	skipped := 0
	for _, l := range d.history() {
		if l.Kind == engine.EventSkipped && l.Name == engine.SkipRateLimit {
			skipped++
		}
	}
	if skipped != 4 {
		t.Errorf("%d events are recorded as skipped, want 4", skipped)
	}
}
