package engine

import (
	"encoding/binary"
	"time"

	"ingot/engine/event"
	"ingot/engine/expr"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/internal/timefmt"

	"github.com/cespare/xxhash/v2"
	"github.com/oklog/ulid/v2"
)

// Starting runs (spec 03 §7).

// trigger takes an event for a function: into a batch or a debounce, or as a run,
// unless a limit lets the event pass without one (spec 03 §7.1, §21).
func (p *partition) trigger(fn *function.Function, ev *routedEvent) {
	if p.queue(fn.ID).draining {
		p.refuse(fn, ev, SkipDraining, "invoked function is draining")
		return
	}
	if fn.Debounce == nil && ev.Dedupable() && p.duplicate(fn.ID, ev) {
		p.skip(fn, ev.InternalID, SkipIdempotency)
		return
	}
	switch {
	case p.batched(fn, ev):
		p.collect(fn, ev)
		p.remember(fn, ev)
		return
	case fn.RateLimit != nil && !p.admit(fn, ev.json):
		p.refuse(fn, ev, SkipRateLimit, "invoked function is rate limited")
		return
	case fn.Debounce != nil:
		p.debounce(fn, ev)
		return
	}
	source := ev.InternalID[:]
	if ev.Seeded {
		// A seed makes the same id again; the id of the run must still be its own once
		// the first one is forgotten.
		source = binary.BigEndian.AppendUint64(append([]byte(nil), source...), uint64(ev.ReceivedAt))
	}
	s := newRun{id: deriveRunID(ev.ReceivedAt, fn.ID, source), events: [][]byte{ev.json}, ids: []ulid.ULID{ev.InternalID}, source: ev.InternalID, trace: ev.TraceRoot(), at: ev.TS}
	if string(ev.Name) == event.NameDeferredSchedule {
		s.flags = FlagDeferred
	}
	if ev.correlation != "" && fn == ev.invoked {
		s.correlations = []string{ev.correlation}
	}
	p.begin(fn, &s)
	p.remember(fn, ev)
}

// admit reports whether the rate limit lets an event start a run, and counts it. An
// event whose key is `false` is not limited.
func (p *partition) admit(fn *function.Function, ev []byte) bool {
	r := fn.RateLimit
	value, off, err := p.keyValue(r.Key, ev)
	if off {
		return true
	}
	if err != nil {
		p.keyFault(fn, "rateLimit.key", err)
	}
	f := p.flow(flowRate, fn.ID, hash128(flowRate, fn.ID[:], source(r.Key), value))
	g := rateLimitRate(r)
	p.bound(f, g)
	if g.free(f.tat, p.now*1e6) < 1 {
		return false
	}
	f.tat = g.take(f.tat, p.now*1e6)
	p.change(f)
	return true
}

// skip records that an event starts no run.
func (p *partition) skip(fn *function.Function, ev ulid.ULID, reason string) {
	p.outbox.add(&Lifecycle{Kind: EventSkipped, At: p.now, Run: ev, Fn: fn.ID, Name: reason})
}

// refuse skips an event. If it is an invocation, its invoker gets an error at once,
// instead of waiting for its timeout.
func (p *partition) refuse(fn *function.Function, ev *routedEvent, reason, text string) {
	p.skip(fn, ev.InternalID, reason)
	if fn == ev.invoked && ev.correlation != "" {
		p.refuseInvokers([]string{ev.correlation}, text)
	}
}

func (p *partition) refuseInvokers(correlations []string, text string) {
	memo := errorMemo(text)
	for _, c := range correlations {
		if run, step, ok := splitCorrelation(c); ok {
			p.send(message{kind: msgInvokeDone, to: runPartition(run, p.set.partitions), run: run, step: step, body: memo})
		}
	}
}

// newRun describes a run that is about to be created.
type newRun struct {
	id     ulid.ULID
	events [][]byte
	// ids are the events' internal ids, as far as known.
	ids []ulid.ULID
	// cron is the schedule that starts it, original the run that it replays.
	cron     string
	original ulid.ULID
	flags    LifecycleFlags
	// source is the id of the event that it is recorded with, if it is skipped.
	source       ulid.ULID
	trace        ulid.ULID
	correlations []string
	// at is the unix ms of the first call, if that is later than now.
	at int64
	// batch says that the run is a batch's: it cannot be cancelled by events.
	batch bool
}

// begin creates a run, unless its singleton's lock is held. The id is new: a log
// entry is applied once (its cursor), and an id of a sender is checked by duplicate.
func (p *partition) begin(fn *function.Function, s *newRun) {
	if reason, ok := p.condemned(blame{run: s.id}); ok {
		p.buryEvents(fn.ID, s.source, s.ids, s.events, reason)
		return
	}
	var lock *flow
	if !s.batch { // the two exclude each other
		lock = p.lock(fn, s.events[0])
	}
	if lock != nil && lock.holder != (ulid.ULID{}) {
		holder := p.load(lock.holder)
		switch {
		case holder == nil: // cannot be: a run gives its lock back
		case fn.Singleton.Mode == function.SingletonCancel:
			p.end(holder, &Lifecycle{Kind: RunCancelled, Child: s.source}, nil, nil)
		default:
			p.skip(fn, s.source, SkipSingleton)
			p.refuseInvokers(s.correlations, "invoked function is a singleton that is running already")
			return
		}
	}
	if s.batch {
		s.flags |= FlagBatch
	}
	r := p.createRun(fn, s)
	r.correlations = s.correlations
	r.score -= p.priority(fn, s.events[0]) << scoreShift
	p.assignKeys(r, fn)
	if lock != nil {
		lock.holder = r.id
		r.limited().lock = lock.id
		p.change(lock)
	}
	if d := fn.Timeouts.Start; d > 0 && !s.batch {
		p.addJob(r, job{kind: jobStartTimeout, state: jobTimed, due: p.now + d.Milliseconds()})
	}
	first := job{kind: jobDiscovery, state: jobReady}
	if s.at > p.now && !s.batch {
		first.state, first.due = jobTimed, s.at
	}
	p.addJob(r, first)
	if s.batch {
		return
	}
	for i := range fn.Cancel {
		p.addCancel(r, &fn.Cancel[i])
	}
}

// lock returns the state of the singleton's lock that a run of the event needs; nil
// if it needs none, which is also so if the key is `false` or cannot be evaluated.
func (p *partition) lock(fn *function.Function, ev []byte) *flow {
	if fn.Singleton == nil {
		return nil
	}
	value, off, err := p.keyValue(fn.Singleton.Key, ev)
	if off || err != nil {
		return nil
	}
	return p.flow(flowSingleton, fn.ID, hash128(flowSingleton, fn.ID[:], source(fn.Singleton.Key), value))
}

// maxPriority bounds a run's priority, seconds either way (spec 03 §21.8).
const maxPriority = 43_200

// priority is by how many ms a run goes before others of its age. What is no integer,
// or cannot be evaluated, is none.
func (p *partition) priority(fn *function.Function, ev []byte) int64 {
	if fn.Priority == nil {
		return 0
	}
	v, err := fn.Priority.ValueJSON(expr.JSON{Event: ev, Canonical: true, Now: time.UnixMilli(p.now)})
	if err != nil {
		return 0
	}
	var n int64
	switch v := v.(type) {
	case int64:
		n = v
	case uint64:
		n = int64(min(v, maxPriority))
	}
	return min(max(n, -maxPriority), maxPriority) * 1000
}

func (p *partition) createRun(fn *function.Function, s *newRun) *run {
	if s.trace == (ulid.ULID{}) {
		s.trace = s.id
	}
	r := &run{id: s.id, fn: fn.ID, trace: s.trace, reqVersion: -1, score: p.score(s.id), events: s.events}
	p.runs[s.id] = r
	p.touch(r)
	l := Lifecycle{Kind: RunScheduled, Flags: s.flags, At: p.now, Run: s.id, Fn: fn.ID, Name: s.cron, Child: s.original, Events: s.ids}
	if s.at > p.now && !s.batch {
		l.Due = s.at
	}
	if len(s.ids) == 0 || s.trace != s.ids[0] {
		l.Target = s.trace.String()
	}
	p.outbox.add(&l)
	return r
}

// scoreShift makes room in scores, which are ms, for the order of runs of one ms.
const scoreShift = 12

// score orders a run by the time of its id, and runs of one ms as they were made.
func (p *partition) score(id ulid.ULID) int64 {
	ms := int64(id.Time())
	if ms != p.runMS {
		p.runMS, p.runTick = ms, 0
	}
	tick := min(p.runTick, 1<<scoreShift-1)
	p.runTick++
	return ms<<scoreShift | tick
}

func firstEvent(events [][]byte) []byte {
	if len(events) == 0 {
		return nil
	}
	return events[0]
}

// addCancel indexes one cancelOn entry for a run (spec 03 §17.1).
func (p *partition) addCancel(r *run, c *function.Cancel) {
	due := p.now + (365 * 24 * time.Hour).Milliseconds()
	if c.Timeout != "" {
		if t, err := timefmt.ParseTimeout(c.Timeout, time.UnixMilli(p.now)); err == nil {
			due = t.UnixMilli()
		}
	}
	cond, err := p.interpolate(r, c.If)
	if err != nil || cond == "false" {
		return // it can never be true
	}
	p.addJob(r, job{kind: jobCancelOn, state: jobIdle, due: due, event: c.Event, expr: cond})
}

// dedupeKey is the key by which an event's id is remembered for a function.
func dedupeKey(fn ids.UUID, ev *routedEvent) []byte {
	id := ev.ID
	if len(id) == 0 {
		id = ev.InternalID[:]
	}
	key := append([]byte(nil), fn[:]...)
	if len(id) <= 48 {
		key = append(append(key, 0), id...)
	} else {
		// Long ids are kept as two hashes: 128 bits tell them apart.
		var a, b xxhash.Digest
		a.ResetWithSeed(1)
		b.ResetWithSeed(2)
		_, _ = a.Write(id)
		_, _ = b.Write(id)
		key = appendUint64(appendUint64(append(key, 1), a.Sum64()), b.Sum64())
	}
	return key
}

// duplicate reports whether the event's id has started the function within 24 h
// (spec 03 §7.2).
func (p *partition) duplicate(fn ids.UUID, ev *routedEvent) bool {
	return p.remembered(dedupeKey(fn, ev))
}

// remembered reports whether a key of TableDedupe is there and has not expired.
func (p *partition) remembered(key []byte) bool {
	if _, ok := p.deduped[string(key)]; ok {
		return true
	}
	known := false
	p.check(p.store.Get(TableDedupe, [][]byte{key}, func(_ int, v []byte) {
		known = len(v) == 8 && unsortable(binary.BigEndian.Uint64(v)) > p.now
	}))
	return known
}

// remember notes that the event's id has started the function.
func (p *partition) remember(fn *function.Function, ev *routedEvent) {
	if !ev.Dedupable() {
		return
	}
	p.rememberKey(dedupeKey(fn.ID, ev))
}

// rememberKey puts a key into TableDedupe, for 24 h.
func (p *partition) rememberKey(key []byte) {
	p.deduped[string(key)] = struct{}{}
	p.batch.Put(TableDedupe, key, appendUint64(p.key[:0], sortable(p.now+dedupeFor.Milliseconds())))
	p.expireLater(TableDedupe, key, dedupeFor)
}

// expireLater notes that a record is to be deleted after d.
func (p *partition) expireLater(t Table, key []byte, d time.Duration) {
	at := p.now + d.Milliseconds()
	k := appendUint64(nil, sortable(at))
	k = append(append(k, byte(t)), key...)
	p.batch.Put(TableExpiry, k, nil)
	if p.expireAt == 0 || at < p.expireAt {
		p.expireAt = at
	}
}

// maxExpiredPerRound bounds how many expired records one round deletes.
const maxExpiredPerRound = 512

// expiryGrain is the least time between two looks at what has expired.
const expiryGrain = int64(time.Minute / time.Millisecond)

// expire deletes records whose time is over.
func (p *partition) expire() {
	if p.expireAt == 0 || p.expireAt > p.now {
		return
	}
	p.expireAt = 0
	n := 0
	p.check(p.store.Scan(TableExpiry, nil, nil, func(k, _ []byte) bool {
		if len(k) < 9 {
			p.batch.Delete(TableExpiry, k)
			return true
		}
		if at := unsortable(binary.BigEndian.Uint64(k)); at > p.now {
			p.expireAt = max(at, p.now+expiryGrain)
			return false
		}
		if n++; n > maxExpiredPerRound {
			p.expireAt = p.now + 10
			return false
		}
		p.batch.Delete(Table(k[8]), k[9:])
		p.batch.Delete(TableExpiry, k)
		return true
	}))
}

// internalEvent rebuilds the event of a msgEvent.
func internalEvent(body []byte) (*event.Event, error) {
	ev := new(event.Event)
	_, err := event.DecodeRecord(body, ev)
	return ev, err
}
