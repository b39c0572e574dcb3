package engine

import (
	"encoding/binary"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// readyEntry is a run of a function that has work.
type readyEntry struct {
	score int64
	run   ulid.ULID
}

//lint:ignore U1000 it is what window asks of its entries
func (a readyEntry) less(b readyEntry) bool {
	if a.score != b.score {
		return a.score < b.score
	}
	return a.run.Compare(b.run) < 0
}

// readyWindow is how many entries of a function's backlog are kept in memory.
const readyWindow = 1024

// fnQueue is one function's ready queue: the first part of its entries in
// TableReady, ordered by score.
type fnQueue struct {
	window[readyEntry]
	id ids.UUID
	// limit is the function's own concurrency limit; 0 is none. inFlight counts
	// calls under way.
	limit    int
	inFlight int
	// picked counts runs that are about to be called.
	picked int
	// turning says that the queue is in the partition's round.
	turning bool
}

func (q *fnQueue) hasCapacity() bool { return q.limit <= 0 || q.inFlight+q.picked < q.limit }

// page refills the window. Entries of runs whose jobs are all in flight come
// back too; they are skipped when they come up.
func (q *fnQueue) page(s PartitionStore) error {
	from := q.id[:]
	if q.spilled {
		from = readyKey(nil, q.id, q.spill.score, q.spill.run)
	}
	q.spilled = false
	return s.Scan(TableReady, from, prefixEnd(q.id[:]), func(key, _ []byte) bool {
		if len(key) != 40 {
			return true
		}
		e := readyEntry{score: unsortable(binary.BigEndian.Uint64(key[16:]))}
		copy(e.run[:], key[24:])
		return q.load(e)
	})
}
