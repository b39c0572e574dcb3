package engine_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
)

func waitFor(opts string) func(*engine.Call) engine.Result {
	return func(c *engine.Call) engine.Result {
		if len(c.Steps) > 0 {
			return engine.Result{Status: 200, Output: c.Steps[0].Memo}
		}
		return ops(2, op(engine.OpWaitForEvent, "w", opts))
	}
}

func TestWaitMatches(t *testing.T) {
	t.Parallel()
	d := newDesk(t, waitFor(`{"event":"paid","if":"event.data.order == async.data.order","timeout":"1h"}`), "f")
	d.send("paid", `{"order":"o1"}`) // before the wait: not replayed
	d.send("f", `{"order":"o1"}`)
	d.send("paid", `{"order":"o2"}`)
	d.send("other", `{"order":"o1"}`)
	d.wantCalls("f", 1)
	d.open() // the index is rebuilt from the store
	d.send("paid", `{"order":"o1"}`)
	d.wantCalls("f", 2)
	var memo struct {
		Name string
		Data struct{ Order string }
	}
	if _, p := d.ended("f"); json.Unmarshal([]byte(p), &memo) != nil || memo.Name != "paid" || memo.Data.Order != "o1" {
		t.Errorf("memo %s", p)
	}
	d.send("paid", `{"order":"o1"}`) // consumed
	d.wantCalls("f", 2)
	d.wantClean()
}

func TestWaitTimesOut(t *testing.T) {
	t.Parallel()
	for _, opts := range []string{`{"event":"paid","timeout":"1s"}`, `{"event":"paid","timeout":""}`,
		`{"event":"paid","timeout":"2023-11-14T22:13:21Z","if":"async.data.nothing.there > 3"}`} {
		d := newDesk(t, waitFor(opts), "f")
		d.send("f", `{}`)
		if !strings.Contains(opts, `""`) {
			d.pass(999 * time.Millisecond)
			d.wantCalls("f", 1)
			d.send("paid2", `{}`)
			d.pass(time.Millisecond)
		}
		d.wantCalls("f", 2)
		d.wantEnd("f", engine.RunCompleted, "null")
		d.send("paid", `{}`)
		d.wantClean()
	}
}

func TestOneEventResumesManyRuns(t *testing.T) {
	t.Parallel()
	d := newDesk(t, waitFor(`{"event":"go","timeout":"1h"}`), `a "triggers":[{"event":"start"}]`, `b "triggers":[{"event":"start"}]`, `c "triggers":[{"event":"start"}]`)
	d.send("start", `{}`)
	d.send("start", `{}`)
	d.send("go", `{}`)
	if len(d.calls) != 12 {
		t.Errorf("%d calls, want 12", len(d.calls))
	}
	d.wantClean()
}

func TestCancelOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script(ops(2, op(engine.OpSleep, "z", `{"duration":"1h"}`))),
		`f "triggers":[{"event":"f"}],"cancel":[{"event":"stop","if":"event.data.k == async.data.k"},{"event":"f"},{"event":"late","timeout":"10s"},{"event":"never","if":"event.data.k == 'x' && async.data.k == 1"}]`,
		`watch "triggers":[{"event":"inngest/function.cancelled"}]`)
	d.send("f", `{"k":1}`) // its own trigger does not cancel it
	d.send("stop", `{"k":2}`)
	d.pass(11 * time.Second)
	d.send("late", `{}`)
	if k, _ := d.ended("f"); k != 0 {
		t.Fatalf("the run ended with %d", k)
	}
	d.open()
	d.send("stop", `{"k":1}`)
	d.wantEnd("f", engine.RunCancelled, "")
	got := string(d.wantCalls("watch", 1)[0].Events[0])
	if !strings.Contains(got, `"status":"Cancelled"`) || strings.Contains(got, `"error"`) {
		t.Errorf("event %s", got)
	}
	d.wantClean()
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	child := engine.Result{Status: 200, Output: []byte(`{"y":4}`)}
	target := "child"
	d := newDesk(t, nil, "parent", "child")
	d.handler = func(c *engine.Call) engine.Result {
		switch {
		case c.Fn.Slug == "child":
			return child
		case len(c.Steps) == 0:
			return ops(2, op(engine.OpInvokeFunction, "i", `{"function_id":"`+target+`","payload":{"data":{"x":2},"user":{"u":1},"v":"2"},"timeout":"1m"}`))
		}
		return engine.Result{Status: 200, Output: c.Steps[0].Memo}
	}
	end := func() string {
		t.Helper()
		d.send("parent", `{}`)
		calls := d.of("parent")
		return memoOf(calls[len(calls)-1], "i")
	}
	if got := end(); got != `{"data":{"y":4}}` {
		t.Errorf("memo of a completed child: %s", got)
	}
	ev := string(d.of("child")[0].Events[0])
	for _, want := range []string{`"name":"inngest/function.invoked"`, `"x":2`, `"user":{"u":1}`, `"v":"2"`, `"fn_id":"child"`, `"correlation_id":"`} {
		if !strings.Contains(ev, want) {
			t.Errorf("event %s lacks %s", ev, want)
		}
	}
	child = engine.Result{Status: 400, Error: "NonRetriableError", NoRetry: true, Output: []byte(`{"name":"TypeError","message":"bad x"}`)}
	if got := end(); got != `{"error":{"error":"NonRetriableError","message":"bad x","name":"TypeError"}}` {
		t.Errorf("memo of a failed child: %s", got)
	}
	target = d.of("child")[0].Fn.ID.String()
	child = engine.Result{Status: 204}
	if got := end(); got != `{"data":null}` {
		t.Errorf("memo of a child without result: %s", got)
	}
	target = "nobody"
	if got := end(); got != `{"error":{"message":"could not find function with ID: nobody","name":"Error"}}` {
		t.Errorf("memo of an unknown child: %s", got)
	}
	target = "child"
	child = engine.Result{Status: -1}
	if got := end(); got != "none" {
		t.Errorf("memo of a running child: %s", got)
	}
	d.pass(time.Minute)
	calls := d.of("parent")
	if got := memoOf(calls[len(calls)-1], "i"); !strings.Contains(got, "InngestInvokeTimeoutError") {
		t.Errorf("memo after the timeout: %s", got)
	}
}

func TestCancelledChildResumesItsParent(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *engine.Call) engine.Result {
		switch {
		case c.Fn.Slug == "child":
			return ops(2, op(engine.OpSleep, "z", `{"duration":"1h"}`))
		case len(c.Steps) == 0:
			return ops(2, op(engine.OpInvokeFunction, "i", `{"function_id":"child"}`))
		}
		return engine.Result{Status: 200}
	}, "parent", "child")
	d.send("parent", `{}`)
	d.node.Cancel(d.of("child")[0].Ref.RunID)
	d.work()
	if got := memoOf(d.wantCalls("parent", 2)[1], "i"); !strings.Contains(got, `"status":"Cancelled"`) {
		t.Errorf("memo %s", got)
	}
	d.wantClean()
}

func TestInvokePayloadIDIsIdempotent(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if c.Fn.Slug == "child" || len(c.Steps) > 0 {
			return engine.Result{Status: 200}
		}
		return ops(2, op(engine.OpInvokeFunction, "i", `{"function_id":"child","payload":{"id":"once"},"timeout":"1m"}`))
	}, "parent", "child")
	d.send("parent", `{}`)
	d.send("parent", `{}`)
	d.wantCalls("child", 1)
	d.pass(time.Minute)
	d.wantCalls("parent", 4)
	d.wantClean()
}

func TestSignals(t *testing.T) {
	t.Parallel()
	conflict := "fail"
	d := newDesk(t, nil, "f")
	d.handler = func(c *engine.Call) engine.Result {
		if len(c.Steps) > 0 {
			return engine.Result{Status: 200, Output: c.Steps[0].Memo}
		}
		return ops(2, op(engine.OpWaitForSignal, "g", `{"signal":"s","timeout":"10s","conflict":"`+conflict+`"}`))
	}
	if d.signal("s") {
		t.Error("a signal that nobody waits for was taken")
	}
	d.send("f", `{"n":1}`)
	d.open()
	d.send("f", `{"n":2}`) // the second fails, the first goes on waiting
	if _, p := d.ended("f"); !strings.Contains(p, "Signal conflict; signal wait already exists for another run") {
		t.Errorf("second waiter ended with %s", p)
	}
	conflict = "replace"
	d.send("f", `{"n":3}`)
	if !d.signal("s") {
		t.Error("signal not taken")
	}
	calls := d.of("f")
	last := calls[len(calls)-1]
	if memoOf(last, "g") != `{"data":{"data":1,"signal":"s"}}` || !strings.Contains(string(last.Events[0]), `"n":3`) {
		t.Errorf("memo %s of run %s", memoOf(last, "g"), last.Events[0])
	}
	if d.signal("s") {
		t.Error("a signal was taken twice")
	}
	d.pass(10 * time.Second) // the replaced one times out
	calls = d.of("f")
	last = calls[len(calls)-1]
	if memoOf(last, "g") != "null" || !strings.Contains(string(last.Events[0]), `"n":1`) {
		t.Errorf("memo %s of run %s", memoOf(last, "g"), last.Events[0])
	}
	d.wantClean()
}

func (d *desk) signal(name string) bool {
	d.t.Helper()
	found := d.node.Signal(name)
	d.work()
	return found()
}

func TestLifecycleEventsReachHandlers(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if c.Fn.Slug == "f" {
			return engine.Result{Status: 400, Error: "NonRetriableError", NoRetry: true, Output: []byte(`{"message":"boom","name":"E"}`)}
		}
		return engine.Result{Status: 200}
	}, "f",
		`f-failure "triggers":[{"event":"inngest/function.failed","expression":"event.data.function_id == 'f'"}]`,
		`other-failure "triggers":[{"event":"inngest/function.failed","expression":"event.data.function_id == 'other'"}]`)
	d.send("f", `{"a":1}`, func(e *event.Event) { e.Sessions = []byte(`{"s":"1"}`) })
	d.wantCalls("other-failure", 0)
	calls := d.wantCalls("f-failure", 1)
	var ev struct {
		ID   string
		Data struct {
			Event  struct{ Data struct{ A int } }
			Events []map[string]any
			Error  struct{ Name, Message, Error string }
			Result struct{ Message string }
			RunID  string `json:"run_id"`
		}
		Meta struct{ Sessions map[string]string }
	}
	if err := json.Unmarshal(calls[0].Events[0], &ev); err != nil {
		t.Fatal(err)
	}
	run := d.of("f")[0].Ref.RunID.String()
	if ev.ID != run || ev.Data.RunID != run || ev.Data.Event.Data.A != 1 || ev.Data.Error.Name != "E" || ev.Data.Error.Error != "NonRetriableError" ||
		ev.Data.Result.Message != "boom" || ev.Meta.Sessions["s"] != "1" || ev.Data.Events[0]["user"] != nil {
		t.Errorf("event %s", calls[0].Events[0])
	}
	d.wantClean()
}
