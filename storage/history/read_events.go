package history

import (
	"context"
	"slices"

	"github.com/oklog/ulid/v2"
)

// manyNames is how many names an event list looks for one by one. Of more, it goes
// through all events instead, most of which then match.
const manyNames = 512

// eventColumns are those of an event, of the tables r and n.
const eventColumns = `r.no, r.id, n.name, r.received, r.ts, r.external, r.v, r.data, r."user", r.sessions`

const eventTables = " FROM ingot_events r JOIN ingot_names n ON n.no = r.name"

// placedEvent is an event with its place in lists: the number of its row, or that of its id.
type placedEvent struct {
	key
	Event
}

// Event implements Reader.Event.
func (db *DB) Event(ctx context.Context, id ulid.ULID) (*Event, error) {
	events, err := db.EventsByID(ctx, []ulid.ULID{id})
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, ErrNotFound
	}
	return &events[0], nil
}

// EventsByID implements Reader.EventsByID.
func (db *DB) EventsByID(ctx context.Context, ids []ulid.ULID) ([]Event, error) {
	out, err := db.packedByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	if len(out) > 0 {
		packed := make(map[ulid.ULID]bool, len(out))
		for i := range out {
			packed[out[i].ID] = true
		}
		ids = slices.DeleteFunc(slices.Clone(ids), func(id ulid.ULID) bool { return packed[id] })
	}
	numbers, err := db.find(ctx, tableEvents, ids)
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		return out, nil
	}
	var a args
	list := db.numbers(&a, numbers)
	rows, err := db.readEvents(ctx, "SELECT "+eventColumns+eventTables+" WHERE r.no IN "+list, a)
	for i := range rows {
		out = append(out, rows[i].Event)
	}
	return out, err
}

func (db *DB) readEvents(ctx context.Context, query string, a args) ([]placedEvent, error) {
	var out []placedEvent
	err := db.query(ctx, query, a, func(scan func(...any) error) error {
		var e placedEvent
		var id, name, external, v []byte
		if err := scan(&e.no, &id, &name, &e.ReceivedAt, &e.TS, &external, &v, &e.Data, &e.User, &e.Sessions); err != nil {
			return err
		}
		e.ID = toID(id)
		e.id = e.ID
		e.Name, e.ExternalID, e.V = string(name), string(external), string(v)
		out = append(out, e)
		return nil
	})
	return out, err
}

// Events implements Reader.Events.
func (db *DB) Events(ctx context.Context, q *EventQuery) ([]Event, error) {
	if q.Limit <= 0 {
		return nil, nil
	}
	w, err := db.eventWindow(ctx, q)
	if err != nil {
		return nil, err
	}
	names, err := db.nameNumbers(ctx, q, manyNames+1)
	if err != nil {
		return nil, err
	}
	page, err := db.eventPage(ctx, q, names, w)
	if err != nil {
		return nil, err
	}
	packed, err := db.packedPage(ctx, q, names, w)
	if err != nil {
		return nil, err
	}
	if len(packed) > 0 {
		page = append(page, packed...)
		slices.SortFunc(page, func(a, b placedEvent) int { return b.compare(&a.key) })
	}
	out := make([]Event, 0, min(len(page), q.Limit))
	for i := range page[:min(len(page), q.Limit)] {
		out = append(out, page[i].Event)
	}
	return out, nil
}

// eventWindow is the range of places between, but without, two keys.
type eventWindow struct{ after, before key }

func (w *eventWindow) contains(k *key) bool {
	return k.compare(&w.after) > 0 && k.compare(&w.before) < 0
}

// rows are the numbers [lo, hi) of rows in the window, and of at most two that are not.
func (w *eventWindow) rows() (lo, hi int64) { return w.after.no, max(w.before.no, w.before.no+1) }

// eventWindow is where the query's events are.
func (db *DB) eventWindow(ctx context.Context, q *EventQuery) (*eventWindow, error) {
	lo, hi := window(q.From, q.Until)
	w := &eventWindow{after: key{maxID, lo - 1}, before: key{no: hi}}
	if q.Before != (ulid.ULID{}) {
		no, err := db.place(ctx, tableEvents, q.Before)
		if err != nil {
			return nil, err
		}
		if k := (key{q.Before, *no}); k.compare(&w.before) < 0 {
			w.before = k
		}
	}
	if q.After != (ulid.ULID{}) {
		no, err := db.place(ctx, tableEvents, q.After)
		if err != nil {
			return nil, err
		}
		if k := (key{q.After, *no}); k.compare(&w.after) > 0 {
			w.after = k
		}
	}
	return w, nil
}

// eventPage reads the rows of events of names in a window, or without a list of names all
// that the query wants.
func (db *DB) eventPage(ctx context.Context, q *EventQuery, names []int64, w *eventWindow) ([]placedEvent, error) {
	lo, hi := w.rows()
	rows, err := db.eventRows(ctx, q, names, lo, hi, q.Limit+2)
	return slices.DeleteFunc(rows, func(e placedEvent) bool { return !w.contains(&e.key) }), err
}

// eventRows reads the rows of events of names with numbers in [lo, hi), the newest first.
func (db *DB) eventRows(ctx context.Context, q *EventQuery, names []int64, lo, hi int64, n int) ([]placedEvent, error) {
	const newest = " ORDER BY r.no DESC LIMIT "
	if q.Names == nil && (q.Internal || len(names) > fewClasses) {
		// Most events are wanted.
		var a args
		query := "SELECT * FROM ingot_events r WHERE r.no >= " + a.add(lo) + " AND r.no < " + a.add(hi) + newest
		limit := tryRows * n
		if q.Internal {
			limit = n
		} else if len(names) > manyNames {
			limit = 1<<31 - 1
		}
		found, err := db.readEvents(ctx, "SELECT "+eventColumns+" FROM ("+query+a.add(limit)+") r JOIN ingot_names n ON n.no = r.name WHERE r.name > "+
			a.add(firstName(q.Internal))+newest+a.add(n), a)
		if err != nil || q.Internal || len(found) == n || len(names) > manyNames {
			return found, err
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	var a args
	l := list{table: "ingot_events", index: "ingot_events", class: "name", at: "no", limit: n}
	l.where = func(alias string) string {
		return alias + ".no >= " + a.add(lo) + " AND " + alias + ".no < " + a.add(hi)
	}
	return db.readEvents(ctx, "SELECT "+eventColumns+db.from(&l, &a, names)+" JOIN ingot_names n ON n.no = r.name"+newest+a.add(n), a)
}

// firstName is below the numbers of the names that are wanted.
func firstName(internal bool) int64 {
	if internal {
		return -1 << 63
	}
	return 0
}

// nameNumbers are the numbers of the names that the query selects, at most limit if it
// names none.
func (db *DB) nameNumbers(ctx context.Context, q *EventQuery, limit int) ([]int64, error) {
	query, a := "SELECT n.no FROM ingot_names n", args{}
	switch {
	case q.Names == nil && q.Internal:
		query += " LIMIT " + a.add(limit)
	case q.Names == nil:
		query += " WHERE n.no > 0 LIMIT " + a.add(limit)
	case len(q.Names) == 0:
		return nil, nil
	default:
		list := db.texts(&a, q.Names)
		query += " WHERE n.name IN " + list
		if !q.Internal {
			query += " AND n.no > 0"
		}
	}
	var out []int64
	err := db.query(ctx, query, a, func(scan func(...any) error) error {
		var no int64
		if err := scan(&no); err != nil {
			return err
		}
		out = append(out, no)
		return nil
	})
	return out, err
}

// CountEvents implements Reader.CountEvents.
func (db *DB) CountEvents(ctx context.Context, q *EventQuery) (int, error) {
	names, err := db.nameNumbers(ctx, q, 1<<31-1)
	if err != nil {
		return 0, err
	}
	return db.count(ctx, countEvents, names, q.From, q.Until, func(from, until int64) (int, error) {
		n, err := db.countRows(ctx, countEvents, names, from, until)
		if err != nil {
			return 0, err
		}
		lo, hi := window(from, until)
		packed, err := db.countPacked(ctx, q, names, lo, hi)
		return n + packed, err
	})
}

// Skips implements Reader.Skips.
func (db *DB) Skips(ctx context.Context, events []ulid.ULID) ([]Skip, error) {
	if len(events) == 0 {
		return nil, nil
	}
	if err := db.loadFunctions(ctx); err != nil {
		return nil, err
	}
	var a args
	list := db.blobs(&a, events)
	query := "SELECT s.event, s.fn, s.reason, s.at, s.pending FROM ingot_skips s WHERE s.event IN " + list + " ORDER BY s.event, s.at, s.fn"
	var out []Skip
	err := db.query(ctx, query, a, func(scan func(...any) error) error {
		var s Skip
		var event, reason []byte
		var fn, pending int64
		if err := scan(&event, &fn, &reason, &s.At, &pending); err != nil {
			return err
		}
		copy(s.Event[:], event)
		s.Function, s.Reason, s.Pending = db.functions.id(fn), string(reason), pending != 0
		out = append(out, s)
		return nil
	})
	return out, err
}
