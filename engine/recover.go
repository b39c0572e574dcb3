package engine

import (
	"encoding/binary"

	"ingot/internal/ids"
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
		m, err := decodeMessage(v)
		if err != nil || len(k) != 8 {
			p.check(errRecord)
			return false
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
		p.check(p.store.Scan(t, nil, nil, func(k, _ []byte) bool {
			if len(k) < 40 {
				return true
			}
			if q == nil || ids.UUID(k[:16]) != q.id {
				q = p.queue(ids.UUID(k[:16]))
				found = append(found, q)
			}
			p.count(q, 1)
			return true
		}))
		for _, q := range found {
			if t == TableLane {
				p.leaveToStore(q, true) // its lanes are looked for while the partition works
				continue
			}
			p.check(q.zero.page(p.store))
			p.advance(&q.zero)
		}
	}
}

// recoverFlows learns which keys have a state, and asks for a look at those that rates
// have left.
func (p *partition) recoverFlows() {
	p.check(p.store.Scan(TableFlow, nil, nil, func(k, _ []byte) bool {
		p.sweepAt = 1
		if len(k) == len(flowID{}) {
			p.noteFlow(flowID(k), true)
		}
		return p.known != nil
	}))
}

func (p *partition) recoverWaits() {
	p.check(p.store.Scan(TablePause, nil, nil, func(k, v []byte) bool {
		d := decoder{b: v}
		d.version()
		name, cond := d.str(), d.str()
		if d.err != nil || len(k) != 20 {
			p.check(errRecord)
			return false
		}
		ref := waitRef{job: binary.BigEndian.Uint32(k[16:])}
		copy(ref.run[:], k)
		p.waits.add(name, ref, cond)
		p.names.add(name, p.id)
		return true
	}))
}
