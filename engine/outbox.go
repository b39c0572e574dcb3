package engine

import (
	"encoding/binary"
	"sync/atomic"
)

// outbox holds the lifecycle records of a partition until the read model has them. A
// value holds the records of one commit, under a number that never comes again.
type outbox struct {
	enabled bool
	enc     encoder
	prev    Lifecycle // the record before the next one of enc
	next    uint64    // number of the next value
	// stored are the values that have not been released, the oldest first; bytes is
	// the sum of their sizes.
	stored   []outboxEntry
	bytes    int64
	total    *atomic.Int64 // bytes of all partitions
	released bool          // in this round
}

type outboxEntry struct {
	seq  uint64
	size uint32
}

func (o *outbox) add(l *Lifecycle) {
	if !o.enabled {
		return
	}
	if len(o.enc.b) == 0 {
		o.enc.byte(outboxVersion)
		o.enc.lifecycle(l, nil)
		o.prev.Header = nil
	} else {
		o.enc.lifecycle(l, &o.prev)
	}
	o.prev.follow(l)
}

// flush adds this round's records to the batch and reports whether there are any.
func (o *outbox) flush(b Batch) bool {
	var key [8]byte
	if o.released {
		o.released = false
		b.Put(TableCursor, outboxKey, appendUint64(key[:0], o.next))
	}
	if len(o.enc.b) == 0 {
		return false
	}
	b.Put(TableHistory, appendUint64(key[:0], o.next), o.enc.b)
	o.stored = append(o.stored, outboxEntry{o.next, uint32(len(o.enc.b))})
	o.next++
	o.grow(int64(len(o.enc.b)))
	o.enc.b = o.enc.b[:0]
	return true
}

func (o *outbox) grow(n int64) {
	o.bytes += n
	o.total.Add(n)
}

// release deletes the values below seq: the read model has them.
func (o *outbox) release(b Batch, seq uint64) {
	var key [8]byte
	for len(o.stored) > 0 && o.stored[0].seq < seq {
		b.Delete(TableHistory, appendUint64(key[:0], o.stored[0].seq))
		o.grow(-int64(o.stored[0].size))
		o.stored = o.stored[1:]
		o.released = true
	}
}

// recoverOutbox finds what has not been released. Numbers go on behind all that were ever
// released. A power cut may take back commits whose records the read model has got
// already, so they also go on from the epoch, which only rises.
func (p *partition) recoverOutbox(epoch uint64) {
	o := &p.outbox
	o.next = max(1, epoch<<outboxEpochShift)
	p.check(p.store.Get(TableCursor, [][]byte{outboxKey}, func(_ int, v []byte) {
		if len(v) == 8 {
			o.next = max(o.next, binary.BigEndian.Uint64(v))
		}
	}))
	p.check(p.store.Scan(TableHistory, nil, nil, func(k, v []byte) bool {
		if len(k) == 8 {
			seq := outboxSeq(k)
			o.next = max(o.next, seq+1)
			o.stored = append(o.stored, outboxEntry{seq, uint32(len(v))})
			o.grow(int64(len(v)))
		}
		return true
	}))
}

// outboxEpochShift leaves room for the values of one epoch, a millisecond.
const outboxEpochShift = 20

func outboxSeq(key []byte) uint64 { return binary.BigEndian.Uint64(key) }

var outboxKey = []byte("outbox")
