package inngestdb

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"
)

// table is one of the reference's as this database has it: older releases have fewer
// columns, or not the table.
type table struct {
	src  Source
	name string
	cols map[string]bool // nil if there is no such table
}

// openTable looks at a table.
func openTable(ctx context.Context, src Source, name string) (*table, error) {
	t := &table{src: src, name: name}
	exists := "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1"
	if src.Dialect == Postgres {
		exists = "SELECT COUNT(to_regclass($1))"
	}
	var n int
	if err := src.DB.QueryRowContext(ctx, exists, name).Scan(&n); err != nil {
		return nil, failed("table "+name, err)
	}
	if n == 0 {
		return t, nil
	}
	rows, err := src.DB.QueryContext(ctx, "SELECT * FROM "+name+" WHERE 1 = 0")
	if err != nil {
		return nil, failed("table "+name, err)
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return nil, failed("table "+name, err)
	}
	t.cols = map[string]bool{}
	for _, c := range cols {
		t.cols[c] = true
	}
	return t, rows.Err()
}

// has reports whether there is such a column.
func (t *table) has(column string) bool { return t.cols[column] }

// row is a row's values by name.
type row map[string]value

// doubled are columns of spans that are JSON in PostgreSQL, of a text that holds JSON.
var doubled = map[string]bool{"attributes": true, "links": true, "output": true, "input": true, "event_ids": true}

// query reads rows of the given columns; those that do not exist have no value. visit may
// stop by returning false.
func (t *table) query(ctx context.Context, columns, rest string, args []any, visit func(row) bool) error {
	if t.cols == nil {
		return nil
	}
	names := strings.Fields(columns)
	var list []string
	for _, n := range names {
		switch {
		case n == rowID: // SQLite's own
		case !t.has(n):
			n = "NULL"
		case t.src.Dialect == Postgres && t.name == "spans" && doubled[n]:
			n += "#>>'{}'"
		}
		list = append(list, n)
	}
	rows, err := t.src.DB.QueryContext(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+t.name+" "+rest, args...)
	if err != nil {
		return failed("table "+t.name, err)
	}
	defer rows.Close()
	if err := scan(rows, names, visit); err != nil {
		return failed("table "+t.name, err)
	}
	return nil
}

func scan(rows *sql.Rows, names []string, visit func(row) bool) error {
	values := make([]any, len(names))
	into := make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		r := make(row, len(names))
		for i, n := range names {
			r[n] = value{values[i]}
		}
		if !visit(r) {
			return nil
		}
	}
	return rows.Err()
}

// rowID is what orders rows in SQLite, where most tables have no key: the order in which
// they were inserted.
const rowID = "rowid"

// bytesPlace begins the places that are bytes, so that no bytes are a place too.
const bytesPlace = "x"

// page reads up to n rows before a place, the newest first, and visits them with their
// places. key is the column that orders them in PostgreSQL. An empty place is the end.
func (t *table) page(ctx context.Context, key, columns, before string, n int, visit func(r row, place string) bool) error {
	var bound any
	switch {
	case t.src.Dialect == SQLite:
		key = rowID
		last, err := strconv.ParseInt(before, 10, 64)
		if err != nil {
			last = math.MaxInt64
		}
		bound = last
	case t.src.text(t.name):
		bound = cmp.Or(before, strings.Repeat("Z", ulid.EncodedSize))
	default:
		text, ok := strings.CutPrefix(before, bytesPlace)
		id, err := hex.DecodeString(text)
		if !ok || err != nil {
			id = bytes.Repeat([]byte{0xff}, len(ulid.ULID{})+1) // greater than any id
		}
		bound = id
	}
	rest := "WHERE " + key + " < $1 ORDER BY " + key + " DESC LIMIT " + strconv.Itoa(n)
	return t.query(ctx, key+" "+columns, rest, []any{bound}, func(r row) bool {
		place := r[key].text()
		if t.src.Dialect == Postgres && !t.src.text(t.name) {
			place = bytesPlace + hex.EncodeToString([]byte(place))
		}
		return visit(r, place)
	})
}

// text reports whether ids of runs are characters in a table, rather than bytes.
func (s Source) text(table string) bool {
	return s.Dialect == Postgres && (table == "trace_runs" || table == "event_batches")
}

// id is a parameter for a column of ids.
func (s Source) id(table string, id ulid.ULID) any {
	if s.text(table) {
		return id.String()
	}
	return id[:]
}
