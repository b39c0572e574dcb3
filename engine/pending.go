package engine

import (
	"bytes"
	"time"

	"ingot/engine/expr"
	"ingot/engine/function"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Debounces and batches: events that are collected before a run starts
// (spec 03 §21.3, §21.4).

// pending are the events that one key of a debounce or batch has collected.
type pending struct {
	// due is when the run starts, unix ms. armed is the time of the timer that is
	// stored, 0 if none. The timer of a debounce is not moved with each event: it
	// fires, and is set again if due is later.
	due, armed int64
	// deadline is the latest time for due; 0 if none.
	deadline int64
	// ts is the timestamp of a debounce's event.
	ts int64
	// source is the last event's internal id.
	source ulid.ULID
	// correlations are the invoke steps that wait for the run.
	correlations []string

	// count and bytes are those of all events; the first saved ones are stored.
	count, saved int
	bytes        int64
	// events are the event of a debounce, or those of a batch that are not stored; ids
	// are the internal ids of those of a batch.
	events [][]byte
	ids    []ulid.ULID
}

// maxBatchBytes is the size from which a batch runs at once (spec 03 §21.4).
const maxBatchBytes = 10 << 20

// maxCorrelations bounds the invokers that wait for one debounced run; those beyond
// wait for their timeout.
const maxCorrelations = 1000

func (c *pending) encode(e *encoder) {
	e.int(c.due)
	e.int(c.armed)
	e.int(c.deadline)
	e.int(c.ts)
	e.id(c.source)
	e.strs(c.correlations)
	e.uint(uint64(c.count))
	e.uint(uint64(c.saved))
	e.int(c.bytes)
	e.events(c.events)
}

func decodePending(d *decoder) *pending {
	c := &pending{due: d.int(), armed: d.int(), deadline: d.int(), ts: d.int(), source: d.id()}
	c.correlations = d.strs()
	c.count, c.saved = int(d.uint()), int(d.uint())
	c.bytes = d.int()
	c.events = d.events()
	return c
}

// add takes an event's place in what its run is made of.
func (c *pending) add(fn *function.Function, ev *routedEvent) {
	c.source = ev.InternalID
	c.count++
	c.bytes += int64(len(ev.json))
	c.correlate(fn, ev)
}

// correlate remembers the invoke step that waits for the event's run.
func (c *pending) correlate(fn *function.Function, ev *routedEvent) {
	if ev.correlation != "" && fn == ev.invoked && len(c.correlations) < maxCorrelations {
		c.correlations = append(c.correlations, ev.correlation)
	}
}

// hold sets what a key has collected; nil is nothing.
func (p *partition) hold(f *flow, c *pending) {
	p.queue(f.fn).held[f.kind] += b2n(c != nil) - b2n(f.pending != nil)
	f.pending = c
}

// batched reports whether the function collects the event into a batch: one for
// which the condition is false, or cannot be evaluated, starts a run of its own.
func (p *partition) batched(fn *function.Function, ev *routedEvent) bool {
	b := fn.Batch
	if b == nil || b.MaxSize < 2 {
		return false
	}
	if b.If == nil {
		return true
	}
	ok, err := b.If.BoolJSON(expr.JSON{Event: ev.json, Canonical: true, Now: time.UnixMilli(p.now)})
	return ok && err == nil
}

// collect adds an event to its batch. A batch that is full starts its run at once.
func (p *partition) collect(fn *function.Function, ev *routedEvent) {
	b := fn.Batch
	f := p.flow(flowBatch, fn.ID, p.functionKey(flowBatch, fn, b.Key, ev.json, "batchEvents.key"))
	c := f.pending
	if c == nil {
		c = &pending{due: p.now + b.Timeout.Milliseconds()}
		p.hold(f, c)
	}
	c.due = min(c.due, p.now+b.Timeout.Milliseconds()) // if the clock was set back
	c.add(fn, ev)
	c.events = append(c.events, ev.json)
	c.ids = append(c.ids, ev.InternalID)
	p.change(f)
	p.outbox.add(&Lifecycle{Kind: EventPending, At: p.now, Run: ev.InternalID, Fn: fn.ID, Name: SkipBatch})
	if c.count >= b.MaxSize || c.bytes >= maxBatchBytes {
		p.startPending(f)
	}
}

// debounce keeps the newest event by its timestamp, and puts the run off. Invokers
// of all the events get the run's result.
func (p *partition) debounce(fn *function.Function, ev *routedEvent) {
	d := fn.Debounce
	f := p.flow(flowDebounce, fn.ID, p.functionKey(flowDebounce, fn, d.Key, ev.json, "debounce.key"))
	c := f.pending
	switch {
	case c == nil:
		c = &pending{}
		if d.Timeout > 0 {
			c.deadline = p.now + d.Timeout.Milliseconds()
		}
		p.hold(f, c)
	case ev.TS < c.ts:
		c.correlate(fn, ev)
		c.due = min(c.due, p.now+d.Period.Milliseconds()) // if the clock was set back
		p.change(f)
		p.skip(fn, ev.InternalID, SkipDebounce)
		return
	default:
		p.skip(fn, c.source, SkipDebounce)
	}
	c.add(fn, ev)
	c.events = [][]byte{ev.json}
	c.ts = ev.TS
	c.due = p.now + d.Period.Milliseconds()
	if c.deadline != 0 {
		c.due = min(c.due, c.deadline)
	}
	p.change(f)
	p.outbox.add(&Lifecycle{Kind: EventPending, At: p.now, Run: ev.InternalID, Fn: fn.ID, Name: SkipDebounce})
}

// savePending writes what the record of a key leaves to other tables: the events of
// a batch that are not stored, and the timer.
func (p *partition) savePending(f *flow) {
	c := f.pending
	if f.kind == flowBatch {
		e := encoder{b: p.enc.b}
		for i, ev := range c.events {
			e.b = e.b[:0]
			e.byte(recordVersion)
			e.bytes(ev)
			e.id(c.ids[i])
			p.batch.Put(TableBatch, jobKey(p.key[:0], ulid.ULID(f.id), uint32(c.saved)), e.b)
			c.saved++
		}
		p.enc.b = e.b
		c.events, c.ids = nil, nil
	}
	if c.armed == 0 || c.due < c.armed {
		p.disarm(f)
		c.armed = c.due
		p.schedule(ulid.ULID(f.id), c.due, pendingJob)
	}
}

// pendingJob is the job number by which timers of pending events differ from those
// of runs, whose jobs count from one.
const pendingJob = 0

// disarm deletes the timer of pending events.
func (p *partition) disarm(f *flow) {
	if c := f.pending; c.armed != 0 {
		p.batch.Delete(TableTimer, timerKey(p.key[:0], c.armed, ulid.ULID(f.id), pendingJob))
		c.armed = 0
	}
}

// pendingDue handles the timer of pending events; it is deleted already.
func (p *partition) pendingDue(t timer) {
	f := p.storedFlow(flowID(t.run))
	if f == nil || f.pending == nil || f.pending.armed != t.due {
		return
	}
	f.pending.armed = 0
	p.change(f)
	if f.pending.due <= p.now {
		p.startPending(f)
	}
}

// startPending starts the run of pending events.
func (p *partition) startPending(f *flow) {
	c := f.pending
	p.disarm(f)
	events, sources := p.pendingEvents(f)
	p.hold(f, nil)
	p.change(f)
	fn := p.snapshot.ByID[f.fn]
	if len(events) == 0 {
		return // none can be read
	}
	reason, dead := p.condemned(blame{run: ulid.ULID(f.id)})
	if fn == nil {
		reason, dead = "their function is not registered", true
	}
	if dead {
		p.pardon(blame{run: ulid.ULID(f.id)}) // the next events with the key are others
		p.buryEvents(f.fn, c.source, sources, events, reason)
		return
	}
	s := newRun{
		id:     deriveRunID(p.now, fn.ID, append([]byte{byte(f.kind)}, c.source[:]...)),
		events: events, ids: sources, source: c.source, correlations: c.correlations, batch: f.kind == flowBatch,
	}
	if f.kind == flowDebounce {
		s.at = c.ts
	}
	p.begin(fn, &s)
}

// pendingEvents returns all events of a key in order with their internal ids, and
// deletes those stored. The batch goes on without one that cannot be read.
func (p *partition) pendingEvents(f *flow) (events [][]byte, sources []ulid.ULID) {
	c := f.pending
	if f.kind == flowDebounce {
		return c.events, []ulid.ULID{c.source}
	}
	if c.saved == 0 {
		return c.events, c.ids
	}
	events, sources = make([][]byte, 0, c.count), make([]ulid.ULID, 0, c.count)
	p.check(p.store.Scan(TableBatch, f.id[:], prefixEnd(f.id[:]), func(k, v []byte) bool {
		d := decoder{b: v}
		d.version()
		if ev, id := d.bytes(), d.id(); d.err == nil {
			events, sources = append(events, ev), append(sources, id)
		} else {
			p.bury(&DeadLetter{ID: ids.Derive(p.now, k), Kind: DeadEntry, Fn: f.fn, Reason: "an event of a batch: " + d.err.Error(), Body: bytes.Clone(v)})
		}
		p.batch.Delete(TableBatch, k)
		return true
	}))
	return append(events, c.events...), append(sources, c.ids...)
}
