package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Dead letters: what can never run is put aside with the reason, where it can be read,
// and driven again once the reason is gone, instead of being lost or holding up others.

// DeadKind says what a dead letter is. Values are stored.
type DeadKind uint8

const (
	// DeadRun is a run whose record cannot be read, or whose function is not known.
	DeadRun DeadKind = 1
	// DeadEvents are events that start no run: those of a debounce or batch whose function is
	// not known, or what the server has failed at too often.
	DeadEvents DeadKind = 2
	// DeadEntry is an entry of the event log, of a partition's messages or of what a key has
	// collected, that cannot be read.
	DeadEntry DeadKind = 3
	// DeadMessage is a message between partitions, that cannot be read or that the server
	// has failed at too often. One that publishes an event is a DeadEntry.
	DeadMessage DeadKind = 4
)

func (k DeadKind) String() string {
	switch k {
	case DeadRun:
		return "run"
	case DeadEvents:
		return "events"
	case DeadMessage:
		return "message"
	}
	return "entry"
}

// DeadLetter is one entry of the list.
type DeadLetter struct {
	Partition int
	// At is when it was put aside, unix ms; ID the run, the last event, or a made-up id.
	// The three together name the entry.
	At     int64
	ID     ulid.ULID
	Kind   DeadKind
	Fn     ids.UUID
	Reason string
	// Body is the run's record, the events, the message, or the bytes that cannot be read.
	Body []byte
}

// Errors of dead letters.
var (
	// ErrNoDeadLetter says that the list has no such entry.
	ErrNoDeadLetter = errors.New("no such dead letter")
	// ErrStillDead says that the reason of a dead letter is not gone.
	ErrStillDead = errors.New("it still cannot run")
)

// maxDead bounds a partition's list; the oldest entries make room.
const maxDead = 100_000

func deadKey(dst []byte, at int64, id ulid.ULID) []byte {
	return append(appendUint64(dst, sortable(at)), id[:]...)
}

// bury puts something aside.
func (p *partition) bury(d *DeadLetter) {
	d.Partition, d.At = p.id, p.now
	p.log.Error("something can never run and is put aside as a dead letter", "kind", d.Kind.String(), "id", d.ID.String(), "function", d.Fn.String(), "reason", d.Reason)
	e := encoder{b: p.enc.b[:0]}
	e.dead(d)
	p.enc.b = e.b
	p.batch.Put(TableDead, deadKey(p.key[:0], d.At, d.ID), e.b)
	p.dead++
}

// trimDead makes room in a list that is too long.
func (p *partition) trimDead() {
	var runs []ulid.ULID
	excess := p.dead - p.set.maxDead
	if excess <= 0 {
		return
	}
	p.check(p.store.Scan(TableDead, nil, nil, func(k, v []byte) bool {
		if d, err := decodeDead(p.id, k, v); err == nil && d.Kind == DeadRun {
			runs = append(runs, d.ID)
		}
		p.batch.Delete(TableDead, k)
		p.dead--
		excess--
		return excess > 0
	}))
	for _, id := range runs {
		p.deleteParts(id)
	}
}

func (e *encoder) dead(d *DeadLetter) {
	e.byte(recordVersion)
	e.byte(byte(d.Kind))
	e.id(d.Fn)
	e.str(d.Reason)
	e.bytes(d.Body)
}

// deadEvents are the body of a DeadEvents: the events with their internal ids.
func (e *encoder) deadEvents(events [][]byte, sources []ulid.ULID) {
	e.triggers(events)
	e.uint(uint64(len(sources)))
	for _, id := range sources {
		e.id(id)
	}
}

func decodeDeadEvents(b []byte) (events [][]byte, sources []ulid.ULID, err error) {
	d := decoder{b: b}
	d.version()
	if events = d.events(); len(d.b) == 0 {
		return events, nil, d.err // from before ids were kept
	}
	for range d.count(len(ulid.ULID{})) {
		sources = append(sources, d.id())
	}
	return events, sources, d.err
}

func decodeDead(partition int, k, v []byte) (*DeadLetter, error) {
	d := decoder{b: v}
	if d.version(); len(k) != 24 {
		d.fail()
	}
	l := &DeadLetter{Partition: partition, Kind: DeadKind(d.byte()), Fn: d.id(), Reason: d.str(), Body: d.bytes()}
	if d.err != nil {
		return nil, d.err
	}
	l.At = unsortable(binary.BigEndian.Uint64(k))
	copy(l.ID[:], k[8:])
	return l, nil
}

// buryRun puts an active run aside. What it waits for, holds and blocks is given up;
// its steps and events stay where they are.
func (p *partition) buryRun(r *run, reason string) {
	e := encoder{}
	e.run(r) // with the place and the lock that it has, see redriveRun
	p.giveUp(r)
	p.batch.Delete(TableRun, r.id[:])
	r.ended, r.stored = true, false // what is stored of it besides stays
	p.touch(r)
	p.bury(&DeadLetter{ID: r.id, Kind: DeadRun, Fn: r.fn, Reason: reason, Body: e.b})
}

// giveUp takes from a run what it waits for, holds and blocks.
func (p *partition) giveUp(r *run) {
	p.unindex(r)
	for i := range r.jobs {
		p.unlink(r, &r.jobs[i])
	}
	p.unlock(r)
	p.leaveRun(r)
	if r.limits != nil {
		r.limits.lock, r.limits.slot = flowID{}, flowID{}
	}
}

// unindex takes a run's entry out of the ready index.
func (p *partition) unindex(r *run) {
	if r.indexed {
		r.indexed = false
		p.batch.Delete(p.readyKey(r.fn, r.keys.lineID(r.at), r.score, r.id))
		p.count(p.queue(r.fn), -1)
	}
}

// has reports whether the store has a key.
func (p *partition) has(t Table, key []byte) (found bool) {
	p.check(p.store.Get(t, [][]byte{key}, func(_ int, v []byte) { found = v != nil }))
	return found
}

// deleteParts deletes what a run that is put aside has left in other tables.
func (p *partition) deleteParts(id ulid.ULID) {
	p.batch.Delete(TableTrigger, id[:])
	p.batch.Delete(TableInput, id[:])
	p.check(p.store.Scan(TableStep, id[:], prefixEnd(id[:]), func(k, _ []byte) bool {
		p.batch.Delete(TableStep, k)
		return true
	}))
}

// deadRequest reads the list from an entry on, or acts on one entry.
type deadRequest struct {
	at      int64
	id      ulid.ULID
	limit   int
	discard bool
}

func (p *partition) listDead(req *request) {
	var out []DeadLetter
	from := deadKey(nil, req.dead.at, req.dead.id)
	p.check(p.store.Scan(TableDead, from, nil, func(k, v []byte) bool {
		if d, err := decodeDead(p.id, k, v); err == nil {
			out = append(out, *d)
		}
		return len(out) < req.dead.limit
	}))
	p.answer(req, out, nil)
}

func (p *partition) actOnDead(req *request) {
	key := deadKey(nil, req.dead.at, req.dead.id)
	var d *DeadLetter
	err := ErrNoDeadLetter
	p.check(p.store.Get(TableDead, [][]byte{key}, func(_ int, v []byte) {
		if _, gone := p.taken[string(key)]; v != nil && !gone {
			d, err = decodeDead(p.id, key, v)
		}
	}))
	switch {
	case err != nil:
	case !req.dead.discard:
		err = p.redrive(d)
	case d.Kind == DeadRun:
		p.deleteParts(d.ID)
	}
	if err == nil {
		p.taken[string(key)] = struct{}{}
		p.batch.Delete(TableDead, key)
		p.dead--
	}
	p.answer(req, nil, err)
}

// DeadLetters returns up to limit entries of the list, oldest first, from the time and
// id of one on; zero values begin at the oldest.
func (e *Engine) DeadLetters(ctx context.Context, at int64, id ulid.ULID, limit int) ([]DeadLetter, error) {
	var all []DeadLetter
	for i := range e.workers {
		v, err := e.ask(ctx, i, &request{kind: reqListDead, dead: deadRequest{at: at, id: id, limit: limit}})
		if err != nil {
			return nil, err
		}
		all = append(all, v.([]DeadLetter)...)
	}
	slices.SortFunc(all, func(a, b DeadLetter) int {
		if a.At != b.At {
			return int(max(-1, min(1, a.At-b.At)))
		}
		return a.ID.Compare(b.ID)
	})
	return all[:min(limit, len(all))], nil
}

// Redrive brings a dead letter back to life: a run goes on where it was, events start
// the run that they were collected for, an entry or message is delivered. A run that had a
// place in its run limit waits for one before its next call. ErrStillDead if the reason is
// not gone, or another run has the singleton's lock; ErrNoDeadLetter if there is no such
// entry.
func (e *Engine) Redrive(ctx context.Context, d *DeadLetter) error {
	return e.actOnDead(ctx, d, false)
}

// Discard deletes a dead letter.
func (e *Engine) Discard(ctx context.Context, d *DeadLetter) error { return e.actOnDead(ctx, d, true) }

func (e *Engine) actOnDead(ctx context.Context, d *DeadLetter, discard bool) error {
	if d.Partition < 0 || d.Partition >= len(e.workers) {
		return ErrNoDeadLetter
	}
	_, err := e.ask(ctx, d.Partition, &request{kind: reqActOnDead, dead: deadRequest{at: d.At, id: d.ID, discard: discard}})
	return err
}
