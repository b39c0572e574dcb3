package history

import (
	"path/filepath"
	"testing"

	"ingot/engine/event"
	"ingot/internal/ids"
	"ingot/internal/pgtest"
)

// TestAddedColumns: a database from before a column was added gets it, keeps its rows, and
// is as it was when it is opened once more.
func TestAddedColumns(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(t *testing.T) Config{
		"sqlite":   func(t *testing.T) Config { return Config{Path: filepath.Join(t.TempDir(), "history.db")} },
		"postgres": func(t *testing.T) Config { return Config{PostgresURI: pgtest.Start(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			old := event.Event{InternalID: ids.New(someMS), Name: []byte("old"), TS: 1, Data: []byte("{}")}
			with := event.Event{InternalID: ids.New(someMS + 1), Name: []byte("new"), TS: 1, Sessions: []byte(`{"chat":"7"}`)}
			again := func(during func(db *DB)) {
				t.Helper()
				db, err := Open(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				during(db)
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}
			store := func(db *DB, e *event.Event) {
				t.Helper()
				if err := db.Store(t.Context(), &Batch{Events: [][]byte{e.AppendRecord(nil)}}); err != nil {
					t.Fatal(err)
				}
			}
			read := func(db *DB, e *event.Event) {
				t.Helper()
				got, err := db.Event(t.Context(), e.InternalID)
				if err != nil || got.Name != string(e.Name) || string(got.Sessions) != string(e.Sessions) || (got.Sessions == nil) != (e.Sessions == nil) {
					t.Errorf("%+v, %v; want sessions %s", got, err, e.Sessions)
				}
			}
			again(func(db *DB) {
				store(db, &old)
				for _, c := range added {
					execute(t, db, "ALTER TABLE "+c.table+" DROP COLUMN "+c.column)
				}
			})
			again(func(db *DB) {
				read(db, &old)
				store(db, &with)
				read(db, &with)
			})
			again(func(db *DB) {
				read(db, &old)
				read(db, &with)
			})
		})
	}
}
