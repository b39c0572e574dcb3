package engine

import (
	"slices"

	"github.com/oklog/ulid/v2"
)

// Counting the places of run limits anew. A run's place stands in its record alone; if
// that cannot be read, the count of its key would stay too high for ever. So the records
// of all other runs are gone through, some per round beside other work, and what the
// counts have too much is taken off. Locks whose holder is gone are opened on the way.
// Counts are too high meanwhile, never too low, so no limit is exceeded. A mark in the
// store lets the search begin anew after a restart.

// recount is a search on its way.
type recount struct {
	// next is the key of TableRun where it goes on, and of TableFlow once counted is set:
	// then it has seen all runs.
	next    []byte
	counted bool
	// tally are the places of each key that are held by the runs before next.
	tally map[flowID]int
}

// maxRecount is how many records one round looks at.
const maxRecount = 1024

var recountKey = []byte("recount")

func (p *partition) beginRecount() {
	p.batch.Put(TableCursor, recountKey, []byte{recordVersion})
	p.recount = &recount{tally: map[flowID]int{}}
}

// recoverRecount begins a search anew that a restart has ended.
func (p *partition) recoverRecount() {
	p.check(p.store.Get(TableCursor, [][]byte{recountKey}, func(_ int, v []byte) {
		if v != nil {
			p.recount = &recount{tally: map[flowID]int{}}
		}
	}))
}

// tallied notes that a run has taken (1) or left (-1) a place.
func (p *partition) tallied(r *run, slot flowID, n int) {
	if c := p.recount; c != nil && (c.counted || string(r.id[:]) < string(c.next)) {
		c.tally[slot] += n
	}
}

// countOn goes on with the search. It comes before everything else in a round, so that
// the store is as memory is.
func (p *partition) countOn() {
	c := p.recount
	if c == nil {
		return
	}
	table, look := TableRun, p.countRun
	if c.counted {
		table, look = TableFlow, p.correct
	}
	n, whole := 0, true
	p.check(p.store.Scan(table, c.next, nil, func(k, v []byte) bool {
		if n++; n > maxRecount {
			c.next, whole = slices.Clone(k), false
			return false
		}
		look(k, v)
		return true
	}))
	switch {
	case !whole:
	case !c.counted:
		c.counted, c.next = true, nil
	default:
		p.recount = nil
		p.batch.Delete(TableCursor, recountKey)
		p.look()
	}
}

// countRun tallies the place of a run. One that cannot be read has none, since it is a dead
// letter as soon as somebody looks for it, unless it is in memory: then it goes on.
func (p *partition) countRun(k, v []byte) {
	if len(k) != len(ulid.ULID{}) {
		return
	}
	r, err := p.runs[ulid.ULID(k)], error(nil)
	if r == nil {
		r, err = decodeRun(ulid.ULID(k), v, &p.sets)
	}
	if err == nil && r.limits != nil && r.limits.slot != (flowID{}) {
		p.recount.tally[r.limits.slot]++
	}
}

// correct sets one stored count to what was tallied, and opens a lock without a run.
func (p *partition) correct(k, v []byte) {
	stored := flow{}
	if len(k) != len(stored.id) {
		return
	}
	if stored.decode(v) != nil {
		f := p.mend(flowID(k))
		if f == nil {
			return
		}
		stored = *f
	}
	switch stored.kind {
	case flowRuns:
		f := p.flow(flowRuns, stored.fn, flowID(k))
		if n := p.recount.tally[f.id]; n != f.n {
			f.n = n
			p.change(f)
		}
		if g := p.gates[gateKey{f.fn, f.id}]; g != nil {
			p.open(g)
		}
	case flowSingleton:
		if p.isActive(stored.holder) {
			return
		}
		f := p.flow(flowSingleton, stored.fn, flowID(k))
		f.holder = ulid.ULID{}
		p.change(f)
	}
}

// isActive reports whether there is a record of the run, as of the beginning of the round.
func (p *partition) isActive(id ulid.ULID) (active bool) {
	p.check(p.store.Get(TableRun, [][]byte{id[:]}, func(_ int, v []byte) { active = v != nil }))
	return active
}
