package engine_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"ingot/engine"
	"ingot/storage/memstore"

	"github.com/oklog/ulid/v2"
)

// outboxWorld is a partition's outbox on a store that loses power, and a consumer whose
// database does not.
type outboxWorld struct {
	t     *testing.T
	rng   *rand.Rand
	store *memstore.Store
	rig   *engine.OutboxRig
	ps    engine.PartitionStore
	epoch uint64

	made    uint64   // records, which are numbered
	end     uint64   // the number behind the last durable value
	taken   []uint64 // records that the consumer has
	next    uint64   // its cursor
	durable []uint64 // records that were durable once: none of them may be missed
}

func (w *outboxWorld) boot() {
	ps, err := w.store.Partition(0)
	if err != nil {
		w.t.Fatal(err)
	}
	w.epoch++
	w.ps = ps
	if w.rig, err = engine.NewOutboxRig(ps, w.epoch); err != nil {
		w.t.Fatal(err)
	}
	w.end = w.rig.Next()

}

// commit adds some records to one value.
func (w *outboxWorld) commit() {
	b := w.ps.NewBatch()
	var ids []uint64
	var records []engine.Lifecycle
	for range 1 + w.rng.IntN(3) {
		w.made++
		ids = append(ids, w.made)
		records = append(records, engine.Lifecycle{Kind: engine.RunStarted, At: int64(w.made), Run: ulid.ULID{1}})
	}
	w.rig.Put(b, records...)
	end := w.rig.Next()
	w.ps.Commit(b, func(err error) {
		if err == nil {
			w.end = end
			w.durable = append(w.durable, ids...)
		}
	})
}

// consume takes some of the durable values, as Engine.ReadOutbox gives them.
func (w *outboxWorld) consume() {
	limit := 1 + w.rng.IntN(4)
	if w.next >= w.end {
		return
	}
	err := w.ps.Scan(engine.TableHistory, binary.BigEndian.AppendUint64(nil, w.next), binary.BigEndian.AppendUint64(nil, w.end), func(k, v []byte) bool {
		if limit--; limit < 0 {
			return false
		}
		if err := engine.DecodeLifecycle(v, func(l *engine.Lifecycle) error { w.taken = append(w.taken, uint64(l.At)); return nil }); err != nil {
			w.t.Fatal(err)
		}
		w.next = binary.BigEndian.Uint64(k) + 1
		return true
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *outboxWorld) release() {
	b := w.ps.NewBatch()
	w.rig.Release(b, w.next)
	w.ps.Commit(b, func(error) {})
}

// TestOutbox checks over power cuts that a consumer gets every durable record once and
// in order, and that what is released goes away. A power cut that takes back what the
// consumer has must not hide what comes after it.
func TestOutbox(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		mode := memstore.Manual
		if seed%2 == 1 {
			mode = memstore.Interval
		}
		w := &outboxWorld{t: t, rng: rand.New(rand.NewPCG(seed, 1)), store: memstore.New(seed, memstore.Options{Partitions: 1, Mode: mode})}
		w.boot()
		for range 200 {
			switch n := w.rng.IntN(20); {
			case n < 8:
				w.commit()
			case n < 12:
				w.store.Step()
			case n < 16:
				w.consume()
			case n < 19:
				w.release()
			default:
				w.store = w.store.Crash()
				w.boot()
				if mode == memstore.Interval {
					w.durable = nil // a power cut may take back what was reported as durable
				}
			}
		}
		w.store.Flush()
		for range 1000 {
			w.consume()
		}
		w.release()
		w.store.Flush()
		if values, bytes := w.rig.Left(); values != 0 || bytes != 0 {
			t.Fatalf("seed %d: %d values, %d bytes are left", seed, values, bytes)
		}
		if !slices.IsSorted(w.taken) || len(slices.Compact(slices.Clone(w.taken))) != len(w.taken) {
			t.Fatalf("seed %d: records out of order or twice: %v", seed, w.taken)
		}
		have := map[uint64]bool{}
		for _, n := range w.taken {
			have[n] = true
		}
		for _, n := range w.durable {
			if !have[n] {
				t.Fatalf("seed %d: record %d was durable and is not in history", seed, n)
			}
		}
	}
}
