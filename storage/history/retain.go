package history

import (
	"context"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
)

// Policy says what is kept. Zero fields keep everything. Unfinished runs always stay, and
// events as long as a run does that they started, or that waits for them.
type Policy struct {
	// RunAge deletes runs that ended longer ago.
	RunAge time.Duration
	// RunCount keeps so many of the runs that ended last.
	RunCount int
	// EventAge deletes events that were received longer ago.
	EventAge time.Duration
	// EventCount keeps the newest events, and so many.
	EventCount int
}

// Report counts what was deleted, or would be.
type Report struct {
	Runs, Events int
}

const (
	// retainBatch is how many rows one transaction deletes: stores wait for it.
	retainBatch = 500
	// cursorRetain is the cursor up to which events have been looked at. What is left before
	// it is needed by runs, and goes with them.
	cursorRetain = "retain/events"
)

// retention is one pass.
type retention struct {
	db     *DB
	policy *Policy
	now    int64
	// eventsBefore bounds the events that may be deleted.
	eventsBefore key
	// last is the last run that was, or would be, deleted.
	last   RunPosition
	lastNo int64
	report Report
}

// Retain deletes what the policy does not keep, in small transactions, and gives space
// back: SQLite's file shrinks, PostgreSQL uses the space again. With dryRun it only counts.
// Ended by ctx, it reports what it has done and goes on from there the next time.
func (db *DB) Retain(ctx context.Context, p Policy, dryRun bool) (Report, error) {
	r := &retention{db: db, policy: &p, now: db.now()}
	err := db.Unpark(ctx)
	if err != nil {
		return Report{}, err
	}
	if r.eventsBefore, err = r.eventsEnd(ctx); err != nil {
		return Report{}, err
	}
	if dryRun {
		if err := r.runs(ctx, true); err != nil {
			return r.report, err
		}
		return r.report, r.countEvents(ctx)
	}
	if err := r.lower(ctx); err != nil {
		return r.report, err
	}
	if err := r.runs(ctx, false); err != nil {
		return r.report, err
	}
	if err := r.events(ctx); err != nil {
		return r.report, err
	}
	if r.report == (Report{}) {
		return r.report, nil
	}
	return r.report, db.reclaim(ctx)
}

// runs deletes ended runs, the first that ended first.
func (r *retention) runs(ctx context.Context, dryRun bool) error {
	excess, err := r.excessRuns(ctx)
	if err != nil {
		return err
	}
	before := int64(0)
	if r.policy.RunAge > 0 {
		before = r.now - r.policy.RunAge.Milliseconds()
	}
	for excess > 0 || before > 1 {
		n, err := r.someRuns(ctx, before, excess, dryRun)
		if err != nil || n == 0 {
			return err
		}
		excess -= n
		r.report.Runs += n
	}
	return nil
}

// excessRuns is how many runs there are beyond the policy's number.
func (r *retention) excessRuns(ctx context.Context) (int, error) {
	if r.policy.RunCount <= 0 {
		return 0, nil
	}
	n, err := r.db.CountRuns(ctx, &RunQuery{Field: ByEnded})
	return n - r.policy.RunCount, err
}

// someRuns deletes up to retainBatch of the runs that ended before a time, or are among
// the excess that ended first.
func (r *retention) someRuns(ctx context.Context, before int64, excess int, dryRun bool) (int, error) {
	db := r.db
	db.storing.Lock()
	defer db.storing.Unlock()
	if !dryRun { // what is parked may need the events
		if err := db.unpark(ctx); err != nil {
			return 0, err
		}
	}
	q := &RunQuery{Field: ByEnded, Ascending: true, Limit: retainBatch}
	if excess > 0 {
		q.Limit = min(q.Limit, excess)
	} else {
		q.Until = before - 1 // which is not 0: that would be all
	}
	var after *int64
	if dryRun && r.report.Runs > 0 {
		q.After, after = &r.last, &r.lastNo
	}
	if err := db.loadFunctions(ctx); err != nil {
		return 0, err
	}
	classes := db.classes(q)
	if len(classes) == 0 {
		return 0, nil
	}
	var a args
	query := db.runsOfClasses(q, &a, classes, after)
	rows, err := db.rows(ctx, query, a)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	last := &rows[len(rows)-1]
	r.last, r.lastNo = RunPosition{last.id, last.ended}, last.no
	if dryRun {
		return len(rows), nil
	}
	return len(rows), db.write(ctx, func(s *store) error { return r.deleteRuns(ctx, s, rows) })
}

// deleteRuns deletes runs, and their events if nothing else needs them any more.
func (r *retention) deleteRuns(ctx context.Context, s *store, rows []runRow) error {
	var links []batchEventRow
	var events []key
	for i := range rows {
		row := &rows[i]
		s.count(row.class, row, -1)
		x, err := decodeExtra(row.extra)
		if err != nil {
			return err
		}
		for _, id := range x.further {
			links = append(links, batchEventRow{id, row.no})
			events = append(events, keyOf(id))
		}
		if len(row.event) == len(ulid.ULID{}) {
			events = append(events, keyOf(ulid.ULID(row.event)))
		}
	}
	if err := s.tx.deleteRuns(ctx, rows, links); err != nil {
		return err
	}
	return r.deleteEvents(ctx, s, events)
}

// deleteEvents deletes those of the events that the policy does not keep and nothing needs.
func (r *retention) deleteEvents(ctx context.Context, s *store, events []key) error {
	var old []key
	seen := map[ulid.ULID]bool{}
	for _, k := range events {
		if k.compare(&r.eventsBefore) < 0 && !seen[k.id] {
			seen[k.id] = true
			old = append(old, k)
		}
	}
	if len(old) == 0 {
		return nil
	}
	needed, err := s.tx.needed(ctx, old)
	if err != nil {
		return err
	}
	old = slices.DeleteFunc(old, func(k key) bool { return needed[k.id] })
	if len(old) == 0 {
		return nil
	}
	return r.deleteUnneeded(ctx, s, old)
}

// deleteUnneeded deletes events that exist, with their skips, from rows and packs.
func (r *retention) deleteUnneeded(ctx context.Context, s *store, events []key) error {
	rows, err := s.tx.findEvents(ctx, events)
	if err != nil {
		return err
	}
	gone, numbers := make([]ulid.ULID, 0, len(events)), make([]int64, 0, len(rows))
	for _, row := range rows {
		s.counts.add(countEvents, int64(row.id.Time()), row.name, -1)
		gone, numbers = append(gone, row.id), append(numbers, row.no)
	}
	if err := s.tx.deleteEvents(ctx, numbers); err != nil {
		return err
	}
	if len(rows) < len(events) {
		packed, err := s.deletePacked(ctx, events)
		if err != nil {
			return err
		}
		gone = append(gone, packed...)
	}
	r.report.Events += len(gone)
	return s.tx.deleteSkips(ctx, gone)
}
