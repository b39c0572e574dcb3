package history

import (
	"context"
	"slices"

	"github.com/oklog/ulid/v2"
)

// eventsEnd is the first of the events that the policy keeps; zero if it keeps all.
func (r *retention) eventsEnd(ctx context.Context) (key, error) {
	end := key{}
	if r.policy.EventAge > 0 {
		end.no = firstNumber(r.now - r.policy.EventAge.Milliseconds())
	}
	if r.policy.EventCount <= 0 {
		return end, nil
	}
	// The hour in which the newest so many begin, by the counts; then within it.
	keep := r.policy.EventCount
	hour, found := int64(0), false
	query := `SELECT c.bucket, CAST(sum(c.n) AS BIGINT) FROM ingot_counts c WHERE c.kind = $1 AND c.bucket < $2
		GROUP BY c.bucket ORDER BY c.bucket DESC`
	err := r.db.query(ctx, query, args{int64(countEvents), bucketOf(1, 0)}, func(scan func(...any) error) error {
		var bucket int64
		var n int
		if err := scan(&bucket, &n); err != nil || found {
			return err
		}
		if n >= keep {
			hour, found = bucket, true
			return nil
		}
		keep -= n
		return nil
	})
	if err != nil || !found {
		return end, err
	}
	first, err := r.db.newest(ctx, keep, hour*hourMS, (hour+1)*hourMS)
	if err == nil && first.compare(&end) > 0 {
		end = first
	}
	return end, err
}

// newest is the n-th event, from the newest, of a time [from, until), unix ms; of the
// oldest if there are fewer.
func (db *DB) newest(ctx context.Context, n int, from, until int64) (key, error) {
	for until-from > 1 {
		middle := from + (until-from)/2
		later, err := db.countAll(ctx, middle, until)
		if err != nil {
			return key{}, err
		}
		if later >= n {
			from = middle
		} else {
			n, until = n-later, middle
		}
	}
	keys, err := db.eventKeys(ctx, from, until)
	if err != nil || len(keys) == 0 {
		return key{}, err
	}
	return keys[max(len(keys)-n, 0)], nil
}

// countAll counts the events of a time [from, until), unix ms.
func (db *DB) countAll(ctx context.Context, from, until int64) (int, error) {
	lo, hi := numbersOf(from, until)
	n, err := db.number(ctx, "SELECT count(*) FROM ingot_events r WHERE r.no >= $1 AND r.no < $2", args{lo, hi})
	if err != nil {
		return 0, err
	}
	packed, err := db.countPacked(ctx, &EventQuery{Internal: true}, nil, lo, hi)
	return n + packed, err
}

// eventKeys are the keys of the events of a time [from, until), unix ms, in order.
func (db *DB) eventKeys(ctx context.Context, from, until int64) ([]key, error) {
	lo, hi := numbersOf(from, until)
	rows, err := db.eventNumbers(ctx, lo, hi, 1<<31-1)
	if err != nil {
		return nil, err
	}
	var keys []key
	for _, row := range rows {
		keys = append(keys, keyOf(row.id))
	}
	packs, err := db.packNumbers(ctx, span{lo, hi - 1}, packsEnd(hi), 1<<31-1)
	if err != nil {
		return nil, err
	}
	err = db.eachPack(ctx, packs, allParts, func(events []packedEvent) {
		for i := range events {
			if no := events[i].no; no >= lo && no < hi {
				keys = append(keys, events[i].key)
			}
		}
	})
	slices.SortFunc(keys, func(a, b key) int { return a.compare(&b) })
	return keys, err
}

// eventNumbers are the first rows of events with numbers in [lo, hi): numbers and ids.
func (db *DB) eventNumbers(ctx context.Context, lo, hi int64, limit int) (rows []key, err error) {
	err = db.query(ctx, "SELECT e.no, e.id FROM ingot_events e WHERE e.no >= $1 AND e.no < $2 ORDER BY e.no LIMIT $3",
		args{lo, hi, limit}, func(scan func(...any) error) error {
			var k key
			var id []byte
			err := scan(&k.no, &id)
			k.id = toID(id)
			rows = append(rows, k)
			return err
		})
	return rows, err
}

// packNumbers are the numbers of the first packs that overlap a span and have numbers
// before end.
func (db *DB) packNumbers(ctx context.Context, of span, end int64, limit int) (numbers []int64, err error) {
	err = db.query(ctx, "SELECT p.no FROM ingot_pack_names p WHERE p.name IN ("+anyNames+") AND p.no >= $1 AND p.no < $2 AND p.first <= $3 ORDER BY p.no LIMIT $4",
		args{of.lo, end, of.hi, limit}, func(scan func(...any) error) error {
			var no int64
			err := scan(&no)
			numbers = append(numbers, no)
			return err
		})
	return numbers, err
}

// packsPerStep is how many packs one transaction of retention looks at.
const packsPerStep = 2

// eventStep is what is looked at together: some rows, and all packs up to the last of them.
type eventStep struct {
	keys []key // of events that the policy does not keep
	next int64 // number to go on with
	last bool
}

// scanEnd is behind the rows of events that may be deleted. One of the millisecond of the
// first event that stays may have a number that is greater than its id's.
func (r *retention) scanEnd() int64 {
	if r.eventsBefore.id == (ulid.ULID{}) {
		return r.eventsBefore.no
	}
	return firstNumber(r.eventsBefore.no>>numberBits + 1)
}

// step reads the next events from a number on that may be deleted.
func (r *retention) step(ctx context.Context, from int64) (s eventStep, err error) {
	end := r.scanEnd()
	rows, err := r.db.eventNumbers(ctx, from, end, retainBatch)
	if err != nil {
		return s, err
	}
	s.next, s.last = end, len(rows) < retainBatch
	before := packsEnd(end) // packs that begin before the end
	if !s.last {
		s.next = rows[retainBatch-1].no + 1
		before = s.next
	}
	packs, err := r.db.packNumbers(ctx, span{from, end - 1}, before, packsPerStep)
	if err != nil {
		return s, err
	}
	if len(packs) == packsPerStep {
		s.next, s.last = packs[packsPerStep-1]+1, false
	}
	for _, row := range rows {
		if row.no < s.next {
			s.keys = append(s.keys, keyOf(row.id))
		}
	}
	err = r.db.eachPack(ctx, packs, allParts, func(events []packedEvent) {
		for i := range events {
			s.keys = append(s.keys, events[i].key)
		}
	})
	s.keys = slices.DeleteFunc(s.keys, func(k key) bool { return k.compare(&r.eventsBefore) >= 0 })
	return s, err
}

// lower takes the cursor back to what the policy keeps: events behind that do not go with
// their runs in this pass.
func (r *retention) lower(ctx context.Context) error {
	from, err := r.db.cursor(ctx, cursorRetain)
	if err != nil || from <= r.eventsBefore.no {
		return err
	}
	r.db.storing.Lock()
	defer r.db.storing.Unlock()
	return r.db.write(ctx, func(s *store) error {
		return s.tx.setCursors(ctx, map[string]int64{cursorRetain: r.eventsBefore.no})
	})
}

// events goes through the events that it has not looked at.
func (r *retention) events(ctx context.Context) error {
	from, err := r.db.cursor(ctx, cursorRetain)
	for last := r.eventsBefore == (key{}); err == nil && !last; {
		from, last, err = r.someEvents(ctx, from)
	}
	return err
}

// someEvents looks at the next events from a number on, and returns where to go on.
func (r *retention) someEvents(ctx context.Context, from int64) (next int64, last bool, err error) {
	db := r.db
	db.storing.Lock()
	defer db.storing.Unlock()
	if err := db.unpark(ctx); err != nil { // what is parked may need the events
		return 0, false, err
	}
	step, err := r.step(ctx, from)
	if err != nil || step.last && len(step.keys) == 0 && from >= r.eventsBefore.no {
		return step.next, step.last, err
	}
	return step.next, step.last, db.write(ctx, func(s *store) error {
		if err := r.deleteEvents(ctx, s, step.keys); err != nil {
			return err
		}
		// Events of the last number may be deleted later.
		return s.tx.setCursors(ctx, map[string]int64{cursorRetain: min(step.next, r.eventsBefore.no)})
	})
}

// countEvents counts the events that a pass would delete.
func (r *retention) countEvents(ctx context.Context) error {
	step := eventStep{last: r.eventsBefore == (key{})}
	for !step.last {
		var err error
		if step, err = r.step(ctx, step.next); err != nil {
			return err
		}
		n, err := r.countUnneeded(ctx, step.keys)
		if err != nil {
			return err
		}
		r.report.Events += n
	}
	return nil
}

// countUnneeded counts the events that only runs need which would be deleted.
func (r *retention) countUnneeded(ctx context.Context, keys []key) (int, error) {
	if len(keys) == 0 {
		return 0, nil
	}
	list := make([]ulid.ULID, len(keys))
	for i := range keys {
		list[i] = keys[i].id
	}
	var a args
	events := r.db.blobs(&a, list)
	at, no := a.add(r.last.At), a.add(r.lastNo)
	// A run that would be deleted is not behind the last of them.
	remains := "(r.ended = 0 OR r.ended > " + at + " OR r.ended = " + at + " AND r.no > " + no + ")"
	return r.db.number(ctx, "SELECT count(*) FROM (SELECT l.v AS id FROM "+events+" l) e WHERE "+notPending+
		" AND NOT EXISTS (SELECT 1 FROM ingot_runs r WHERE r.event = e.id AND "+remains+
		") AND NOT EXISTS (SELECT 1 FROM ingot_batch_events b JOIN ingot_runs r ON r.no = b.run WHERE b.event = e.id AND "+remains+")", a)
}

// Conditions under which the event e is not needed.
const (
	notPending = "NOT EXISTS (SELECT 1 FROM ingot_skips s WHERE s.event = e.id AND s.pending = 1)"
	notNeeded  = notPending + " AND NOT EXISTS (SELECT 1 FROM ingot_runs r WHERE r.event = e.id)" +
		" AND NOT EXISTS (SELECT 1 FROM ingot_batch_events b WHERE b.event = e.id)"
)
