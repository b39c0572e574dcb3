package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/storage/memstore"

	"github.com/oklog/ulid/v2"
)

// TestFaultOfARequest: it is answered, and nothing else suffers; waiting requests are
// answered later.
func TestFaultOfARequest(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sleepOnce, `f`)
	s := &poisoned{tables: map[engine.Table]bool{engine.TableFunction: true}, put: "\x01"}
	d.poison(s)
	answer := d.node.SetModeAnswered(idOf("f"), engine.ModePaused)
	d.work()
	if err := answer(); !errors.Is(err, engine.ErrInternal) {
		t.Errorf("answer %v, want ErrInternal", err)
	}
	d.wantFaults(s, 1)
	d.send("f", `{}`)
	d.pass(5 * time.Second)
	d.wantCalls("f", 2)
	d.wantDead()
	d.wantClean()
}

// TestFaultWithoutACulprit: a partition that cannot do anything stops the engine, loudly.
func TestFaultWithoutACulprit(t *testing.T) {
	t.Parallel()
	d := newDesk(t, done, `f`)
	s := &poisoned{tables: map[engine.Table]bool{engine.TableCursor: true}, put: ""}
	d.poison(s)
	s.put = "\x01"
	d.send("f", `{}`)
	if err := d.node.Failed(); err == nil || !strings.Contains(err.Error(), "poison") {
		t.Errorf("the engine goes on, or has failed with %v", err)
	}
	if s.panics != 4 {
		t.Errorf("%d panics, want 4", s.panics)
	}
}

// TestFaultKeepsTheRest: what a partition has besides survives its restarts: calls under
// way are made again, a bulk cancellation and those who wait for a run's end go on.
func TestFaultKeepsTheRest(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil, `f "triggers":[{"event":"e"}]`)
	d.handler = func(c *engine.Call) engine.Result {
		if bytes.Contains(c.Events[0], []byte("poison")) {
			return ops(2, engine.Op{Code: engine.OpStepRun, ID: "s", Data: []byte(`"poison!"`)})
		}
		return engine.Result{Status: -1}
	}
	s := &poisoned{tables: map[engine.Table]bool{engine.TableRun: true}, put: "poison!"}
	d.poison(s)
	for i := range 20 {
		d.send("e", fmt.Sprintf(`{"n":%d}`, i))
	}
	d.send("e", `{"a":"poison"}`)
	d.wantFaults(s, 3)
	runs := map[ulid.ULID]bool{}
	for _, c := range d.of("f") {
		runs[c.Ref.RunID] = true
	}
	if len(runs) != 21 || len(d.calls) != 20+3*21 {
		t.Errorf("%d runs, %d calls; want each of 20 calls made again three times", len(runs), len(d.calls))
	}
	if n := d.node.Stats().Backlog; n != 20 {
		t.Errorf("backlog %d, want 20", n)
	}
	count := d.node.CancelBulk(&engine.BulkCancel{Fn: idOf("f")})
	d.work()
	if n, err := count(); n != 20 || err != nil {
		t.Errorf("cancelled %d, %v", n, err)
	}
	for _, left := range engine.Leftovers(d.store) {
		t.Errorf("left in the store: %s", left)
	}
}

// TestFaultOfACall: calls that the server itself has failed at are no attempts, and bounded.
func TestFaultOfACall(t *testing.T) {
	t.Parallel()
	left := 2
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if c.Attempt != 0 {
			t.Errorf("attempt %d of %s", c.Attempt, c.Fn.Slug)
		}
		if c.Fn.Slug == "f" && left > 0 {
			left--
			return engine.Result{Error: "internal error: broken", ErrorCode: engine.CodeFault}
		}
		return finalResult()
	}, `f "triggers":[{"event":"f"}],"concurrency":{"fn":[{"limit":1}]}`)
	d.send("f", `{}`)
	d.pass(time.Minute)
	d.wantCalls("f", 3)
	d.wantDead()

	left = 1000
	d.send("f", `{}`)
	d.pass(time.Minute)
	run := d.wantCalls("f", 6)[5].Ref.RunID
	list := d.wantDead(run)
	if want := "the server failed 3 times at a call: internal error: broken"; list[0].Reason != want {
		t.Errorf("reason %q, want %q", list[0].Reason, want)
	}
	left = 0
	d.send("f", `{}`)
	d.wantCalls("f", 7)
	left = 1
	if err := d.redrive(&list[0]); err != nil {
		t.Fatal(err)
	}
	d.pass(time.Minute)
	d.wantCalls("f", 9)
	d.wantClean()
}

// TestFaultOfAGatewayRequest: so are requests that the server makes for a step, and
// those that it gave up because it stops.
func TestFaultOfAGatewayRequest(t *testing.T) {
	t.Parallel()
	fault := engine.GatewayResult{Error: []byte(`{"message":"internal error: broken","name":"GatewayError"}`), ErrorCode: engine.CodeFault}
	stopping := engine.GatewayResult{Error: fault.Error, ErrorCode: engine.CodeShutdown}
	var answers []engine.GatewayResult
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if c.Attempt != 0 {
			t.Errorf("attempt %d", c.Attempt)
		}
		return gateway(nil, c, nil)
	}, `f "triggers":[{"event":"f"}],"concurrency":{"fn":[{"limit":1}]}`)
	requests := 0
	d.gateway = func(*engine.GatewayCall) engine.GatewayResult {
		if requests++; len(answers) == 0 {
			return engine.GatewayResult{Data: []byte(`1`)}
		}
		a := answers[0]
		answers = answers[1:]
		return a
	}
	answers = []engine.GatewayResult{fault, stopping, stopping, stopping, fault}
	d.send("f", `{}`)
	d.pass(time.Minute)
	calls := d.wantCalls("f", 2)
	if memo := memoOf(calls[1], "f"); memo != `{"data":1}` || requests != 6 {
		t.Errorf("memo %s after %d requests, want data after 6", memo, requests)
	}
	d.wantEnd("f", engine.RunCompleted, `"done"`)
	d.wantDead()

	answers = []engine.GatewayResult{fault, fault, fault, fault}
	d.send("f", `{}`)
	d.pass(time.Minute)
	run := d.wantCalls("f", 3)[2].Ref.RunID
	list := d.wantDead(run)
	if want := "the server failed 3 times at a request: internal error: broken"; list[0].Reason != want {
		t.Errorf("reason %q, want %q", list[0].Reason, want)
	}
	d.send("f", `{}`) // has the place; its request fails once more
	d.pass(time.Minute)
	d.wantCalls("f", 5)
	if err := d.redrive(&list[0]); err != nil {
		t.Fatal(err)
	}
	d.pass(time.Minute)
	d.wantCalls("f", 6)
	d.wantClean()
}

// TestFaultLive is a whole engine, with its goroutines, that is asked for its counts while
// partitions restart.
func TestFaultLive(t *testing.T) {
	t.Parallel()
	s := &poisoned{Store: memstore.New(1, memstore.Options{Partitions: 2}), tables: map[engine.Table]bool{engine.TableRun: true}, put: "poison"}
	r := startOn(t, s, func(*engine.Call) engine.Result { return finalResult() }, fn("f", "f"), fn("g", "g"))
	for i := range 20 {
		r.send("f", fmt.Sprintf(`{"n":%d}`, i))
		r.send("g", `{"a":"poison"}`)
	}
	eventually(t, "20 runs and 20 dead letters", func() bool {
		list, err := r.eng.DeadLetters(context.Background(), 0, ulid.ULID{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		runs := map[ulid.ULID]bool{}
		for _, c := range r.app.all() {
			runs[c.Ref.RunID] = true
		}
		return len(list) == 20 && len(runs) == 20 && r.eng.Stats().Dead == 20
	})
}

// TestFaultOfRouting: an event at which the router fails is put aside whole, those beside
// it arrive.
func TestFaultOfRouting(t *testing.T) {
	t.Parallel()
	d := newDesk(t, done, `f`, `g`)
	d.node.Catch()
	d.work()
	d.node.BreakRouting("f")
	group := append(d.event("g", `{}`).AppendRecord(nil), d.event("f", `{}`).AppendRecord(nil)...)
	if err := d.store.Log().Append(d.event("g", `{}`).AppendRecord(group), 3); err != nil {
		t.Fatal(err)
	}
	d.work()
	d.wantCalls("g", 2)
	d.wantCalls("f", 0)
	list := d.deadLetters()
	if len(list) != 1 || list[0].Kind != engine.DeadEntry || !strings.HasPrefix(list[0].Reason, "the server failed at it: ") {
		t.Fatalf("dead letters: %+v", list)
	}
	d.node.Configure(d.cat.Snapshot())
	if err := d.redrive(&list[0]); err != nil {
		t.Fatal(err)
	}
	d.wantCalls("f", 1)
	d.wantCalls("g", 2)
	d.wantClean()
}
