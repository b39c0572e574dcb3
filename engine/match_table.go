package engine

import (
	"encoding/binary"

	"github.com/oklog/ulid/v2"
)

// waitTable is a multimap from 64-bit keys to waits, built for millions of them:
// 40 bytes per wait plus two 4-byte index tables, no pointers for the garbage
// collector, and no operation that is slow because many waits share a key. The
// tables are split into segments that grow one by one, so no single insertion
// rehashes the whole.
type waitTable struct {
	chunks [][]waitEntry // entry id is (chunk, offset); never moved
	free   uint32        // first free entry, linked by next
	used   uint32        // entries handed out so far, free ones included
	heads  [tableSegments]headTable
	refs   [tableSegments]refTable
}

// waitEntry is a member of the chain of its key's bucket. Ids count from 1, 0 is
// none.
type waitEntry struct {
	hash       uint64
	run        ulid.ULID
	job        uint32
	next, prev uint32
}

const (
	tableSegments = 128
	segmentShift  = 64 - 7
	chunkBits     = 9
	chunkSize     = 1 << chunkBits
)

// headTable gives the first entry of each bucket of a key. A bucket may hold
// several keys.
type headTable struct {
	heads []uint32
	keys  int // how many there are, one that others part in its bucket counted as several
}

// refTable finds an entry by key and wait: open addressing with linear probing.
type refTable struct {
	ids   []uint32
	count int
}

func (t *waitTable) entry(id uint32) *waitEntry {
	id--
	return &t.chunks[id>>chunkBits][id&(chunkSize-1)]
}

func (t *waitTable) alloc() uint32 {
	if id := t.free; id != 0 {
		t.free = t.entry(id).next
		return id
	}
	if int(t.used) == len(t.chunks)*chunkSize {
		t.chunks = append(t.chunks, make([]waitEntry, chunkSize))
	}
	t.used++
	return t.used
}

// insert adds ref under hash and reports whether it was not there before.
func (t *waitTable) insert(hash uint64, ref waitRef) bool {
	rh := refHash(hash, ref)
	refs := &t.refs[rh>>segmentShift]
	if (refs.count+1)*4 > len(refs.ids)*3 {
		t.growRefs(refs)
	}
	at, found := t.findRef(refs, rh, hash, ref)
	if found {
		return false
	}
	id := t.alloc()
	refs.ids[at] = id
	refs.count++

	heads := &t.heads[hash>>segmentShift]
	if heads.keys >= len(heads.heads) {
		t.growHeads(heads)
	}
	*t.entry(id) = waitEntry{hash: hash, run: ref.run, job: ref.job}
	t.link(heads, id)
	return true
}

// link puts an entry at the head of its bucket's chain.
func (t *waitTable) link(h *headTable, id uint32) {
	e := t.entry(id)
	head := &h.heads[e.hash&uint64(len(h.heads)-1)]
	if *head == 0 || t.entry(*head).hash != e.hash {
		h.keys++ // a chain of one key does not make the table grow
	}
	if e.next, e.prev = *head, 0; *head != 0 {
		t.entry(*head).prev = id
	}
	*head = id
}

// remove takes ref out from under hash and reports whether it was there.
func (t *waitTable) remove(hash uint64, ref waitRef) bool {
	rh := refHash(hash, ref)
	refs := &t.refs[rh>>segmentShift]
	at, found := t.findRef(refs, rh, hash, ref)
	if !found {
		return false
	}
	id := refs.ids[at]
	t.deleteRef(refs, at)

	e := t.entry(id)
	heads := &t.heads[hash>>segmentShift]
	var next, prev *waitEntry
	if e.next != 0 {
		next = t.entry(e.next)
		next.prev = e.prev
	}
	if e.prev != 0 {
		prev = t.entry(e.prev)
		prev.next = e.next
	} else {
		heads.heads[hash&uint64(len(heads.heads)-1)] = e.next
	}
	if (next == nil || next.hash != hash) && (prev == nil || prev.hash != hash) {
		heads.keys--
		if next != nil && prev != nil && next.hash == prev.hash {
			heads.keys-- // what it parted is one again
		}
	}
	*e = waitEntry{next: t.free}
	t.free = id
	return true
}

// visit calls f with each wait under hash, the newest first.
func (t *waitTable) visit(hash uint64, f func(waitRef)) {
	heads := t.heads[hash>>segmentShift].heads
	if len(heads) == 0 {
		return
	}
	for id := heads[hash&uint64(len(heads)-1)]; id != 0; {
		e := t.entry(id)
		id = e.next
		if e.hash == hash {
			f(waitRef{e.run, e.job})
		}
	}
}

func (t *waitTable) growHeads(h *headTable) {
	old := h.heads
	h.heads, h.keys = make([]uint32, max(2*len(old), 8)), 0
	for _, first := range old {
		// From the last to the first, so that chains keep their order.
		last := first
		for id := first; id != 0; id = t.entry(id).next {
			last = id
		}
		for id := last; id != 0; {
			prev := t.entry(id).prev
			t.link(h, id)
			id = prev
		}
	}
}

func refHash(hash uint64, ref waitRef) uint64 {
	return mix64(hash^uint64(ref.job)<<32, binary.LittleEndian.Uint64(ref.run[8:])^binary.LittleEndian.Uint64(ref.run[:8]))
}

// findRef gives the place of a wait, or the place where it would go.
func (t *waitTable) findRef(r *refTable, rh, hash uint64, ref waitRef) (at int, found bool) {
	if len(r.ids) == 0 {
		return 0, false
	}
	mask := len(r.ids) - 1
	for at = int(rh) & mask; r.ids[at] != 0; at = (at + 1) & mask {
		if e := t.entry(r.ids[at]); e.hash == hash && e.run == ref.run && e.job == ref.job {
			return at, true
		}
	}
	return at, false
}

// deleteRef empties a place and moves up those behind it that belong before it.
func (t *waitTable) deleteRef(r *refTable, at int) {
	mask := len(r.ids) - 1
	r.count--
	for hole := at; ; {
		r.ids[hole] = 0
		next := hole
		for {
			next = (next + 1) & mask
			if r.ids[next] == 0 {
				return
			}
			if home := t.home(r.ids[next], mask); (next-home)&mask >= (next-hole)&mask {
				break
			}
		}
		r.ids[hole] = r.ids[next]
		hole = next
	}
}

func (t *waitTable) home(id uint32, mask int) int {
	e := t.entry(id)
	return int(refHash(e.hash, waitRef{e.run, e.job})) & mask
}

func (t *waitTable) growRefs(r *refTable) {
	old := r.ids
	r.ids = make([]uint32, max(2*len(old), 8))
	mask := len(r.ids) - 1
	for _, id := range old {
		if id == 0 {
			continue
		}
		at := t.home(id, mask)
		for r.ids[at] != 0 {
			at = (at + 1) & mask
		}
		r.ids[at] = id
	}
}
