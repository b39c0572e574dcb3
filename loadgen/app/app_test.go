package app

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot/loadgen/flow"
	"ingot/loadgen/ledger"
	"ingot/loadgen/record"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The cleaner of fasthttp's workers ends up to ten seconds after its server.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

const aCall = `{"ctx":{"attempt":1,"disable_immediate_execution":false,"env":"","fn_id":"9b6d","max_attempts":4,"qi_id":"MTU=","run_id":"01K1V7",` +
	`"stack":{"current":2,"stack":["a","b\"]"]},"step_id":"step"},"defers":{},"event":{"data":{"_inngest":{"lg":{"i":1}},"lg":{"i":42,"s":7,"t":5},"p":"}\\\"{"},` +
	`"id":"x","name":"lg/a","ts":1,"user":{}},"events":[],"steps":{"a":{"data":1}},"use_api":false,"version":2}`

func TestScan(t *testing.T) {
	t.Parallel()
	indented := new(strings.Builder)
	e := json.NewEncoder(indented)
	e.SetIndent(" ", "\t")
	var any map[string]any
	if err := json.Unmarshal([]byte(aCall), &any); err != nil {
		t.Fatal(err)
	}
	if err := e.Encode(any); err != nil {
		t.Fatal(err)
	}
	other := `{"event":{"name":"x","data":{"p":[1,{"lg":2}],"lg":{"t":-5,"s":7,"i":42}}},"steps":{},"ctx":{"run_id":"01K1V7","stack":{"stack":["a","b"]},"attempt":1,"fn_id":"9b6d","qi_id":"MTU="}}`
	for name, body := range map[string]string{"canonical": aCall, "indented": indented.String(), "other order": other} {
		c := scan([]byte(body))
		if string(c.run) != "01K1V7" || string(c.function) != "9b6d" || string(c.item) != "MTU=" || c.attempt != 1 || c.memos != 2 ||
			c.mark != (mark{true, 7, 42}) {
			t.Errorf("%s: %+v", name, c)
		}
	}
	for _, body := range []string{"", "x", "[]", `{"ctx":{"run_id":"a"`, `{"ctx":{"run_id":"a}}`, `{"ctx" {}}`, `{"ctx":{"stack":{"stack":["a" "b"]},"run_id":"a"}}`} {
		if c := scan([]byte(body)); len(c.run) != 0 {
			t.Errorf("%q has run %q", body, c.run)
		}
	}
	c := scan([]byte(`{"ctx":{"run_id":"a","stack":{"stack":[]}},"event":{"data":null}}`))
	if string(c.run) != "a" || c.memos != 0 || c.mark.found {
		t.Errorf("%+v", c)
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte(aCall))
	f.Add([]byte(`{"events":[` + `{"data":{"lg":{"i":1}}},{}]}`))
	f.Fuzz(func(_ *testing.T, b []byte) { // must end, without a panic
		scan(b)
		scanEvents(b, func(mark) {})
	})
}

func TestScanAllocatesNothing(t *testing.T) {
	body := []byte(aCall)
	if n := testing.AllocsPerRun(100, func() { scan(body) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

// caller has an app and calls it without a network.
type caller struct {
	*App
	led *ledger.Ledger
	rec *record.Recorder
}

func newCaller(t *testing.T, fns ...Function) caller {
	t.Helper()
	led, rec := ledger.New(100, 64, time.Minute), record.New()
	a, err := Start(Options{Name: "t", Session: 7, Ledger: led, Recorder: rec, Clock: record.NewClock(), Server: "http://127.0.0.1:1"}, fns)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, ok := led.Reserve(100, 0); !ok {
		t.Fatal("no room")
	}
	return caller{a, led, rec}
}

func prepare(ctx *fasthttp.RequestCtx, uri, body string) {
	ctx.Request.Reset()
	ctx.Response.Reset()
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.SetRequestURI(uri)
	ctx.Request.SetBodyRaw([]byte(body))
}

func (c caller) call(uri, body string) (int, string) {
	ctx := new(fasthttp.RequestCtx)
	prepare(ctx, uri, body)
	c.serve(ctx)
	return ctx.Response.StatusCode(), string(ctx.Response.Body())
}

func callBody(run string, memos, attempt, seq int) string {
	stack, _ := json.Marshal(make([]int, memos))
	b, _ := json.Marshal(map[string]any{
		"ctx":   map[string]any{"run_id": run, "attempt": attempt, "stack": map[string]any{"stack": json.RawMessage(stack)}},
		"event": map[string]any{"data": map[string]any{"lg": map[string]any{"s": 7, "i": seq}}},
	})
	return string(b)
}

func TestSequence(t *testing.T) {
	t.Parallel()
	c := newCaller(t, Function{ID: "f", Behaviour: Behaviour{Kind: Sequential, Steps: 2, Output: 10, Failures: 1, RetryAfter: time.Second}})
	for i, want := range []struct {
		memos, attempt, status int
		op                     string
	}{{0, 0, 206, "StepError"}, {0, 1, 206, `"data":"xxxxxxxx"`}, {1, 0, 206, "StepError"}, {1, 1, 206, "StepRun"}, {2, 0, 200, `{"ok":true}`}} {
		status, body := c.call("/0?fnId=t-f&stepId=step", callBody("r", want.memos, want.attempt, 1))
		if status != want.status || !strings.Contains(body, want.op) {
			t.Errorf("call %d: %d %s", i, status, body)
		}
	}
	if n := c.rec.Count; n(record.Calls) != 5 || n(record.Steps) != 2 || n(record.Completed) != 1 || n(record.Started) != 1 || n(record.DoubledSteps) != 0 {
		t.Error("wrong counts")
	}
}

func TestParallel(t *testing.T) {
	t.Parallel()
	c := newCaller(t, Function{ID: "f", Behaviour: Behaviour{Kind: Parallel, Steps: 3}})
	if status, body := c.call("/0?stepId=step", callBody("r", 0, 0, 1)); status != 206 || strings.Count(body, "StepPlanned") != 3 {
		t.Errorf("%d %s", status, body)
	}
	for i, id := range []string{stepID("step-0"), stepID("step-1"), stepID("step-1"), stepID("step-2")} {
		if status, body := c.call("/0?fnId=t-f&stepId="+id, callBody("r", min(i, 2), 0, 1)); status != 206 || !strings.Contains(body, id) {
			t.Errorf("%d %s", status, body)
		}
	}
	if status, body := c.call("/0?stepId=step", callBody("r", 2, 0, 1)); status != 206 || body != "[]" {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := c.call("/0?stepId=step", callBody("r", 3, 0, 1)); status != 200 {
		t.Error(status)
	}
	if n := c.rec.Count; n(record.Steps) != 3 || n(record.DoubledSteps) != 1 || n(record.Completed) != 1 {
		t.Errorf("%d steps, %d doubled, %d completed", n(record.Steps), n(record.DoubledSteps), n(record.Completed))
	}
}

func TestStrangeCalls(t *testing.T) {
	t.Parallel()
	c := newCaller(t, Function{ID: "f"})
	for _, uri := range []string{"/", "/x", "/1", "/99999999999"} {
		if status, _ := c.call(uri, callBody("r", 0, 0, 1)); status != 500 {
			t.Errorf("%s: %d", uri, status)
		}
	}
	if status, _ := c.call("/0", "{"); status != 500 {
		t.Error(status)
	}
	if status, _ := c.call("/0", callBody("r", 0, 0, 1000)); status != 200 {
		t.Error(status)
	}
	if e := c.Errors(); e["call of an unknown function"] != 4 || e["call that is not understood"] != 1 || c.rec.Count(record.Stray) != 1 {
		t.Error(e)
	}
}

func TestCallsAllocateNothing(t *testing.T) {
	c := newCaller(t, Function{ID: "f", Behaviour: Behaviour{Kind: Sequential, Steps: 3}}, Function{ID: "p", Behaviour: Behaviour{Kind: Invokes, Steps: 1, Child: "t-f"}},
		Function{ID: "l", Flow: flow.Config{Keys: 3, Limit: 1, RunLimit: 1, Throttle: flow.Rate{Limit: 1, Period: time.Second}, Singleton: flow.Cancel}})
	ctx := new(fasthttp.RequestCtx)
	for _, uri := range []string{"/0?fnId=t-f&stepId=step", "/1?fnId=t-p&stepId=step", "/2?fnId=t-l&stepId=step"} {
		prepare(ctx, uri, aCall)
		c.serve(ctx)
		if n := testing.AllocsPerRun(100, func() { c.serve(ctx) }); n > 0 && !raceEnabled {
			t.Errorf("%s: %g allocations", uri, n)
		}
	}
}

// TestBatch: a run of several events starts and ends each of them.
func TestBatch(t *testing.T) {
	t.Parallel()
	c := newCaller(t, Function{ID: "f", Flow: flow.Config{Batch: flow.Batch{Size: 3, Timeout: time.Second}}})
	event := func(seq int) string { return fmt.Sprintf(`{"data":{"lg":{"s":7,"i":%d}}}`, seq) }
	body := func(run string, seqs ...int) string {
		var all []string
		for _, seq := range seqs {
			all = append(all, event(seq))
		}
		return fmt.Sprintf(`{"ctx":{"run_id":"%s"},"event":%s,"events":[%s]}`, run, all[0], strings.Join(all, ","))
	}
	c.call("/0", body("a", 4, 5, 9))
	if n := c.rec.Count; n(record.Started) != 1 || n(record.Completed) != 3 || n(record.Calls) != 1 {
		t.Errorf("%d started, %d completed", n(record.Started), n(record.Completed))
	}
	c.call("/0", body("b", 6, 9, 7))
	seen, _ := c.Flow()
	if seen.Batch != 3 || len(seen.Broken) > 0 {
		t.Errorf("%+v", seen)
	}
	tally := c.led.Tally(0, 10, func(int64) (ledger.Expectation, int) { return ledger.Run, 0 })
	if tally.DoubledRuns != 1 || tally.Completed != 5 || tally.Started != 5 {
		t.Errorf("%+v", tally)
	}
}

// TestSingletonCancels: a run that another one ends is neither lost nor completed.
func TestSingletonCancels(t *testing.T) {
	t.Parallel()
	c := newCaller(t, Function{ID: "f", Flow: flow.Config{Singleton: flow.Cancel}, Behaviour: Behaviour{Kind: Sequential, Steps: 1}})
	c.led.Sent(0, 3, ledger.Accepted)
	c.call("/0", callBody("a", 0, 0, 0))
	c.call("/0", callBody("b", 0, 0, 1))
	c.call("/0", callBody("b", 1, 0, 1))
	if n := c.rec.Count; n(record.Expected) != 2 || n(record.Completed) != 1 || n(record.Cancelled) != 1 {
		t.Errorf("%d expected, %d completed, %d cancelled", n(record.Expected), n(record.Completed), n(record.Cancelled))
	}
	tally := c.led.Tally(0, 3, func(int64) (ledger.Expectation, int) { return ledger.MayComplete, 0 })
	if tally.Lost != 0 || tally.Completed != 1 || tally.Cancelled != 1 || tally.Skipped != 1 {
		t.Errorf("%+v", tally)
	}
}
