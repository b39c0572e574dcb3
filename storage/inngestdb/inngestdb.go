// Package inngestdb reads the database of a reference server (spec 02 §12), in SQLite or
// PostgreSQL, and makes of its rows what this server keeps: history (package history) and
// the catalog (engine.Catalog). Old runs stay visible next to new ones, and apps and
// functions keep their ids. Nothing of the reference's is changed; how far the import has
// come is in a table of our own, in the same database.
//
// What does not live here: our own tables of history (package history), and the queue and
// the state of runs under way, which the reference keeps in Redis. Runs that have not
// ended are shown as they are, but not continued.
package inngestdb

import (
	"context"
	"database/sql"
	"fmt"

	"ingot/engine"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// Dialect is the kind of a database.
type Dialect uint8

const (
	SQLite   Dialect = 1
	Postgres Dialect = 2
)

// Source is the database of a reference server, by the drivers "sqlite" or "pgx".
type Source struct {
	DB      *sql.DB
	Dialect Dialect
}

// Target is where history goes; *history.DB implements it.
type Target interface {
	Store(ctx context.Context, b *history.Batch) error
	RunsByID(ctx context.Context, ids []ulid.ULID, outputs bool) ([]history.Run, error)
	EventsByID(ctx context.Context, ids []ulid.ULID) ([]history.Event, error)
}

var _ Target = (*history.DB)(nil)

// required are tables, with a column of each, that every release of the reference has.
var required = map[string]string{
	"apps": "sdk_language", "functions": "config", "events": "internal_id", "function_runs": "run_id",
}

// Present reports whether the database has the reference's tables.
func Present(ctx context.Context, db *sql.DB, d Dialect) (bool, error) {
	for name, column := range required {
		t, err := openTable(ctx, Source{db, d}, name)
		if err != nil {
			return false, err
		}
		if !t.has(column) {
			return false, nil
		}
	}
	return true, nil
}

// skipReasons are the reference's reasons (spec 02 §13.5), as the engine names them.
var skipReasons = map[string]string{
	"Singleton": engine.SkipSingleton, "FunctionPaused": engine.SkipPaused, "FunctionDrained": engine.SkipDraining,
}

// skipReason returns the engine's name of a reason, or else the reference's.
func skipReason(name string) string {
	if r, ok := skipReasons[name]; ok {
		return r
	}
	if name == "" || name == "None" {
		return "unknown"
	}
	return name
}

// failed says what the import was doing.
func failed(what string, err error) error {
	return fmt.Errorf("import of a reference server's database: %s: %w", what, err)
}
