package engine

import "github.com/oklog/ulid/v2"

// Runs of keyed limits that cost next to nothing as long as no limit is reached.
//
// Entries of the ready index lie in TableReady, in the order in which runs come, also
// those of functions with lanes; their values name the lane. In memory they are guests of
// their lane, all of them, up to a bound: further ones lie in TableLane, where a lane is
// in one piece, of which its window holds the first part.
//
// The only run of its key that is queued or called has no lane at all, only the place in
// its function's round that the lane would have. It is called without one, too, if nothing
// but a limit for this key is in its way, which a single call cannot reach. Its lane is made
// when a second run of the key is queued, or a second call of its own: then the lane takes
// over the run and its place, or its gate counts the call.

// maxGuests is how many guests a partition has, some 40 bytes each, 170 if they are single.
const maxGuests = 1 << 17

// isGuest reports whether the entry of a run that is about to be queued belongs into
// TableReady. What is stored already stays where it is. The entry has no room for both a
// lane and a singleton's lock.
func (p *partition) isGuest(r *run, start bool) bool {
	switch {
	case start || r.keys == nil || r.limits != nil && r.limits.lock != flowID{}:
		return false
	case r.indexed && r.at != lineStart:
		return r.at == lineReady
	}
	return p.guests < p.set.maxGuests
}

// single is the only run of its key that is queued or called.
type single struct {
	e     readyEntry
	state singleState
	q     *fnQueue // nil if it is its queue's no more
	own   laneID   // what would be the id of its lane
	// lane is what has taken over its place, as slot.
	lane *lane
	slot uint64
	gate *gate // counts its call since others have come
}

// singleState is what a single run does.
type singleState uint8

const (
	singleResting singleState = iota // nothing; at the end of the round it is forgotten
	singleWaiting                    // has a place in its function's round
	singlePicked                     // is about to be called
	singleCalled                     // is being called
	singleMoved                      // is in a lane, which has its place
)

// enqueueSingle queues a run whose key has no lane, if it is the only one of it; false if
// it needs the lane.
func (p *partition) enqueueSingle(q *fnQueue, keys *keySet, e readyEntry) bool {
	if q.spill.on || limitsStarts(q.fn) {
		return false
	}
	s := q.findSingle(keys)
	switch {
	case s == nil:
		s = p.newSingle(q, keys.laneID(false))
		keys.single = s
	case s.state == singleWaiting:
		return s.e.run == e.run
	case !s.free(e.run):
		return false
	}
	p.waitSingle(s, e)
	return true
}

// free reports whether the run may be the single one.
func (s *single) free(run ulid.ULID) bool {
	return s.state == singleResting || s.state == singlePicked && s.e.run == run
}

// findSingle is the single run of such keys; nil if there is none.
func (q *fnQueue) findSingle(keys *keySet) *single {
	own := keys.laneID(false)
	if s := keys.single; s == nil || s.q != q || s.own != own {
		keys.single = q.singles[own]
	}
	return keys.single
}

func (p *partition) newSingle(q *fnQueue, own laneID) (s *single) {
	if n := len(p.freeSingles) - 1; n >= 0 {
		s, p.freeSingles = p.freeSingles[n], p.freeSingles[:n]
	} else {
		s = &single{}
	}
	*s = single{q: q, own: own}
	if q.singles == nil {
		q.singles = map[laneID]*single{}
	}
	q.singles[own] = s
	q.most = max(q.most, len(q.singles))
	p.singles++
	return s
}

func (p *partition) waitSingle(s *single, e readyEntry) {
	s.e, s.state = e, singleWaiting
	p.guests++
	at := place{single: s}
	if !e.going {
		at.turn = s.q.turn + 1
	}
	s.q.rounds[e.round()].push(at)
	p.turn(s.q)
}

func (p *partition) pickSingle(s *single) picked {
	s.state = singlePicked
	p.guests--
	return picked{q: s.q, single: s, e: s.e, guest: true}
}

// callsSingle reports whether a picked run can be called without a lane: all that its call
// has to pass is a limit of the function for its key, of which no other call is under way,
// nor about to be.
func (p *partition) callsSingle(s *single, r *run) bool {
	q := s.q
	if q.fn == nil || r.keys == nil || len(r.keys.keys) != 1 {
		return false
	}
	rules, key := p.rules(q.fn), &r.keys.keys[0]
	return q.keys.one && key.expr == rules[0].expr && r.keys.laneID(false) == s.own &&
		p.gates[gateKey{q.id, key.id}] == nil
}

// countSingle lets a new gate count the call of the single run of its key.
func (p *partition) countSingle(g *gate) {
	q := p.queues[g.key.fn]
	if q == nil || len(q.singles) == 0 {
		return
	}
	if s := q.singles[laneOf([]limitKey{{id: g.key.id}}, false)]; s != nil && s.state == singleCalled {
		s.gate = g
		g.inUse++
	}
}

// restSingle notes that a single run has nothing to do for now.
func (p *partition) restSingle(s *single) {
	s.state = singleResting
	p.idleSingles = append(p.idleSingles, s)
	if g := s.gate; g != nil {
		s.gate = nil
		p.give(g)
	}
}

// dropSingles forgets the single runs that rest.
func (p *partition) dropSingles() {
	for i, s := range p.idleSingles {
		p.idleSingles[i] = nil
		if s.q != nil && s.state == singleResting {
			p.leaveSingle(s)
			p.freeSingle(s)
		}
	}
	p.idleSingles = p.idleSingles[:0]
}

// leaveSingle says that a run is no single one of its queue any more.
func (p *partition) leaveSingle(s *single) {
	delete(s.q.singles, s.own)
	if p.singles--; len(s.q.singles) == 0 && s.q.most > keptItems {
		s.q.singles, s.q.most = nil, 0 // a map never shrinks
	}
	s.q = nil
}

func (p *partition) freeSingle(s *single) {
	if len(p.freeSingles) < keptItems {
		p.freeSingles = append(p.freeSingles, s)
	}
}

// join takes the single run that waits into its new lane, with its place.
func (p *partition) join(l *lane) {
	s := l.q.singles[l.id]
	if s == nil || s.state != singleWaiting {
		return
	}
	p.leaveSingle(s)
	l.guests.push(s.e)
	l.slots++
	l.state, l.round, l.slot = laneTurning, s.e.round(), l.slots
	s.state, s.lane, s.slot = singleMoved, l, l.slot
}

// openLane makes the lane of a single run whose turn it is. It is nil if the run may not be
// called: then it waits in the lane, or in the store if there are as many lanes as may be.
func (p *partition) openLane(k picked, r *run) *lane {
	l := p.lane(k.q, r.keys, false)
	if l == nil {
		r.line = lineLane // in the store
		p.touch(r)
		p.moved++
		return nil
	}
	r.queued = true
	if l.state != laneIdle || !l.empty() {
		p.push(l, k.e, true)
		return nil
	}
	l.guests.push(k.e)
	p.guests++
	if !p.mayGo(l) {
		p.moved++ // it was read in vain
		return nil
	}
	p.takeOut(l, true)
	r.queued = false
	return l
}

// putBack queues a picked run again, which has not been called.
func (p *partition) putBack(k picked) {
	if k.single != nil {
		p.addGuest(k.q, k.single.own, k.e)
	} else {
		p.push(k.l, k.e, k.guest)
	}
}

// addGuest queues an entry of TableReady of which only the lane's id is known. Several of
// one key make their lane, which gets its gates in the next round.
func (p *partition) addGuest(q *fnQueue, id laneID, e readyEntry) {
	s := q.singles[id]
	switch {
	case q.lanes[id] != nil || s != nil && !s.free(e.run):
		p.push(p.storedLane(q, id), e, true)
		return
	case s == nil:
		s = p.newSingle(q, id)
	}
	p.waitSingle(s, e)
}

// storedLane returns a lane that may have entries in the store; it is made if there is none.
func (p *partition) storedLane(q *fnQueue, id laneID) *lane {
	l := q.lanes[id]
	if l == nil {
		l = p.newLane(q, id)
		l.spilled, l.state = true, laneDry
		p.dry = append(p.dry, l)
		p.more = true
	}
	return l
}

// table is the lane under whose id an entry is stored.
func (q *fnQueue) table(l *lane, guest bool) *lane {
	if guest {
		return &q.zero
	}
	return l
}

// moveGuests moves up to n guests of a lane to where the rest of it is stored, and returns
// what is left of n.
func (p *partition) moveGuests(l *lane, n int) int {
	for ; n > 0 && l.guests.len() > 0; n-- {
		e := l.guests.pop()
		p.guests--
		r := p.load(e.run)
		if r == nil || r.keys == nil {
			p.dropEntry(&l.q.zero, e)
			continue
		}
		r.line = lineLane
		p.touch(r)
		l.add(e)
	}
	return n
}
