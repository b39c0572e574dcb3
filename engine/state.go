package engine

import (
	"errors"
	"fmt"

	"ingot/engine/function"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Runs in the store and their jobs: loading, saving, adding and removing.

// save writes a changed run: its record, with what of its events and steps is
// small.
func (p *partition) save(r *run) {
	if r.ended {
		p.deleteStored(r)
		return
	}
	e := encoder{b: p.enc.b[:0]}
	if !r.stored {
		r.stored = true
		if r.apart = size(r.events) > inlineEvents; r.apart {
			e.triggers(r.events)
			p.batch.Put(TableTrigger, r.id[:], e.b)
		}
		if r.edited = len(r.inputs) > 0; r.edited {
			e.b = e.b[:0]
			e.inputs(r.inputs)
			p.batch.Put(TableInput, r.id[:], e.b)
		}
	}
	if unsavedSize(r) > inlineSteps {
		for ; r.saved < len(r.steps); r.saved++ {
			e.b = e.b[:0]
			p.saveStep(&e, r, r.saved)
		}
	}
	e.b = e.b[:0]
	e.run(r)
	p.batch.Put(TableRun, r.id[:], e.b)
	p.enc.b = e.b
}

// index brings a run's entry of the ready index to where it belongs.
func (p *partition) index(r *run) {
	if r.ended {
		p.unindex(r)
		return
	}
	active := r.active()
	if r.indexed && active && r.at == r.line {
		return
	}
	if !r.indexed && !active {
		return
	}
	p.unindex(r)
	if active {
		t, key := p.readyKey(r.fn, r.keys.lineID(r.line), r.score, r.id)
		p.batch.Put(t, key, p.entryValue(r))
		p.count(p.queue(r.fn), 1)
	}
	if !active {
		p.storeLock(r)
	}
	r.indexed, r.at = active, r.line
}

// readyKey is the key of a run's entry of the ready index, valid until the next use.
func (p *partition) readyKey(fn ids.UUID, lane laneID, score int64, run ulid.ULID) (Table, []byte) {
	if lane == (laneID{}) {
		p.key = readyKey(p.key[:0], fn, score, run)
		return TableReady, p.key
	}
	p.key = laneKey(p.key[:0], fn, lane, score, run)
	return TableLane, p.key
}

// saveStep writes a step's own key.
func (p *partition) saveStep(e *encoder, r *run, i int) {
	e.step(r.steps[i], r.followed[i])
	p.batch.Put(TableStep, stepKey(p.key[:0], r.id, i), e.b)
}

func size(events [][]byte) (n int) {
	for _, ev := range events {
		n += len(ev)
	}
	return n
}

// unsavedSize is the size of the steps that have no key of their own.
func unsavedSize(r *run) (n int) {
	for i := r.saved; i < len(r.steps); i++ {
		n += len(r.steps[i].ID) + len(r.steps[i].Memo)
	}
	return n
}

// touch marks a run as changed.
func (p *partition) touch(r *run) {
	if !r.touched {
		r.touched = true
		p.touched = append(p.touched, r)
	}
}

// load returns an active run, from memory or the store; nil if there is none.
// A record that cannot be read is logged and treated as absent, so that it
// blocks nobody else.
func (p *partition) load(id ulid.ULID) *run {
	if r := p.runs[id]; r != nil {
		if r.ended {
			return nil
		}
		return r
	}
	return p.loadStored(id)
}

// loadStored is apart from load so that the way without a read does not allocate.
func (p *partition) loadStored(id ulid.ULID) (r *run) {
	at := p.at
	p.at = blame{run: id}
	if v := p.ahead.take(id); v != nil {
		r = p.stored(id, v)
	} else {
		p.check(p.store.Get(TableRun, [][]byte{id[:]}, func(_ int, v []byte) { r = p.stored(id, v) }))
	}
	p.at = at
	if p.err != nil {
		return nil
	}
	return r
}

// stored makes a run of its record and of what else is stored of it; nil if there is
// no record, or none that can be read, which is put aside as a dead letter.
func (p *partition) stored(id ulid.ULID, record []byte) *run {
	if record == nil {
		return nil
	}
	if reason, ok := p.condemned(blame{run: id}); ok {
		p.buryDamaged(id, record, errors.New(reason))
		return nil
	}
	r, err := p.read(id, record)
	if err != nil {
		if p.err == nil {
			p.buryDamaged(id, record, err)
		}
		return nil
	}
	return r
}

// read makes a run of its record.
func (p *partition) read(id ulid.ULID, record []byte) (*run, error) {
	r, bad := decodeRun(id, record, &p.sets)
	if bad == nil && r.apart {
		p.check(p.store.Get(TableTrigger, [][]byte{id[:]}, func(_ int, v []byte) {
			if r.events, bad = decodeTriggers(v); v == nil {
				bad = errRecord
			}
		}))
	}
	if bad == nil && r.saved > 0 {
		bad = p.loadSteps(r)
	}
	if bad == nil && r.edited {
		p.check(p.store.Get(TableInput, [][]byte{id[:]}, func(_ int, v []byte) { r.inputs, bad = decodeInputs(v) }))
	}
	if bad != nil || p.err != nil {
		return nil, errors.Join(bad, p.err)
	}
	r.place()
	p.runs[id] = r
	p.touch(r) // so that committed forgets it again if it stays dormant
	return r, nil
}

// place sets where the entry of the ready index is of a run that comes from the store.
func (r *run) place() {
	r.indexed, r.at = r.active(), r.line
}

// loadSteps reads the steps that have keys of their own, which come before those of
// the record.
func (p *partition) loadSteps(r *run) (bad error) {
	inline, followed := r.steps, r.followed
	r.steps, r.followed = make([]Step, 0, min(r.saved, maxSteps)+len(inline)+1), nil
	r.index, r.order, r.stack = nil, nil, nil
	p.check(p.store.Scan(TableStep, r.id[:], prefixEnd(r.id[:]), func(_, v []byte) bool {
		s, followed, err := decodeStep(v)
		if err != nil {
			bad = err
			return false
		}
		r.addStep(s, followed)
		return true
	}))
	if bad == nil && len(r.steps) != r.saved {
		bad = fmt.Errorf("%w: %d steps of %d", errRecord, len(r.steps), r.saved)
	}
	for i := range inline {
		r.addStep(inline[i], followed[i])
	}
	return bad
}

// fn returns a run's function; nil if the catalog has lost it.
func (p *partition) fn(r *run) *function.Function { return p.snapshot.ByID[r.fn] }

func (p *partition) maxAttempts(r *run) int {
	if r.maxAttempts > 0 {
		return r.maxAttempts
	}
	if fn := p.fn(r); fn != nil && fn.MaxAttempts > 0 {
		return fn.MaxAttempts
	}
	return function.DefaultRetries + 1
}

// addJob gives a run a new job and puts it where its state says.
func (p *partition) addJob(r *run, j job) {
	r.nextJob++
	j.id = r.nextJob
	r.jobs = append(r.jobs, j)
	p.touch(r)
	switch j.state {
	case jobReady:
		p.enqueue(r)
	case jobTimed:
		p.schedule(r.id, j.due, j.id)
	}
	if j.kind == jobWait || j.kind == jobCancelOn {
		p.addPause(r, &j)
	}
}

// removeJob takes a job away, with its timer and index entries.
func (p *partition) removeJob(r *run, id uint32) {
	for i := range r.jobs {
		if r.jobs[i].id != id {
			continue
		}
		p.unlink(r, &r.jobs[i])
		r.jobs = append(r.jobs[:i], r.jobs[i+1:]...)
		p.touch(r)
		return
	}
}

// unlink removes what the store and the indexes hold of a job.
func (p *partition) unlink(r *run, j *job) {
	if j.state == jobTimed {
		p.batch.Delete(TableTimer, timerKey(p.key[:0], j.due, r.id, j.id))
	}
	switch j.kind {
	case jobWait, jobCancelOn:
		p.removePause(r, j)
	case jobSignal:
		p.send(message{kind: msgSignalRelease, to: signalPartition(j.signal, p.set.partitions), run: r.id, job: j.id, step: j.signal})
	}
}

// schedule writes a timer for a run's job, or for pending events.
func (p *partition) schedule(id ulid.ULID, due int64, jobID uint32) {
	p.batch.Put(TableTimer, timerKey(p.key[:0], due, id, jobID), nil)
	p.timers.add(timer{due: due, run: id, job: jobID})
}
