package engine

import (
	"bytes"
	"encoding/binary"

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
		r, err = decodeRun(id, record)
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
	r.ended = true
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
	var held []string
	p.check(p.store.Scan(TableSignal, nil, nil, func(k, v []byte) bool {
		if c, err := decodeClaim(v); err != nil || c.run == run {
			held = append(held, string(k))
		}
		return true
	}))
	for _, signal := range held {
		if h := p.holder(signal); h == nil || h.run == run {
			p.setHolder(signal, nil)
		}
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
