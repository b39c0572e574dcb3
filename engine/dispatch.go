package engine

import (
	"bytes"
	"slices"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// When jobs run: timers that come due, and the ready queues in turn.

// enqueue puts a run with a ready job into its function's queue.
func (p *partition) enqueue(r *run) {
	if r.queued {
		return
	}
	r.queued = true
	q := p.queue(r.fn)
	q.add(readyEntry{score: r.score, run: r.id})
	p.turn(q)
}

func (p *partition) queue(fn ids.UUID) *fnQueue {
	q := p.queues[fn]
	if q == nil {
		q = &fnQueue{window: window[readyEntry]{size: p.set.readyWindow}, id: fn, limit: ownLimit(p.snapshot.ByID[fn])}
		p.queues[fn] = q
		p.order = append(p.order, q)
	}
	return q
}

// turn gives a queue its place in the round if it has work and capacity.
func (p *partition) turn(q *fnQueue) {
	if !q.turning && !q.empty() && q.hasCapacity() {
		q.turning = true
		p.round = append(p.round, q)
	}
}

// fireTimers handles what is due. Never before its time: a timer of a
// millisecond fires when the clock shows that millisecond.
func (p *partition) fireTimers() {
	for n := 0; ; n++ {
		due, ok := p.timers.next()
		if !ok || due > p.now {
			return
		}
		if n == maxTimersPerRound {
			p.more = true
			return
		}
		t := p.timers.pop()
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
		p.resume(r, j, jsonNull, StepTimedOut)
	case jobInvoke:
		p.resume(r, j, invokeTimeoutMemo, StepTimedOut)
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
}

// mayCall reports whether one more call, besides so many that are about to be made,
// keeps within the bounds of number and memory. One call is always possible, however
// large.
func (p *partition) mayCall(planned int) bool {
	return len(p.calls)+planned < p.set.maxInFlight && (p.callBytes < maxCallBytes || len(p.calls) == 0)
}

// Bounds of the runs that are picked, and read from the store, at once.
const (
	maxPicked      = 64
	maxPickedBytes = 8 << 20
)

// picked is a run whose turn has come.
type picked struct {
	q *fnQueue
	e readyEntry
}

// dispatch starts calls: functions in turn, one run of each at a time. Runs are
// picked some at a time, so that those that are not in memory are read together.
func (p *partition) dispatch() {
	if p.sent-p.acked > uint64(p.set.maxUndelivered) || p.unackedBytes > maxUnackedBytes || p.set.draining.Load() {
		return // turned again when messages are delivered, since that is a command
	}
	for p.pick() {
		p.loadPicked()
		for _, k := range p.picks {
			k.q.picked--
			if !p.mayCall(0) { // the calls before it hold much memory
				k.q.add(k.e)
				p.turn(k.q)
				continue
			}
			r := p.load(k.e.run)
			if r == nil {
				p.batch.Delete(TableReady, readyKey(p.key[:0], k.q.id, k.e.score, k.e.run))
			} else {
				r.queued = false
				p.dispatchRun(k.q, r)
			}
			p.turn(k.q) // the capacity that was kept for it may be left
		}
	}
}

// pick fills picks with the runs whose turn it is, as far as there is capacity. It
// reports whether there are any.
func (p *partition) pick() bool {
	p.picks = p.picks[:0]
	for len(p.round) > 0 && len(p.picks) < maxPicked && p.mayCall(len(p.picks)) {
		q := p.round[0]
		if len(q.heap) == 0 || !q.hasCapacity() {
			p.round = p.round[1:]
			q.turning = false
			if q.needsPage() && q.hasCapacity() {
				// The page is read at the beginning of the next round.
				q.turning = true
				p.round = append(p.round, q)
				if p.onlyPages() {
					p.more = true
					break
				}
			}
			continue
		}
		p.round = append(p.round[1:], q)
		q.picked++
		p.picks = append(p.picks, picked{q, q.pop()})
	}
	return len(p.picks) > 0
}

// loadPicked reads the picked runs that are not in memory, in the order of their
// keys, up to a bound of memory. The others, and those that do not exist, are looked
// for once more when their turn comes.
func (p *partition) loadPicked() {
	p.absent = p.absent[:0]
	for i := range p.picks {
		if id := p.picks[i].e.run[:]; p.runs[ulid.ULID(id)] == nil {
			p.absent = append(p.absent, id)
		}
	}
	if len(p.absent) < 2 {
		return
	}
	slices.SortFunc(p.absent, bytes.Compare)
	p.absent = slices.CompactFunc(p.absent, bytes.Equal)
	var held int64
	p.check(p.store.Get(TableRun, p.absent, func(i int, v []byte) {
		if held > maxPickedBytes {
			return
		}
		if r := p.stored(ulid.ULID(p.absent[i]), v); r != nil {
			held += r.stateSize + int64(size(r.events))
		}
	}))
}

// onlyPages reports whether every queue in the round waits for its page.
func (p *partition) onlyPages() bool {
	for _, q := range p.round {
		if !q.needsPage() {
			return false
		}
	}
	return true
}

// dispatchRun starts the ready jobs of one run while there is capacity.
func (p *partition) dispatchRun(q *fnQueue, r *run) {
	for i := 0; i < len(r.jobs); i++ {
		if r.jobs[i].state != jobReady {
			continue
		}
		if !q.hasCapacity() || !p.mayCall(0) {
			p.enqueue(r)
			return
		}
		if !p.mayRun(r) {
			return // ended
		}
		p.call(q, r, r.jobs[i].id)
	}
}
