package engine

import (
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Singletons' locks. The lock of a run that is queued or being called stands in the run's
// entry of the ready index, which is written anyway, and in memory, so that a run that
// never rests writes nothing for it. When the run rests (it sleeps, waits, backs off), its
// entry goes, and the lock gets a record of its own in TableFlow until the run ends. So
// do locks beyond the bound of those in memory.

// Flags of the value of an entry of the ready index, which is empty if there are none. The
// id of a lock or a lane follows; there is room for one.
const (
	entryGoing  = 1 << iota // the run had started when it was queued
	entryLocked             // it holds a lock that has no record
	entryGuest              // it is an entry of TableReady, of the lane whose id follows
)

// entryValue is the value of a run's new entry of the ready index, valid until the next
// use. What the run holds as a lock is in it, if that has no record, or else the lane of
// which it is a guest (alone.go).
func (p *partition) entryValue(r *run) []byte {
	going := b2u(r.startedAt != 0)
	p.value[0] = going * entryGoing
	switch {
	case r.limits != nil && r.limits.lock != flowID{}:
		if !p.holdLock(r) {
			return p.value[:going]
		}
		p.value[0] |= entryLocked
		copy(p.value[1:], r.limits.lock[:])
	case r.keys != nil && r.line == lineReady:
		p.value[0] |= entryGuest
		id := r.keys.laneID(false)
		copy(p.value[1:], id[:])
	default:
		return p.value[:going]
	}
	return p.value[:]
}

// entryInfo is what the value of an entry says; what it does not is zero.
type entryInfo struct {
	going bool
	lock  flowID
	lane  laneID
}

func decodeEntry(v []byte) (e entryInfo) {
	if len(v) == 0 {
		return e
	}
	e.going = v[0]&entryGoing != 0
	if len(v) != 1+len(e.lock) {
		return e
	}
	switch {
	case v[0]&entryLocked != 0:
		copy(e.lock[:], v[1:])
	case v[0]&entryGuest != 0:
		copy(e.lane[:], v[1:])
	}
	return e
}

// holdLock keeps a run's lock in memory and in its entry alone; false if it has a record,
// or too many are kept so.
func (p *partition) holdLock(r *run) bool {
	id := r.limits.lock
	if f := p.held[id]; f != nil {
		return f.holder == r.id
	}
	f := p.flows[id]
	if f == nil || f.stored || f.holder != r.id || len(p.held) >= p.set.maxFlows {
		return false
	}
	p.held[id] = f
	delete(p.flows, id)
	return true
}

// storeLock gives the lock of a run that rests a record.
func (p *partition) storeLock(r *run) {
	if r.limits == nil {
		return
	}
	if f := p.held[r.limits.lock]; f != nil && f.holder == r.id {
		delete(p.held, f.id)
		p.flows[f.id] = f
		p.change(f)
	}
}

// unlock gives a run's singleton lock back.
func (p *partition) unlock(r *run) {
	if r.limits == nil || r.limits.lock == (flowID{}) {
		return
	}
	f := p.held[r.limits.lock]
	switch {
	case f != nil:
	case p.flows[r.limits.lock] != nil:
		f = p.flows[r.limits.lock]
	default:
		// It is stored with this run as its holder, who alone gives it back: there is no
		// need to read it.
		f = &flow{id: r.limits.lock, kind: flowSingleton, fn: r.fn, holder: r.id, stored: true}
	}
	if f.holder != r.id {
		return
	}
	delete(p.held, f.id)
	p.flows[f.id] = f
	f.holder = ulid.ULID{}
	p.change(f)
}

// recoverLock takes a lock from an entry of the ready index. If a damaged run has left
// another entry with it, the run that can be read has the lock.
func (p *partition) recoverLock(id flowID, fn ids.UUID, run ulid.ULID) {
	if p.held[id] != nil {
		readable := false
		p.check(p.store.Get(TableRun, [][]byte{run[:]}, func(_ int, v []byte) {
			_, err := decodeRun(run, v, &p.sets)
			readable = err == nil
		}))
		if !readable {
			return
		}
	}
	p.held[id] = &flow{id: id, kind: flowSingleton, fn: fn, holder: run}
}

// openLocksOf opens the locks in memory that a damaged run holds. Whoever has found it so
// may be about to take one.
func (p *partition) openLocksOf(run ulid.ULID) {
	for id, f := range p.held {
		if f.holder == run {
			delete(p.held, id)
			p.flows[id], f.holder = f, ulid.ULID{}
		}
	}
}
