package benchmarks

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/storage/memstore"
	"ingot/storage/pebble"
	"ingot/transport/mock"
)

// loopGroup is how many runs one operation of the loop starts, in one append.
const loopGroup = 100

// loopAhead bounds the runs under way, so that the backlog does not grow with b.N.
const loopAhead = 40 * loopGroup

// BenchmarkLoop is the engine with all of its goroutines and a store, from the
// append of events to the end of their runs, which have three steps and are
// answered without a network. One operation is a group of runs.
func BenchmarkLoop(b *testing.B) {
	for _, c := range []struct {
		store     string
		functions int
		open      func(b *testing.B) engine.Store
	}{
		{"memory", 1, memory},
		{"pebble-interval", 1, func(b *testing.B) engine.Store { return openPebble(b, pebble.SyncInterval(200*time.Millisecond)) }},
		{"pebble-always", 1, always},
		{"pebble-always", 100, always},
	} {
		b.Run(fmt.Sprintf("store=%s/functions=%d", c.store, c.functions), func(b *testing.B) {
			benchLoop(b, c.open(b), c.functions)
		})
	}
}

func memory(*testing.B) engine.Store {
	return memstore.New(1, memstore.Options{Partitions: pebble.DefaultPartitions})
}

func always(b *testing.B) engine.Store { return openPebble(b, pebble.SyncAlways) }

func benchLoop(b *testing.B, store engine.Store, functions int) {
	slots := make(chan struct{}, loopAhead)
	eng := loopEngine(b, store, functions, func() { <-slots })
	names := make([][]byte, functions)
	for i := range names {
		names[i] = []byte(loopName(i))
	}
	var rec []byte
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for n := 0; b.Loop(); n++ {
		now := time.Now().UnixMilli()
		rec = rec[:0]
		for i := range loopGroup {
			slots <- struct{}{}
			ev := event.Event{InternalID: ids.New(now), Name: names[(n*loopGroup+i)%functions], TS: now, ReceivedAt: now,
				Data: []byte(`{"amount":12.5,"items":[1,2,3],"order":"o-12345"}`)}
			rec = ev.AppendRecord(rec)
		}
		if err := store.Log().Append(rec, loopGroup); err != nil {
			b.Fatal(err)
		}
	}
	// All have ended when the slots are free. The wait counts for the time.
	start := time.Now()
	for range loopAhead {
		slots <- struct{}{}
	}
	elapsed := b.Elapsed() + time.Since(start)
	runtime.ReadMemStats(&after)
	runs := float64(b.N * loopGroup)
	b.ReportMetric(runs/elapsed.Seconds(), "runs/s")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/runs, "allocs/run")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/runs, "B/run")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	eng.Stop(ctx)
}

func loopName(i int) string { return fmt.Sprintf("bench/event.%d", i) }

// loopEngine starts an engine with functions that have three steps; ended is
// called at the last answer of a run.
func loopEngine(b *testing.B, store engine.Store, functions int, ended func()) *engine.Engine {
	b.Helper()
	system, err := store.Partition(engine.SystemPartition)
	if err != nil {
		b.Fatal(err)
	}
	catalog, err := engine.OpenCatalog(system)
	if err != nil {
		b.Fatal(err)
	}
	var steps [3]engine.Result
	for i := range steps {
		steps[i] = mock.Ops(engine.Op{Code: engine.OpStepRun, ID: fmt.Sprintf("%040d", i), Data: []byte(`{"n":1}`)})
	}
	end := mock.Return(`"ok"`)
	app := &mock.Transport{}
	answer := func(c *engine.Call) engine.Result {
		if n := len(c.Steps); n < len(steps) {
			return steps[n]
		}
		ended()
		return end
	}
	err = catalog.Update(func(tx *engine.Tx) error {
		for i := range functions {
			slug := fmt.Sprintf("fn-%d", i)
			app.Handle(slug, answer)
			tx.PutFunction(&function.Function{ID: ids.UUIDv5([]byte(slug)), Slug: slug, Name: slug, MaxAttempts: 3, URL: "http://app",
				Triggers: []function.Trigger{{Event: loopName(i)}}, Config: []byte(`{}`)})
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	eng, err := engine.New(engine.Config{Store: store, Catalog: catalog, Transport: app, Logger: quiet, History: true,
		OnFailure: func(err error) { b.Error(err) }})
	if err != nil {
		b.Fatal(err)
	}
	eng.Start()
	return eng
}
