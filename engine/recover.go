package engine

import (
	"bytes"
	"encoding/binary"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// recover loads what a partition keeps in memory: cursors, the first timers and
// ready entries, the index of waits. It returns messages that had not been
// delivered. Runs are loaded when they have something to do.
func (p *partition) recover() ([]sentMessage, error) {
	p.check(p.store.Get(TableCursor, [][]byte{cursorKey, sentKey}, func(i int, v []byte) {
		switch {
		case v == nil:
		case i == 0:
			d := decoder{b: v}
			d.version()
			for n := range p.cursors {
				p.cursors[n] = d.uint()
			}
			p.check(d.err)
		case len(v) == 8:
			p.sent = binary.BigEndian.Uint64(v)
		}
	}))
	var undelivered []sentMessage
	p.acked = p.sent
	p.check(p.store.Scan(TableMessage, nil, nil, func(k, v []byte) bool {
		m, err := decodeMessage(v, p.set.partitions)
		if len(k) != 8 {
			p.check(errRecord)
			return false
		}
		if err != nil { // it keeps its place, and becomes a dead letter
			m = message{kind: msgUnreadable, body: bytes.Clone(v)}
		}
		seq := binary.BigEndian.Uint64(k)
		if len(undelivered) == 0 {
			p.acked = seq - 1
		}
		undelivered = append(undelivered, sentMessage{seq, m})
		p.unacked = append(p.unacked, uint32(len(v)))
		p.unackedBytes += int64(len(v))
		return true
	}))
	p.check(p.timers.page(p.store))
	p.recoverQueues()
	p.recoverFlows()
	p.check(p.store.Scan(TableDead, nil, nil, func(_, _ []byte) bool { p.dead++; return true }))
	p.recoverWaits()
	p.recoverRecount()
	p.recoverOutbox(p.lender.epoch)
	p.check(p.store.Scan(TableExpiry, nil, nil, func(k, _ []byte) bool {
		if len(k) >= 8 {
			p.expireAt = unsortable(binary.BigEndian.Uint64(k))
		}
		return false
	}))
	return undelivered, p.err
}

// recoverQueues finds the functions with runs that are ready, and counts those.
func (p *partition) recoverQueues() {
	for _, t := range [...]Table{TableReady, TableLane} {
		var q *fnQueue
		var found []*fnQueue
		var guests []recoveredGuest
		p.check(p.store.Scan(t, nil, nil, func(k, v []byte) bool {
			if len(k) < 40 {
				return true
			}
			if q == nil || ids.UUID(k[:16]) != q.id {
				q = p.queue(ids.UUID(k[:16]))
				found = append(found, q)
			}
			p.count(q, 1)
			info := decodeEntry(v)
			if info.lock != (flowID{}) {
				p.recoverLock(info.lock, q.id, ulid.ULID(k[len(k)-16:]))
			}
			switch {
			case t == TableLane && len(k) == 56:
				if _, ok := q.singles[laneID(k[16:32])]; ok {
					p.storedLane(q, laneID(k[16:32]))
				}
			case t == TableReady && info.lane != laneID{}:
				e := readyEntry{score: unsortable(binary.BigEndian.Uint64(k[16:])), run: ulid.ULID(k[24:]), going: info.going}
				if guests = append(guests, recoveredGuest{q, info.lane, e}); len(guests) == guestsPerRead {
					guests = p.recoverGuests(guests)
				}
			}
			return true
		}))
		p.recoverGuests(guests)
		for _, q := range found {
			if t == TableLane {
				p.leaveToStore(q, true) // its lanes are looked for while the partition works
				continue
			}
			p.check(q.zero.page(p.store))
			p.findBegun(&q.zero)
			p.advance(&q.zero)
		}
	}
}

// recoverFlows learns which keys have a state, counts those with pending events, and asks
// for a look at those that rates have left.
func (p *partition) recoverFlows() {
	p.check(p.store.Scan(TableFlow, nil, nil, func(k, v []byte) bool {
		p.sweepAt = 1
		if len(k) == len(flowID{}) {
			p.noteFlow(flowID(k), true)
		}
		p.recoverHeld(v)
		return true
	}))
}

// waitOf is what the key's run says of a wait.
func (p *partition) waitOf(k []byte) (ref waitRef, name, cond string, err error) {
	if err = errRecord; len(k) != 20 {
		return ref, "", "", err
	}
	ref = waitRef{run: ulid.ULID(k[:16]), job: binary.BigEndian.Uint32(k[16:])}
	p.check(p.store.Get(TableRun, [][]byte{k[:16]}, func(_ int, v []byte) {
		r, bad := decodeRun(ref.run, v, &p.sets)
		if bad != nil {
			return
		}
		if j := r.job(ref.job); j != nil && (j.kind == jobWait || j.kind == jobCancelOn) {
			name, cond, err = j.event, j.expr, nil
		}
	}))
	return ref, name, cond, err
}

func (p *partition) recoverWaits() {
	p.check(p.store.Scan(TablePause, nil, nil, func(k, v []byte) bool {
		ref, name, cond, err := decodePause(k, v)
		if err != nil {
			p.log.Error("a wait cannot be read; it is taken from its run", "error", err)
			if ref, name, cond, err = p.waitOf(k); err != nil {
				return true // of a run that cannot be read either, or is gone
			}
		}
		p.waits.add(name, ref, cond)
		p.names.add(name, p.id)
		return true
	}))
}
