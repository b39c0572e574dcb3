package history

import (
	"context"

	"github.com/oklog/ulid/v2"
)

// manyNames is how many names an event list looks for one by one. Of more, it goes
// through all events instead, most of which then match.
const manyNames = 512

// eventColumns are those of an event, of the tables r and n.
const eventColumns = `r.id, n.name, r.received, r.ts, r.external, r.v, r.data, r."user", r.sessions`

const eventTables = " FROM ingot_events r JOIN ingot_names n ON n.no = r.name"

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
	numbers, err := db.find(ctx, tableEvents, ids)
	if err != nil || len(numbers) == 0 {
		return nil, err
	}
	var a args
	list := db.numbers(&a, numbers)
	return db.readEvents(ctx, "SELECT "+eventColumns+eventTables+" WHERE r.no IN "+list, a)
}

func (db *DB) readEvents(ctx context.Context, query string, a args) ([]Event, error) {
	var out []Event
	err := db.query(ctx, query, a, func(scan func(...any) error) error {
		var e Event
		var id, name, external, v []byte
		if err := scan(&id, &name, &e.ReceivedAt, &e.TS, &external, &v, &e.Data, &e.User, &e.Sessions); err != nil {
			return err
		}
		copy(e.ID[:], id)
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
	lo, hi := window(q.From, q.Until)
	if q.Before != (ulid.ULID{}) {
		no, err := db.place(ctx, tableEvents, q.Before)
		if err != nil {
			return nil, err
		}
		hi = min(hi, *no)
	}
	if q.After != (ulid.ULID{}) {
		no, err := db.place(ctx, tableEvents, q.After)
		if err != nil {
			return nil, err
		}
		lo = max(lo, *no+1)
	}
	names, err := db.nameNumbers(ctx, q, manyNames+1)
	if err != nil {
		return nil, err
	}
	return db.eventPage(ctx, q, names, lo, hi)
}

// eventPage reads the events of names with numbers in [lo, hi), or without a list of
// names all that the query wants.
func (db *DB) eventPage(ctx context.Context, q *EventQuery, names []int64, lo, hi int64) ([]Event, error) {
	const newest = " ORDER BY r.no DESC LIMIT "
	if q.Names == nil && (q.Internal || len(names) > fewClasses) {
		// Most events are wanted.
		var a args
		query := "SELECT * FROM ingot_events r WHERE r.no >= " + a.add(lo) + " AND r.no < " + a.add(hi) + newest
		limit := tryRows * q.Limit
		if q.Internal {
			limit = q.Limit
		} else if len(names) > manyNames {
			limit = 1<<31 - 1
		}
		found, err := db.readEvents(ctx, "SELECT "+eventColumns+" FROM ("+query+a.add(limit)+") r JOIN ingot_names n ON n.no = r.name WHERE r.name > "+
			a.add(firstName(q.Internal))+newest+a.add(q.Limit), a)
		if err != nil || q.Internal || len(found) == q.Limit || len(names) > manyNames {
			return found, err
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	var a args
	l := list{table: "ingot_events", class: "name", at: "no", limit: q.Limit}
	l.where = func(alias string) string {
		return alias + ".no >= " + a.add(lo) + " AND " + alias + ".no < " + a.add(hi)
	}
	return db.readEvents(ctx, "SELECT "+eventColumns+db.from(&l, &a, names)+" JOIN ingot_names n ON n.no = r.name"+newest+a.add(q.Limit), a)
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
	return db.count(ctx, countEvents, names, q.From, q.Until)
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
