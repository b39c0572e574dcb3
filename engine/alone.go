package engine

// Runs of keyed limits whose lane costs nothing as long as no limit is reached.
//
// Entries of the ready index lie in TableReady, in the order in which runs come, also
// those of functions with lanes; their values name the lane. In memory they are guests of
// their lane, all of them, up to a bound: further ones lie in TableLane, where a lane is
// in one piece, of which its window holds the first part.
//
// A run that has not started and is the only one of its key that is queued has no lane at
// all, only the place in its function's round that the lane would have. It waits alone. So does
// one that has started, if the partition has restarted since.
// Its lane is made when its turn comes, since its call needs gates, or when a second run
// of the key is queued: then the lane takes over both the run and its place.

// maxGuests is how many guests a partition has, some 40 bytes each, 150 if they are alone.
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

// enqueueAlone queues a run whose key has no lane, if it is the only one of it; false if it
// needs the lane.
func (p *partition) enqueueAlone(q *fnQueue, own laneID, e readyEntry) bool {
	if e.going || q.spill.on || limitsStarts(q.fn) {
		return false
	}
	if other, ok := q.alone[own]; ok {
		return other.run == e.run
	}
	p.waitAlone(q, own, e)
	return true
}

func (p *partition) waitAlone(q *fnQueue, own laneID, e readyEntry) {
	if q.alone == nil {
		q.alone = map[laneID]readyEntry{}
	}
	q.alone[own] = e
	q.most = max(q.most, len(q.alone))
	p.alone++
	p.guests++
	at := place{own: own}
	if !e.going {
		at.turn = q.turn + 1
	}
	q.rounds[e.round()].push(at)
	p.turn(q)
}

func (p *partition) leaveAlone(q *fnQueue, own laneID) {
	delete(q.alone, own)
	p.alone--
	if len(q.alone) == 0 && q.most > keptItems {
		q.alone, q.most = nil, 0 // a map never shrinks
	}
}

// join takes the run that waits alone into its new lane, with its place.
func (p *partition) join(l *lane) {
	e, ok := l.q.alone[l.id]
	if !ok {
		return
	}
	p.leaveAlone(l.q, l.id)
	l.guests.push(e)
	l.state, l.round, l.slot = laneTurning, e.round(), 0
}

// openLane makes the lane of a run that has waited alone and whose turn it is. It is nil if
// the run may not be called: then it waits in the lane, or in the store if there are as many
// lanes as may be.
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
	if k.l == nil {
		p.addGuest(k.q, k.own, k.e)
	} else {
		p.push(k.l, k.e, k.guest)
	}
}

// addGuest queues an entry of TableReady of which only the lane's id is known. Several of
// one key make their lane, which gets its gates in the next round.
func (p *partition) addGuest(q *fnQueue, id laneID, e readyEntry) {
	if _, ok := q.alone[id]; !ok && q.lanes[id] == nil {
		p.waitAlone(q, id, e)
		return
	}
	p.push(p.storedLane(q, id), e, true)
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
