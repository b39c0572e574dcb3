package engine

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"ingot/engine/expr"
	"ingot/engine/function"
	"ingot/internal/ids"

	"github.com/cespare/xxhash/v2"
	"github.com/oklog/ulid/v2"
)

// The state of flow-control keys (spec 03 §21). What a key needs to remember lies
// in TableFlow under its id; what is in use is in memory, changes are written with
// the commit of their round, and state that says nothing any more is deleted.

// flowKind is the feature that a key belongs to. Values are stored.
type flowKind uint8

const (
	flowRate        flowKind = 1 // rate limit
	flowThrottle    flowKind = 2 // throttle
	flowRuns        flowKind = 3 // run-level concurrency
	flowSingleton   flowKind = 4
	flowDebounce    flowKind = 5
	flowBatch       flowKind = 6
	flowConcurrency flowKind = 7 // calls in flight; nothing is stored
)

// flowID names a key: a hash of its kind, of where it counts, of its expression,
// and of the value that the expression had.
type flowID [16]byte

// flow is the state of one key.
type flow struct {
	id   flowID
	kind flowKind
	fn   ids.UUID
	// tat is the GCRA state of rate limits and throttles, unix ns.
	tat int64
	// n counts the runs that hold a slot of run-level concurrency.
	n int
	// holder is the run that holds a singleton's lock.
	holder ulid.ULID
	// pending are the events that a debounce or batch has collected.
	pending *pending

	refs   int // gates that use it, so that it stays in memory
	dirty  bool
	stored bool
}

// maxFlows is how many keys' states a partition keeps in memory between rounds, some
// 150 bytes each.
const maxFlows = 1 << 17

// flow returns a key's state, as it is stored or empty.
func (p *partition) flow(kind flowKind, fn ids.UUID, id flowID) *flow {
	if f := p.flows[id]; f != nil {
		return f
	}
	if f := p.held[id]; f != nil {
		return f
	}
	f := &flow{id: id, kind: kind, fn: fn}
	p.flows[id] = f
	if p.known != nil {
		if _, ok := p.known[id]; !ok {
			return f // which saves looking for what is not there
		}
	}
	p.check(p.store.Get(TableFlow, [][]byte{id[:]}, func(_ int, v []byte) {
		if v == nil {
			return
		}
		err := f.decode(v)
		f.stored = true
		if err != nil {
			f.kind, f.fn = kind, fn
			p.makeAnew(f, v, err)
		}
	}))
	return f
}

// noteFlow keeps known: the ids of the states that are stored, as long as there are
// not too many.
func (p *partition) noteFlow(id flowID, stored bool) {
	switch {
	case p.known == nil:
	case !stored:
		delete(p.known, id)
	case len(p.known) < maxKnown:
		p.known[id] = struct{}{}
	default:
		p.known = nil
	}
}

// maxKnown is up to how many stored states a partition knows by their ids, some 30
// bytes each.
const maxKnown = 1 << 18

// storedFlow returns a key's state, or nil if there is none.
func (p *partition) storedFlow(id flowID) *flow {
	f := p.flow(0, ids.UUID{}, id)
	if f.kind == 0 {
		delete(p.flows, id)
		return nil
	}
	return f
}

// change marks a key's state as changed.
func (p *partition) change(f *flow) {
	if !f.dirty {
		f.dirty = true
		p.dirtyFlows = append(p.dirtyFlows, dirtyFlow{f, p.at})
	}
}

// bound applies the rule's bound to a key's state.
func (p *partition) bound(f *flow, g gcra) {
	if tat := g.bound(f.tat, p.now*1e6); tat != f.tat {
		f.tat = tat
		p.change(f)
	}
}

// idle says that the state is that of a key that was never used.
func (f *flow) idle(now int64) bool {
	switch f.kind {
	case flowRate, flowThrottle:
		return f.tat <= now*1e6
	case flowRuns:
		return f.n <= 0
	case flowSingleton:
		return f.holder == ulid.ULID{}
	}
	return f.pending == nil
}

// flushFlows writes the keys that this round changed.
func (p *partition) flushFlows() {
	for i, d := range p.dirtyFlows {
		f, writable := d.flow, p.writable(d)
		f.dirty = false
		p.dirtyFlows[i] = dirtyFlow{}
		if !writable {
			continue
		}
		if f.pending != nil {
			p.savePending(f)
		}
		if len(p.held) > 0 && p.held[f.id] == f {
			continue // it is in its run's entry
		}
		if f.idle(p.now) {
			if f.stored {
				f.stored = false
				p.noteFlow(f.id, false)
				p.batch.Delete(TableFlow, f.id[:])
			}
			continue
		}
		e := encoder{b: p.enc.b[:0]}
		f.encode(&e)
		p.enc.b = e.b
		p.batch.Put(TableFlow, f.id[:], e.b)
		if !f.stored {
			f.stored = true
			p.noteFlow(f.id, true)
		}
		if f.kind == flowRate || f.kind == flowThrottle {
			p.sweepLater(f.tat/1e6 + 1)
		}
	}
	p.dirtyFlows = p.dirtyFlows[:0]
	p.at = blame{}
}

// forgetFlows bounds the states in memory; all of them are stored now.
func (p *partition) forgetFlows() {
	if len(p.flows) <= p.set.maxFlows {
		return
	}
	for id, f := range p.flows {
		if f.refs == 0 {
			delete(p.flows, id)
		}
	}
}

func (f *flow) encode(e *encoder) {
	e.byte(recordVersion)
	e.byte(byte(f.kind))
	e.id(f.fn)
	switch f.kind {
	case flowRate, flowThrottle:
		e.int(f.tat)
	case flowRuns:
		e.uint(uint64(f.n))
	case flowSingleton:
		e.id(f.holder)
	case flowDebounce, flowBatch:
		f.pending.encode(e)
	}
}

func (f *flow) decode(b []byte) error {
	d := decoder{b: b}
	d.version()
	kind := flowKind(d.byte())
	f.fn = d.id()
	switch kind {
	case flowRate, flowThrottle:
		f.tat = d.int()
	case flowRuns:
		f.n = int(d.uint())
	case flowSingleton:
		f.holder = d.id()
	case flowDebounce, flowBatch:
		f.pending = decodePending(&d)
	default:
		d.fail()
	}
	if d.err != nil {
		*f = flow{id: f.id, kind: f.kind, fn: f.fn}
		return d.err
	}
	f.kind = kind
	return nil
}

// States of rates are without effect once their time has passed. Nobody comes back
// to most keys, so a sweep deletes them, some at a time.

// sweepGrain is the least time between two looks at the same states, ms.
const sweepGrain = int64(10 * time.Second / time.Millisecond)

// maxSweep is how many states one round looks at.
const maxSweep = 1024

// sweepLater asks for a sweep at the given unix ms or soon after.
func (p *partition) sweepLater(at int64) {
	at = max(at, p.now+sweepGrain)
	if p.sweepAt == 0 || at < p.sweepAt {
		p.sweepAt = at
	}
}

// sweep deletes states of rates whose time has passed.
func (p *partition) sweep() {
	if p.sweepAt == 0 || p.sweepAt > p.now {
		return
	}
	p.sweepAt = 0
	n := 0
	var from []byte
	if p.swept != nil {
		from = p.swept
		p.swept = nil
	}
	p.check(p.store.Scan(TableFlow, from, nil, func(k, v []byte) bool {
		if n++; n > maxSweep {
			p.swept = append([]byte(nil), k...)
			return false
		}
		var f flow
		switch err := f.decode(v); {
		case len(k) != len(f.id):
			return true
		case err != nil:
			p.mend(flowID(k)) // nobody else may come back to it
			return true
		case f.kind != flowRate && f.kind != flowThrottle:
			return true
		}
		copy(f.id[:], k)
		if m := p.flows[f.id]; m != nil {
			f.tat = m.tat
		}
		if f.tat > p.now*1e6 {
			p.sweepLater(f.tat/1e6 + 1)
			return true
		}
		p.batch.Delete(TableFlow, k)
		p.noteFlow(f.id, false)
		if m := p.flows[f.id]; m != nil {
			m.stored = false
		}
		return true
	}))
	if p.swept != nil {
		p.sweepAt = p.now + 10 // the rest
	}
}

// hash128 tells different inputs apart, surely enough for keys.
func hash128(kind flowKind, parts ...[]byte) flowID {
	var h hasher
	h.reset(kind)
	for _, part := range parts {
		h.add(part)
	}
	return h.sum()
}

// hasher is hash128 of parts that are not all known yet.
type hasher struct{ a, b xxhash.Digest }

func (h *hasher) reset(kind flowKind) {
	h.a.ResetWithSeed(uint64(kind))
	h.b.ResetWithSeed(uint64(kind) + 1<<32)
}

func (h *hasher) add(part []byte) {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(part)))
	_, _ = h.a.Write(n[:])
	_, _ = h.a.Write(part)
	_, _ = h.b.Write(n[:])
	_, _ = h.b.Write(part)
}

func (h *hasher) sum() (id flowID) {
	binary.BigEndian.PutUint64(id[:8], h.a.Sum64())
	binary.BigEndian.PutUint64(id[8:], h.b.Sum64())
	return id
}

// invalidKey is the value of keys that cannot be evaluated: what they are meant to
// tell apart shares one state.
const invalidKey = "<invalid>"

// keyValue evaluates a key expression over an event, to text. A nil expression has
// the value "". off says that the value is `false`, which switches some features
// off. The text is valid until the next use.
func (p *partition) keyValue(e *expr.Expr, ev []byte) (text []byte, off bool, err error) {
	if e == nil {
		return nil, false, nil
	}
	text, isString, v, err := e.AppendJSON(p.text[:0], expr.JSON{Event: ev, Canonical: true, Now: time.UnixMilli(p.now)})
	switch v := v.(type) {
	case float64:
		text = strconv.AppendFloat(text, v, 'g', -1, 64)
	case bool:
		text, off = strconv.AppendBool(text, v), !v
	default:
		if err != nil {
			text = append(text, invalidKey...)
		} else if !isString {
			text = fmt.Appendf(text, "%v", v)
		}
	}
	if cap(text) <= keptItems {
		p.text = text
	}
	return text, off, err
}

// functionKey is the id of a key that counts within one function. field names the
// expression for the log, should it fail.
func (p *partition) functionKey(kind flowKind, fn *function.Function, e *expr.Expr, ev []byte, field string) flowID {
	value, _, err := p.keyValue(e, ev)
	if err != nil {
		p.keyFault(fn, field, err)
	}
	return hash128(kind, fn.ID[:], source(e), value)
}

// keyFault tells that a key could not be evaluated.
func (p *partition) keyFault(fn *function.Function, field string, err error) {
	p.log.Warn("a key could not be evaluated; such events share one", "function", fn.Slug, "key", field, "error", err)
}

func source(e *expr.Expr) []byte {
	if e == nil {
		return nil
	}
	return []byte(e.Source())
}
