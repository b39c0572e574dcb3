package history

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"ingot/engine"
	"ingot/engine/event"

	"github.com/oklog/ulid/v2"
)

var errCrowded = errors.New("there is no number left for a row among those of its millisecond")

// events adds the batch's events: packs, and rows of what is not packed.
func (s *store) events(ctx context.Context, f *fold) error {
	if len(f.events) == 0 {
		return nil
	}
	if err := s.nameEvents(ctx, f); err != nil {
		return err
	}
	groups := f.pack()
	if err := s.markKnown(ctx, f, groups); err != nil {
		return err
	}
	var packs []*packRow
	var single []int32
	for i := range groups {
		f.pace.Step()
		g := &groups[i]
		if !g.packed {
			single = append(single, g.events...)
		} else if row := f.packOf(g); row != nil {
			packs = append(packs, row)
			s.countPacked(f, g, row)
		}
	}
	if err := s.packs(ctx, packs); err != nil {
		return err
	}
	return s.eventRows(ctx, f, single)
}

// countPacked counts the events of a pack.
func (s *store) countPacked(f *fold, g *group, row *packRow) {
	first, last := int64(f.events[g.events[0]].id.Time()), int64(f.events[g.events[len(g.events)-1]].id.Time())
	if first/hourMS == last/hourMS { // as it is for nearly all
		for _, n := range row.names[1:] {
			s.counts.add(countEvents, first, n.name, n.n)
		}
		return
	}
	for _, i := range g.events {
		if e := &f.events[i]; !e.known {
			s.counts.add(countEvents, int64(e.id.Time()), e.name, 1)
		}
	}
}

// eventRows adds events that are not packed.
func (s *store) eventRows(ctx context.Context, f *fold, events []int32) error {
	slices.SortFunc(events, func(a, b int32) int { return f.events[a].compare(&f.events[b].key) })
	var again []*eventRow
	rows := make([]*eventRow, 0, len(events))
	last := int64(-1)
	for _, i := range events {
		e := &f.events[i]
		if e.known {
			continue
		}
		row, err := e.row()
		if err != nil {
			return err // it has been decoded before
		}
		if row.no <= last && e.again {
			again = append(again, row)
			continue
		}
		row.no = max(row.no, last+1)
		last = row.no
		rows = append(rows, row)
	}
	clashes, err := s.tx.insertEvents(ctx, rows)
	if err != nil {
		return err
	}
	for _, i := range clashes {
		again = append(again, rows[i])
		rows[i] = nil
	}
	for _, row := range rows {
		if row != nil {
			s.counts.add(countEvents, int64(row.id.Time()), row.name, 1)
		}
	}
	for _, row := range again {
		if err := s.eventAgain(ctx, row); err != nil {
			return err
		}
	}
	return nil
}

// eventAgain adds an event whose number is taken, unless it is there.
func (s *store) eventAgain(ctx context.Context, row *eventRow) error {
	there, err := s.tx.has(ctx, tableEvents, keyOf(row.id))
	if err != nil || there {
		return err
	}
	if row.no, err = s.free(ctx, tableEvents, number(row.id)); err != nil {
		return err
	}
	clashes, err := s.tx.insertEvents(ctx, []*eventRow{row})
	if err != nil {
		return err
	}
	if len(clashes) > 0 {
		return errCrowded
	}
	s.counts.add(countEvents, int64(row.id.Time()), row.name, 1)
	return nil
}

// free is the first number from no on that no row has.
func (s *store) free(ctx context.Context, t table, no int64) (int64, error) {
	first := no
	err := s.tx.taken(ctx, t, no, func(taken int64) bool {
		if taken != no {
			return false
		}
		no++
		return true
	})
	if err == nil && no >= first+numberSpan {
		err = errCrowded
	}
	return no, err
}

// nameEvents sets the numbers of the events' names.
func (s *store) nameEvents(ctx context.Context, f *fold) error {
	var unknown []string
	before := &foldedEvent{}
	for i := range f.events {
		e := &f.events[i]
		if bytes.Equal(e.text, before.text) {
			e.name = before.name
		} else {
			e.name = s.db.names[string(e.text)]
		}
		if before = e; e.name == 0 {
			unknown = append(unknown, string(e.text))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	found, err := s.nameNumbers(ctx, unknown)
	if err != nil {
		return err
	}
	for i := range f.events {
		if e := &f.events[i]; e.name == 0 {
			e.name = found[string(e.text)]
		}
	}
	return nil
}

// nameNumbers finds or adds names.
func (s *store) nameNumbers(ctx context.Context, names []string) (map[string]int64, error) {
	slices.Sort(names)
	found, err := s.tx.names(ctx, slices.Compact(names))
	if err == nil {
		s.db.learnNames(found)
	}
	return found, err
}

// internalName reports whether an event of the name is the server's own.
func internalName(name string) bool { return strings.HasPrefix(name, event.InternalPrefix) }

// skips adds why events started no run.
func (s *store) skips(ctx context.Context, records []*engine.Lifecycle) error {
	if len(records) == 0 {
		return nil
	}
	rows := make([]skipRow, 0, len(records))
	at := map[skipKey]int{} // the last one wins
	for _, l := range records {
		fn, err := s.function(ctx, l.Fn)
		if err != nil {
			return err
		}
		pending := l.Kind == engine.EventPending
		if pending {
			if err := s.mark(ctx, l.Fn, statePending); err != nil {
				return err
			}
		}
		row := skipRow{skipKey: skipKey{l.Run, fn.no}, reason: l.Name, at: l.At, pending: pending}
		if i, ok := at[row.skipKey]; ok {
			rows[i] = row
			continue
		}
		at[row.skipKey] = len(rows)
		rows = append(rows, row)
	}
	return s.tx.putSkips(ctx, rows)
}

// settle deletes what says that the events of a run wait for it.
func (s *store) settle(ctx context.Context, fn functionRow, events []ulid.ULID) error {
	if fn.states&statePending == 0 {
		return nil
	}
	return s.tx.deletePending(ctx, fn.no, events)
}
