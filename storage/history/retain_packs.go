package history

import (
	"context"
	"slices"
	"sort"

	"ingot/engine/event"

	"github.com/oklog/ulid/v2"
)

// joinSpans is how far apart numbers may be that are looked for together: 64 ms.
const joinSpans = 64 << numberBits

// spansOf are spans that contain the numbers of keys, which are in order.
func spansOf(keys []key) []span {
	var out []span
	for _, k := range keys {
		if last := len(out) - 1; last >= 0 && k.no-out[last].hi < joinSpans {
			out[last].hi = k.no
		} else {
			out = append(out, span{k.no, k.no})
		}
	}
	return out
}

// deletePacked deletes those of the events that are in packs, and returns which these are.
func (s *store) deletePacked(ctx context.Context, events []key) ([]ulid.ULID, error) {
	events = slices.DeleteFunc(slices.Clone(events), func(k key) bool { return k.no > lastPacked })
	slices.SortFunc(events, func(a, b key) int { return a.compare(&b) })
	over, err := s.tx.overlaps(ctx, spansOf(events))
	if err != nil {
		return nil, err
	}
	var numbers []int64
	for _, sp := range over {
		if i := sort.Search(len(events), func(i int) bool { return events[i].no >= sp.lo }); i < len(events) && events[i].no <= sp.hi {
			numbers = append(numbers, sp.hi)
		}
	}
	slices.Sort(numbers)
	leave := make(map[ulid.ULID]bool, len(events))
	for i := range events {
		leave[events[i].id] = true
	}
	var gone []ulid.ULID
	for some := range slices.Chunk(slices.Compact(numbers), packsAtOnce) {
		packs, err := s.tx.readPacks(ctx, some)
		if err != nil {
			return nil, err
		}
		more, err := s.thin(ctx, packs, leave)
		if err != nil {
			return nil, err
		}
		gone = append(gone, more...)
	}
	return gone, nil
}

// thin writes packs again without the events that leave, and returns which these are.
func (s *store) thin(ctx context.Context, packs []packRow, leave map[ulid.ULID]bool) (gone []ulid.ULID, err error) {
	var changed []*packRow
	for i := range packs {
		p := &packs[i]
		out, err := s.thinPack(ctx, p, leave)
		if err != nil {
			return nil, err
		}
		if len(out) > 0 {
			gone = append(gone, out...)
			changed = append(changed, p)
		}
	}
	if len(changed) == 0 {
		return nil, nil
	}
	return gone, s.tx.replacePacks(ctx, changed)
}

// thinPack takes the events that leave out of a pack, and returns them. The numbers at
// the ends of the pack stay as they are.
func (s *store) thinPack(ctx context.Context, p *packRow, leave map[ulid.ULID]bool) (gone []ulid.ULID, err error) {
	type tally struct{ left, gone int64 }
	names := map[string]*tally{}
	var stay []packedEvent
	var size partSizes
	own := false
	for _, e := range s.db.unpackEvents(p, allParts) {
		name := event.RecordName(e.rec)
		n := names[string(name)]
		if n == nil {
			n = &tally{}
			names[string(name)] = n
		}
		own = own || internalName(string(name))
		if !leave[e.id] {
			n.left++
			stay = append(stay, e)
			size[e.part] += len(e.rec)
			continue
		}
		n.gone++
		gone = append(gone, e.id)
		no, err := s.nameNumber(ctx, string(name))
		if err != nil {
			return nil, err
		}
		s.counts.add(countEvents, int64(e.id.Time()), no, -1)
	}
	if len(gone) == 0 {
		return nil, nil
	}
	p.data = nil
	if len(stay) > 0 {
		p.data = size.pack(make([]byte, 0, size.room()), &s.db.fold.packer.data, func(dst []byte, part int) []byte {
			for i := range stay {
				if stay[i].part == part {
					dst = append(dst, stay[i].rec...)
				}
			}
			return dst
		})
	}
	p.names = []packName{{anyName, int64(len(stay))}}
	if own {
		p.names[0].name = anyOwnName
	}
	for name, n := range names {
		if n.gone == 0 {
			continue
		}
		no, err := s.nameNumber(ctx, name)
		if err != nil {
			return nil, err
		}
		p.names = append(p.names, packName{no, n.left})
	}
	return gone, nil
}

// nameNumber is the number of a name.
func (s *store) nameNumber(ctx context.Context, name string) (int64, error) {
	if no := s.db.names[name]; no != 0 {
		return no, nil
	}
	found, err := s.nameNumbers(ctx, []string{name})
	return found[name], err
}
