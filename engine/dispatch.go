package engine

import (
	"bytes"
	"slices"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// When jobs run: timers that come due, and the ready queues in turn.

// enqueue puts a run with a ready job into its lane.
func (p *partition) enqueue(r *run) {
	if r.queued {
		return
	}
	q := p.queue(r.fn)
	e := readyEntry{score: r.score, run: r.id, going: r.startedAt != 0}
	start := p.starts(q.fn, r)
	if start {
		start = !p.startsFreely(q, r.keys)
	}
	guest := p.isGuest(r, start)
	if r.line = lineReady; !guest {
		r.line = r.keys.line(start)
	}
	l := q.findLane(r.keys, start)
	single := l == nil && guest && p.enqueueSingle(q, r.keys, e)
	if l == nil && !single {
		l = p.lane(q, r.keys, start)
	}
	r.queued = single || l != nil
	switch {
	case l != nil:
		p.push(l, e, guest)
	case !single:
		r.line = r.keys.line(start) // it waits in the store
	}
	if r.indexed && r.line != r.at {
		p.touch(r) // its entry moves
	}
}

func (p *partition) queue(fn ids.UUID) *fnQueue {
	q := p.queues[fn]
	if q == nil {
		def := p.snapshot.ByID[fn]
		q = &fnQueue{id: fn, number: uint32(len(p.order) + 1), fn: def, limit: ownLimit(def), backlog: p.set.backlogs.of(fn)}
		q.setMode(p.storedMode(fn))
		q.zero = lane{window: window[readyEntry]{size: p.set.readyWindow}, q: q, known: true}
		p.queues[fn] = q
		p.order = append(p.order, q)
	}
	return q
}

// turn gives a queue its place in the round if it has work and capacity.
func (p *partition) turn(q *fnQueue) {
	if !q.turning && q.hasTurns() && q.hasCapacity() {
		q.turning = true
		p.round = append(p.round, q)
	}
}

// fireTimers handles what is due. Never before its time: a timer of a
// millisecond fires when the clock shows that millisecond.
func (p *partition) fireTimers() {
	for n := 0; ; n++ {
		p.at = blame{}
		due, ok := p.timers.next()
		if !ok || due > p.now {
			return
		}
		if n == maxTimersPerRound {
			p.more = true
			return
		}
		t := p.timers.heap.pop()
		p.at = blame{run: t.run}
		if t.job == pendingJob {
			p.batch.Delete(TableTimer, timerKey(p.key[:0], t.due, t.run, t.job))
			p.pendingDue(t)
			continue
		}
		r := p.load(t.run)
		if r == nil {
			// The run is gone, and its timer with it; a damaged one must not come back
			// at every start.
			p.batch.Delete(TableTimer, timerKey(p.key[:0], t.due, t.run, t.job))
			continue
		}
		j := r.job(t.job)
		if j == nil || j.state != jobTimed || j.due != t.due {
			continue
		}
		p.batch.Delete(TableTimer, timerKey(p.key[:0], t.due, t.run, t.job))
		j.state = jobIdle
		p.touch(r)
		p.due(r, j)
	}
}

// due handles a job whose time has come; its timer is gone already.
func (p *partition) due(r *run, j *job) {
	switch j.kind {
	case jobDiscovery, jobPlanned: // a delayed start or a retry
		j.state = jobReady
		p.enqueue(r)
	case jobGateway:
		j.state = jobReady
		p.enqueue(r)
	case jobSleep:
		p.wakeSleep(r, j)
	case jobWait, jobSignal:
		p.resume(r, j, jsonNull, StepTimedOut, ulid.ULID{})
	case jobInvoke:
		p.resume(r, j, invokeTimeoutMemo, StepTimedOut, ulid.ULID{})
	case jobStartTimeout:
		if r.startedAt == 0 {
			p.finish(r, RunCancelled, nil, nil)
			return
		}
		p.removeJob(r, j.id)
	case jobFinishTimeout:
		p.finish(r, RunCancelled, nil, nil)
	}
}

var jsonNull = []byte("null")

// callInfo is what a partition keeps of a call under way.
type callInfo struct {
	fn    ids.UUID
	bytes int64
	// lane is the one that it was made from, gates what it has passed there; single is set
	// if its run has no lane of its own.
	lane   *lane
	gates  []*gate
	single singleID
}

// mayCall reports whether one more call, besides so many that are about to be made,
// keeps within the bounds of number and memory. One call is always possible, however
// large.
func (p *partition) mayCall(planned int) bool {
	return len(p.calls)+planned < p.set.maxInFlight && (p.callBytes < maxCallBytes || len(p.calls) == 0)
}

// Bounds of the runs that are picked, and read from the store, at once.
const (
	maxPicked      = 256
	maxPickedBytes = 8 << 20
)

// picked is a run whose turn has come, of a lane or a single one.
type picked struct {
	q      *fnQueue
	l      *lane
	single singleID
	e      readyEntry
	guest  bool
}

// dispatch starts calls: functions in turn, lanes of a function in turn, one run of
// each at a time. Runs are picked some at a time, so that those that are not in memory
// are read together.
func (p *partition) dispatch() {
	if p.sent-p.acked > uint64(p.set.maxUndelivered) || p.unackedBytes > maxUnackedBytes || p.set.draining.Load() {
		return // turned again when messages are delivered, since that is a command
	}
	p.moved = 0
	for p.pick() {
		p.loadPicked()
		for _, k := range p.picks {
			p.at = blame{run: k.e.run}
			p.settle(k)
		}
		p.at = blame{}
		if p.moved >= maxMoved {
			p.more = true
			return
		}
	}
}

// maxMoved bounds the runs that one round moves to other lanes: a new configuration may
// move all of them.
const maxMoved = 512

// pick fills picks with the runs whose turn it is, as far as there is capacity. It
// reports whether there are any.
func (p *partition) pick() bool {
	p.picks = p.picks[:0]
	for len(p.round) > 0 && len(p.picks) < maxPicked && p.mayCall(len(p.picks)) {
		q := p.round[0]
		var k picked
		ok := false
		if q.hasCapacity() {
			k, ok = p.next(q)
		}
		if !ok {
			p.round = p.round[1:]
			q.turning = false
			continue
		}
		if len(p.round) > 1 {
			p.round = append(p.round[1:], q)
		}
		p.picks = append(p.picks, k)
		q.picked++
		if k.l != nil {
			k.l.reserve(1)
			p.advance(k.l)
		}
	}
	return len(p.picks) > 0
}

// reserve keeps room for n more calls of the lane; a negative n gives it back.
func (l *lane) reserve(n int) {
	l.picked += n
	for _, g := range l.gates {
		g.picked += n
	}
}

// settle calls a picked run, or gives back what was kept for it.
func (p *partition) settle(k picked) {
	k.q.picked--
	if k.l != nil {
		k.l.reserve(-1)
	}
	under := len(p.calls)
	l := k.l
	switch r := p.load(k.e.run); {
	case !p.mayCall(0): // the calls before it hold much memory
		p.putBack(k)
	case r == nil:
		p.dropEntry(k.q.table(k.l, k.guest), k.e)
	case l == nil && p.callsSingle(k.q, k.single, r):
		r.queued = false
		p.dispatchRun(&k.q.zero, k.single, r)
	case l == nil:
		r.queued = false
		if l = p.openLane(k, r); l != nil {
			p.dispatchRun(l, 0, r)
		}
	default:
		r.queued = false
		p.dispatchRun(l, 0, r)
	}
	if k.single != 0 && p.singles.get(k.single).state == singlePicked {
		p.restSingle(k.single)
	}
	if l != nil {
		for _, g := range l.gates {
			p.open(g) // room that was kept for it may be left
		}
		p.advance(l)
		if len(p.calls) > under {
			p.spareLane(l) // it has had its turn
		}
		p.dropLane(l)
	}
	p.turn(k.q)
}

// loadPicked reads the picked runs that are not in memory, in the order of their
// keys, up to a bound of memory. The others, and those that do not exist, are looked
// for once more when their turn comes.
func (p *partition) loadPicked() {
	p.absent = p.absent[:0]
	for i := range p.picks {
		if id := p.picks[i].e.run[:]; p.runs[ulid.ULID(id)] == nil && !p.ahead.has(ulid.ULID(id)) {
			p.absent = append(p.absent, id)
		}
	}
	if n := len(p.absent); n == 0 || n == 1 && !p.ahead.ofUse() {
		return
	}
	slices.SortFunc(p.absent, bytes.Compare)
	p.absent = slices.CompactFunc(p.absent, bytes.Equal)
	var held int64
	p.readPicked(p.absent, func(id ulid.ULID, v []byte) {
		if held <= maxPickedBytes {
			if r := p.stored(id, v); r != nil {
				held += r.stateSize + int64(size(r.events))
			}
		}
	})
}

// dispatchRun starts the ready jobs of one run while there is capacity; only one of a single
// run, s, whose other calls have to pass the gates of a lane.
func (p *partition) dispatchRun(l *lane, s singleID, r *run) {
	for i := 0; i < len(r.jobs); i++ {
		if r.jobs[i].state != jobReady {
			continue
		}
		if !l.q.hasCapacity() || !p.mayCall(0) || !l.open(p.now) || s != 0 && p.singles.get(s).state == singleCalled {
			p.enqueue(r)
			return
		}
		if s == 0 && p.misplaced(l, r) {
			p.enqueue(r)
			p.touch(r) // its entry moves too
			p.moved++
			return
		}
		if !p.mayRun(r) {
			return // ended
		}
		p.call(l, s, r, r.jobs[i].id)
	}
}

// open reports whether the lane's gates let one more call pass.
func (l *lane) open(now int64) bool {
	for _, g := range l.gates {
		if g.room(now) <= g.picked {
			return false
		}
	}
	return true
}
