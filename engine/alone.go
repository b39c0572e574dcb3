package engine

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

// maxGuests is how many guests a partition has, some 40 bytes each, 150 if they are single.
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

// enqueueSingle queues a run whose key has no lane, if it is the only one of it; false if
// it needs the lane.
func (p *partition) enqueueSingle(q *fnQueue, keys *keySet, e readyEntry) bool {
	if q.spill.on || limitsStarts(q.fn) {
		return false
	}
	id := p.findSingle(q, keys)
	if id == 0 {
		id = p.newSingle(q, keys.laneID(false))
		keys.single = id
	}
	s := p.singles.get(id)
	if s.state == singleWaiting {
		return s.e.run == e.run
	}
	if !s.free(e.run) {
		return false
	}
	p.waitSingle(q, id, e)
	return true
}

// findSingle is the single run of such keys; 0 if there is none.
func (p *partition) findSingle(q *fnQueue, keys *keySet) singleID {
	own := keys.laneID(false)
	if id := keys.single; p.singles.has(id) {
		if s := p.singles.get(id); s.queue == q.number && s.own == own {
			return id
		}
	}
	keys.single = q.singles[own]
	return keys.single
}

func (p *partition) newSingle(q *fnQueue, own laneID) singleID {
	id := p.singles.add(single{own: own, queue: q.number})
	p.singles.queued++
	if q.singles == nil {
		q.singles = map[laneID]singleID{}
	}
	q.singles[own] = id
	q.most = max(q.most, len(q.singles))
	return id
}

func (p *partition) waitSingle(q *fnQueue, id singleID, e readyEntry) {
	s := p.singles.get(id)
	s.e, s.state = e, singleWaiting
	p.guests++
	at := place{single: id}
	if !e.going {
		at.turn = q.turn + 1
	}
	q.rounds[e.round()].push(at)
	p.turn(q)
}

// callsSingle reports whether a picked run can be called without a lane: all that its call
// has to pass is a limit of the function for its key, of which no other call is under way,
// nor about to be.
func (p *partition) callsSingle(q *fnQueue, id singleID, r *run) bool {
	if q.fn == nil || r.keys == nil || len(r.keys.keys) != 1 {
		return false
	}
	rules, key := p.rules(q.fn), &r.keys.keys[0]
	return q.keys.one && key.expr == rules[0].expr && r.keys.laneID(false) == p.singles.get(id).own &&
		p.gates[gateKey{q.id, key.id}] == nil
}

// countSingle lets a new gate count the call of the single run of its key.
func (p *partition) countSingle(g *gate) {
	q := p.queues[g.key.fn]
	if q == nil || len(q.singles) == 0 {
		return
	}
	id := q.singles[laneOf([]limitKey{{id: g.key.id}}, false)]
	if id == 0 || p.singles.get(id).state != singleCalled {
		return
	}
	if p.singles.gates == nil {
		p.singles.gates = map[singleID]*gate{}
	}
	p.singles.gates[id] = g
	g.inUse++
}

// restSingle notes that a single run has nothing to do for now.
func (p *partition) restSingle(id singleID) {
	t := &p.singles
	t.get(id).state = singleResting
	t.idle = append(t.idle, id)
	if g := t.gates[id]; g != nil {
		delete(t.gates, id)
		p.give(g)
	}
}

// dropSingles forgets the single runs that rest.
func (p *partition) dropSingles() {
	t := &p.singles
	for _, id := range t.idle {
		if !t.has(id) { // it was there twice, and was the last one
			continue
		}
		if s := t.get(id); s.queue != 0 && s.state == singleResting {
			p.leaveSingle(p.order[s.queue-1], s)
			t.remove(id)
		}
	}
	t.idle = t.idle[:0]
}

// leaveSingle says that a run is no single one of its queue any more.
func (p *partition) leaveSingle(q *fnQueue, s *single) {
	delete(q.singles, s.own)
	if len(q.singles) == 0 && q.most > keptItems {
		q.singles, q.most = nil, 0 // a map never shrinks
	}
	s.queue = 0
	p.singles.queued--
}

// join takes the single run that waits into its new lane, with its place.
func (p *partition) join(l *lane) {
	id := l.q.singles[l.id]
	if id == 0 {
		return
	}
	s := p.singles.get(id)
	if s.state != singleWaiting {
		return
	}
	p.leaveSingle(l.q, s)
	l.guests.push(s.e)
	l.state, l.round, l.slot = laneTurning, s.e.round(), p.newSlot()
	s.state, s.slot = singleMoved, l.slot
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
	if k.single != 0 {
		p.addGuest(k.q, p.singles.get(k.single).own, k.e)
	} else {
		p.push(k.l, k.e, k.guest)
	}
}

// addGuest queues an entry of TableReady of which only the lane's id is known. Several of
// one key make their lane, which gets its gates in the next round.
func (p *partition) addGuest(q *fnQueue, id laneID, e readyEntry) {
	single := q.singles[id]
	switch {
	case q.lanes[id] != nil || single != 0 && !p.singles.get(single).free(e.run):
		p.push(p.storedLane(q, id), e, true)
		return
	case single == 0:
		single = p.newSingle(q, id)
	}
	p.waitSingle(q, single, e)
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
