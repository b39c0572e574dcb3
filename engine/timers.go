package engine

import (
	"encoding/binary"

	"github.com/oklog/ulid/v2"
)

// timer is one entry of the timer index: a job of a run is due.
type timer struct {
	due int64 // unix ms
	run ulid.ULID
	job uint32
}

//lint:ignore U1000 it is what window asks of its entries
func (t timer) less(u timer) bool {
	if t.due != u.due {
		return t.due < u.due
	}
	if c := t.run.Compare(u.run); c != 0 {
		return c < 0
	}
	return t.job < u.job
}

// timerWindow is how many timers of a partition are kept in memory.
const timerWindow = 16384

// timerQueue is the earliest part of TableTimer.
type timerQueue struct{ window[timer] }

// next returns the time of the earliest timer in memory.
func (q *timerQueue) next() (int64, bool) {
	if len(q.heap) == 0 {
		return 0, false
	}
	return q.heap[0].due, true
}

// page refills the window from the store.
func (q *timerQueue) page(s PartitionStore) error {
	var from []byte
	if q.spilled {
		from = timerKey(nil, q.spill.due, q.spill.run, q.spill.job)
	}
	q.spilled = false
	return s.Scan(TableTimer, from, nil, func(key, _ []byte) bool {
		if len(key) != 28 {
			return true
		}
		t := timer{due: unsortable(binary.BigEndian.Uint64(key)), job: binary.BigEndian.Uint32(key[24:])}
		copy(t.run[:], key[8:24])
		return q.load(t)
	})
}
