package history

import (
	"bytes"
	"context"
	"slices"
	"sort"
	"strconv"

	"ingot/engine/event"

	"github.com/oklog/ulid/v2"
)

// How many packs a list reads at first, and at most, at a time.
const (
	packsFirst = 2
	packsMost  = 32
)

// decode makes what readers see of a packed event. ok is false if it cannot be read.
func (db *DB) decode(e *packedEvent) (placed placedEvent, ok bool) {
	var ev event.Event
	// A page of events that share the memory of their packs would hold all of it.
	if _, err := event.DecodeRecord(bytes.Clone(e.rec), &ev); err != nil {
		db.log.Error("an event is left out of history", "error", err, "event", e.id.String())
		return placed, false
	}
	return placedEvent{e.key, Event{
		ID: ev.InternalID, ReceivedAt: ev.ReceivedAt, TS: ev.TS, Name: string(ev.Name), ExternalID: string(ev.ID),
		Data: ev.Data, User: ev.User, Sessions: ev.Sessions, V: string(ev.V),
	}}, true
}

// wants reports whether the query selects events of a name.
func (q *EventQuery) wants(name []byte) bool {
	if !q.Internal && bytes.HasPrefix(name, []byte(event.InternalPrefix)) {
		return false
	}
	return q.Names == nil || slices.ContainsFunc(q.Names, func(n string) bool { return n == string(name) })
}

// packClasses are the names of ingot_pack_names by which the query's packs are found, and
// the parts in which its events are. names are those that it has.
func (q *EventQuery) packClasses(names []int64) (classes []int64, set uint) {
	switch {
	case q.Names != nil:
		return names, partsOf(names)
	case q.Internal:
		return []int64{anyName, anyOwnName}, allParts
	}
	return []int64{anyName}, allParts
}

// packedPage reads the packed events of a page. names are those that the query has.
func (db *DB) packedPage(ctx context.Context, q *EventQuery, names []int64, w *eventWindow) ([]placedEvent, error) {
	classes, set := q.packClasses(names)
	if len(classes) == 0 {
		return nil, nil
	}
	var page []placedEvent
	newest := func(a, b placedEvent) int { return b.compare(&a.key) }
	end := packsEnd(w.before.no) // packs from there on have been read, or are newer
	for n := packsFirst; ; n = min(4*n, packsMost) {
		packs, err := db.listPacks(ctx, classes, w, end, n)
		if err != nil {
			return nil, err
		}
		for i := range packs {
			page = db.selectPacked(page, db.unpackEvents(&packs[i], set), q, w)
		}
		slices.SortFunc(page, newest)
		if len(packs) < n {
			return page[:min(len(page), q.Limit)], nil
		}
		// Packs that have not been read end before the last of these does.
		end = packs[len(packs)-1].no
		if len(page) >= q.Limit && page[q.Limit-1].no >= end {
			return page[:q.Limit], nil
		}
	}
}

// listPacks reads the last n of the packs before end that may have events of names in a
// window, the last first.
func (db *DB) listPacks(ctx context.Context, names []int64, w *eventWindow, end int64, n int) ([]packRow, error) {
	var a args
	l := list{table: "ingot_packs", index: "ingot_pack_names", class: "name", at: "no", limit: n}
	l.where = func(alias string) string {
		return alias + ".no < " + a.add(end) + " AND " + alias + ".no >= " + a.add(w.after.no) + " AND " + alias + ".first <= " + a.add(w.before.no)
	}
	numbers := "SELECT r.no FROM ingot_pack_names r WHERE r.name = "
	if len(names) == 1 {
		numbers += a.add(names[0]) + " AND " + l.where("r")
	} else {
		numbers = "SELECT DISTINCT r.no" + db.from(&l, &a, names)
	}
	return db.packRows(ctx, "SELECT p.no, p.first, p.data FROM ingot_packs p WHERE p.no IN ("+numbers+" ORDER BY r.no DESC LIMIT "+a.add(n)+
		") ORDER BY p.no DESC", a)
}

func (db *DB) packRows(ctx context.Context, query string, a args) ([]packRow, error) {
	var out []packRow
	err := db.query(ctx, query, a, func(scan func(...any) error) error {
		var p packRow
		err := scan(&p.no, &p.first, &p.data)
		out = append(out, p)
		return err
	})
	return out, err
}

// selectPacked appends the events of a pack that a query selects in a window, not more
// than its page has.
func (db *DB) selectPacked(page []placedEvent, events []packedEvent, q *EventQuery, w *eventWindow) []placedEvent {
	end := sort.Search(len(events), func(i int) bool { return events[i].compare(&w.before) >= 0 })
	for i, n := end-1, 0; i >= 0 && n < q.Limit && w.contains(&events[i].key); i-- {
		if !q.wants(event.RecordName(events[i].rec)) {
			continue
		}
		if e, ok := db.decode(&events[i]); ok {
			page = append(page, e)
			n++
		}
	}
	return page
}

// packedByID returns those of the events that are in packs.
func (db *DB) packedByID(ctx context.Context, ids []ulid.ULID) ([]Event, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id ulid.ULID) bool { return number(id) > lastPacked })
	if len(ids) == 0 {
		return nil, nil
	}
	var a args
	list := db.keys(&a, ids)
	query := "SELECT DISTINCT p.no FROM " + list + " l CROSS JOIN ingot_pack_names p WHERE p.name IN (" + anyNames +
		") AND p.no >= l.w AND p.no < l.w + " + strconv.Itoa(packSpan) + " AND p.first <= l.w"
	var numbers []int64
	err := db.query(ctx, query, a, func(scan func(...any) error) error {
		var no int64
		err := scan(&no)
		numbers = append(numbers, no)
		return err
	})
	if err != nil {
		return nil, err
	}
	wanted := make(map[ulid.ULID]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	var out []Event
	err = db.eachPack(ctx, numbers, allParts, func(events []packedEvent) {
		for i := range events {
			if !wanted[events[i].id] {
				continue
			}
			if e, ok := db.decode(&events[i]); ok {
				out = append(out, e.Event)
			}
		}
	})
	return out, err
}

// eachPack reads a set of the parts of packs, which their numbers name.
func (db *DB) eachPack(ctx context.Context, numbers []int64, set uint, visit func(events []packedEvent)) error {
	for some := range slices.Chunk(numbers, packsAtOnce) {
		var a args
		list := db.numbers(&a, some)
		packs, err := db.packRows(ctx, "SELECT p.no, p.first, p.data FROM ingot_packs p WHERE p.no IN "+list, a)
		if err != nil {
			return err
		}
		for i := range packs {
			visit(db.unpackEvents(&packs[i], set))
		}
	}
	return nil
}

// countPacked counts the packed events with numbers in [lo, hi) that a query selects, at
// any time. names are those that the query has.
func (db *DB) countPacked(ctx context.Context, q *EventQuery, names []int64, lo, hi int64) (int, error) {
	classes, set := q.packClasses(names)
	if len(classes) == 0 {
		return 0, nil
	}
	var a args
	list := db.numbers(&a, classes)
	whole, err := db.number(ctx, "SELECT CAST(coalesce(sum((SELECT sum(p.n) FROM ingot_pack_names p WHERE p.name = l.v AND p.no >= "+a.add(lo)+
		" AND p.no < "+a.add(hi)+" AND p.first >= "+a.add(lo)+")), 0) AS BIGINT) FROM "+list+" l", a)
	if err != nil {
		return 0, err
	}
	numbers, err := db.packsAt(ctx, classes, lo, hi)
	if err != nil {
		return 0, err
	}
	err = db.eachPack(ctx, numbers, set, func(events []packedEvent) {
		for i := range events {
			if events[i].no < lo || events[i].no >= hi {
				continue
			}
			if q.wants(event.RecordName(events[i].rec)) {
				whole++
			}
		}
	})
	return whole, err
}

// packsAt returns the packs of names that are partly in [lo, hi).
func (db *DB) packsAt(ctx context.Context, names []int64, lo, hi int64) ([]int64, error) {
	var a args
	list := db.numbers(&a, names)
	query := "SELECT DISTINCT p.no FROM " + list + " l CROSS JOIN ingot_pack_names p WHERE p.name = l.v AND p.no >= " + a.add(lo) + " AND p.no < " +
		a.add(packsEnd(lo)) + " AND p.first < " + a.add(lo) + " AND p.first < " + a.add(hi) +
		" UNION SELECT p.no FROM " + list + " l CROSS JOIN ingot_pack_names p WHERE p.name = l.v AND p.no >= " + a.add(hi) +
		" AND p.no < " + a.add(packsEnd(hi)) + " AND p.first < " + a.add(hi) + " AND p.no >= " + a.add(lo)
	var numbers []int64
	err := db.query(ctx, query, a, func(scan func(...any) error) error {
		var no int64
		err := scan(&no)
		numbers = append(numbers, no)
		return err
	})
	return numbers, err
}
