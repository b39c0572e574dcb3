package engine

import (
	"encoding/binary"
	"slices"
)

// Lanes: one line each of a function's runs. What the lines do among each other is in
// ready.go.

// lane is one line of a function's runs: the first part of its entries in the store,
// ordered by score.
type lane struct {
	window[readyEntry]
	// guests are entries that lie in TableReady and are in memory for sure; those of the
	// window lie under the lane's id in TableLane.
	guests sortedQueue[readyEntry]
	q      *fnQueue
	id     laneID
	// gates are what a call of the lane's runs has to pass, besides the function's own
	// limit; nil until known is set.
	gates []*gate
	keys  *keySet
	// firsts are what first calls have to pass besides, in a lane with others.
	firsts    []*gate
	hasFirsts bool
	// start says that the lane is one of first calls.
	start bool
	// known says that gates and keys are: those of a lane from the store are its first run's.
	known bool
	// picked counts its runs that are about to be called, calls those that are.
	picked, calls int
	// spare says that it is on the partition's list of lanes that may make room, shared
	// that it is not bounded: it has a gate of wider scope, where it waits for a grant.
	spare, shared bool
	state         laneState
	// round is in which of its function's rounds it is, slot which place there is its own.
	round int
	slot  uint64
	// turn is the number of its next turn to start a run, among those of its function.
	turn int64
	// blocked is the gate that the lane waits at, ticket the one that has let it look.
	blocked, ticket *gate
}

// laneState is where a lane is in its function's queue.
type laneState uint8

const (
	laneIdle    laneState = iota // has nothing in memory or in the store
	laneTurning                  // in its function's round
	laneBlocked                  // waits at a gate
	laneDry                      // waits for its next page
	laneGone                     // is the queue's no more
)

// lane returns a lane of the queue; it is made if there is none. It is nil if the
// partition has as many as it may: its entries then wait in the store.
func (p *partition) lane(q *fnQueue, keys *keySet, start bool) *lane {
	if l := q.findLane(keys, start); l != nil {
		return l
	}
	if p.full() && !sharesLimit(q.fn) {
		p.leaveToStore(q, true)
		return nil
	}
	l := p.newLane(q, keys.laneID(start))
	p.setGates(l, keys, start)
	return l
}

// findLane is the lane of calls of runs with such keys; nil if it is not in memory.
func (q *fnQueue) findLane(keys *keySet, start bool) *lane {
	switch {
	case keys != nil:
	case start:
		return q.lanes[startLane]
	default:
		return &q.zero
	}
	at := &keys.at[b2u(start)]
	if l := *at; l == nil || l.state == laneGone || l.q != q || l.id != keys.laneID(start) {
		*at = q.lanes[keys.laneID(start)]
	}
	return *at
}

func (p *partition) newLane(q *fnQueue, id laneID) *lane {
	l := p.freeLane()
	l.q, l.id, l.size, l.turn = q, id, p.set.readyWindow, q.turn+1
	// What the store may have of it comes before anything that is added now.
	l.spilled = q.spill.on
	if q.lanes == nil {
		q.lanes = map[laneID]*lane{}
	}
	q.lanes[id] = l
	p.lanes++
	p.join(l)
	return l
}

func (p *partition) freeLane() *lane {
	n := len(p.freeLanes) - 1
	if n < 0 {
		return &lane{}
	}
	l := p.freeLanes[n]
	p.freeLanes = p.freeLanes[:n]
	*l = lane{guests: l.guests, gates: l.gates[:0]}
	return l
}

// setGates gives a lane what its runs have to pass.
func (p *partition) setGates(l *lane, keys *keySet, start bool) {
	p.dropFirsts(l)
	old := l.gates
	l.keys, l.start, l.known = keys, start, true
	l.gates = p.gatesFor(old[len(old):], l.q.fn, keys, start) // calls may have passed the old ones
	for _, g := range l.gates {
		g.refs++
	}
	for _, g := range old {
		p.unref(g)
	}
	if shared := slices.ContainsFunc(l.gates, func(g *gate) bool { return g.lease != nil }); shared != l.shared {
		l.shared = shared
		if shared {
			p.lanes--
		} else {
			p.lanes++
		}
	}
}

// dropLane forgets a lane that has no entries and does nothing. One whose calls are
// under way is kept, since its runs mostly come back.
func (p *partition) dropLane(l *lane) {
	switch {
	case !l.empty() || l.picked+l.calls > 0 || l.state != laneIdle:
	case l.id == (laneID{}):
		p.dropFirsts(l) // itself it stays
	case l.q.lanes[l.id] == l:
		p.removeLane(l)
	}
}

// dropIdle forgets the lanes whose last call has ended, unless they have other work, and
// the single runs that rest.
func (p *partition) dropIdle() {
	for i, l := range p.idle {
		p.dropLane(l)
		p.idle[i] = nil
	}
	p.idle = p.idle[:0]
	p.dropSingles()
}

func (p *partition) removeLane(l *lane) {
	p.dropFirsts(l)
	for _, g := range l.gates {
		p.unref(g)
	}
	delete(l.q.lanes, l.id)
	if !l.shared {
		p.lanes--
	}
	l.state = laneGone
	if l.picked+l.calls == 0 && !l.spare && l.guests.len() == 0 && len(p.freeLanes) < keptItems {
		p.freeLanes = append(p.freeLanes, l)
	}
}

func (l *lane) empty() bool { return l.window.empty() && l.guests.len() == 0 }

// first returns the lane's next run, and whether that is a guest; false if it is not known
// as long as the window is dry.
func (l *lane) first() (e readyEntry, guest, ok bool) {
	switch {
	case len(l.heap) > 0:
		if l.guests.len() > 0 {
			if g := l.guests.first(); g.less(l.heap[0]) {
				return g, true, true
			}
		}
		return l.heap[0], false, true
	case l.spilled || l.guests.len() == 0:
		return e, false, false
	}
	return l.guests.first(), true, true
}

// takeOut takes out the lane's next run, as first has shown it.
func (p *partition) takeOut(l *lane, guest bool) {
	if guest {
		l.guests.pop()
		p.guests--
	} else {
		l.heap.pop()
	}
}

// begun reports whether the lane's next run has started before.
func (l *lane) begun() bool {
	e, _, ok := l.first()
	return ok && e.going
}

// pageLanes refills the lanes that ran dry, and looks for lanes that are in the store
// only. It comes before this round's writes, so the store holds everything that the
// windows left to it.
func (p *partition) pageLanes() {
	for i, l := range p.dry {
		p.dry[i] = nil
		l.state = laneIdle
		p.check(l.page(p.store))
		p.know(l)
		p.findBegun(l)
		p.dropLane(l)
		p.advance(l)
	}
	p.dry = p.dry[:0]
	p.findSpilled()
}

// know gives a lane that comes from the store its gates: those of its first run. Runs
// that cannot be read are passed over; what is stored of them is dispatch's matter.
func (p *partition) know(l *lane) {
	if l.known || l.id == (laneID{}) {
		return
	}
	for {
		e, guest, ok := l.first()
		if !ok {
			return
		}
		if r := p.load(e.run); r != nil {
			p.setGates(l, r.keys, r.keys.laneID(true) == l.id)
			return
		}
		p.takeOut(l, guest)
		p.dropEntry(l.q.table(l, guest), e)
	}
}

// page refills the window. Entries of runs whose jobs are all in flight come
// back too; they are skipped when they come up. Guests are in memory already.
func (l *lane) page(s PartitionStore) error {
	table, prefix := TableReady, l.q.id[:]
	if l.id != (laneID{}) {
		table = TableLane
		prefix = append(append([]byte(nil), prefix...), l.id[:]...)
	}
	from := prefix
	if l.spilled {
		from = appendUint64(append([]byte(nil), prefix...), sortable(l.spill.score))
		from = append(from, l.spill.run[:]...)
		if l.spill == (readyEntry{}) {
			from = prefix // of all scores
		}
	}
	l.spilled = false
	n := len(prefix)
	return s.Scan(table, from, prefixEnd(prefix), func(key, value []byte) bool {
		if len(key) != n+24 {
			return true
		}
		v := decodeEntry(value)
		if v.lane != (laneID{}) {
			return true
		}
		e := readyEntry{score: unsortable(binary.BigEndian.Uint64(key[n:])), going: v.going}
		copy(e.run[:], key[n+8:])
		return l.load(e)
	})
}
