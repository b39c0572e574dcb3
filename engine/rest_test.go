package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"
	"ingot/storage/memstore"
)

func TestRestIsToldOnceAfterMuchWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New(1, memstore.Options{Partitions: 2})
		sys, _ := store.Partition(engine.SystemPartition)
		cat, err := engine.OpenCatalog(sys)
		if err != nil {
			t.Fatal(err)
		}
		if err := cat.Update(func(tx *engine.Tx) error { tx.PutFunction(fn("f", "f")); return nil }); err != nil {
			t.Fatal(err)
		}
		var rests atomic.Int32
		e, err := engine.New(engine.Config{Store: store, Catalog: cat, OnRest: func() { rests.Add(1) },
			Transport: &app{do: func(*engine.Call) engine.Result { return engine.Result{Status: 200} }}})
		if err != nil {
			t.Fatal(err)
		}
		e.Start()
		work := func(runs int) {
			for range runs {
				ev := event.Event{InternalID: ids.Now(), Name: []byte("f"), TS: 1, ReceivedAt: time.Now().UnixMilli()}
				if err := e.Send(context.Background(), &ev); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		work(6000) // two commands each
		if n := rests.Load(); n != 0 {
			t.Errorf("told %d times before the rest", n)
		}
		time.Sleep(5 * time.Second)
		if n := rests.Load(); n != 1 {
			t.Errorf("told %d times, want once", n)
		}
		work(10)
		time.Sleep(time.Minute)
		if n := rests.Load(); n != 1 {
			t.Errorf("told %d times after a little work, want once", n)
		}
		e.Stop(context.Background())
		_ = store.Close()
	})
}
