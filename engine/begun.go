package engine

import (
	"bytes"
	"slices"

	"github.com/oklog/ulid/v2"
)

// Which runs of the ready index have started. An entry says whether its run had when it was
// put there; the entry stays while the run is called, and goes on, since writing it anew would
// cost each run a write. So an entry that comes from the store and says that its run had not
// started may be out of date. The run's record tells, and lanes have their turns as they had
// before a crash.

// recoveredGuest is an entry of TableReady with the lane that it is a guest of.
type recoveredGuest struct {
	q    *fnQueue
	lane laneID
	e    readyEntry
}

// guestsPerRead is of how many guests the records are read at once.
const guestsPerRead = 1024

// recoverGuests queues guests from the store, in their order. It returns the list to be used
// again.
func (p *partition) recoverGuests(guests []recoveredGuest) []recoveredGuest {
	var unsure [][]byte
	for i := range guests {
		if e := &guests[i].e; !e.going {
			unsure = append(unsure, e.run[:])
		}
	}
	slices.SortFunc(unsure, bytes.Compare) // they are read faster so
	begun := map[ulid.ULID]bool{}
	p.check(p.store.Get(TableRun, unsure, func(i int, v []byte) {
		if recordBegun(v) {
			begun[ulid.ULID(unsure[i])] = true
		}
	}))
	for _, g := range guests {
		g.e.going = g.e.going || begun[g.e.run]
		p.addGuest(g.q, g.lane, g.e)
	}
	return guests[:0]
}

// findBegun corrects the entries of a lane's new page. The runs of a lane start in its order,
// so it looks no further than to the first one that has not.
func (p *partition) findBegun(l *lane) {
	for i := range l.heap {
		switch e := &l.heap[i]; {
		case e.going:
		case !p.hasBegun(e.run):
			return
		default:
			e.going = true
		}
	}
}

// hasBegun reports whether a queued run has started.
func (p *partition) hasBegun(id ulid.ULID) (begun bool) {
	if r := p.runs[id]; r != nil {
		return r.startedAt != 0
	}
	p.check(p.store.Get(TableRun, [][]byte{id[:]}, func(_ int, v []byte) { begun = recordBegun(v) }))
	return begun
}

// recordBegun reports whether the run of a record has started; one that cannot be read has
// not.
func recordBegun(record []byte) bool {
	d := decoder{b: record}
	if v := d.byte(); v < 1 || v > runVersion {
		return false
	}
	d.id()   // function
	d.id()   // trace
	d.int()  // version of the protocol
	d.byte() // flags
	return d.int() != 0
}
