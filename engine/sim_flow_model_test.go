package engine_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// flowLedger follows the lifecycle records and checks, record by record, what must
// hold at every instant: limits on runs, throttles, singletons.
type flowLedger struct {
	w    *flowWorld
	next []uint64 // by partition, the next record to read
	// gens are, by partition, the first records of the catalog's generations 1, 2, ….
	gens      [][]uint64
	runs      map[ulid.ULID]*flowRun
	order     []*flowRun
	throttles map[string]*flowRate
	// dead are the runs among the dead letters, fresh those of them that came to it since
	// the last look at their partition.
	dead, fresh map[ulid.ULID]bool
	// fates are what became of events, by function and number.
	fates map[flowFateKey][]flowFate
	// at is the number of the record that is being taken, or always.
	at uint64
}

// flowRun is a run as its records describe it. Times are unix ms, 0 before.
type flowRun struct {
	id      ulid.ULID
	fn      *flowFn
	created *flowConfig
	// partition is the function's.
	partition int
	events    []flowData
	ts        int64 // the latest of its events'
	at        int64
	started   int64
	startCfg  *flowConfig
	ended     bool
	// ready says that it waits for its next call, as far as calls show.
	ready bool
	// revival is its last return from the dead letters, if it has a seq; lives counts them.
	// displaced says that it waits for a place in its run limit since.
	revival   flowRevival
	lives     int
	displaced bool
}

func (r *flowRun) String() string { return fmt.Sprintf("run %s of %s", r.id, r.fn.slug) }

// flowRecord is a lifecycle record with its place.
type flowRecord struct {
	engine.Lifecycle
	partition int
	seq       uint64
	gen       int
}

type flowFateKey struct {
	fn *flowFn
	n  int
}

// flowFate is what became of an event: a run, or a reason why not.
type flowFate struct {
	reason string // empty for a run
	run    *flowRun
	rec    flowRecord
}

func newFlowLedger(w *flowWorld) *flowLedger {
	n := w.store.Partitions()
	l := &flowLedger{w: w, next: make([]uint64, n), gens: make([][]uint64, n)}
	l.reset()
	return l
}

func (l *flowLedger) reset() {
	clear(l.next)
	l.at = always
	l.runs, l.order = map[ulid.ULID]*flowRun{}, nil
	l.throttles = map[string]*flowRate{}
	l.dead, l.fresh = map[ulid.ULID]bool{}, map[ulid.ULID]bool{}
	l.fates = map[flowFateKey][]flowFate{}
}

// rebuild begins anew with the records that a crash has left.
func (l *flowLedger) rebuild() {
	l.reset()
	for i := range l.next {
		head := l.scan(i, func(uint64, []byte) {})
		for g := range l.gens[i] {
			l.gens[i][g] = min(l.gens[i][g], head) // later records are made by the newest
		}
		l.read(i)
	}
}

// newGeneration says that all records from now on are made by a new catalog.
func (l *flowLedger) newGeneration() {
	for i := range l.gens {
		l.read(i)
		l.gens[i] = append(l.gens[i], l.next[i])
	}
}

// scan visits the records from next on and returns the first free key.
func (l *flowLedger) scan(partition int, fn func(seq uint64, value []byte)) uint64 {
	ps, err := l.w.store.Partition(partition)
	if err != nil {
		l.w.t.Fatal(err)
	}
	free := max(l.next[partition], 1)
	from := binary.BigEndian.AppendUint64(nil, free)
	err = ps.Scan(engine.TableHistory, from, nil, func(k, v []byte) bool {
		free = binary.BigEndian.Uint64(k) + 1
		fn(free-1, v)
		return true
	})
	if err != nil {
		l.w.t.Fatal(err)
	}
	return free
}

// read takes the records that a partition has made since.
func (l *flowLedger) read(partition int) {
	l.bury(partition)
	l.next[partition] = l.scan(partition, func(seq uint64, v []byte) {
		gen := 0
		for gen < len(l.gens[partition]) && l.gens[partition][gen] <= seq {
			gen++
		}
		l.at = seq
		err := engine.DecodeLifecycle(v, func(r *engine.Lifecycle) error {
			return l.take(flowRecord{*r, partition, seq, gen})
		})
		l.at = always
		if err != nil {
			l.w.errorf("lifecycle record %d of partition %d: %v", seq, partition, err)
		}
	})
}

func (l *flowLedger) take(rec flowRecord) error {
	f := l.w.byID[rec.Fn]
	switch rec.Kind {
	case engine.RunScheduled:
		return l.scheduled(f, rec)
	case engine.EventSkipped:
		l.skipped(f, rec)
	case engine.RunStarted:
		l.started(l.runs[rec.Run], rec)
	case engine.CallStarted:
		l.called(l.runs[rec.Run], rec)
	case engine.RunCompleted, engine.RunFailed, engine.RunCancelled:
		r := l.runs[rec.Run]
		if r == nil || r.ended {
			return fmt.Errorf("run %s ends, but is not active", rec.Run)
		}
		r.ended = true
	}
	return nil
}

// flowEvents reads the events of a run.
func flowEvents(raw ...[]byte) (events []flowData, err error) {
	for _, b := range raw {
		var e struct{ Data flowData }
		if err := json.Unmarshal(b, &e); err != nil {
			return nil, err
		}
		events = append(events, e.Data)
	}
	return events, nil
}

func (l *flowLedger) scheduled(f *flowFn, rec flowRecord) error {
	r := &flowRun{id: rec.Run, fn: f, created: f.at(rec.gen), partition: rec.partition, at: rec.At, ended: l.dead[rec.Run]}
	for _, id := range rec.Events {
		data, ok := l.w.events[id]
		if !ok {
			return fmt.Errorf("run %s has event %s, which never arrived", rec.Run, id)
		}
		r.events = append(r.events, data)
		r.ts = max(r.ts, l.w.stamps[id])
		l.fate(flowFateKey{f, data.N}, flowFate{run: r, rec: rec})
	}
	if l.runs[r.id] != nil {
		return fmt.Errorf("%s is scheduled twice", r)
	}
	if v, ok := l.w.revived[r.id]; ok && !r.ended {
		r.revive(v)
	}
	if holder := l.holder(f, r.created, r.events[0]); holder != nil && !(l.w.keysDamaged && l.w.damaged[holder.id]) {
		l.w.errorf("%s is scheduled while %s holds the singleton of its key", r, holder)
	}
	l.runs[r.id] = r
	l.order = append(l.order, r)
	return nil
}

// fate adds what became of an event. What was put aside and redriven has a new fate.
func (l *flowLedger) fate(key flowFateKey, f flowFate) {
	old := slices.DeleteFunc(l.fates[key], func(f flowFate) bool { return f.reason == engine.SkipDead })
	l.fates[key] = append(old, f)
}

func (l *flowLedger) skipped(f *flowFn, rec flowRecord) {
	data, ok := l.w.events[rec.Run]
	if !ok {
		l.w.errorf("event %s of %s was skipped, but never arrived", rec.Run, f.slug)
		return
	}
	l.fate(flowFateKey{f, data.N}, flowFate{reason: rec.Name, rec: rec})
	c := f.at(rec.gen)
	if rec.Name == engine.SkipSingleton && (c.singleton == nil || c.singleton.cancel || l.holder(f, c, data) == nil && !l.mayHaveHeld(f, c, data)) {
		l.w.errorf("event %d of %s was skipped as a singleton, but no run holds its key", data.N, f.slug)
	}
}

// active are the runs that have not ended, oldest first.
func (l *flowLedger) active() (runs []*flowRun) {
	for i := range l.next {
		l.read(i)
	}
	return l.running()
}

func (l *flowLedger) running() (runs []*flowRun) {
	for _, r := range l.order {
		if !r.ended {
			runs = append(runs, r)
		}
	}
	return runs
}

// holder returns the active run that holds the singleton's key of an event.
func (l *flowLedger) holder(f *flowFn, c *flowConfig, data flowData) *flowRun {
	for _, r := range l.running() {
		if r.mayHold(f, c, data) && !l.unsure(r) && (r.revival.seq == 0 || r.revival.Locked) {
			return r
		}
	}
	return nil
}

// mayHold reports whether the run holds the singleton's key of an event while it is active.
func (r *flowRun) mayHold(f *flowFn, c *flowConfig, data flowData) bool {
	value, ok := c.singletonValue(data)
	if !ok || r.fn != f || r.created.singleton == nil || r.created.singleton.key.src != c.singleton.key.src {
		return false
	}
	v, ok := r.created.singletonValue(r.events[0])
	return ok && v == value
}

// singletonValue is the value of the singleton's key; false if there is none.
func (c *flowConfig) singletonValue(d flowData) (string, bool) {
	if c.singleton == nil {
		return "", false
	}
	v := c.singleton.key.value(d)
	return v, v != keyBroken && !c.singleton.key.exempts(v)
}

// started checks that a run may start: a slot is free, and its throttle admits it.
func (l *flowLedger) started(r *flowRun, rec flowRecord) {
	cfg := r.fn.at(rec.gen)
	r.started = rec.At
	if !l.unsure(r) {
		r.startCfg, r.revival.Placed = cfg, true
		l.checkPlace(r, "is started")
	} else if r.startCfg == nil {
		r.startCfg = cfg
	}
	t := cfg.throttle
	if t == nil {
		return
	}
	s := l.throttle(r.fn, t, r.events[0])
	s.follow(r.fn, cfg, (*flowConfig).throttles)
	old := r.created.throttle
	counts := old != nil && old.key.src == t.key.src
	if counts && !s.mayAdmit(rec.At+l.w.back, t) {
		l.w.errorf("%s is started at +%d ms, before its throttle admits it", r, rec.At-flowStart)
	}
	s.admit(rec.At, t, counts)
}

// holdsSlot reports whether the run surely counts for the run limit of its function.
func (r *flowRun) holdsSlot() bool {
	a, b := r.created.runs, r.startCfg.runs
	return a != nil && b != nil && a.key.src == b.key.src && (r.revival.seq == 0 || r.revival.Placed)
}

// slots counts the runs that hold a slot of a run limit: surely, and at most.
func (l *flowLedger) slots(f *flowFn, c *runLimit, d flowData) (least, most int) {
	value := c.key.value(d)
	for _, r := range l.running() {
		if r.fn != f || r.started == 0 || c.key.value(r.events[0]) != value || r.displaced && !l.unsure(r) {
			continue
		}
		most++
		if l.w.damaged[r.id] || l.unsure(r) {
			continue // if it cannot be read, it has no place when places are counted
		}
		if r.holdsSlot() && r.startCfg.runs.key.src == c.key.src {
			least++
		}
	}
	return least, most
}

func (l *flowLedger) throttle(f *flowFn, t *rate, d flowData) *flowRate {
	name := fmt.Sprint(f.slug, "|", t.key.src, "|", t.key.value(d))
	if l.throttles[name] == nil {
		l.throttles[name] = &flowRate{}
	}
	return l.throttles[name]
}

func (c *flowConfig) throttles() *rate { return c.throttle }
