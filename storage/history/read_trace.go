package history

import (
	"context"
	"fmt"
	"slices"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// full reads whole rows, chunks included, in the order of their numbers. It is one
// statement, so that a run whose chunks are put together meanwhile is seen once.
func (db *DB) full(ctx context.Context, numbers []int64) ([]runRow, error) {
	if len(numbers) == 0 {
		return nil, nil
	}
	if err := db.loadFunctions(ctx); err != nil {
		return nil, err
	}
	numbers = slices.Compact(slices.Sorted(slices.Values(numbers)))
	var a args
	list := db.numbers(&a, numbers)
	query := "SELECT " + runColumns + ", coalesce(r.bundle, 0), r.trace, -1 AS seq FROM ingot_runs r WHERE r.no IN " + list +
		" UNION ALL SELECT c.run, NULL, 0, 0, 0, NULL, 0, NULL, 0, c.data, c.seq FROM ingot_chunks c WHERE c.run IN " + list +
		" UNION ALL SELECT b.no, NULL, 0, 0, 0, NULL, 0, NULL, b.no, b.data, -2 FROM ingot_bundles b WHERE b.no IN (" +
		"SELECT x.bundle FROM ingot_runs x WHERE x.no IN " + list + ") ORDER BY 1, 11"
	var rows []runRow
	bundles := map[int64][]byte{}
	err := db.query(ctx, query, a, func(scan func(...any) error) error {
		var row runRow
		var seq int64
		if err := scanRun(scan, &row, &row.bundle, &row.trace, &seq); err != nil {
			return err
		}
		last := len(rows) - 1
		switch {
		case seq == -2:
			bundles[row.no] = row.trace
		case seq == -1:
			rows = append(rows, row)
		case last >= 0 && rows[last].no == row.no:
			rows[last].trace = append(rows[last].trace, row.trace...)
		}
		return nil
	})
	unbundleRows(rows, bundles)
	return rows, err
}

// unbundleRows takes the records of rows out of bundles, each of which is unpacked once.
// What cannot be read is a fault of its row.
func unbundleRows(rows []runRow, bundles map[int64][]byte) {
	of := map[int64][]*runRow{}
	for i := range rows {
		if no := rows[i].bundle; no != 0 {
			of[no] = append(of[no], &rows[i])
		}
	}
	var records []byte // what rows take of them is a copy
	for no, some := range of {
		var err error
		records, err = appendUnpacked(records[:0], bundles[no])
		for _, row := range some {
			fault := err
			if fault == nil {
				row.trace, fault = unbundle(row.trace, records)
			}
			if fault != nil {
				row.fault = fmt.Errorf("row %d of ingot_bundles: %w", no, fault)
			}
		}
	}
}

// records decodes the records of a row.
func (db *DB) records(row *runRow, visit func(*engine.Lifecycle) error) error {
	if row.fault != nil {
		return row.fault
	}
	b, err := unpack(row.trace)
	if err != nil {
		return err
	}
	return engine.DecodeRun(b, row.id, db.functions.id(classFunction(row.class)), visit)
}

// withOutput is run with its output.
func (db *DB) withOutput(row *runRow) (Run, error) {
	r, err := db.run(row)
	if err != nil {
		return r, err
	}
	err = db.records(row, func(l *engine.Lifecycle) error {
		switch l.Kind {
		case engine.RunCompleted, engine.RunFailed, engine.RunCancelled:
			r.Output, r.Text = l.Payload, l.Flags&engine.FlagText != 0
		}
		return nil
	})
	return r, err
}

// Traces implements Reader.Traces.
func (db *DB) Traces(ctx context.Context, ids []ulid.ULID) ([]Trace, error) {
	numbers, err := db.find(ctx, tableRuns, ids)
	if err != nil {
		return nil, err
	}
	rows, err := db.full(ctx, numbers)
	if err != nil {
		return nil, err
	}
	traces := make([]Trace, len(rows))
	for i := range rows {
		t := &traces[i]
		if t.Run, err = db.withOutput(&rows[i]); err != nil {
			return nil, err
		}
		err = db.records(&rows[i], func(l *engine.Lifecycle) error {
			t.Records = append(t.Records, *l)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return traces, nil
}
