package history

import (
	"context"
	"slices"

	"github.com/oklog/ulid/v2"
)

// Lists. Every filter on functions and states is a list of classes, each of which is in
// order in an index. A page of n rows comes from the n classes whose first rows are
// first, and at most n rows of each; so it costs one look per class and few rows,
// whatever the filter leaves out.

// Runs implements Reader.Runs.
func (db *DB) Runs(ctx context.Context, q *RunQuery) ([]Run, error) {
	if q.Limit <= 0 {
		return nil, nil
	}
	if err := db.loadFunctions(ctx); err != nil {
		return nil, err
	}
	after, err := db.position(ctx, q)
	if err != nil {
		return nil, err
	}
	var a args
	var query string
	if q.Field != ByEnded && q.all() {
		query = "SELECT " + runColumns + " FROM ingot_runs r WHERE " + q.where(&a, "r", after) +
			" ORDER BY " + q.order("r") + " LIMIT " + a.add(q.Limit)
	} else {
		classes := db.classes(q)
		if len(classes) == 0 {
			return nil, nil
		}
		query = db.runsOfClasses(q, &a, classes, after)
	}
	rows, err := db.rows(ctx, query, a)
	if err != nil {
		return nil, err
	}
	return db.page(ctx, rows, q.Outputs)
}

// page makes runs of rows.
func (db *DB) page(ctx context.Context, rows []runRow, outputs bool) ([]Run, error) {
	runs := make([]Run, 0, len(rows))
	if !outputs {
		for i := range rows {
			r, err := db.run(&rows[i])
			if err != nil {
				return nil, err
			}
			runs = append(runs, r)
		}
		return runs, nil
	}
	numbers := make([]int64, len(rows))
	for i := range rows {
		numbers[i] = rows[i].no
	}
	byNo, err := db.runsByNumber(ctx, numbers, true)
	if err != nil {
		return nil, err
	}
	for _, no := range numbers {
		if r, ok := byNo[no]; ok {
			runs = append(runs, r)
		}
	}
	return runs, nil
}

// runsOfClasses is the statement that reads a page of the classes.
func (db *DB) runsOfClasses(q *RunQuery, a *args, classes []int64, after *int64) string {
	table := db.numbers(a, classes)
	limit := a.add(q.Limit)
	of := func(alias, class string) string {
		return "SELECT " + alias + ".no FROM ingot_runs " + alias + " WHERE " + alias + ".class = " + class + " AND " + q.where(a, alias, after) +
			" ORDER BY " + q.order(alias)
	}
	heads := "SELECT l.v, (" + of("x", "l.v") + " LIMIT 1) AS head FROM " + table + " l"
	first := "SELECT h.v FROM (" + heads + ") h JOIN ingot_runs f ON f.no = h.head ORDER BY " + q.order("f") + " LIMIT " + limit
	return "SELECT " + runColumns + " FROM (" + first + ") t " + db.join("ingot_runs", of("y", "t.v")+" LIMIT "+limit) +
		" ORDER BY " + q.order("r") + " LIMIT " + limit
}

// all reports whether the query leaves out no function and no state.
func (q *RunQuery) all() bool { return q.Functions == nil && len(q.Statuses) == 0 && q.Deferred == nil }

// classes are those that the query selects and that there are.
func (db *DB) classes(q *RunQuery) []int64 {
	var out []int64
	for _, fn := range db.functions.all(q.Functions) {
		for state := int64(1); state <= stateMask; state++ {
			class := fn.no<<stateBits | state
			s := classStatus(class)
			switch {
			case fn.states&(1<<state) == 0,
				q.Field == ByEnded && !s.Ended(),
				len(q.Statuses) > 0 && !slices.Contains(q.Statuses, s),
				q.Deferred != nil && *q.Deferred != classDeferred(class):
			default:
				out = append(out, class)
			}
		}
	}
	return out
}

// order is that of the query's rows.
func (q *RunQuery) order(alias string) string {
	dir := " DESC"
	if q.Ascending {
		dir = ""
	}
	if q.Field == ByEnded {
		return alias + ".ended" + dir + ", " + alias + ".no" + dir
	}
	return alias + ".no" + dir
}

// where is the condition on time and position. after is the number of the position.
func (q *RunQuery) where(a *args, alias string, after *int64) string {
	if q.Field != ByEnded {
		lo, hi := window(q.From, q.Until)
		if after != nil && q.Ascending {
			lo = max(lo, *after+1)
		} else if after != nil {
			hi = min(hi, *after)
		}
		return alias + ".no >= " + a.add(lo) + " AND " + alias + ".no < " + a.add(hi)
	}
	lo, hi := max(q.From, 1), q.Until
	if hi <= 0 {
		hi = 1<<63 - 1
	}
	behind := ""
	if after != nil {
		at, cmp := q.After.At, " < "
		if q.Ascending {
			cmp, lo = " > ", max(lo, at)
		} else {
			hi = min(hi, at)
		}
		behind = " AND (" + alias + ".ended <> " + a.add(at) + " OR " + alias + ".no" + cmp + a.add(*after) + ")"
	}
	// ended > 0 is the condition of the index.
	return alias + ".ended > 0 AND " + alias + ".ended >= " + a.add(lo) + " AND " + alias + ".ended <= " + a.add(hi) + behind
}

// position is the number of the run that a page begins behind; nil if it is the first. A
// run that has been deleted meanwhile is where it would be.
func (db *DB) position(ctx context.Context, q *RunQuery) (*int64, error) {
	if q.After == nil {
		return nil, nil
	}
	return db.place(ctx, tableRuns, q.After.ID)
}

func (db *DB) place(ctx context.Context, t table, id ulid.ULID) (*int64, error) {
	found, err := db.find(ctx, t, []ulid.ULID{id})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		found = []int64{number(id)}
	}
	return &found[0], nil
}

// CountRuns implements Reader.CountRuns.
func (db *DB) CountRuns(ctx context.Context, q *RunQuery) (int, error) {
	if err := db.loadFunctions(ctx); err != nil {
		return 0, err
	}
	kind := int64(countQueued)
	if q.Field == ByEnded {
		kind = countEnded
	}
	classes := db.classes(q)
	return db.count(ctx, kind, classes, q.From, q.Until)
}
