package history

import (
	"context"
	"slices"
	"sort"
)

// packsAtOnce is how many packs are read together.
const packsAtOnce = 16

// markKnown finds out which events the database has: among those whose ids may come a
// second time. Of events that get rows it looks for packs only: eventRows sees the rest.
func (s *store) markKnown(ctx context.Context, f *fold, groups []group) error {
	var all, packed []span
	var of []*group // of packed
	for i := range groups {
		sp, ok := f.againSpan(&groups[i])
		if !ok {
			continue
		}
		if sp.hi <= lastPacked {
			all = append(all, sp)
		}
		if groups[i].packed {
			packed, of = append(packed, span{sp.lo, sp.hi + numberSpan}), append(of, &groups[i])
		}
	}
	if len(all) > 0 {
		if err := s.knownInPacks(ctx, f, all); err != nil {
			return err
		}
	}
	if len(packed) == 0 {
		return nil
	}
	occupied, err := s.tx.occupied(ctx, packed)
	if err != nil {
		return err
	}
	for _, i := range occupied {
		for _, n := range of[i].events {
			e := &f.events[n]
			if e.known || !e.again {
				continue
			}
			if e.known, err = s.tx.has(ctx, tableEvents, e.key); err != nil {
				return err
			}
		}
	}
	return nil
}

// againSpan is where a group has events whose ids may come again; ok is false if it has none.
func (f *fold) againSpan(g *group) (sp span, ok bool) {
	for _, i := range g.events {
		if e := &f.events[i]; e.again {
			if !ok {
				sp.lo, ok = e.no, true
			}
			sp.hi = e.no
		}
	}
	return sp, ok
}

// knownInPacks marks the events that are in packs.
func (s *store) knownInPacks(ctx context.Context, f *fold, spans []span) error {
	over, err := s.tx.overlaps(ctx, spans)
	if err != nil || len(over) == 0 {
		return err
	}
	again := make([]*foldedEvent, 0, len(f.events))
	for _, i := range f.eventOrder {
		if e := &f.events[i]; e.again {
			again = append(again, e)
		}
	}
	within := func(sp span) []*foldedEvent {
		lo := sort.Search(len(again), func(i int) bool { return again[i].no >= sp.lo })
		n := sort.Search(len(again)-lo, func(i int) bool { return again[lo+i].no > sp.hi })
		return again[lo : lo+n]
	}
	numbers := make([]int64, 0, len(over))
	for _, sp := range over {
		if len(within(sp)) > 0 {
			numbers = append(numbers, sp.hi)
		}
	}
	slices.Sort(numbers)
	for some := range slices.Chunk(slices.Compact(numbers), packsAtOnce) {
		packs, err := s.tx.readPacks(ctx, some)
		if err != nil {
			return err
		}
		for i := range packs {
			p := &packs[i]
			events := s.db.unpackEvents(p, allParts)
			for _, e := range within(span{p.first, p.no}) {
				e.known = e.known || findPacked(events, e.id) != nil
			}
		}
	}
	return nil
}
