package engine

import (
	"bytes"

	"github.com/oklog/ulid/v2"
)

// Reading ahead. Runs that wait are called in about the order of their ids, which is that of
// their records, but for those whose key has its turn sooner or later than others. So the
// records are read in passing, some further ones with those that are asked for: a step of a
// scan costs a tenth of a search. The further ones are kept until their turn comes.

const (
	// maxAheadBytes bounds the records that a partition has read ahead, with those among them
	// whose turn has come meanwhile; aheadChunk is the size of the pieces of memory they lie in.
	maxAheadBytes = 2 << 20
	aheadChunk    = 64 << 10
	// aheadRows is how many further records cost no more than a search, maxAheadRows how many
	// are read at most.
	aheadRows    = 4
	maxAheadRows = 1024
)

// readAhead are records that will be asked for soon, as they are in the store: whoever reads
// one to change it takes it out.
type readAhead struct {
	records map[ulid.ULID][]byte
	order   fifo[aheadRecord] // oldest first, some of them taken
	bytes   int               // of those in order
	chunk   []byte
	// further is how many records the last scan read besides those that were asked for, left
	// how many of them have not been asked for since.
	further, left int
}

type aheadRecord struct {
	id   ulid.ULID
	size int
}

// has reports whether a record has been read.
func (a *readAhead) has(id ulid.ULID) bool {
	_, ok := a.records[id]
	return ok
}

// take returns a record and forgets it; nil if it has not been read.
func (a *readAhead) take(id ulid.ULID) []byte {
	v, ok := a.records[id]
	if ok {
		delete(a.records, id)
		a.left--
	}
	return v
}

// ofUse reports whether most of what the last scan read has been asked for.
func (a *readAhead) ofUse() bool { return a.left <= a.further/4 }

// rows is how many further records are read with n that are asked for: as many as cost less
// than n searches, and ever more as long as most of them are of use.
func (a *readAhead) rows(n int) int {
	most := aheadRows * n
	if a.ofUse() {
		most = max(most, min(2*a.further, maxAheadRows))
	}
	a.further, a.left = 0, 0
	return most
}

// put keeps a copy of a record, if it is a small one.
func (a *readAhead) put(id ulid.ULID, record []byte) {
	if len(record) > aheadChunk/16 || a.has(id) {
		return
	}
	if a.records == nil {
		a.records = map[ulid.ULID][]byte{}
	}
	if cap(a.chunk)-len(a.chunk) < len(record) {
		a.chunk = make([]byte, 0, aheadChunk)
	}
	from := len(a.chunk)
	a.chunk = append(a.chunk, record...)
	a.records[id] = a.chunk[from:]
	a.bytes += len(record)
	a.further++
	a.left++
	a.order.push(aheadRecord{id, len(record)})
	for a.bytes > maxAheadBytes || !a.has(a.order.all()[0].id) {
		old := a.order.pop()
		a.bytes -= old.size
		delete(a.records, old.id)
	}
}

// readPicked reads runs that are not in memory, whose ids are in order; found is called for
// each of them, with nil if there is no record.
func (p *partition) readPicked(ids [][]byte, found func(id ulid.ULID, record []byte)) {
	n := 0
	next := func(v []byte) {
		found(ulid.ULID(ids[n]), v)
		if n++; n < len(ids) {
			p.at.run = ulid.ULID(ids[n])
		}
	}
	p.at = blame{run: ulid.ULID(ids[0])}
	further := p.ahead.rows(len(ids))
	p.check(p.store.Scan(TableRun, ids[0], nil, func(k, v []byte) bool {
		for n < len(ids) && bytes.Compare(ids[n], k) < 0 {
			next(nil)
		}
		if n < len(ids) && bytes.Equal(ids[n], k) {
			next(v)
			return true
		}
		further--
		if len(k) == len(ulid.ULID{}) && p.runs[ulid.ULID(k)] == nil {
			p.ahead.put(ulid.ULID(k), v)
		}
		return further > 0
	}))
	if n < len(ids) {
		p.check(p.store.Get(TableRun, ids[n:], func(_ int, v []byte) { next(v) }))
	}
}
