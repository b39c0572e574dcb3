package engine

import (
	"bytes"
	"encoding/binary"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Runs whose records cannot be read. They become dead letters, and what they hold is
// given back although the record cannot tell what that was: waits lie under the run's
// id, claims of signals and locks name it, its entry of the ready index goes when its
// turn comes, and places in run limits are counted anew (recount.go).

// buryDamaged puts a run aside whose record, or what else is stored of it, cannot be
// read. Until the end of the round it is in memory as a run that has ended, so that it
// is put aside once, whoever looks for it.
func (p *partition) buryDamaged(id ulid.ULID, record []byte, cause error) {
	var r *run
	err := cause
	if !p.blind(id) {
		r, err = decodeRun(id, record, &p.sets)
	}
	if err == nil { // only its steps or events are damaged: it can tell what it holds
		r.place()
		p.giveUp(r)
	} else {
		r = &run{id: id, damaged: true}
		p.dropPauses(id)
		p.openLocksOf(id)
		for i := range p.set.partitions {
			p.send(message{kind: msgSignalRelease, to: i, run: id})
		}
		p.beginRecount()
	}
	r.ended, r.stored = true, false // what is stored of it besides stays
	p.runs[id] = r
	p.touch(r)
	p.batch.Delete(TableRun, id[:])
	p.bury(&DeadLetter{ID: id, Kind: DeadRun, Fn: r.fn, Reason: cause.Error(), Body: bytes.Clone(record)})
}

// dropPauses forgets what a run waits for, by the keys under its id.
func (p *partition) dropPauses(id ulid.ULID) {
	p.check(p.store.Scan(TablePause, id[:], prefixEnd(id[:]), func(k, v []byte) bool {
		if ref, name, cond, err := decodePause(k, v); err == nil {
			p.waits.remove(name, ref, cond)
			p.names.remove(name, p.id)
		}
		p.batch.Delete(TablePause, k)
		return true
	}))
}

func decodePause(k, v []byte) (ref waitRef, name, cond string, err error) {
	d := decoder{b: v}
	if d.version(); len(k) != 20 {
		d.fail()
	}
	name, cond = d.str(), d.str()
	if d.err != nil {
		return ref, "", "", d.err
	}
	copy(ref.run[:], k)
	ref.job = binary.BigEndian.Uint32(k[16:])
	return ref, name, cond, nil
}

// releaseSignals gives back all signals that a run holds here.
func (p *partition) releaseSignals(run ulid.ULID) {
	for _, signal := range p.heldBy(run) {
		if h := p.holder(signal); h == nil || h.run == run {
			p.setHolder(signal, nil)
		}
	}
}

// heldBy are the signals here that a run may hold, or of which it is not known who does.
func (p *partition) heldBy(run ulid.ULID) (held []string) {
	p.check(p.store.Scan(TableSignal, nil, nil, func(k, v []byte) bool {
		if c, err := decodeClaim(v); err != nil || c.run == run {
			held = append(held, string(k))
		}
		return true
	}))
	for signal := range p.claims { // of this round
		held = append(held, signal)
	}
	return held
}

// makeAnew makes the state of a key whose record cannot be read: counts and locks are those
// of the runs that hold them, rates begin anew, and what was collected is put aside. It
// looks through all active runs, which is worth it for what should never happen.
func (p *partition) makeAnew(f *flow, record []byte, cause error) {
	p.log.Error("the state of a flow-control key cannot be read and is made anew", "function", f.fn.String(), "error", cause)
	p.eachActive(func(r *run) {
		switch {
		case r.limits == nil:
		case r.limits.slot == f.id:
			f.kind, f.fn = flowRuns, r.fn
			f.n++
		case r.limits.lock == f.id:
			f.kind, f.fn, f.holder = flowSingleton, r.fn, r.id
		}
	})
	switch f.kind {
	case 0, flowDebounce, flowBatch: // 0 is what nobody holds, and whose timer has come
		p.buryCollected(f, record, cause)
	}
	if f.kind == 0 {
		f.stored = false
		p.noteFlow(f.id, false)
		p.batch.Delete(TableFlow, f.id[:])
		return
	}
	p.change(f)
}

// buryCollected puts aside what a key has collected whose state cannot be read.
func (p *partition) buryCollected(f *flow, record []byte, cause error) {
	p.bury(&DeadLetter{ID: ids.Derive(p.now, f.id[:]), Kind: DeadEntry, Fn: f.fn, Reason: "what a key has collected: " + cause.Error(), Body: bytes.Clone(record)})
	f.pending = &pending{saved: 1} // as far as is known
	if events, sources := p.pendingEvents(f); len(events) > 0 {
		for _, fn := range p.snapshot.ByID {
			if b := fn.Batch; b != nil && p.functionKey(flowBatch, fn, b.Key, events[0], "batchEvents.key") == f.id {
				f.fn = fn.ID
			}
		}
		p.buryEvents(f.fn, sources[len(sources)-1], sources, events, "of a batch whose state cannot be read")
	}
	f.pending = nil
	p.check(p.store.Scan(TableTimer, appendUint64(nil, sortable(p.now+1)), nil, func(k, _ []byte) bool {
		if len(k) == 28 && flowID(k[8:24]) == f.id && binary.BigEndian.Uint32(k[24:]) == pendingJob {
			p.batch.Delete(TableTimer, k)
		}
		return true
	}))
}

// mend sees to it that the state of a key is written whose record cannot be read; nil if it
// has none.
func (p *partition) mend(id flowID) *flow {
	f := p.storedFlow(id)
	if f != nil {
		p.change(f)
	}
	return f
}

// eachActive visits the runs whose records can be read, as they are now. Of those that end in
// this round, limits tell what they still hold.
func (p *partition) eachActive(visit func(r *run)) {
	p.check(p.store.Scan(TableRun, nil, nil, func(k, v []byte) bool {
		if len(k) != len(ulid.ULID{}) || p.runs[ulid.ULID(k)] != nil {
			return true
		}
		if r, err := decodeRun(ulid.ULID(k), v, &p.sets); err == nil {
			visit(r)
		}
		return true
	}))
	for _, r := range p.runs {
		visit(r)
	}
}

// dropEntry deletes an entry of the ready index that leads to no run. It is stale, and
// not in the store, if its run has ended meanwhile; that of a damaged run still counts.
func (p *partition) dropEntry(l *lane, e readyEntry) {
	if r := p.runs[e.run]; r != nil && !r.damaged {
		return // it has ended in this round, with its entry
	}
	table, key := p.readyKey(l.q.id, l.id, e.score, e.run)
	p.check(p.store.Get(table, [][]byte{key}, func(_ int, v []byte) {
		if v != nil {
			p.batch.Delete(table, key)
			p.count(l.q, -1)
		}
	}))
}
