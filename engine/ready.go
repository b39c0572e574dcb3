package engine

import (
	"encoding/binary"
	"slices"
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
// Lanes whose next run has started before come first, but for each fourth turn, so that
// runs are ended rather than ever more begun. Within a lane runs go by score. A function
// without keyed limits has one lane, the zero lane.

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

// readyWindow is how many entries of a lane's backlog are kept in memory.
const readyWindow = 1024

// lane is one line of a function's runs: the first part of its entries in the store,
// ordered by score.
type lane struct {
	window[readyEntry]
	q  *fnQueue
	id laneID
	// gates are what a call of the lane's runs has to pass, besides the function's own
	// limit; nil until known is set.
	gates []*gate
	keys  []limitKey
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
	// blocked is the gate that the lane waits at, ticket the one that has let it look.
	blocked, ticket *gate
}

// place is a lane's place in a round; it counts only as long as it is the lane's last.
type place struct {
	lane *lane
	slot uint64
}

// round is a queue of places, which reuses its memory.
type round struct {
	places []place
	head   int
}

func (r *round) len() int { return len(r.places) - r.head }

func (r *round) push(at place) {
	if r.head > 0 && len(r.places) == cap(r.places) && r.head >= len(r.places)/2 {
		n := copy(r.places, r.places[r.head:])
		clear(r.places[n:])
		r.places, r.head = r.places[:n], 0
	}
	r.places = append(r.places, at)
}

func (r *round) pop() place {
	at := r.places[r.head]
	r.places[r.head] = place{}
	if r.head++; r.head == len(r.places) {
		r.places, r.head = r.places[:0], 0
	}
	return at
}

// laneState is where a lane is in its function's queue.
type laneState uint8

const (
	laneIdle    laneState = iota // has nothing in memory or in the store
	laneTurning                  // in its function's round
	laneBlocked                  // waits at a gate
	laneDry                      // waits for its next page
	laneGone                     // is in the store only
)

// fnQueue is one function's ready queue.
type fnQueue struct {
	id ids.UUID
	// fn is nil if the catalog does not have it.
	fn *function.Function
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
	// rounds are the lanes with work that may go on: those whose next run has started
	// before, and the others. turns counts those taken.
	rounds [2]round
	turns  uint
	spill  spill
}

func (q *fnQueue) hasCapacity() bool {
	return !q.paused && (q.limit <= 0 || q.inFlight+q.picked < q.limit)
}

func (q *fnQueue) hasTurns() bool { return q.rounds[0].len()+q.rounds[1].len() > 0 }

// lane returns a lane of the queue; it is made if there is none. It is nil if the
// partition has as many as it may: its entries then wait in the store.
func (p *partition) lane(q *fnQueue, id laneID, keys []limitKey, start bool) *lane {
	if id == (laneID{}) {
		return &q.zero
	}
	if l := q.lanes[id]; l != nil {
		return l
	}
	if p.full() && !sharesLimit(q.fn) {
		p.leaveToStore(q, true)
		return nil
	}
	l := p.newLane(q, id)
	p.setGates(l, keys, start)
	return l
}

func (p *partition) newLane(q *fnQueue, id laneID) *lane {
	l := &lane{window: window[readyEntry]{size: p.set.readyWindow}, q: q, id: id}
	// What the store may have of it comes before anything that is added now.
	l.spilled = q.spill.on
	if q.lanes == nil {
		q.lanes = map[laneID]*lane{}
	}
	q.lanes[id] = l
	p.lanes++
	return l
}

// setGates gives a lane what its runs have to pass.
func (p *partition) setGates(l *lane, keys []limitKey, start bool) {
	p.dropFirsts(l)
	old := l.gates
	l.keys, l.start, l.known = keys, start, true
	l.gates = p.gatesFor(l.q.fn, keys, start)
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

// dropIdle forgets the lanes whose last call has ended, unless they have other work.
func (p *partition) dropIdle() {
	for i, l := range p.idle {
		p.dropLane(l)
		p.idle[i] = nil
	}
	p.idle = p.idle[:0]
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
}

// advance gives a lane its place in its function's round, if it has work.
func (p *partition) advance(l *lane) {
	if l.state != laneIdle || l.empty() {
		return
	}
	l.state = laneTurning
	l.round = 1
	if len(l.heap) > 0 && l.heap[0].going {
		l.round = 0
	}
	l.slot++
	l.q.rounds[l.round].push(place{l, l.slot})
	p.turn(l.q)
}

// push adds an entry to a lane, which it may give a better place.
func (p *partition) push(l *lane, e readyEntry) {
	l.add(e)
	if l.state == laneTurning && l.round == 1 && len(l.heap) > 0 && l.heap[0].going {
		l.state = laneIdle // its old place is passed over
	}
	p.advance(l)
}

// next takes the lane whose turn it is and whose gates are open; nil if there is none.
func (p *partition) next(q *fnQueue) *lane {
	for q.hasTurns() {
		i := 0
		if q.rounds[0].len() == 0 || q.rounds[1].len() > 0 && q.turns%4 == 3 {
			i = 1
		}
		at := q.rounds[i].pop()
		l := at.lane
		if l.state != laneTurning || l.slot != at.slot {
			continue // it is gone, or has a better place
		}
		l.state = laneIdle
		ticket := l.ticket
		l.ticket = nil
		if p.mayGo(l) {
			q.turns++
			return l
		}
		if ticket != nil {
			p.open(ticket) // somebody else may make use of it
		}
	}
	return nil
}

// mayGo reports whether a run of the lane may be called. If not, the lane is put
// where it waits.
func (p *partition) mayGo(l *lane) bool {
	switch {
	case len(l.heap) > 0:
	case l.spilled:
		l.state = laneDry
		p.dry = append(p.dry, l)
		p.more = true
		return false
	default:
		p.dropLane(l)
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

// pageLanes refills the lanes that ran dry, and looks for lanes that are in the store
// only. It comes before this round's writes, so the store holds everything that the
// windows left to it.
func (p *partition) pageLanes() {
	for i, l := range p.dry {
		p.dry[i] = nil
		l.state = laneIdle
		p.check(l.page(p.store))
		p.know(l)
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
	for len(l.heap) > 0 {
		if r := p.load(l.heap[0].run); r != nil && r.limits != nil {
			p.setGates(l, r.limits.keys, laneOf(r.limits.keys, true) == l.id)
			return
		}
		p.dropEntry(l, l.pop())
	}
}

// page refills the window. Entries of runs whose jobs are all in flight come
// back too; they are skipped when they come up.
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
		e := readyEntry{score: unsortable(binary.BigEndian.Uint64(key[n:]))}
		e.going, _ = decodeEntry(value)
		copy(e.run[:], key[n+8:])
		return l.load(e)
	})
}
