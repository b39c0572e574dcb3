package engine_test

import (
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"
	"ingot/storage/memstore"
)

// benchTransport answers at once: three steps, then the end.
type benchTransport struct {
	steps [3][]engine.Op
	queue []func()
}

func (b *benchTransport) Call(c *engine.Call, done func(engine.Result)) {
	n := len(c.Steps)
	b.queue = append(b.queue, func() {
		if n == 3 {
			done(engine.Result{Ref: c.Ref, Status: 200, Output: []byte(`"ok"`)})
			return
		}
		done(engine.Result{Ref: c.Ref, Status: 206, RequestVersion: 2, Ops: b.steps[n]})
	})
}

func (b *benchTransport) Gateway(*engine.GatewayCall, func(engine.GatewayResult)) {}

// BenchmarkThreeStepRun measures the engine alone: routing, rounds and batches of
// a run with three steps, on the store in memory. One operation is one run.
func BenchmarkThreeStepRun(b *testing.B) {
	const group = 100
	tr := &benchTransport{}
	for i := range tr.steps {
		tr.steps[i] = []engine.Op{{Code: engine.OpStepRun, ID: fmt.Sprintf("%040d", i), Data: []byte(`{"n":1}`)}}
	}
	store := memstore.New(1, memstore.Options{Partitions: 1})
	sys, _ := store.Partition(engine.SystemPartition)
	cat, err := engine.OpenCatalog(sys)
	if err != nil {
		b.Fatal(err)
	}
	if err := cat.Update(func(tx *engine.Tx) error { tx.PutFunction(fn("f", "bench/event")); return nil }); err != nil {
		b.Fatal(err)
	}
	now := time.Now().UnixMilli()
	node, err := engine.NewSimNode(engine.Config{Store: store, Catalog: cat, Transport: tr, Now: func() int64 { return now },
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, 0)
	if err != nil {
		b.Fatal(err)
	}
	data := []byte(`{"order":"o-12345","amount":12.5,"items":[1,2,3]}`)
	b.ReportAllocs()
	for n := 0; n < b.N; n += group {
		var rec []byte
		for range group {
			ev := event.Event{InternalID: ids.New(now), Name: []byte("bench/event"), Data: data, TS: now, ReceivedAt: now}
			rec = ev.AppendRecord(rec)
		}
		if err := store.Log().Append(rec, group); err != nil {
			b.Fatal(err)
		}
		for node.RouteGroup() {
		}
		for {
			if run, _ := node.Runnable(0); run {
				node.Round(0, 512)
				continue
			}
			if len(tr.queue) == 0 {
				break
			}
			for _, f := range tr.queue {
				f()
			}
			tr.queue = tr.queue[:0]
		}
	}
}
