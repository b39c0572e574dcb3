package engine_test

import (
	"errors"
	"math"
	"slices"
	"strings"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// Dead letters of the flow-control simulation that are redriven, many at once. A run that
// goes on has a place in its run limit again, or waits for one; it never makes one too many.

// flowDeaths is what a world knows of dead letters beyond crashes.
type flowDeaths struct {
	// good are the values that were damaged, by table and key.
	good map[engine.Table]map[string][]byte
	// died are the runs that have been dead letters, revived those that went on, with
	// their last return.
	died    map[ulid.ULID]bool
	revived map[ulid.ULID]flowRevival
	// cursed are the calls that the server will still fail at, by run.
	cursed map[ulid.ULID]int
	// discarding says that dead letters go for good.
	discarding bool
}

// flowRevival is how a dead run has come back.
type flowRevival struct {
	// seq is the first record that may have been made after it; config the function's.
	seq    uint64
	config *flowConfig
	engine.Held
}

func newFlowDeaths() flowDeaths {
	return flowDeaths{good: map[engine.Table]map[string][]byte{engine.TableRun: {}, engine.TableTrigger: {}, engine.TableStep: {}},
		died: map[ulid.ULID]bool{}, revived: map[ulid.ULID]flowRevival{}, cursed: map[ulid.ULID]int{}}
}

// curse decides whether the server fails at a run's call: three times, so that it dies.
func (w *flowWorld) curse(run ulid.ULID) bool {
	if !w.faults || !w.frail() {
		return false
	}
	if w.cursed[run] == 0 && w.rng.IntN(25) == 0 {
		w.cursed[run] = 3
	}
	if w.cursed[run] == 0 {
		return false
	}
	w.cursed[run]--
	return true
}

// letters are a partition's dead letters that can go on.
func (w *flowWorld) letters(i int) (list []engine.DeadLetter) {
	err := w.partition(i).Scan(engine.TableDead, nil, nil, func(k, v []byte) bool {
		if d, err := engine.DecodeDead(i, k, v); err == nil && d.Kind != engine.DeadEntry {
			list = append(list, *d)
		}
		return true
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// redrive drives many dead letters of a partition again, in one round, which may panic, or
// be followed by a crash. It returns how many went.
func (w *flowWorld) redrive(i int, all bool) (went int) {
	w.drain()
	w.store.Flush()
	w.ledger.read(i)
	list := w.letters(i)
	if !all && w.rng.IntN(2) == 0 {
		list = slices.DeleteFunc(list, func(engine.DeadLetter) bool { return w.rng.IntN(2) == 0 })
	}
	if len(list) == 0 {
		return 0
	}
	w.repair(i, list)
	if w.faults && w.rng.IntN(5) == 0 {
		list = append(list, list[0]) // twice
	}
	var answers []func() error
	for k := range list {
		answers = append(answers, w.node.Redrive(&list[k], false))
	}
	if w.faults && w.rng.IntN(4) == 0 {
		w.node.Trip(i, w.node.Commands(i), 1+w.rng.IntN(12), 1, func() { w.forgetCalls(i) })
	} else {
		w.node.Round(i, w.node.Commands(i))
	}
	w.ledger.read(i)
	w.ledger.checkPlaces(list)
	if w.faults && w.rng.IntN(8) == 0 {
		w.crash()
		return 0
	}
	w.store.Flush()
	for k, answer := range answers {
		switch err := answer(); {
		case err == nil:
			went++
		case list[k].Kind == engine.DeadMessage && errors.Is(err, engine.ErrStillDead) && strings.Contains(err.Error(), "its run"):
		case errors.Is(err, engine.ErrStillDead) && strings.Contains(err.Error(), "singleton") && w.fnOf(&list[k]).wasSingleton():
		case errors.Is(err, engine.ErrNoDeadLetter) && k > 0 && list[k].ID == list[0].ID:
		case errors.Is(err, engine.ErrInternal) && w.faults:
		default:
			w.errorf("redriving %+v: %v", list[k], err)
		}
	}
	return went
}

// fnOf is a dead letter's function, which a run that cannot be read does not tell.
func (w *flowWorld) fnOf(d *engine.DeadLetter) *flowFn {
	if r := w.ledger.runs[d.ID]; r != nil {
		return r.fn
	}
	return w.byID[d.Fn]
}

func (f *flowFn) wasSingleton() bool {
	return slices.ContainsFunc(f.configs, func(c *flowConfig) bool { return c.singleton != nil })
}

// repair makes readable again what was damaged of dead runs.
func (w *flowWorld) repair(i int, list []engine.DeadLetter) {
	ps := w.partition(i)
	b := ps.NewBatch()
	for k := range list {
		d := &list[k]
		if string(d.Body) == "damaged" {
			b.Put(engine.TableDead, engine.DeadKey(d), engine.EncodeDead(*d, w.good[engine.TableRun][string(d.ID[:])]))
		}
		for _, t := range []engine.Table{engine.TableTrigger, engine.TableStep} {
			err := ps.Scan(t, d.ID[:], nil, func(key, v []byte) bool {
				if !strings.HasPrefix(string(key), string(d.ID[:])) {
					return false
				}
				if string(v) == "damaged" {
					put(b, t, key, w.good[t][string(key)])
				}
				return true
			})
			if err != nil {
				w.t.Fatal(err)
			}
		}
	}
	ps.Commit(b, func(error) {})
	w.store.Flush()
}

// put writes a key that is there.
func put(b engine.Batch, t engine.Table, key, value []byte) {
	if t.Once() {
		b.Delete(t, key)
	}
	b.Put(t, key, value)
}

// redriveAll lets all dead letters go on, until nothing is left to do.
func (w *flowWorld) redriveAll() {
	for range 1000 {
		went := 0
		for i := range w.node.Partitions() {
			went += w.redrive(i, true)
		}
		w.settle()
		if went == 0 || w.t.Failed() {
			break
		}
	}
	for i := range w.node.Partitions() {
		for _, d := range w.letters(i) {
			w.errorf("%s %s does not leave the dead letters: %s", d.Kind, d.ID, d.Reason)
		}
	}
}

// revive notes that runs are dead letters no longer: those of l.dead that are not in list.
func (l *flowLedger) revive(partition int, list map[ulid.ULID]bool) {
	for id := range l.dead {
		r := l.runs[id]
		if r == nil || r.partition != partition || list[id] || l.w.discarding {
			continue
		}
		delete(l.dead, id)
		v := flowRevival{seq: max(l.next[partition], 1), config: r.fn.current()}
		err := l.w.partition(partition).Get(engine.TableRun, [][]byte{id[:]}, func(_ int, record []byte) { v.Held = engine.HeldBy(id, record) })
		if err != nil {
			l.w.t.Fatal(err)
		}
		delete(l.w.damaged, id)
		l.w.revived[id] = v
		r.revive(v)
	}
}

// revive takes a run's return; at a crash all records are read anew, so it may be yet to come.
func (r *flowRun) revive(v flowRevival) {
	r.revival, r.ended, r.ready = v, false, false
	r.lives++
	r.displaced = v.Displaced
	if v.Placed {
		r.startCfg = v.config
	}
}

// unsure reports whether the run may be dead at the record that is being read.
func (l *flowLedger) unsure(r *flowRun) bool { return l.at < r.revival.seq }

// called takes the place of a run that has waited for one.
func (l *flowLedger) called(r *flowRun, rec flowRecord) {
	if r == nil || !r.displaced || l.unsure(r) {
		return
	}
	r.displaced, r.revival.Placed = false, true
	r.startCfg = r.fn.at(rec.gen)
	l.checkPlace(r, "goes on")
}

// checkPlace checks that a run's place is not one too many.
func (l *flowLedger) checkPlace(r *flowRun, what string) {
	if c := r.startCfg.runs; c != nil && r.holdsSlot() {
		if n, _ := l.slots(r.fn, c, r.events[0]); n > c.limit {
			l.w.errorf("%s %s: %d runs hold a slot of %q, limit %d", r, what, n, c.key.src, c.limit)
		}
	}
}

// checkPlaces checks those of the runs that have just been redriven.
func (l *flowLedger) checkPlaces(list []engine.DeadLetter) {
	for i := range list {
		if r := l.runs[list[i].ID]; r != nil && !r.ended && r.revival.Placed && r.started != 0 {
			l.checkPlace(r, "is redriven")
		}
	}
}

// always is a record that all others come before.
const always = uint64(math.MaxUint64)
