package engine_test

import (
	"strings"
	"testing"
	"time"

	"ingot/engine"
)

// What the recordings of the reference show and no rule of the specification says.

// TestPositionOfPlannedStep: a planned step is called with the position of the call
// that planned it (golden sdk-traffic/v3-express).
func TestPositionOfPlannedStep(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil, "f")
	d.handler = func(c *engine.Call) engine.Result {
		switch {
		case c.StepID == "p":
			return ops(1, ran("p"))
		case len(c.Steps) == 0:
			return ops(1, ran("a"))
		case len(c.Steps) == 1:
			return ops(1, op(engine.OpStepPlanned, "p", ""))
		}
		return engine.Result{Status: 200}
	}
	d.send("f", `{}`)
	calls := d.wantCalls("f", 4)
	if calls[2].StepID != "p" || calls[2].Current != 1 || calls[3].Current != 2 {
		t.Errorf("%s is called at %d, then the function at %d", calls[2].StepID, calls[2].Current, calls[3].Current)
	}
}

// TestSleepKeepsPlanForcing: a sleep that ends a parallel group goes on as the same
// job, so nothing is enqueued that would end plan-forcing (golden
// sdk-traffic/v4-express-default, race).
func TestSleepKeepsPlanForcing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil, "f")
	d.handler = func(c *engine.Call) engine.Result {
		switch {
		case c.StepID == "p":
			return ops(2, ran("p"))
		case len(c.Steps) == 0:
			return ops(2, op(engine.OpSleep, "s", `{"duration":"2s"}`), op(engine.OpStepPlanned, "p", ""))
		}
		return engine.Result{Status: 200}
	}
	d.send("f", `{}`)
	d.pass(3 * time.Second)
	calls := d.wantCalls("f", 3)
	if last := calls[2]; len(last.Steps) != 2 || !last.DisableImmediate {
		t.Errorf("the call after the sleep has %d steps, disable_immediate_execution %t", len(last.Steps), last.DisableImmediate)
	}
}

// TestIdleAnswersTellNoVersion: an answer that asks for nothing does not settle the
// request version (golden runs/step-op-none).
func TestIdleAnswersTellNoVersion(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil, "f")
	n := 0
	d.handler = func(*engine.Call) engine.Result {
		if n++; n == 1 {
			return ops(2, op(engine.OpNone, "", ""))
		}
		return engine.Result{Status: 200}
	}
	d.send("f", `{}`)
	if calls := d.wantCalls("f", 2); calls[1].RequestVersion != -1 {
		t.Errorf("request version %d", calls[1].RequestVersion)
	}
}

// TestTraceGoesOn: what an event leads to belongs to its trace: runs, those they
// invoke, those who listen to invocations and ends. Another event is another trace.
func TestTraceGoesOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil, "f", "child", `listener "triggers":[{"event":"inngest/function.invoked"}]`, `handler "triggers":[{"event":"inngest/function.failed"}]`)
	d.handler = func(c *engine.Call) engine.Result {
		switch {
		case c.Fn.Slug == "f" && len(c.Steps) == 0:
			return ops(2, op(engine.OpInvokeFunction, "i", `{"function_id":"child","payload":{"data":{}},"timeout":"1m"}`))
		case c.Fn.Slug == "child":
			return engine.Result{Status: 400, Error: "NonRetriableError", NoRetry: true}
		}
		return engine.Result{Status: 200}
	}
	d.send("f", `{}`)
	first := d.wantCalls("f", 2)[0].Trace
	for _, slug := range []string{"child", "listener", "handler"} {
		calls := d.wantCalls(slug, 1)
		if calls[0].Trace != first {
			t.Errorf("%s has another trace", slug)
		}
	}
	d.send("child", `{}`)
	if calls := d.wantCalls("child", 2); calls[1].Trace == first {
		t.Error("another event has the same trace")
	}
}

// TestStepLimitPayload: the step limit ends a run with an error that is JSON text
// in both fields, and no result (golden runs/step-limit).
func TestStepLimitPayload(t *testing.T) {
	t.Parallel()
	n := 0
	d := newDesk(t, nil, "f")
	d.handler = func(*engine.Call) engine.Result {
		n++
		return ops(1, ran(strings.Repeat("s", n)))
	}
	d.send("f", `{}`)
	kind, payload := d.ended("f")
	want := `"error":"{\"error\":{\"error\":\"function has too many steps\",\"name\":\"InngestErrFunctionOverflowed\",`
	if kind != engine.RunFailed || !strings.Contains(payload, want) || !strings.Contains(payload, `"name":"Error"`) {
		t.Errorf("ended with %d %s", kind, payload)
	}
}
