package engine

import "github.com/oklog/ulid/v2"

// Single runs: each is the only one of its key that is queued or called. What is done with
// them is in alone.go.

// single is such a run. It has no pointers, so that a long backlog is no work for the garbage
// collector, and fills a cache line.
type single struct {
	e   readyEntry
	own laneID // what would be the id of its lane
	// slot is the place in its function's round that its lane has taken over.
	slot uint64
	// queue is the number of its function's queue; 0 if it is none of that any more.
	queue uint32
	state singleState
}

// singleState is what a single run does.
type singleState uint8

const (
	singleResting singleState = iota // nothing; at the end of the round it is forgotten
	singleWaiting                    // has a place in its function's round
	singlePicked                     // is about to be called
	singleCalled                     // is being called
	singleMoved                      // is in a lane, which has its place
)

// free reports whether the run may be the single one.
func (s *single) free(run ulid.ULID) bool {
	return s.state == singleResting || s.state == singlePicked && s.e.run == run
}

// singleID names a single run as long as it is one; 0 is none.
type singleID uint32

// singles are the single runs of a partition, in pieces that are used again.
type singles struct {
	pieces [][]single
	unused []singleID
	// queued counts those that are of a queue: all but those that lanes have taken over.
	queued int
	// idle may rest.
	idle []singleID
	// gates are those that have come to count calls of single runs, since others of their
	// keys have come.
	gates map[singleID]*gate
}

// singlesPerPiece makes a piece of 16 KB.
const singlesPerPiece = 256

func (t *singles) get(id singleID) *single {
	return &t.pieces[id/singlesPerPiece][id%singlesPerPiece]
}

// has reports whether there is memory for the id, which may be that of another run by now.
func (t *singles) has(id singleID) bool { return id != 0 && int(id/singlesPerPiece) < len(t.pieces) }

func (t *singles) add(s single) singleID {
	if len(t.unused) == 0 {
		first := singleID(len(t.pieces) * singlesPerPiece)
		t.pieces = append(t.pieces, make([]single, singlesPerPiece))
		for id := first + singlesPerPiece - 1; id > first; id-- {
			t.unused = append(t.unused, id)
		}
		if first > 0 {
			t.unused = append(t.unused, first)
		}
	}
	n := len(t.unused) - 1
	id := t.unused[n]
	t.unused = t.unused[:n]
	*t.get(id) = s
	return id
}

// remove is for those that have left their queue.
func (t *singles) remove(id singleID) {
	t.unused = append(t.unused, id)
	if n := len(t.unused); n == len(t.pieces)*singlesPerPiece-1 && n > keptItems {
		t.pieces, t.unused = nil, nil
	}
}
