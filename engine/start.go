package engine

import (
	"encoding/binary"
	"time"

	"ingot/engine/event"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/internal/timefmt"

	"github.com/cespare/xxhash/v2"
	"github.com/oklog/ulid/v2"
)

// Starting runs (spec 03 §7).

// trigger starts a function for an event, unless the event's id did so before.
func (p *partition) trigger(fn *function.Function, ev *routedEvent) {
	if ev.Dedupable() && p.duplicate(fn.ID, ev) {
		p.outbox.add(&Lifecycle{Kind: EventSkipped, At: p.now, Run: ev.InternalID, Fn: fn.ID, Name: "idempotency"})
		return
	}
	source := ev.InternalID[:]
	if ev.Seeded {
		// A seed makes the same id again; the id of the run must still be its own once
		// the first one is forgotten.
		source = binary.BigEndian.AppendUint64(append([]byte(nil), source...), uint64(ev.ReceivedAt))
	}
	at := p.now
	if ev.TS > p.now {
		at = ev.TS
	}
	r := p.newRun(deriveRunID(ev.ReceivedAt, fn.ID, source), fn, [][]byte{ev.json}, at)
	r.trace = ev.TraceRoot()
	if ev.correlation != "" && fn == ev.invoked {
		r.correlations = append(r.correlations, ev.correlation)
	}
}

// newRun creates a run whose first call is due at the given unix ms. The id is
// new: a log entry is applied once (its cursor), and an id of a sender is checked
// by duplicate.
func (p *partition) newRun(id ulid.ULID, fn *function.Function, events [][]byte, at int64) *run {
	r := p.createRun(id, fn, events)
	if d := fn.Timeouts.Start; d > 0 {
		p.addJob(r, job{kind: jobStartTimeout, state: jobTimed, due: p.now + d.Milliseconds()})
	}
	first := job{kind: jobDiscovery, state: jobReady}
	if at > p.now {
		first.state, first.due = jobTimed, at
	}
	p.addJob(r, first)
	for i := range fn.Cancel {
		p.addCancel(r, &fn.Cancel[i])
	}
	return r
}

func (p *partition) createRun(id ulid.ULID, fn *function.Function, events [][]byte) *run {
	r := &run{id: id, fn: fn.ID, trace: id, reqVersion: -1, score: int64(id.Time()), events: events}
	p.runs[id] = r
	p.touch(r)
	p.outbox.add(&Lifecycle{Kind: RunScheduled, At: p.now, Run: id, Fn: fn.ID, Payload: firstEvent(events)})
	return r
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

// duplicate reports whether the event's id has started the function within 24 h,
// and remembers it (spec 03 §7.2).
func (p *partition) duplicate(fn ids.UUID, ev *routedEvent) bool {
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
	if _, ok := p.deduped[string(key)]; ok {
		return true
	}
	known := false
	p.check(p.store.Get(TableDedupe, [][]byte{key}, func(_ int, v []byte) {
		known = len(v) == 8 && unsortable(binary.BigEndian.Uint64(v)) > p.now
	}))
	if known {
		return true
	}
	p.deduped[string(key)] = struct{}{}
	p.batch.Put(TableDedupe, key, appendUint64(p.key[:0], sortable(p.now+dedupeFor.Milliseconds())))
	p.expireLater(TableDedupe, key, dedupeFor)
	return false
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
