package history

import (
	"fmt"
	"slices"
	"sort"

	"ingot/engine/event"

	"github.com/oklog/ulid/v2"
)

// The data of a pack is its parts: a byte with the number of the part, and a frame of the
// records of its events, in order. Parts without events are left out.

// partOf is the part in which events of a name are.
func partOf(name int64) int { return int(name & (packParts - 1)) }

// partSizes is how many bytes of records the parts of a pack have.
type partSizes [packParts]int

// room bounds the bytes of the pack.
func (s *partSizes) room() (n int) {
	for _, size := range s {
		if size > 0 {
			n += 1 + frameRoom(size)
		}
	}
	return n
}

// pack appends the parts to dst, which has room for them. records appends the records of
// a part to memory, which is used again.
func (s *partSizes) pack(dst []byte, memory *[]byte, records func(dst []byte, part int) []byte) []byte {
	for part, size := range s {
		if size > 0 {
			*memory = records((*memory)[:0], part)
			dst = appendFrame(append(dst, byte(part)), *memory)
		}
	}
	return dst
}

// packedEvent is an event of a pack that has been read.
type packedEvent struct {
	key
	rec  []byte
	part int
}

// allParts is the set of all parts.
const allParts = 1<<packParts - 1

// partsOf is the set of the parts that have events of names.
func partsOf(names []int64) (set uint) {
	for _, name := range names {
		set |= 1 << partOf(name)
	}
	return set
}

// unpackEvents returns the events of a pack that are in a set of its parts, in order.
func unpackEvents(data []byte, set uint) ([]packedEvent, error) {
	var events []packedEvent
	parts := 0
	for len(data) > 0 {
		part := int(data[0])
		frame, rest, err := splitFrame(data[1:])
		if err != nil {
			return nil, err
		}
		if data = rest; set&(1<<part) == 0 {
			continue
		}
		records, err := unpack(frame)
		if err != nil {
			return nil, err
		}
		if events, err = splitRecords(events, records, part); err != nil {
			return nil, err
		}
		parts++
	}
	if parts > 1 {
		slices.SortFunc(events, func(a, b packedEvent) int { return a.compare(&b.key) })
	}
	return events, nil
}

// splitRecords appends the events whose records are in a part.
func splitRecords(dst []packedEvent, records []byte, part int) ([]packedEvent, error) {
	dst = slices.Grow(dst, min(fullPack, len(records)/64))
	for len(records) > 0 {
		rec, rest, id, err := event.SplitRecord(records)
		if err != nil {
			return nil, fmt.Errorf("an event of a pack: %w", err)
		}
		dst = append(dst, packedEvent{keyOf(id), rec, part})
		records = rest
	}
	return dst, nil
}

// unpackEvents is unpackEvents of a pack that may be damaged, which is no reason to show or
// store nothing any more.
func (db *DB) unpackEvents(p *packRow, set uint) []packedEvent {
	events, err := unpackEvents(p.data, set)
	if err != nil {
		db.log.Error("events are left out of history", "error", fmt.Errorf("row %d of ingot_packs: %w", p.no, err))
	}
	return events
}

// findPacked looks for an event in a pack; nil if it is not there.
func findPacked(events []packedEvent, id ulid.ULID) *packedEvent {
	k := keyOf(id)
	i := sort.Search(len(events), func(i int) bool { return events[i].compare(&k) >= 0 })
	if i < len(events) && events[i].id == id {
		return &events[i]
	}
	return nil
}
