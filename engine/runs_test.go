package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
)

var (
	failed500 = engine.Result{Status: 500, Error: "invalid status code: 500", Output: []byte(`{"message":"boom","name":"MyError","stack":"at x"}`)}
	stepError = engine.Op{Code: engine.OpStepError, ID: "e", Error: []byte(`{"message":"no","name":"E"}`)}
)

func TestFunctionErrorIsRetriedThenFails(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(*engine.Call) engine.Result { return failed500 }, "f")
	d.send("f", `{}`)
	d.wantCalls("f", 1)
	d.pass(999 * time.Millisecond)
	d.wantCalls("f", 1)
	d.pass(time.Millisecond)
	d.wantCalls("f", 2)
	d.pass(time.Second)
	calls := d.wantCalls("f", 3)
	for i, c := range calls {
		if c.Attempt != i || c.MaxAttempts != 3 || int(c.Ref.Generation) != i+1 || c.JobID != calls[0].JobID {
			t.Errorf("call %d: attempt %d of %d, generation %d, job %s", i, c.Attempt, c.MaxAttempts, c.Ref.Generation, c.JobID)
		}
		if i > 0 && c.RequestID == calls[i-1].RequestID {
			t.Errorf("call %d repeats its request id", i)
		}
	}
	d.wantEnd("f", engine.RunFailed, `{"message":"boom","name":"MyError","stack":"at x"}`)
	d.wantClean()
}

func TestNoRetryAndRetryAt(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script(engine.Result{Status: 500, Error: "invalid status code: 500", RetryAt: deskStart + 60_000},
		engine.Result{Status: 400, Error: "NonRetriableError", NoRetry: true}), "f")
	d.send("f", `{}`)
	d.pass(59 * time.Second)
	d.wantCalls("f", 1)
	d.pass(time.Second)
	d.wantCalls("f", 2)
	d.wantEnd("f", engine.RunFailed, `{"error":"NonRetriableError","message":"NonRetriableError","name":"Error"}`)
}

func TestBackoffTableWithJitter(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(*engine.Call) engine.Result { return failed500 }, "f")
	d.conf.RetryInterval = 0
	d.open()
	d.send("f", `{}`)
	d.pass(15*time.Second - time.Millisecond)
	d.wantCalls("f", 1)
	d.pass(30 * time.Second)
	d.wantCalls("f", 2)
	at := d.now
	d.pass(60 * time.Second)
	d.wantCalls("f", 3)
	if k, _ := d.ended("f"); k != engine.RunFailed || at == d.now {
		t.Errorf("status %d", k)
	}
}

func TestStepErrorBecomesMemo(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if len(c.Steps) > 0 {
			return engine.Result{Status: 200, Output: []byte(`"caught"`)}
		}
		return ops(2, stepError)
	}, "f")
	d.send("f", `{}`)
	d.pass(2 * time.Second)
	calls := d.wantCalls("f", 4)
	last := calls[3]
	if last.Attempt != 0 || last.Current != 1 || memoOf(last, "e") != `{"error":{"message":"no","name":"E"}}` {
		t.Errorf("attempt %d, current %d, memo %s", last.Attempt, last.Current, memoOf(last, "e"))
	}
	d.wantEnd("f", engine.RunCompleted, `"caught"`)
	d.wantClean()
}

// A step that erred beside finished ones is retried by its call; the finished
// ones lead to no call of their own, which would skip the back-off.
func TestStepErrorBesideFinishedStep(t *testing.T) {
	t.Parallel()
	n := 0
	d := newDesk(t, func(c *engine.Call) engine.Result {
		n++
		if n == 1 {
			return ops(2, ran("a"), stepError)
		}
		return engine.Result{Status: 200}
	}, "f")
	d.send("f", `{}`)
	d.wantCalls("f", 1)
	d.pass(time.Second)
	calls := d.wantCalls("f", 2)
	if calls[1].Attempt != 1 || memoOf(calls[1], "a") == "none" {
		t.Errorf("attempt %d, memo %s", calls[1].Attempt, memoOf(calls[1], "a"))
	}
}

func TestAnswersThatMakeNoProgressEnd(t *testing.T) {
	t.Parallel()
	for name, res := range map[string]engine.Result{
		"empty":     {Status: 206, Ops: []engine.Op{}},
		"none":      ops(1, op(engine.OpNone, "", "")),
		"duplicate": ops(2, ran("a")),
	} {
		d := newDesk(t, func(*engine.Call) engine.Result { return res }, "f")
		d.send("f", `{}`)
		d.pass(time.Hour)
		if k, p := d.ended("f"); k != engine.RunFailed || !strings.Contains(p, "without a new step") {
			t.Errorf("%s: ended with %d %s after %d calls", name, k, p, len(d.calls))
		}
		d.wantClean()
	}
}

func TestFailEarly(t *testing.T) {
	t.Parallel()
	many := make([]engine.Op, 1001)
	for i := range many {
		many[i] = ran(fmt.Sprint(i))
	}
	big := engine.Op{Code: engine.OpStepRun, ID: "big", Data: []byte(`"` + strings.Repeat("x", 33<<20) + `"`)}
	for name, c := range map[string]struct {
		res   engine.Result
		wants []string
	}{
		"too many ops":  {ops(2, many...), []string{"InngestErrFunctionOverflowed", "The function run exceeded the step limit of 1000 steps."}},
		"state":         {ops(2, big), []string{"InngestErrStateOverflowed", "The function run exceeded the state size limit of 33554432 bytes."}},
		"long sleep":    {ops(2, op(engine.OpSleep, "s", `{"duration":"367d"}`)), []string{"InngestErrTimeoutTooLong", "367d", "ends more than one year in the future"}},
		"long wait":     {ops(2, op(engine.OpWaitForEvent, "s", `{"event":"x","timeout":"53w"}`)), []string{"InngestErrTimeoutTooLong", "53w", "expires more than one year in the future"}},
		"bad condition": {ops(2, op(engine.OpWaitForEvent, "s", `{"event":"x","timeout":"1m","if":"event.data.a =="}`)), []string{"InvalidExpression", "Wait for event If expression failed to compile"}},
	} {
		d := newDesk(t, script(c.res), "f")
		d.send("f", `{}`)
		k, p := d.ended("f")
		if k != engine.RunFailed || len(d.calls) != 1 {
			t.Errorf("%s: ended with %d after %d calls", name, k, len(d.calls))
		}
		for _, want := range c.wants {
			if !strings.Contains(p, want) {
				t.Errorf("%s: error %s lacks %q", name, p, want)
			}
		}
		d.wantClean()
	}
}

func TestOpsThatCannotBeReadFailTheAttempt(t *testing.T) {
	t.Parallel()
	for _, o := range []engine.Op{
		op(engine.OpSleep, "s", `{"duration":"soon"}`),
		op(engine.OpWaitForEvent, "s", `{"timeout":"1m"}`),
		op(engine.OpWaitForEvent, "s", `{"event":"x","timeout":"never"}`),
		op(engine.OpWaitForEvent, "s", `[]`),
		op(engine.OpInvokeFunction, "s", `{"function_id":"f","timeout":"never"}`),
		op(engine.OpInvokeFunction, "s", `[]`),
		op(engine.OpWaitForSignal, "s", `{}`),
		op(engine.OpWaitForSignal, "s", `{"signal":"a","timeout":"never"}`),
	} {
		d := newDesk(t, script(ops(2, o)), "f")
		d.send("f", `{}`)
		d.wantCalls("f", 1)
		d.pass(time.Second)
		if calls := d.wantCalls("f", 2); calls[1].Attempt != 1 {
			t.Errorf("%s %s: attempt %d, want 1", o.Code, o.Opts, calls[1].Attempt)
		}
		d.wantClean()
	}
}

func TestSleeps(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]time.Duration{
		"":                     0,
		"1500ms":               1500 * time.Millisecond,
		"1d2h":                 26 * time.Hour,
		"2023-11-14T22:14:20Z": time.Minute,
		"2020-01-01T00:00:00Z": 0,
	} {
		d := newDesk(t, script(ops(2, engine.Op{Code: engine.OpSleep, ID: "z", Name: raw})), "f")
		d.send("f", `{}`)
		if want > 0 {
			d.pass(want - time.Millisecond)
			d.wantCalls("f", 1)
			d.pass(time.Millisecond)
		}
		calls := d.wantCalls("f", 2)
		if memoOf(calls[1], "z") != "null" || calls[1].Current != 1 {
			t.Errorf("%q: memo %s, current %d", raw, memoOf(calls[1], "z"), calls[1].Current)
		}
		d.wantClean()
	}
}

func TestParallelGroups(t *testing.T) {
	t.Parallel()
	planned := func(race bool) []engine.Op {
		return []engine.Op{{Code: engine.OpStepPlanned, ID: "p0", Race: race}, {Code: engine.OpStepPlanned, ID: "p1", Race: race}}
	}
	for _, c := range []struct {
		version     int
		race        bool
		discoveries int // after the first
	}{{2, false, 1}, {1, false, 2}, {2, true, 2}} {
		d := newDesk(t, nil, "f")
		d.handler = func(call *engine.Call) engine.Result {
			switch {
			case call.StepID != "step":
				o := ran(call.StepID)
				o.Race = c.race
				return ops(c.version, o)
			case len(call.Steps) == 0:
				return ops(c.version, planned(c.race)...)
			case len(call.Steps) == 1:
				return ops(c.version, op(engine.OpNone, "n", ""))
			}
			return engine.Result{Status: 200}
		}
		d.send("f", `{}`)
		d.pass(2 * time.Second)
		n := 0
		for _, call := range d.calls[1:] {
			if call.StepID == "step" {
				n++
			} else if !call.DisableImmediate {
				t.Errorf("version %d: a planned call may run other steps at once", c.version)
			}
		}
		if n != c.discoveries {
			t.Errorf("version %d, race %t: %d discoveries, want %d", c.version, c.race, n, c.discoveries)
		}
		last := d.calls[len(d.calls)-1]
		if last.DisableImmediate != (c.version < 2) {
			t.Errorf("version %d: last call has disable_immediate_execution %t", c.version, last.DisableImmediate)
		}
		d.wantClean()
	}
}

func TestStepLimits(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *engine.Call) engine.Result { return ops(2, ran(fmt.Sprint(len(c.Steps)))) }, "f")
	d.node.SetLimits("f", 2, 0)
	d.work()
	d.send("f", `{}`)
	d.wantCalls("f", 2)
	if _, p := d.ended("f"); !strings.Contains(p, "step limit of 2 steps") {
		t.Errorf("ended with %s", p)
	}
	d = newDesk(t, func(c *engine.Call) engine.Result { return ops(2, ran(fmt.Sprint(len(c.Steps)))) }, "f")
	d.node.SetLimits("f", 0, 30)
	d.work()
	d.send("f", `{}`)
	if _, p := d.ended("f"); !strings.Contains(p, "state size limit of 30 bytes") {
		t.Errorf("ended with %s", p)
	}
	d.wantClean()
}

func TestEventIDStartsOncePerDay(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script(), "f", `g "triggers":[{"event":"f","expression":"event.data.n > 1"},{"event":"*"},{"event":"f"}]`)
	withID := func(id string) func(*event.Event) { return func(e *event.Event) { e.ID = []byte(id) } }
	d.send("f", `{"n":1}`, withID("a"))
	d.send("f", `{"n":2}`, withID("a"))
	d.send("f", `{"n":3}`, withID(strings.Repeat("long", 50)))
	d.send("f", `{"n":3}`, withID(strings.Repeat("long", 50)))
	d.wantCalls("f", 2)
	d.wantCalls("g", 2)
	d.pass(25 * time.Hour)
	d.send("f", `{"n":1}`, withID("a"))
	d.wantCalls("f", 3)
	d.wantClean()
}

func TestFutureEventStartsLater(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script(), "f")
	d.send("f", `{}`, func(e *event.Event) { e.TS = d.now + 5000 })
	d.pass(4999 * time.Millisecond)
	d.wantCalls("f", 0)
	d.open() // a restart on the way
	d.pass(time.Millisecond)
	d.wantCalls("f", 1)
}

func TestTimeoutsCancel(t *testing.T) {
	t.Parallel()
	never := engine.Result{Status: -1}
	d := newDesk(t, func(*engine.Call) engine.Result { return never },
		`slow "triggers":[{"event":"a"}],"timeouts":{"finish":"3s"}`,
		`late "triggers":[{"event":"a"}],"concurrency":{"step":[{"limit":1}]},"timeouts":{"start":"2s"}`)
	d.send("a", `{}`)
	d.send("a", `{}`)
	d.pass(2 * time.Second)
	d.wantEnd("late", engine.RunCancelled, "") // the second run never started
	if k, _ := d.ended("slow"); k != 0 {
		t.Errorf("slow ended with %d too early", k)
	}
	d.pass(time.Second)
	n := 0
	for _, l := range d.history() {
		if l.Kind == engine.RunCancelled {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d runs cancelled, want 3", n)
	}
}

func TestDefers(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *engine.Call) engine.Result {
		switch {
		case c.Fn.Slug == "d" || len(c.Steps) > 0:
			return engine.Result{Status: 200, Output: []byte(`1`)}
		}
		return ops(2, ran("s"),
			op(engine.OpDeferAdd, "d1", `{"fn_slug":"d","input":{"k":1},"meta":{"sessions":{"a":"b"}}}`),
			op(engine.OpDeferAdd, "d1", `{"fn_slug":"other","input":{}}`), // a repeat
			op(engine.OpDeferAdd, "d2", `{"fn_slug":"d","input":{"k":2}}`),
			op(engine.OpDeferAdd, "bad", `{"fn_slug":"d","input":7}`),
			op(engine.OpDeferAbort, "x", `{"target_hashed_id":"d2"}`))
	}, "f", `d "triggers":[{"event":"inngest/deferred.schedule","expression":"event.data._inngest.fn_slug == 'd'"}]`)
	d.send("f", `{}`)
	calls := d.wantCalls("f", 2)
	if len(calls[1].Defers) != 3 || !calls[1].Defers[0].Abortable || calls[1].Defers[1].Abortable {
		t.Errorf("defers of the second call: %+v", calls[1].Defers)
	}
	got := string(d.wantCalls("d", 1)[0].Events[0])
	for _, want := range []string{`"k":1`, `"parent_fn_slug":"f"`, `"parent_run_id":"` + calls[0].Ref.RunID.String(), `"sessions":{"a":"b"}`} {
		if !strings.Contains(got, want) {
			t.Errorf("deferred event %s lacks %s", got, want)
		}
	}
	d.wantClean()
}

func TestOnlyDefersIsCalledAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script(ops(2, op(engine.OpDeferAdd, "d", `{"fn_slug":"d","input":{}}`))), "f")
	d.send("f", `{}`)
	d.wantCalls("f", 2)
	d.wantEnd("f", engine.RunCompleted, `"end"`)
}

func TestGatewayRetries(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if len(c.Steps) > 0 {
			return engine.Result{Status: 200}
		}
		return ops(1, op(engine.OpAIGateway, "g", `{"url":"http://up"}`))
	}, "f")
	d.gateway = func(g *engine.GatewayCall) engine.GatewayResult {
		if !g.AI || string(g.Opts) != `{"url":"http://up"}` {
			t.Errorf("gateway call %+v", g)
		}
		return engine.GatewayResult{Error: []byte(`{"message":"no","name":"AIGatewayError"}`)}
	}
	d.send("f", `{}`)
	d.pass(10 * time.Second)
	calls := d.wantCalls("f", 4)
	if calls[1].Attempt != 1 || calls[1].Ref.Generation != 2 || calls[1].JobID != calls[0].JobID {
		t.Errorf("second call: attempt %d, generation %d", calls[1].Attempt, calls[1].Ref.Generation)
	}
	if memoOf(calls[3], "g") != `{"error":{"message":"no","name":"AIGatewayError"}}` || calls[3].Attempt != 0 {
		t.Errorf("memo %s, attempt %d", memoOf(calls[3], "g"), calls[3].Attempt)
	}
	d.wantClean()
}
