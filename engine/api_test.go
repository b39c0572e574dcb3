package engine_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/storage/memstore"

	"github.com/oklog/ulid/v2"
)

// Tests of Engine as the HTTP surfaces use it, with its goroutines running.

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s did not happen", what)
}

func (a *app) all() []*engine.Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*engine.Call(nil), a.calls...)
}

func TestStateCancelAndCheckpoint(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	release := make(chan struct{})
	r := start(t, func(*engine.Call) engine.Result {
		<-release
		return engine.Result{Status: 200, Output: []byte(`1`)}
	}, fn("f", "f"))
	r.send("f", `{"n":1}`)
	eventually(t, "the first call", func() bool { return len(r.app.all()) == 1 })
	call := r.app.all()[0]
	run := call.Ref.RunID
	save := func(job string, ops ...engine.Op) error {
		return r.eng.Checkpoint(ctx, &engine.Checkpoint{RunID: run, JobID: job, Ops: ops})
	}
	if err := save(call.JobID, ran("a"), op(engine.OpStepPlanned, "b", ""), engine.Op{Code: engine.OpStep, ID: "old", Data: []byte(`7`)},
		op(engine.OpDeferAdd, "d", `{"fn_slug":"f","input":{}}`), op(engine.OpDeferAbort, "x", `{"target_hashed_id":"d"}`)); err != nil {
		t.Fatal(err)
	}
	if err := save("", ran("a")); err != nil { // a repeat, without a job
		t.Fatal(err)
	}
	state, err := r.eng.State(ctx, run)
	if err != nil || len(state.Steps) != 2 || string(state.Steps[0].Memo) != `{"data":"a"}` || string(state.Steps[1].Memo) != `7` || len(state.Events) != 1 {
		t.Fatalf("state %+v, error %v", state, err)
	}
	for name, c := range map[string]struct {
		err    error
		status int
	}{
		"async op":    {save(call.JobID, op(engine.OpSleep, "z", "")), 400},
		"other op":    {save(call.JobID, op(engine.OpRunComplete, "z", "")), 400},
		"unknown job": {save("nojob", ran("c")), 400},
	} {
		var ce *engine.CheckpointError
		if !errors.As(c.err, &ce) || ce.Status != c.status || ce.Error() == "" {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	if err := r.eng.SetStateLimit(ctx, call.Fn.ID, 20); err != nil {
		t.Fatal(err)
	}
	if err := save(call.JobID, ran("0123456789")); !errors.Is(err, engine.ErrStateTooLarge) {
		t.Errorf("checkpoint above the limit: %v", err)
	}
	if err := r.eng.SetStepLimit(ctx, call.Fn.ID, 0); err != nil {
		t.Fatal(err)
	}
	if err := r.eng.Cancel(ctx, run); err != nil {
		t.Fatal(err)
	}
	close(release)
	if err := r.eng.Cancel(ctx, run); !errors.Is(err, engine.ErrRunEnded) {
		t.Errorf("second cancel: %v", err)
	}
	unknown := ids.Now()
	if err := r.eng.Cancel(ctx, unknown); !errors.Is(err, engine.ErrRunNotFound) {
		t.Errorf("cancel of an unknown run: %v", err)
	}
	if _, err := r.eng.State(ctx, run); !errors.Is(err, engine.ErrRunNotFound) {
		t.Errorf("state of an ended run: %v", err)
	}
	if err := save(call.JobID, ran("z")); !errors.Is(err, engine.ErrRunNotFound) {
		t.Errorf("checkpoint of an ended run: %v", err)
	}
	if _, ok, err := r.eng.Signal(ctx, "nobody", nil); ok || err != nil {
		t.Errorf("signal: %v %v", ok, err)
	}
}

func TestSignalThroughAPI(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	r := start(t, func(c *engine.Call) engine.Result {
		if len(c.Steps) > 0 {
			return engine.Result{Status: 200}
		}
		return ops(2, op(engine.OpWaitForSignal, "g", `{"signal":"s"}`))
	}, fn("f", "f"))
	r.send("f", `{}`)
	var run ulid.ULID
	eventually(t, "the signal", func() bool {
		got, ok, err := r.eng.Signal(ctx, "s", []byte(`{"a":1}`))
		run = got
		return ok && err == nil
	})
	eventually(t, "the second call", func() bool { return len(r.app.all()) == 2 })
	if c := r.app.all()[1]; c.Ref.RunID != run || memoOf(c, "g") != `{"data":{"data":{"a":1},"signal":"s"}}` {
		t.Errorf("run %s, memo %s", run, memoOf(c, "g"))
	}
}

func syncFn() *function.Function {
	return &function.Function{ID: ids.UUIDv5([]byte("sync")), Slug: "sync", Name: "sync", Driver: function.DriverSync, Method: "POST", URL: "http://api", MaxAttempts: 1, Config: []byte(`{}`)}
}

func syncEvent(data string) event.Event {
	return event.Event{InternalID: ids.Now(), Name: []byte("inngest/http.request"), Data: []byte(data), TS: 1, ReceivedAt: time.Now().UnixMilli()}
}

func TestSyncRun(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	r := start(t, func(c *engine.Call) engine.Result {
		return ops(2, engine.Op{Code: engine.OpRunComplete, ID: "c", Data: fmt.Appendf(nil, `{"status":201,"body":"steps %d"}`, len(c.Steps))})
	}, syncFn())
	s := &engine.SyncRun{RunID: ids.Now(), FnID: syncFn().ID, RequestVersion: 2, MaxAttempts: 3, Ops: []engine.Op{ran("a")},
		Event: syncEvent(`{"domain":"http://api","path":"/x","method":"PUT","query_params":"q=1","content_type":"text/plain","body":"` + base64.StdEncoding.EncodeToString([]byte("hi")) + `"}`)}
	if err := r.eng.StartSync(ctx, s); err != nil {
		t.Fatal(err)
	}
	if err := r.eng.StartSync(ctx, s); !errors.Is(err, engine.ErrRunExists) {
		t.Errorf("second start: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := r.eng.Output(short, s.RunID); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("output of a running run: %v", err)
	}
	waited := make(chan string)
	go func() {
		out, err := r.eng.Output(ctx, s.RunID)
		waited <- fmt.Sprintf("%s %t %v", out.Output, out.Failed, err)
	}()
	// It goes on without the endpoint's caller: a sleep, then a re-entry.
	if err := r.eng.Checkpoint(ctx, &engine.Checkpoint{RunID: s.RunID, Sync: true, Ops: []engine.Op{ran("b"), op(engine.OpSleep, "z", `{"duration":"1ms"}`)}}); err != nil {
		t.Fatal(err)
	}
	if got := <-waited; got != `{"status":201,"body":"steps 3"} false <nil>` {
		t.Errorf("output %s", got)
	}
	c := r.app.all()[0].Sync
	if c == nil || c.Method != "PUT" || c.URL != "http://api/x?q=1" || c.ContentType != "text/plain" || string(c.Body) != "hi" {
		t.Errorf("re-entry %+v", c)
	}
	if out, err := r.eng.Output(ctx, s.RunID); err != nil || out.Failed {
		t.Errorf("output later: %+v %v", out, err)
	}
	if err := r.eng.StartSync(ctx, s); !errors.Is(err, engine.ErrRunExists) {
		t.Errorf("start of an ended run: %v", err)
	}
	if _, err := r.eng.Output(ctx, ids.Now()); !errors.Is(err, engine.ErrRunNotFound) {
		t.Errorf("output of an unknown run: %v", err)
	}
	s = &engine.SyncRun{RunID: ids.Now(), FnID: ids.NewUUID(), Event: syncEvent(`{}`)}
	if err := r.eng.StartSync(ctx, s); !errors.Is(err, engine.ErrRunNotFound) {
		t.Errorf("start with an unknown function: %v", err)
	}
}

func TestSyncRunEndsInOneRequest(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	r := start(t, nil, syncFn())
	for _, c := range []struct {
		data   string
		failed bool
		want   string
	}{
		{`{"data":{"status":200,"body":"ok"}}`, false, `{"status":200,"body":"ok"}`},
		{`{"status":503,"body":"no"}`, true, `{"status":503,"body":"no"}`},
		{`{"status":404}`, false, `{"status":404}`},
	} {
		s := &engine.SyncRun{RunID: ids.Now(), FnID: syncFn().ID, Event: syncEvent(`{"path":"/p","body":"plain?"}`),
			Ops: []engine.Op{ran("a"), op(engine.OpDeferAdd, "d", `{}`), {Code: engine.OpRunComplete, ID: "c", Data: []byte(c.data)}}}
		if err := r.eng.StartSync(ctx, s); err != nil {
			t.Fatal(err)
		}
		out, err := r.eng.Output(ctx, s.RunID)
		if err != nil || out.Failed != c.failed || string(out.Output) != c.want {
			t.Errorf("%s: %+v %v", c.data, out, err)
		}
	}
	// Only defers: nothing else happens, the run stays.
	s := &engine.SyncRun{RunID: ids.Now(), FnID: syncFn().ID, Event: syncEvent(`{}`), Ops: []engine.Op{op(engine.OpDeferAdd, "d", `{"fn_slug":"x","input":{}}`), op(engine.OpDeferAbort, "a", `{"target_hashed_id":"d"}`)}}
	if err := r.eng.StartSync(ctx, s); err != nil {
		t.Fatal(err)
	}
	if err := r.eng.Cancel(ctx, s.RunID); err != nil {
		t.Error(err)
	}
}

func TestStorageFailureStopsTheEngine(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	store := memstore.New(1, memstore.Options{Partitions: 2})
	cats := memstore.New(1, memstore.Options{})
	sys, _ := cats.Partition(engine.SystemPartition)
	cat, err := engine.OpenCatalog(sys)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan error, 1)
	e, err := engine.New(engine.Config{Store: store, Catalog: cat, Transport: &app{}, OnFailure: func(err error) { told <- err }})
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	boom := errors.New("boom")
	store.Fail(boom)
	err = e.StartSync(ctx, &engine.SyncRun{RunID: ids.Now(), FnID: ids.NewUUID(), Event: syncEvent(`{}`)})
	if !errors.Is(err, engine.ErrRunNotFound) {
		t.Errorf("a request that writes nothing: %v", err)
	}
	if err := cat.Update(func(tx *engine.Tx) error { tx.PutFunction(syncFn()); return nil }); err != nil {
		t.Fatal(err)
	}
	err = e.StartSync(ctx, &engine.SyncRun{RunID: ids.Now(), FnID: syncFn().ID, Event: syncEvent(`{}`)})
	if !errors.Is(err, engine.ErrClosed) {
		t.Errorf("a request that cannot be stored: %v", err)
	}
	if err := <-told; !errors.Is(err, boom) {
		t.Errorf("failure %v", err)
	}
	if _, err := e.State(ctx, ids.Now()); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("a request after the failure: %v", err)
	}
	e.Stop(ctx)
}

func TestStopWaitsForCalls(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	ended := make(chan struct{})
	r := start(t, func(*engine.Call) engine.Result {
		close(began)
		time.Sleep(20 * time.Millisecond)
		close(ended)
		return engine.Result{Status: 200}
	}, fn("f", "f"))
	r.send("f", `{}`)
	<-began
	r.eng.Stop(within(t))
	select {
	case <-ended:
	default:
		t.Error("the engine stopped while a call was under way")
	}
	if err := r.eng.Cancel(within(t), ids.Now()); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("request after the stop: %v", err)
	}
}

func TestQueueRef(t *testing.T) {
	t.Parallel()
	b, err := base64.StdEncoding.DecodeString(engine.QueueRef("abc"))
	if err != nil || string(b) != "abc::default" {
		t.Errorf("%s %v", b, err)
	}
}
