package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/storage/memstore"
)

// app is a transport that answers calls with a Go function.
type app struct {
	mu    sync.Mutex
	calls []*engine.Call
	do    func(*engine.Call) engine.Result
}

func (a *app) Call(c *engine.Call, done func(engine.Result)) {
	a.mu.Lock()
	a.calls = append(a.calls, c)
	a.mu.Unlock()
	go func() {
		res := a.do(c)
		res.Ref = c.Ref
		done(res)
	}()
}

func (a *app) Gateway(g *engine.GatewayCall, done func(engine.GatewayResult)) {
	go done(engine.GatewayResult{Ref: g.Ref, Data: []byte(`{"ok":true}`)})
}

type rig struct {
	t     *testing.T
	store engine.Store
	cat   *engine.Catalog
	eng   *engine.Engine
	app   *app
}

func start(t *testing.T, do func(*engine.Call) engine.Result, fns ...*function.Function) *rig {
	t.Helper()
	return startOn(t, memstore.New(1, memstore.Options{Partitions: 2}), do, fns...)
}

// startOn is start with another store.
func startOn(t *testing.T, store engine.Store, do func(*engine.Call) engine.Result, fns ...*function.Function) *rig {
	t.Helper()
	r := &rig{t: t, store: store, app: &app{do: do}}
	sys, err := r.store.Partition(engine.SystemPartition)
	if err != nil {
		t.Fatal(err)
	}
	if r.cat, err = engine.OpenCatalog(sys); err != nil {
		t.Fatal(err)
	}
	err = r.cat.Update(func(tx *engine.Tx) error {
		for _, fn := range fns {
			tx.PutFunction(fn)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.eng, err = engine.New(engine.Config{Store: r.store, Catalog: r.cat, Transport: r.app, RetryInterval: 10 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r.eng.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		r.eng.Stop(ctx)
		_ = r.store.Close()
	})
	return r
}

func fn(slug, trigger string) *function.Function {
	id := ids.UUIDv5([]byte(slug))
	return &function.Function{ID: id, Slug: slug, Name: slug, MaxAttempts: 3, URL: "http://x", Triggers: []function.Trigger{{Event: trigger}}, Config: []byte(`{}`)}
}

func (r *rig) send(name, data string) {
	r.t.Helper()
	now := time.Now().UnixMilli()
	ev := &event.Event{InternalID: ids.New(now), Name: []byte(name), Data: []byte(data), TS: now, ReceivedAt: now}
	if err := r.eng.Send(context.Background(), ev); err != nil {
		r.t.Fatal(err)
	}
}

func TestThreeSteps(t *testing.T) {
	done := make(chan *engine.Call, 10)
	r := start(t, func(c *engine.Call) engine.Result {
		n := len(c.Steps)
		if n == 3 {
			done <- c
			return engine.Result{Status: 200, Output: []byte(`"ok"`)}
		}
		return engine.Result{Status: 206, RequestVersion: 2, Ops: []engine.Op{{Code: engine.OpStepRun, ID: fmt.Sprint("s", n), Data: []byte("1")}}}
	}, fn("a", "test/a"))
	r.send("test/a", `{"n":1}`)
	select {
	case c := <-done:
		if c.Current != 3 {
			t.Errorf("current = %d, want 3", c.Current)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the run did not end")
	}
}
