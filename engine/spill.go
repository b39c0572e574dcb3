package engine

import (
	"maps"
	"slices"
)

// Lanes that are in the store only. A partition keeps a bounded number of lanes in
// memory, not counting those that wait for a shared limit, for which its owner keeps
// their place in line. When there are more, it goes round: lanes that wait at gates,
// that have had their turn, or whose function has no capacity make room, and others are
// looked for in the store, function by function in the order of their ids. A search ends
// when it has seen all lanes, and begins anew when something may have changed for one of
// them.

// maxLanes is how many lanes a partition keeps in memory, some 200 bytes each.
const maxLanes = 1 << 18

// lanesPerRound is how many lanes one round looks for in the store.
const lanesPerRound = 256

// spill is a function's search for lanes in the store.
type spill struct {
	// on says that lanes may be in the store that are not in memory.
	on bool
	// cursor is where the search goes on. left says that lanes have been left to the
	// store since it began, again that some of them could be called: there has to be
	// another search. seen says that there has not.
	cursor            laneID
	left, again, seen bool
}

// leaveToStore notes that the store has a lane of the function that memory has not.
// again says that its runs could be called.
func (p *partition) leaveToStore(q *fnQueue, again bool) {
	s := &q.spill
	s.left = true
	if again {
		s.again, s.seen = true, false
	}
	if s.on {
		return
	}
	s.on = true
	p.spilled = append(p.spilled, q)
	if len(p.spilled) > 1 {
		return
	}
	for _, q := range p.order { // it is the first: who waits already?
		for _, id := range slices.SortedFunc(maps.Keys(q.lanes), laneID.compare) {
			if l := q.lanes[id]; l.state == laneBlocked {
				p.spareLane(l)
			}
		}
	}
}

// maxLanes is how many lanes may be in memory now: those that are kept for the sake of
// their calls come on top.
func (p *partition) maxLanes() int { return p.set.maxLanes + len(p.calls) }

func (p *partition) full() bool { return p.lanes >= p.maxLanes() }

// look lets the search begin anew: a call has ended, or a limit has changed.
func (p *partition) look() {
	for _, q := range p.spilled {
		q.spill.seen = false
	}
}

// lanesToFind reports whether there is something to look for, and room for it.
func (p *partition) lanesToFind() bool {
	q := p.searching()
	return q != nil && (!p.full() || len(p.spare) > 0 || q.hasCapacity() && p.idleLanes(false))
}

// searching is the function whose lanes are looked for next: one that has capacity, if
// there is one; nil if there is nothing to look for.
func (p *partition) searching() (found *fnQueue) {
	for _, q := range p.spilled {
		switch {
		case q.spill.seen:
		case q.hasCapacity():
			return q
		case found == nil:
			found = q
		}
	}
	return found
}

// idleLanes reports whether functions without capacity have lanes in memory; with mark
// they may make room.
func (p *partition) idleLanes(mark bool) (found bool) {
	for _, q := range p.order {
		if q.hasCapacity() {
			continue
		}
		for i := range q.rounds {
			for at := range q.rounds[i].all {
				l := p.laneAt(q, at)
				if l == nil || l.id == (laneID{}) || l.shared || l.picked > 0 {
					continue
				}
				if found = true; !mark {
					return true
				}
				p.spareLane(l)
			}
		}
	}
	return found
}

// findSpilled looks for lanes that are in the store only.
func (p *partition) findSpilled() {
	if p.lookAt != 0 && p.lookAt <= p.now {
		p.lookAt = 0
		p.look()
	}
	if !p.lanesToFind() {
		return
	}
	q := p.searching()
	if p.full() && len(p.spare) == 0 {
		p.idleLanes(true)
	}
	p.makeRoom()
	if p.findLanes(q); !q.spill.on {
		p.spilled = slices.DeleteFunc(p.spilled, func(o *fnQueue) bool { return o == q })
	}
}

// findLanes makes lanes of what is in the store of a function's lanes, beginning where
// it stopped.
func (p *partition) findLanes(q *fnQueue) {
	from := append(append([]byte(nil), q.id[:]...), q.spill.cursor[:]...)
	end := prefixEnd(q.id[:])
	for range lanesPerRound {
		var id laneID
		found := false
		p.check(p.store.Scan(TableLane, from, end, func(k, _ []byte) bool {
			if found = len(k) == 56; found {
				copy(id[:], k[16:])
			}
			return false
		}))
		if !found {
			s := &q.spill
			s.on, s.left, s.seen, s.again, s.cursor = s.left, false, !s.again, false, laneID{}
			return
		}
		if q.lanes[id] == nil {
			if p.full() {
				q.spill.cursor = id
				return
			}
			p.storedLane(q, id)
		}
		if from = prefixEnd(append(append([]byte(nil), q.id[:]...), id[:]...)); from == nil {
			from = end
		}
		copy(q.spill.cursor[:], from[16:])
	}
}

// spareLane notes that a lane has had its chance and may make room for others.
func (p *partition) spareLane(l *lane) {
	if len(p.spilled) > 0 && !l.spare && !l.shared && l.id != (laneID{}) {
		l.spare = true
		p.spare = append(p.spare, l)
	}
}

// makeRoom leaves lanes to the store.
func (p *partition) makeRoom() {
	moves := maxMoved
	for len(p.spare) > 0 && p.lanes > p.maxLanes()-min(lanesPerRound, p.set.maxLanes/2+1) {
		l := p.spare[0]
		p.spare[0] = nil
		p.spare = p.spare[1:]
		l.spare = false
		if l.q.lanes[l.id] != l || l.picked > 0 || l.shared || (l.state != laneBlocked && l.state != laneTurning) {
			continue
		}
		if moves = p.moveGuests(l, moves); l.guests.len() > 0 {
			p.spareLane(l) // the rest in the next round
			return
		}
		p.leaveLane(l)
	}
}

// leaveLane forgets a lane that has entries in the store.
func (p *partition) leaveLane(l *lane) {
	if g := l.blocked; g != nil && g.kind == flowThrottle {
		if at := (g.rate.next(g.flow.tat, p.now*1e6) + 999_999) / 1_000_000; p.lookAt == 0 || at < p.lookAt {
			p.lookAt = at
		}
	}
	// What waits, or has no capacity, is looked at again when that may have changed.
	again := l.state != laneBlocked && l.q.hasCapacity()
	l.leaveGate()
	l.state = laneGone
	if g := l.ticket; g != nil {
		l.ticket = nil
		p.open(g)
	}
	l.heap, l.window.spilled = nil, false
	p.removeLane(l)
	p.leaveToStore(l.q, again)
}
