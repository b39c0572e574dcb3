package history

import (
	"context"
	"errors"
	"slices"
	"strings"

	"ingot/engine"
	"ingot/engine/event"

	"github.com/oklog/ulid/v2"
)

var errCrowded = errors.New("there is no number left for a row among those of its millisecond")

// events adds the batch's events.
func (s *store) events(ctx context.Context, f *fold) error {
	if len(f.events) == 0 {
		return nil
	}
	if err := s.nameEvents(ctx, f); err != nil {
		return err
	}
	var again []*eventRow
	rows := make([]*eventRow, 0, len(f.events))
	last := int64(-1)
	var before ulid.ULID
	for n, i := range f.eventOrder {
		e := &f.events[i]
		if n > 0 && e.id == before {
			continue // the first wins
		}
		before = e.id
		if e.no <= last && e.again {
			again = append(again, &e.eventRow)
			continue
		}
		e.no = max(e.no, last+1)
		last = e.no
		rows = append(rows, &e.eventRow)
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
	for i := range f.events {
		e := &f.events[i]
		if e.name = s.db.names[string(e.text)]; e.name == 0 {
			unknown = append(unknown, string(e.text))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	found, err := s.tx.names(ctx, slices.Compact(unknown))
	if err != nil {
		return err
	}
	s.db.learnNames(found)
	for i := range f.events {
		if e := &f.events[i]; e.name == 0 {
			e.name = found[string(e.text)]
		}
	}
	return nil
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
