package engine

import (
	"sync/atomic"

	"ingot/engine/function"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Ready queues: which runs have work, in what order they get it.
//
// A function's queue consists of lanes. Runs with the same values of the function's
// key expressions share a lane; first calls have lanes of their own once a throttle or
// run limit holds them back. Functions take turns, and the lanes of a function take
// turns, so that neither a function nor a key with a long backlog holds up the others.
// Lanes whose next run has started before come first, so that runs are ended rather than
// ever more begun; the others get turns among them, as many as keep them from starving.
// Within a lane runs go by score. A function without keyed limits has one lane, the zero
// lane. The only run of its key needs no lane (alone.go).

// readyEntry is a run of a lane that has work.
type readyEntry struct {
	score int64
	run   ulid.ULID
	// going says that the run had started when it was queued.
	going bool
}

//lint:ignore U1000 it is what window asks of its entries
func (a readyEntry) less(b readyEntry) bool {
	if a.score != b.score {
		return a.score < b.score
	}
	return a.run.Compare(b.run) < 0
}

// round is the one of its function's rounds that a lane has a place in whose next run it is.
func (a readyEntry) round() int {
	if a.going {
		return 0
	}
	return 1
}

// readyWindow is how many entries of a lane's backlog are kept in memory.
const readyWindow = 1024

// place is a lane's place in a round; it counts only as long as slot is the lane's. If single
// is set it is that of a single run, or of the lane that has taken the run over since.
type place struct {
	lane   *lane
	slot   uint64
	turn   int64
	single singleID
}

// newSlot names a place that a lane gets.
func (p *partition) newSlot() uint64 {
	p.slots++
	return p.slots
}

//lint:ignore U1000 it is what sortedQueue asks of its elements
func (a place) less(b place) bool { return a.turn < b.turn }

// maxBehind is by how many turns to start a run a lane may be behind others, because it had
// others to go on with, and still get them.
const maxBehind = 64

// fnQueue is one function's ready queue.
type fnQueue struct {
	id ids.UUID
	// number is its place among the partition's queues, from 1 on.
	number uint32
	// fn is nil if the catalog does not have it.
	fn   *function.Function
	keys keyRules
	// limit is the function's own concurrency limit; 0 is none. inFlight counts
	// calls under way.
	limit    int
	inFlight int
	// picked counts runs that are about to be called.
	picked int
	// turning says that the queue is in the partition's round.
	turning bool
	// paused and draining are what an operator has set.
	paused, draining bool
	// held counts what features hold up: lanes that wait at gates of the kind, keys whose
	// events a debounce or batch collects.
	held [flowConcurrency + 1]int
	// backlog counts runs that are ready or being called.
	backlog *atomic.Int64
	// counted is this partition's share of it.
	counted int64

	zero  lane
	lanes map[laneID]*lane // all others
	// singles are the runs without a lane, by what would be its id; most is how many there
	// have been.
	singles map[laneID]singleID
	most    int
	// rounds are the lanes with work that may go on: those whose next run has started
	// before, and the others. turns counts those taken of the former since the last one of
	// the latter.
	rounds [2]sortedQueue[place]
	turns  int
	// turn is the number of the last turn to start a run. Each lane has its number, that of its
	// next one, so that lanes start as many, and so runs in about the order that they came in.
	turn  int64
	spill spill
}

func (q *fnQueue) hasCapacity() bool {
	return !q.paused && (q.limit <= 0 || q.inFlight+q.picked < q.limit)
}

func (q *fnQueue) hasTurns() bool { return q.rounds[0].len()+q.rounds[1].len() > 0 }

// advance gives a lane its place in its function's round, if it has work.
func (p *partition) advance(l *lane) {
	if l.state != laneIdle || l.empty() {
		return
	}
	l.state = laneTurning
	l.round = 1
	if l.begun() {
		l.round = 0
	}
	l.slot = p.newSlot()
	at := place{lane: l, slot: l.slot}
	if l.round == 1 {
		l.turn = max(l.turn, l.q.turn-maxBehind)
		at.turn = l.turn
	}
	l.q.rounds[l.round].push(at)
	p.turn(l.q)
}

// push adds an entry to a lane, which it may give a better place.
func (p *partition) push(l *lane, e readyEntry, guest bool) {
	if guest {
		l.guests.push(e)
		p.guests++
	} else {
		l.add(e)
	}
	if l.state == laneTurning && l.round == 1 && l.begun() {
		l.state = laneIdle // its old place is passed over
	}
	p.advance(l)
}

// next takes the run whose turn it is, of a lane whose gates are open, or a single one;
// false if there is none.
func (p *partition) next(q *fnQueue) (picked, bool) {
	for q.hasTurns() {
		i := q.nextRound()
		at := q.rounds[i].pop()
		if at.single != 0 {
			if s := p.singles.get(at.single); s.state == singleWaiting {
				q.turned(i, at)
				s.state = singlePicked
				p.guests--
				return picked{q: q, single: at.single, e: s.e, guest: true}, true
			}
		}
		l := p.laneAt(q, at)
		if at.single != 0 {
			p.singles.remove(at.single)
		}
		if l == nil {
			continue
		}
		l.state = laneIdle
		ticket := l.ticket
		l.ticket = nil
		if p.mayGo(l) {
			q.turned(i, at)
			if i == 1 {
				l.turn = at.turn + 1
			}
			e, guest, _ := l.first()
			p.takeOut(l, guest)
			return picked{q: q, l: l, e: e, guest: guest}, true
		}
		if ticket != nil {
			p.open(ticket) // somebody else may make use of it
		}
	}
	return picked{}, false
}

// nextRound is the round that has the next turn. Those that have not started get one turn
// together as often as each of the others has one, and a fourth of all turns at most.
func (q *fnQueue) nextRound() int {
	others := q.rounds[0].len()
	if others == 0 || q.rounds[1].len() > 0 && q.turns >= max(3, others) {
		return 1
	}
	return 0
}

// turned counts a turn of a round.
func (q *fnQueue) turned(round int, at place) {
	if q.turns++; round == 1 {
		q.turns, q.turn = 0, max(q.turn, at.turn)
	}
}

// laneAt is the lane whose place it is; nil if that is gone, or has a better place, or a single
// run waits there.
func (p *partition) laneAt(q *fnQueue, at place) *lane {
	l, slot := at.lane, at.slot
	if at.single != 0 {
		s := p.singles.get(at.single)
		l, slot = q.lanes[s.own], s.slot
	}
	if l == nil || l.state != laneTurning || l.slot != slot {
		return nil
	}
	return l
}

// mayGo reports whether a run of the lane may be called. If not, the lane is put
// where it waits.
func (p *partition) mayGo(l *lane) bool {
	p.know(l) // those that it came with from the store may all have been damaged
	if _, _, ok := l.first(); !ok {
		if l.spilled {
			l.state = laneDry
			p.dry = append(p.dry, l)
			p.more = true
		} else {
			p.dropLane(l)
		}
		return false
	}
	for _, g := range l.gates {
		if g.room(p.now) <= g.picked {
			p.block(l, g)
			return false
		}
	}
	return true
}
