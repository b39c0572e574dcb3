package engine_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/storage/memstore"
)

// floodSize is the number of runs of one operation of BenchmarkLimit: most of them wait
// while a thousand are being called.
const floodSize = 8192

// BenchmarkLimit measures what a limit costs that is configured and not reached: a flood
// of runs with three steps, of which most are queued for a while.
func BenchmarkLimit(b *testing.B) {
	concurrency := func(scope string) string {
		return `"concurrency":{"step":[{"limit":1000,"key":"event.data.key","scope":"` + scope + `"}]}`
	}
	for _, c := range []struct {
		name, config string
		keys         int
	}{
		{"none", "", 10},
		{"throttle", `"throttle":{"limit":1000000,"period":"1s"}`, 10},
		{"keys=10", concurrency("fn"), 10},
		{"keys=10/env", concurrency("env"), 10},
		{"keys=all", concurrency("fn"), floodSize},
		{"singleton", `"singleton":{"mode":"skip","key":"event.data.key"}`, floodSize},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := newLimitRig(b, c.config)
			results := runResults(3)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				r.flood(&n, c.keys, results)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/floodSize, "ns/run")
		})
	}
}

// newLimitRig is newApplyRig with a function that has limits.
func newLimitRig(b testing.TB, config string) *applyRig {
	b.Helper()
	r := &applyRig{b: b, now: time.Now().UnixMilli(), store: memstore.New(1, memstore.Options{Partitions: 1})}
	sys, err := r.store.Partition(engine.SystemPartition)
	if err != nil {
		b.Fatal(err)
	}
	cat, err := engine.OpenCatalog(sys)
	if err != nil {
		b.Fatal(err)
	}
	if config != "" {
		config = "," + config
	}
	def := `{"slug":"f","name":"f","triggers":[{"event":"bench/event"}],"steps":[{"id":"step","name":"step","uri":"http://x","retries":2}]` + config + `}`
	f, err := function.Restore(function.Identity{ID: ids.UUIDv5([]byte("f")), AppName: "bench", Version: 1}, json.RawMessage(def))
	if err != nil {
		b.Fatal(err)
	}
	if err := cat.Update(func(tx *engine.Tx) error { tx.PutFunction(f); return nil }); err != nil {
		b.Fatal(err)
	}
	r.node, err = engine.NewSimNode(engine.Config{Store: r.store, Catalog: cat, Transport: r,
		Now: func() int64 { return r.now }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, 0)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// flood sends floodSize events and answers calls until all runs have ended.
func (r *applyRig) flood(n *int, keys int, results []engine.Result) {
	var rec []byte
	for range floodSize / applyGroup {
		r.now++
		rec = rec[:0]
		for range applyGroup {
			*n++
			ev := event.Event{InternalID: ids.New(r.now), Name: []byte("bench/event"), TS: r.now, ReceivedAt: r.now,
				Data: fmt.Appendf(nil, `{"amount":12.5,"items":[1,2,3],"key":"k-%d"}`, *n%keys)}
			rec = ev.AppendRecord(rec)
		}
		if err := r.store.Log().Append(rec, applyGroup); err != nil {
			r.b.Fatal(err)
		}
	}
	for ended := 0; ended < floodSize; {
		was := ended
		for r.rounds(); r.node.RouteGroup(); r.rounds() {
		}
		r.calls, r.spare = r.spare[:0], r.calls
		for _, h := range r.spare {
			res := results[len(h.call.Steps)]
			if res.Output != nil {
				ended++
			}
			res.Ref = h.call.Ref
			h.done(res)
		}
		if clear(r.spare); len(r.spare) == 0 && was == ended {
			r.b.Fatalf("%d of %d runs have ended, and nothing is called", ended, floodSize)
		}
		r.now++
	}
	r.rounds()
}
