package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Packed events. A row and its place in an index cost more than all else that is done with
// an event. So neighbours of a batch become one row of ingot_packs, a pack: their records
// as the log has them, in the order of their keys, compressed. ingot_pack_names has the
// names of a pack's events, and one name for all of them. What is alone in its time, because
// few events come, is an ordinary row of ingot_events, as are all events from before packs.
// An event stays where it is until it is deleted.
//
// The events of a pack have numbers in [first, no], less than packSpan apart. Packs overlap,
// since events reach the log a little out of order: what begins, or is looked for, at a
// number may be in any pack whose no is less than packSpan behind it. Events of one number
// are in the order of their ids.

// Bounds of packs, chosen by BenchmarkStoreEvents and benchmarks/histgen: large packs are
// cheap to store, and small ones to read.
const (
	// packSpan bounds the numbers between the ends of a pack: 2 s.
	packSpan = 2048 << numberBits
	// minPacked events are worth a pack.
	minPacked = 32
	// A pack is full with fullPack events, and packPerName for each name, since each name costs
	// a row; or with fullPackBytes of records. Its events are in packParts by their names, so
	// that who looks for rare names unpacks few of them.
	fullPack      = 256
	packPerName   = 16
	packParts     = 8
	fullPackBytes = 256 << 10
	// maxPackedEvent bounds the record of an event that is packed.
	maxPackedEvent = 8 << 10
	// lastPacked bounds the numbers of packed events, so that spans do not overflow.
	lastPacked = 1<<63 - 1 - 4*packSpan
)

// Names of ingot_pack_names that stand for all events of a pack: it has only the server's
// own, or none of them.
const (
	anyName    = 0
	anyOwnName = -1 << 62
)

// anyNames is both in SQL.
var anyNames = fmt.Sprintf("%d, %d", anyName, anyOwnName)

// span is a range of numbers, both ends included.
type span struct{ lo, hi int64 }

// end is behind the last pack that may overlap the span.
func (s span) end() int64 { return packsEnd(s.hi) }

// packsEnd is behind the last pack that may contain a number.
func packsEnd(no int64) int64 {
	if no >= lastPacked {
		return 1<<63 - 1
	}
	return no + packSpan
}

// packRow is a pack: a row of ingot_packs with its names.
type packRow struct {
	no, first int64
	data      []byte // its parts
	names     []packName
}

// packName is how many events of a pack have a name.
type packName struct{ name, n int64 }

// packer cuts the events of a batch into groups that are stored together.
type packer struct {
	order  []int32 // of the events in groups
	groups []group
	names  map[int64]int64 // of the group that grows
	// data is the records of a part.
	data []byte
}

// group is neighbours of a batch, of one kind: the server's own events, or none of them.
type group struct {
	events []int32
	packed bool
}

// pack cuts the events, which are in order, into groups. Of several with one id the
// first is in a group.
func (f *fold) pack() []group {
	p := &f.packer
	p.order, p.groups = slices.Grow(p.order[:0], len(f.events)), p.groups[:0]
	if p.names == nil {
		p.names = map[int64]int64{}
	}
	for kind := range 3 {
		from := len(p.order)
		for n, i := range f.eventOrder {
			e := &f.events[i]
			if e.kind() == kind && (n == 0 || f.events[f.eventOrder[n-1]].id != e.id) {
				p.order = append(p.order, i)
			}
		}
		f.cut(p.order[from:], kind != 0)
	}
	return p.groups
}

// kind is 0 for events that are not packed, 1 and 2 for those that are with their like.
func (e *foldedEvent) kind() int {
	switch {
	case len(e.rec) > maxPackedEvent || e.no > lastPacked:
		return 0
	case e.name < 0:
		return 1
	}
	return 2
}

// cut makes groups of events that are in order.
func (f *fold) cut(events []int32, packed bool) {
	p := &f.packer
	for len(events) > 0 {
		clear(p.names)
		n, size, first := 0, 0, f.events[events[0]].no
		for n < len(events) {
			e := &f.events[events[n]]
			// The number of a pack may have to be greater than that of its last event.
			if e.no-first >= packSpan-2*numberSpan {
				break
			}
			full := n >= fullPack && n >= packPerName*len(p.names) || size >= fullPackBytes
			if full && len(events)-n >= minPacked {
				break
			}
			p.names[e.name]++
			size += len(e.rec)
			n++
		}
		p.groups = append(p.groups, group{events[:n], packed && n >= minPacked})
		events = events[n:]
	}
}

// packOf makes the row of a group; nil if all of its events are known. It is valid until
// the next batch, and its number may be taken.
func (f *fold) packOf(g *group) *packRow {
	p := &f.packer
	clear(p.names)
	r, size := &packRow{first: -1}, partSizes{}
	for _, i := range g.events {
		e := &f.events[i]
		if e.known {
			continue
		}
		if r.no = e.no; r.first < 0 {
			r.first = e.no
		}
		p.names[e.name]++
		size[partOf(e.name)] += len(e.rec)
	}
	if r.first < 0 {
		return nil
	}
	r.names = make([]packName, 1, len(p.names)+1)
	for name, n := range p.names {
		r.names = append(r.names, packName{name, n})
		r.names[0].n += n
		if name < 0 {
			r.names[0].name = anyOwnName
		}
	}
	r.data = f.arena.add(size.room(), func(dst []byte) []byte {
		return size.pack(dst, &p.data, func(records []byte, part int) []byte {
			for _, i := range g.events {
				if e := &f.events[i]; !e.known && partOf(e.name) == part {
					records = append(records, e.rec...)
				}
			}
			return records
		})
	})
	return r
}

// packs adds packs, and gives them their numbers.
func (s *store) packs(ctx context.Context, rows []*packRow) error {
	if len(rows) == 0 {
		return nil
	}
	slices.SortFunc(rows, func(a, b *packRow) int { return cmp.Compare(a.no, b.no) })
	for i := 1; i < len(rows); i++ {
		rows[i].no = max(rows[i].no, rows[i-1].no+1)
	}
	clashes, err := s.tx.insertPacks(ctx, rows)
	if err != nil {
		return err
	}
	for _, i := range clashes {
		if rows[i].no, err = s.free(ctx, tablePacks, rows[i].no); err != nil {
			return err
		}
		more, err := s.tx.insertPacks(ctx, rows[i:i+1])
		if err != nil {
			return err
		}
		if len(more) > 0 {
			return errCrowded
		}
	}
	return s.tx.insertPackNames(ctx, rows)
}
