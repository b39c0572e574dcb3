package inngestdb

import (
	"context"
	"database/sql"
	"errors"
)

// positions is our table of how far the import has come.
type positions struct{ db *sql.DB }

// openPositions makes the table, if it is not there.
func openPositions(ctx context.Context, db *sql.DB) (positions, error) {
	_, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS ingot_import (
		part TEXT PRIMARY KEY, place TEXT NOT NULL, finished INTEGER NOT NULL)`)
	if err != nil {
		return positions{}, failed("table ingot_import", err)
	}
	return positions{db}, nil
}

// get returns the place that a part of the import has come to, and whether it is at its end.
func (p positions) get(ctx context.Context, part string) (place string, finished bool, err error) {
	var n int
	err = p.db.QueryRowContext(ctx, "SELECT place, finished FROM ingot_import WHERE part = $1", part).Scan(&place, &n)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", false, nil
	case err != nil:
		return "", false, failed("table ingot_import", err)
	}
	return place, n != 0, nil
}

// set notes that a part has come to a place.
func (p positions) set(ctx context.Context, part, place string, finished bool) error {
	n := 0
	if finished {
		n = 1
	}
	_, err := p.db.ExecContext(ctx, `INSERT INTO ingot_import (part, place, finished) VALUES ($1, $2, $3)
		ON CONFLICT (part) DO UPDATE SET place = excluded.place, finished = excluded.finished`, part, place, n)
	if err != nil {
		return failed("table ingot_import", err)
	}
	return nil
}
