package history

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// runColumns are those of a run in lists, of the table r.
const runColumns = "r.no, r.id, r.class, r.started, r.ended, r.event, r.flags, r.extra"

// scanRun reads runColumns and what follows.
func scanRun(scan func(...any) error, r *runRow, more ...any) error {
	var id []byte
	var flags int64
	dst := append([]any{&r.no, &id, &r.class, &r.started, &r.ended, &r.event, &flags, &r.extra}, more...)
	if err := scan(dst...); err != nil {
		return err
	}
	copy(r.id[:], id)
	r.flags = engine.LifecycleFlags(flags)
	return nil
}

// run makes what readers see of a row.
func (db *DB) run(row *runRow) (Run, error) {
	x, err := decodeExtra(row.extra)
	if err != nil {
		return Run{}, err
	}
	r := Run{
		ID: row.id, Function: db.functions.id(classFunction(row.class)), Status: row.status(),
		QueuedAt: int64(row.id.Time()), StartedAt: row.started, EndedAt: row.ended,
		Batch: row.flags&engine.FlagBatch != 0, Deferred: row.flags&engine.FlagDeferred != 0, Sync: row.flags&engine.FlagSync != 0,
		Cron: x.cron, Original: x.original,
	}
	if len(row.event) == len(ulid.ULID{}) {
		r.Events = append([]ulid.ULID{ulid.ULID(row.event)}, x.further...)
	}
	return r, nil
}

// Run implements Reader.Run.
func (db *DB) Run(ctx context.Context, id ulid.ULID) (*Run, error) {
	runs, err := db.RunsByID(ctx, []ulid.ULID{id}, true)
	if err != nil {
		return nil, err
	}
	if len(runs) == 0 {
		return nil, ErrNotFound
	}
	return &runs[0], nil
}

// RunsByID implements Reader.RunsByID.
func (db *DB) RunsByID(ctx context.Context, ids []ulid.ULID, outputs bool) ([]Run, error) {
	numbers, err := db.find(ctx, tableRuns, ids)
	if err != nil || len(numbers) == 0 {
		return nil, err
	}
	byNo, err := db.runsByNumber(ctx, numbers, outputs)
	return slices.Collect(maps.Values(byNo)), err
}

// rows reads rows of runs.
func (db *DB) rows(ctx context.Context, query string, a args) ([]runRow, error) {
	if err := db.loadFunctions(ctx); err != nil {
		return nil, err
	}
	var rows []runRow
	err := db.query(ctx, query, a, func(scan func(...any) error) error {
		var row runRow
		if err := scanRun(scan, &row); err != nil {
			return err
		}
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

// find returns the numbers of the rows that exist.
func (db *DB) find(ctx context.Context, t table, ids []ulid.ULID) ([]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var a args
	list, span := db.keys(&a, ids), strconv.Itoa(numberSpan)
	query := "SELECT (SELECT x.no FROM " + string(t) + " x WHERE x.no >= l.w AND x.no < l.w + " + span +
		" AND x.id = l.v ORDER BY x.no LIMIT 1) FROM " + list + " l"
	var numbers []int64
	err := db.query(ctx, query, a, func(scan func(...any) error) error {
		var no *int64
		if err := scan(&no); err != nil {
			return err
		}
		if no != nil {
			numbers = append(numbers, *no)
		}
		return nil
	})
	return numbers, err
}

// RunsOfEvents implements Reader.RunsOfEvents.
func (db *DB) RunsOfEvents(ctx context.Context, events []ulid.ULID, outputs bool) (map[ulid.ULID][]Run, error) {
	out := map[ulid.ULID][]Run{}
	if len(events) == 0 {
		return out, nil
	}
	var a args
	list := db.blobs(&a, events)
	type link struct {
		event ulid.ULID
		run   int64
	}
	var links []link
	var numbers []int64
	query := "SELECT r.event, r.no FROM ingot_runs r WHERE r.event IN " + list +
		" UNION ALL SELECT b.event, b.run FROM ingot_batch_events b WHERE b.event IN " + list + " ORDER BY 2"
	err := db.query(ctx, query, a, func(scan func(...any) error) error {
		var event []byte
		var l link
		if err := scan(&event, &l.run); err != nil {
			return err
		}
		copy(l.event[:], event)
		links = append(links, l)
		numbers = append(numbers, l.run)
		return nil
	})
	if err != nil || len(links) == 0 {
		return out, err
	}
	byNo, err := db.runsByNumber(ctx, numbers, outputs)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		if run, ok := byNo[l.run]; ok { // else it was deleted meanwhile
			out[l.event] = append(out[l.event], run)
		}
	}
	return out, nil
}

// runsByNumber reads runs by their numbers.
func (db *DB) runsByNumber(ctx context.Context, numbers []int64, outputs bool) (map[int64]Run, error) {
	out := make(map[int64]Run, len(numbers))
	if outputs {
		full, err := db.full(ctx, numbers)
		if err != nil {
			return nil, err
		}
		for i := range full {
			if out[full[i].no], err = db.withOutput(&full[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	var a args
	list := db.numbers(&a, numbers)
	rows, err := db.rows(ctx, "SELECT "+runColumns+" FROM ingot_runs r WHERE r.no IN "+list, a)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if out[rows[i].no], err = db.run(&rows[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
