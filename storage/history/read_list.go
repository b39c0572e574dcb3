package history

import (
	"context"
	"slices"

	"github.com/oklog/ulid/v2"
)

// Lists. Every filter on functions and states is a list of classes, each of which is in
// order in an index; so are events by name. A page of n rows comes from the n classes
// whose first rows are first, and no row of it is behind the last of these. So it costs
// one look per class and few rows, whatever the filter leaves out.
//
// Where a filter lets most rows through, going through the first rows of all is faster
// still, so that is tried first if there are many classes.
const (
	// fewClasses are looked at without a try.
	fewClasses = 16
	// tryRows is how many rows per row of the page a try goes through.
	tryRows = 10
)

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
	rows, err := db.listRows(ctx, q, after)
	if err != nil {
		return nil, err
	}
	return db.page(ctx, rows, q.Outputs)
}

// listRows reads the rows of a page behind a number.
func (db *DB) listRows(ctx context.Context, q *RunQuery, after *int64) ([]runRow, error) {
	first := func(a *args, limit int) string {
		l := q.list(a, after)
		return "SELECT " + runColumns + " FROM ingot_runs r WHERE " + l.where("r") + " ORDER BY " + l.order("r") + " LIMIT " + a.add(limit)
	}
	if q.Field != ByEnded && q.all() {
		var a args
		query := first(&a, q.Limit)
		return db.rows(ctx, query, a)
	}
	classes := db.classes(q)
	if len(classes) == 0 {
		return nil, nil
	}
	if q.Field != ByEnded && len(classes) > fewClasses {
		var a args
		query := "SELECT * FROM (" + first(&a, tryRows*q.Limit) + ") r WHERE r.class IN " + db.numbers(&a, classes) +
			" ORDER BY " + q.list(&a, after).order("r") + " LIMIT " + a.add(q.Limit)
		if rows, err := db.rows(ctx, query, a); err != nil || len(rows) == q.Limit {
			return rows, err
		}
	}
	var a args
	query := db.runsOfClasses(q, &a, classes, after)
	return db.rows(ctx, query, a)
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

// list describes lists of a table that are in order by class.
type list struct {
	table string // of the rows
	// index is the table that has class, at and no: the same, or one in which a row may
	// have several classes.
	index, class string
	at           string // column of the order; "no" follows if it is another one
	ascending    bool
	limit        int
	where        func(alias string) string
}

// list describes the runs of the query. Parameters go to a.
func (q *RunQuery) list(a *args, after *int64) *list {
	l := &list{table: "ingot_runs", index: "ingot_runs", class: "class", at: "no", ascending: q.Ascending, limit: q.Limit}
	if q.Field == ByEnded {
		l.at = "ended"
	}
	l.where = func(alias string) string { return q.where(a, alias, after) }
	return l
}

// runsOfClasses is the statement that reads a page of the classes.
func (db *DB) runsOfClasses(q *RunQuery, a *args, classes []int64, after *int64) string {
	l := q.list(a, after)
	return "SELECT " + runColumns + db.from(l, a, classes) + " ORDER BY " + l.order("r") + " LIMIT " + a.add(q.Limit)
}

// order is that of the list's rows.
func (l *list) order(alias string) string {
	dir := " DESC"
	if l.ascending {
		dir = ""
	}
	if l.at == "no" {
		return alias + ".no" + dir
	}
	return alias + "." + l.at + dir + ", " + alias + ".no" + dir
}

// from is FROM: the rows r of a page of the classes, and some more.
func (db *DB) from(l *list, a *args, classes []int64) string {
	dir, behind := " DESC", " >= "
	if l.ascending {
		dir, behind = "", " <= "
	}
	table, limit := db.numbers(a, classes), a.add(l.limit)
	// Heads are where the first row of each class is.
	heads := "SELECT c.v, (SELECT x." + l.at + " FROM " + l.index + " x WHERE x." + l.class + " = c.v AND " + l.where("x") +
		" ORDER BY " + l.order("x") + " LIMIT 1) AS at FROM " + table + " c"
	// What is behind the heads of a full page is not on the page.
	distinct := ""
	if l.index != l.table { // heads may be one row
		distinct = "DISTINCT "
	}
	last := "(SELECT coalesce((SELECT " + distinct + "e.at FROM heads e WHERE e.at IS NOT NULL ORDER BY e.at" + dir + " LIMIT 1 OFFSET " + a.add(l.limit-1) +
		"), " + a.add(l.open()) + "))"
	// Of several bounds SQLite looks for the first one only, and goes through what the others
	// leave out: the tightest is first.
	rows := "SELECT y.no FROM " + l.index + " y WHERE y." + l.class + " = t.v AND y." + l.at + behind + "(SELECT z.at FROM last z) AND " +
		l.where("y") + " ORDER BY " + l.order("y") + " LIMIT " + limit
	return " FROM (WITH heads AS (" + heads + "), last AS (SELECT " + last + " AS at) SELECT r.* FROM (SELECT h.v FROM heads h WHERE h.at" + behind +
		"(SELECT z.at FROM last z)) t " + db.join(l.table, rows) + ") r"
}

// open is a bound that everything is within.
func (l *list) open() int64 {
	if l.ascending {
		return 1<<63 - 1
	}
	return -1 << 63
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
	// ended > 0 is the condition of the index, and not the bound to look for.
	return alias + ".ended >= " + a.add(lo) + " AND " + alias + ".ended <= " + a.add(hi) + behind + " AND " + alias + ".ended > 0"
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
	return db.count(ctx, kind, classes, q.From, q.Until, func(from, until int64) (int, error) {
		return db.countRows(ctx, kind, classes, from, until)
	})
}
