package history

import (
	"context"
)

// eventsEnd is the first number of the events that the policy keeps; 0 if it keeps all.
func (r *retention) eventsEnd(ctx context.Context) (int64, error) {
	end := int64(0)
	if r.policy.EventAge > 0 {
		end = firstNumber(r.now - r.policy.EventAge.Milliseconds())
	}
	if r.policy.EventCount <= 0 {
		return end, nil
	}
	// The hour in which the newest so many begin, by the counts; then row by row.
	keep := int64(r.policy.EventCount)
	hour, found := int64(0), false
	query := `SELECT c.bucket, CAST(sum(c.n) AS BIGINT) FROM ingot_counts c WHERE c.kind = $1 AND c.bucket < $2
		GROUP BY c.bucket ORDER BY c.bucket DESC`
	err := r.db.query(ctx, query, args{int64(countEvents), bucketOf(1, 0)}, func(scan func(...any) error) error {
		var bucket, n int64
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
	lo, hi := window(hour*hourMS, (hour+1)*hourMS-1)
	err = r.db.query(ctx, "SELECT e.no FROM ingot_events e WHERE e.no >= $1 AND e.no < $2 ORDER BY e.no DESC LIMIT 1 OFFSET $3",
		args{lo, hi, keep - 1}, func(scan func(...any) error) error {
			var no int64
			err := scan(&no)
			end = max(end, no)
			return err
		})
	return end, err
}

// events goes through the events that it has not looked at.
func (r *retention) events(ctx context.Context) error {
	from, err := r.db.cursor(ctx, cursorRetain)
	for err == nil && from < r.eventsBefore {
		from, err = r.someEvents(ctx, from)
	}
	return err
}

// lower takes the cursor back to what the policy keeps: events behind that do not go with
// their runs in this pass.
func (r *retention) lower(ctx context.Context) error {
	from, err := r.db.cursor(ctx, cursorRetain)
	if err != nil || from <= r.eventsBefore {
		return err
	}
	r.db.storing.Lock()
	defer r.db.storing.Unlock()
	return r.db.write(ctx, func(s *store) error {
		return s.tx.setCursors(ctx, map[string]int64{cursorRetain: r.eventsBefore})
	})
}

// someEvents looks at the next events from a number on, and returns where to go on.
func (r *retention) someEvents(ctx context.Context, from int64) (next int64, err error) {
	db := r.db
	db.storing.Lock()
	defer db.storing.Unlock()
	if err := db.unpark(ctx); err != nil { // what is parked may need the events
		return 0, err
	}
	var keys []key
	next = r.eventsBefore
	err = db.query(ctx, "SELECT e.no, e.id FROM ingot_events e WHERE e.no >= $1 AND e.no < $2 ORDER BY e.no LIMIT $3",
		args{from, r.eventsBefore, retainBatch}, func(scan func(...any) error) error {
			var k key
			var id []byte
			if err := scan(&k.no, &id); err != nil {
				return err
			}
			copy(k.id[:], id)
			if keys = append(keys, keyOf(k.id)); len(keys) == retainBatch {
				next = k.no + 1
			}
			return nil
		})
	if err != nil {
		return 0, err
	}
	return next, db.write(ctx, func(s *store) error {
		if err := r.deleteEvents(ctx, s, keys); err != nil {
			return err
		}
		return s.tx.setCursors(ctx, map[string]int64{cursorRetain: next})
	})
}

// countEvents counts the events that a pass would delete.
func (r *retention) countEvents(ctx context.Context) error {
	for from := int64(0); from < r.eventsBefore; {
		n, next := 0, r.eventsBefore
		// A run that would be deleted needs no event: it is not behind the last of them.
		const remains = "(r.ended = 0 OR r.ended > $4 OR r.ended = $4 AND r.no > $5)"
		query := "SELECT e.no, CASE WHEN " + notPending + " AND NOT EXISTS (SELECT 1 FROM ingot_runs r WHERE r.event = e.id AND " + remains +
			") AND NOT EXISTS (SELECT 1 FROM ingot_batch_events b JOIN ingot_runs r ON r.no = b.run WHERE b.event = e.id AND " + remains +
			") THEN 1 ELSE 0 END FROM ingot_events e WHERE e.no >= $1 AND e.no < $2 ORDER BY e.no LIMIT $3"
		err := r.db.query(ctx, query, args{from, r.eventsBefore, retainBatch, r.last.At, r.lastNo}, func(scan func(...any) error) error {
			var no int64
			var gone int
			if err := scan(&no, &gone); err != nil {
				return err
			}
			r.report.Events += gone
			if n++; n == retainBatch {
				next = no + 1
			}
			return nil
		})
		if err != nil {
			return err
		}
		from = next
	}
	return nil
}

// Conditions under which the event e is not needed.
const (
	notPending = "NOT EXISTS (SELECT 1 FROM ingot_skips s WHERE s.event = e.id AND s.pending = 1)"
	notNeeded  = notPending + " AND NOT EXISTS (SELECT 1 FROM ingot_runs r WHERE r.event = e.id)" +
		" AND NOT EXISTS (SELECT 1 FROM ingot_batch_events b WHERE b.event = e.id)"
)
