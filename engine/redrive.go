package engine

import (
	"fmt"

	"ingot/engine/event"

	"github.com/oklog/ulid/v2"
)

// Redriving dead letters. What it does is in one commit with the end of the dead letter, so
// it is done once.

// redrive brings a dead letter back to life.
func (p *partition) redrive(d *DeadLetter) error {
	switch d.Kind {
	case DeadRun:
		return p.redriveRun(d)
	case DeadEvents:
		return p.redriveEvents(d)
	case DeadMessage:
		return p.redriveMessage(d)
	}
	return p.redriveEntry(d)
}

func (p *partition) redriveEvents(d *DeadLetter) error {
	fn := p.snapshot.ByID[d.Fn]
	if fn == nil {
		return fmt.Errorf("%w: function %s is not registered", ErrStillDead, d.Fn)
	}
	events, sources, err := decodeDeadEvents(d.Body)
	if err != nil || len(events) == 0 {
		return fmt.Errorf("%w: its events cannot be read", ErrStillDead)
	}
	p.pardon(blame{fn: d.Fn, event: d.ID})
	p.begin(fn, &newRun{id: deriveRunID(p.now, fn.ID, d.ID[:]), events: events, ids: sources, source: d.ID, batch: len(events) > 1})
	return nil
}

func (p *partition) redriveEntry(d *DeadLetter) error {
	var ev event.Event
	rest := d.Body
	for len(rest) > 0 {
		var err error
		if rest, err = event.DecodeRecord(rest, &ev); err != nil {
			return fmt.Errorf("%w: %v", ErrStillDead, err) //nolint:errorlint // the cause is only told
		}
	}
	for rest = d.Body; len(rest) > 0; {
		rest, _ = event.DecodeRecord(rest, &ev)
		p.send(message{kind: msgEvent, to: -1, body: ev.AppendRecord(nil)})
	}
	return nil
}

func (p *partition) redriveRun(d *DeadLetter) error {
	if p.load(d.ID) != nil {
		return fmt.Errorf("%w: the run is active", ErrStillDead)
	}
	p.pardon(blame{run: d.ID})
	r, err := decodeRun(d.ID, d.Body, &p.sets)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrStillDead, err) //nolint:errorlint // the cause is only told
	}
	if p.fn(r) == nil {
		return fmt.Errorf("%w: function %s is not registered", ErrStillDead, r.fn)
	}
	if holder := p.othersLock(r); holder != (ulid.ULID{}) {
		return fmt.Errorf("%w: the function is a singleton, of which run %s is active", ErrStillDead, holder)
	}
	if r, err = p.read(d.ID, d.Body); err != nil {
		return fmt.Errorf("%w: %v", ErrStillDead, err) //nolint:errorlint // the cause is only told
	}
	p.revive(r)
	return nil
}

// revive puts a run that has been dead where it was.
func (p *partition) revive(r *run) {
	// Of a damaged run, the entry and timers may still be there.
	r.indexed = r.indexed && p.has(p.readyKey(r.fn, r.keys.lineID(r.at), r.score, r.id))
	p.unindex(r) // it names the lock, which may be another run's meanwhile
	if r.limits != nil {
		p.lockAgain(r)
		p.placeAgain(r)
	}
	for i := range r.jobs {
		j := &r.jobs[i]
		j.gen++ // what was under way when it died counts no more
		switch j.state {
		case jobReady:
			p.enqueue(r)
		case jobTimed:
			if !p.has(TableTimer, timerKey(nil, j.due, r.id, j.id)) {
				p.schedule(r.id, j.due, j.id)
			}
		}
		switch j.kind {
		case jobWait, jobCancelOn:
			p.addPause(r, j)
		case jobSignal:
			p.claimSignal(r.id, j, false)
		}
	}
}

// othersLock returns the run that has the lock of a dead run; zero if nobody has, or the
// function is no singleton any more.
func (p *partition) othersLock(r *run) ulid.ULID {
	if r.limits == nil || r.limits.lock == (flowID{}) || p.fn(r).Singleton == nil {
		return ulid.ULID{}
	}
	return p.otherHolder(r, p.flow(flowSingleton, r.fn, r.limits.lock))
}

// otherHolder is the active run that has a lock; zero if there is none but r.
func (p *partition) otherHolder(r *run, f *flow) ulid.ULID {
	if f.holder == (ulid.ULID{}) || f.holder == r.id || p.load(f.holder) == nil {
		return ulid.ULID{}
	}
	return f.holder
}

// lockAgain gives a redriven run the lock that it had, which it may never have given up,
// unless that is another run's.
func (p *partition) lockAgain(r *run) {
	if r.limits.lock == (flowID{}) {
		return
	}
	f := p.flow(flowSingleton, r.fn, r.limits.lock)
	if p.otherHolder(r, f) != (ulid.ULID{}) {
		r.limits.lock = flowID{}
		return
	}
	f.holder = r.id
	p.change(f)
}

// placeAgain gives a redriven run a place in its run limit once more, if one is free. If
// not, it waits for one before its next call, in the order of its age.
func (p *partition) placeAgain(r *run) {
	lim, fn := r.limits, p.fn(r)
	if lim.displaced = lim.displaced || lim.slot != (flowID{}); !lim.displaced {
		return
	}
	lim.slot = flowID{} // it has given that up
	id, ok := p.runKey(fn, r.keys)
	if !ok {
		return
	}
	f := p.flow(flowRuns, r.fn, id)
	if f.n >= fn.RunLimit.Limit {
		return
	}
	f.n++
	lim.slot, lim.displaced = id, false
	p.tallied(r, id, 1)
	p.change(f)
}

// redriveMessage sends a message again. What claims, refuses or releases a signal may be
// out of date: the run's partition looks what holds now.
func (p *partition) redriveMessage(d *DeadLetter) error {
	m, err := decodeMessage(d.Body, p.set.partitions)
	if err != nil {
		return fmt.Errorf("%w: the message cannot be read: %v", ErrStillDead, err) //nolint:errorlint // the cause is only told
	}
	switch m.kind {
	case msgSignalClaim, msgSignalRelease, msgSignalRefused, msgSignalRecheck:
		p.recheck(&m)
		return nil
	case msgInvokeDone, msgSignalDeliver:
		if p.load(m.run) == nil && p.isDead(m.run) {
			return fmt.Errorf("%w: its run %s is a dead letter too, and comes first", ErrStillDead, m.run)
		}
		p.pardon(blame{run: m.run})
	}
	p.send(m)
	return nil
}

// recheck asks the partition of a message's run whether the run waits for the signal, or of
// all signals that it holds here.
func (p *partition) recheck(m *message) {
	ask := message{kind: msgSignalRecheck, flag: m.flag, to: runPartition(m.run, p.set.partitions), run: m.run, job: m.job, step: m.step}
	if m.job != 0 {
		p.send(ask)
		return
	}
	for _, signal := range p.heldBy(m.run) {
		if h := p.holder(signal); h != nil {
			ask.job, ask.step = h.job, signal
			p.send(ask)
		}
	}
}

// recheckSignal claims a signal once more for a run that waits for it, or gives it back for
// one that does not.
func (p *partition) recheckSignal(m *message) {
	if r := p.load(m.run); r != nil {
		if j := r.job(m.job); j != nil && j.kind == jobSignal {
			p.claimSignal(r.id, j, m.flag)
			return
		}
	}
	if m.step != "" { // a refusal does not name it, since there is nothing to give back
		p.send(message{kind: msgSignalRelease, to: signalPartition(m.step, p.set.partitions), run: m.run, job: m.job, step: m.step})
	}
}

// claimSignal asks a signal's owner for it.
func (p *partition) claimSignal(run ulid.ULID, j *job, replace bool) {
	p.send(message{kind: msgSignalClaim, flag: replace, to: signalPartition(j.signal, p.set.partitions), run: run, job: j.id, step: j.signal})
}

// isDead reports whether a run is among the dead letters.
func (p *partition) isDead(run ulid.ULID) (found bool) {
	p.check(p.store.Scan(TableDead, nil, nil, func(k, v []byte) bool {
		if len(k) == 24 && ulid.ULID(k[8:]) == run {
			d, err := decodeDead(p.id, k, v)
			found = err == nil && d.Kind == DeadRun
		}
		return !found
	}))
	return found
}
