package engine_test

import (
	"slices"
	"strings"
	"time"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// Frail worlds of the flow-control simulation: partitions panic in the middle of rounds,
// and what is stored of runs is damaged. Runs that cannot be read become dead letters,
// whenever somebody looks for them; nothing may be kept for them then.

// frail worlds are those.
func (w *flowWorld) frail() bool { return w.seed%3 == 0 }

// mishap sometimes does something that should never happen, or mends what has.
func (w *flowWorld) mishap() {
	switch w.rng.IntN(25) {
	case 0:
		w.trip()
	case 1:
		w.damage()
	case 2:
		w.redrive(w.rng.IntN(w.node.Partitions()), false)
	}
}

// trip lets a partition panic at one of the writes of a round, which is then done anew. At the
// third time, what it was at is put aside.
func (w *flowWorld) trip() {
	i := w.rng.IntN(w.node.Partitions())
	for w.node.Commands(i) == 0 && w.node.RouteGroup() {
	}
	w.store.Flush()
	w.node.Trip(i, 1+w.rng.IntN(8), 1+w.rng.IntN(25), 1+w.rng.IntN(3), func() { w.forgetCalls(i) })
}

// damage makes something unreadable.
func (w *flowWorld) damage() {
	w.store.Flush()
	if w.rng.IntN(4) == 0 {
		w.damageKey()
	} else {
		w.damageRun()
	}
	w.store.Flush()
}

// damageKey makes the count of a run limit, or the lock of a singleton, unreadable.
func (w *flowWorld) damageKey() {
	var found []string
	ps := w.partition(w.rng.IntN(w.node.Partitions()))
	err := ps.Scan(engine.TableFlow, nil, nil, func(k, v []byte) bool {
		if v[1] == runsKind || v[1] == singletonKind {
			found = append(found, string(k))
		}
		return true
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(found) == 0 {
		return
	}
	w.keysDamaged = true
	b := ps.NewBatch()
	b.Put(engine.TableFlow, []byte(found[w.rng.IntN(len(found))]), []byte("damaged"))
	ps.Commit(b, func(error) {})
}

func (w *flowWorld) partition(i int) engine.PartitionStore {
	ps, err := w.store.Partition(i)
	if err != nil {
		w.t.Fatal(err)
	}
	return ps
}

// damageRun makes a part of what is stored of a run unreadable. A run that is in memory does not
// notice before it is read again; if it is written before that, its record is whole again.
func (w *flowWorld) damageRun() {
	active := w.ledger.active()
	if len(active) == 0 {
		return
	}
	r := active[w.rng.IntN(len(active))]
	table := []engine.Table{engine.TableRun, engine.TableRun, engine.TableTrigger, engine.TableStep}[w.rng.IntN(4)]
	ps := w.partition(r.partition)
	b := ps.NewBatch()
	err := ps.Scan(table, r.id[:], nil, func(k, v []byte) bool {
		if !strings.HasPrefix(string(k), string(r.id[:])) {
			return false
		}
		if string(v) != "damaged" {
			w.good[table][string(k)] = slices.Clone(v)
		}
		put(b, table, k, []byte("damaged"))
		return true
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.damaged[r.id] = table == engine.TableRun || w.damaged[r.id]
	ps.Commit(b, func(error) {})
}

// bury marks the runs among a partition's dead letters as ended. What became of them is
// known, but not when within the records that are read next: those of all of them are taken
// as if they were alive and as if they were dead, whichever is right.
func (l *flowLedger) bury(partition int) {
	clear(l.fresh)
	if !l.w.frail() {
		return
	}
	list := map[ulid.ULID]bool{}
	err := l.w.partition(partition).Scan(engine.TableDead, nil, nil, func(k, v []byte) bool {
		d, err := engine.DecodeDead(partition, k, v)
		switch {
		case err != nil:
			l.w.errorf("dead letter %x: %v", k, err)
		case d.Kind == engine.DeadEntry && string(d.Body) == "damaged": // a key's, which nobody holds
		case d.Kind == engine.DeadEvents:
			l.w.byID[d.Fn].failed = true
		case d.Kind == engine.DeadMessage:
		case d.Kind != engine.DeadRun:
			l.w.errorf("a dead letter is an entry: %+v", d)
		default:
			list[d.ID] = true
			if l.dead[d.ID] {
				break
			}
			l.dead[d.ID], l.fresh[d.ID], l.w.died[d.ID] = true, true, true
			if r := l.runs[d.ID]; r != nil {
				r.ended = true
			}
		}
		return true
	})
	if err != nil {
		l.w.t.Fatal(err)
	}
	l.revive(partition, list)
}

// clearDead redrives or discards all dead letters.
func (w *flowWorld) clearDead() {
	if w.rng.IntN(2) == 0 {
		w.redriveAll()
	}
	w.discarding = true
	for i := range w.node.Partitions() {
		list := w.node.DeadLetters(i)
		w.quiesce()
		for _, d := range list() {
			gone := w.node.Redrive(&d, d.Kind != engine.DeadMessage) // which may give signals back
			w.quiesce()
			if err := gone(); err != nil {
				w.errorf("taking %+v off the list: %v", d, err)
			}
		}
	}
}

// mayHaveHeld reports whether one of the runs that have died since the last look, or have
// been dead for a while, may have held the singleton's key of an event.
func (l *flowLedger) mayHaveHeld(f *flowFn, c *flowConfig, data flowData) bool {
	for _, r := range l.order {
		if (l.fresh[r.id] || l.unsure(r)) && r.mayHold(f, c, data) {
			return true
		}
	}
	return false
}

// horizon is for how long it is worth waiting for what is due: not for the end of what is only
// remembered. In frail worlds invocations of runs that have died come to their end.
func (w *flowWorld) horizon() time.Duration {
	if w.frail() {
		return 2 * invokeTimeout
	}
	return 20 * time.Hour
}
