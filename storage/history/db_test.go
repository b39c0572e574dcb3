package history

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"
	"ingot/internal/pgtest"
	"ingot/storage/history/internal/lite"

	"github.com/oklog/ulid/v2"
)

const someMS = 1_790_000_000_000

func scheduled(id ulid.ULID, fn ids.UUID, events ...ulid.ULID) *engine.Lifecycle {
	return &engine.Lifecycle{Kind: engine.RunScheduled, At: int64(id.Time()), Run: id, Fn: fn, Events: events}
}

func put(t *testing.T, db *DB, records ...*engine.Lifecycle) {
	t.Helper()
	if err := db.Store(t.Context(), &Batch{Records: records}); err != nil {
		t.Fatal(err)
	}
}

// TestFailedStore: a batch that cannot be stored leaves nothing, and the next one is stored.
func TestFailedStore(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		run, ev := ids.New(someMS), event.Event{InternalID: ids.New(someMS), Name: []byte("new"), TS: 1}
		b := &Batch{Events: [][]byte{ev.AppendRecord(nil)}, Records: []*engine.Lifecycle{scheduled(run, ids.UUID{1}, ev.InternalID)}, LogNext: 7}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := db.Store(ctx, b); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled store: %v", err)
		}
		if _, err := db.Run(t.Context(), run); !errors.Is(err, ErrNotFound) {
			t.Errorf("the run after failures: %v", err)
		}
		// What cannot be read is left out, so that it does not hold up the rest for ever.
		b.Records = append(b.Records, &engine.Lifecycle{Kind: engine.InternalEvent, Payload: []byte("no record")})
		if err := db.Store(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Run(t.Context(), run); err != nil || got.Function != (ids.UUID{1}) {
			t.Errorf("the run: %+v, %v", got, err)
		}
		if got, err := db.Event(t.Context(), ev.InternalID); err != nil || got.Name != "new" {
			t.Errorf("the event: %+v, %v", got, err)
		}
		if next, _, err := db.Cursors(t.Context()); err != nil || next != 7 {
			t.Errorf("the cursor: %d, %v", next, err)
		}
	})
}

// execute runs a statement beside the database's own connections.
func execute(t *testing.T, db *DB, sql string) {
	t.Helper()
	var err error
	switch b := db.backend.(type) {
	case *sqlite:
		var c *lite.Conn
		if c, err = lite.Open(b.path); err == nil {
			err = errors.Join(c.Exec(sql), c.Close())
		}
	case *postgres:
		_, err = b.pool.Exec(t.Context(), sql)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRollback: a transaction that fails in the middle leaves nothing, neither in the
// database nor in what is remembered of it.
func TestRollback(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		fn, old := ids.UUID{1}, ids.New(someMS)
		put(t, db, scheduled(old, fn))
		run, ev := ids.New(someMS), event.Event{InternalID: ids.New(someMS), Name: []byte("new"), TS: 1}
		b := &Batch{
			Events: [][]byte{ev.AppendRecord(nil)}, LogNext: 7,
			Records: []*engine.Lifecycle{
				scheduled(run, ids.UUID{2}, ev.InternalID), {Kind: engine.RunCompleted, At: someMS + 1, Run: old, Fn: fn},
			},
		}
		execute(t, db, "ALTER TABLE ingot_counts RENAME TO ingot_elsewhere")
		for range 3 {
			if err := db.Store(t.Context(), b); err == nil {
				t.Error("a batch is stored without its counts")
			}
		}
		execute(t, db, "ALTER TABLE ingot_elsewhere RENAME TO ingot_counts")
		check := func(completed, events int) {
			t.Helper()
			q := &RunQuery{Statuses: []Status{Completed}}
			if n, err := db.CountRuns(t.Context(), q); err != nil || n != completed {
				t.Errorf("%d runs are completed, want %d; %v", n, completed, err)
			}
			q.Limit = 10
			if page, err := db.Runs(t.Context(), q); err != nil || len(page) != completed {
				t.Errorf("%d runs are listed, want %d; %v", len(page), completed, err)
			}
			if n, err := db.CountEvents(t.Context(), &EventQuery{Names: []string{"new"}}); err != nil || n != events {
				t.Errorf("%d events, want %d; %v", n, events, err)
			}
		}
		check(0, 0)
		if err := db.Store(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		check(1, 1)
		if got, err := db.Run(t.Context(), run); err != nil || got.Function != (ids.UUID{2}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestAppend: metadata joins the records of runs that exist, at any time.
func TestAppend(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		run, fn := ids.New(someMS), ids.UUID{5}
		put(t, db, scheduled(run, fn, ids.New(someMS)))
		meta := func(id ulid.ULID, text string) engine.Lifecycle {
			return engine.Lifecycle{Kind: engine.StepMetadata, At: someMS, Run: id, Payload: []byte(text)}
		}
		big := `"` + strings.Repeat("x", 2*growTrace) + `"`
		for _, text := range []string{"1", big, "3"} {
			if err := db.Append(t.Context(), meta(run, text), meta(ids.New(someMS), "of nobody")); err != nil {
				t.Fatal(err)
			}
		}
		put(t, db, &engine.Lifecycle{Kind: engine.RunCompleted, At: someMS + 5, Run: run, Fn: fn, Payload: []byte("7")})
		if err := db.Append(t.Context(), meta(run, "4")); err != nil {
			t.Fatal(err)
		}
		traces, err := db.Traces(t.Context(), []ulid.ULID{run})
		if err != nil || len(traces) != 1 {
			t.Fatalf("%d traces, %v", len(traces), err)
		}
		var got []string
		for _, l := range traces[0].Records {
			got = append(got, string(l.Payload))
			if l.Fn != fn || l.Run != run {
				t.Errorf("a record of %s of %s", l.Run, l.Fn)
			}
		}
		if want := []string{"", "1", big, "3", "7", "4"}; !slices.Equal(got, want) {
			t.Errorf("payloads %.80q, want %.80q", got, want)
		}
		if r := traces[0].Run; r.Status != Completed || string(r.Output) != "7" || r.EndedAt != someMS+5 {
			t.Errorf("the run is %+v", r)
		}
		if n, err := db.CountRuns(t.Context(), &RunQuery{}); err != nil || n != 1 {
			t.Errorf("%d runs, %v", n, err)
		}
		if err := db.Append(t.Context(), *scheduled(run, fn)); err == nil {
			t.Error("a record of the engine's is appended")
		}
	})
}

// TestScheduledAgain: a power cut may let the engine start a run again that the read model knows.
func TestScheduledAgain(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		run, fn, ev := ids.New(someMS), ids.UUID{5}, ids.New(someMS)
		put(t, db, scheduled(run, fn, ev), &engine.Lifecycle{Kind: engine.RunStarted, At: someMS + 1, Run: run, Fn: fn})
		put(t, db, scheduled(run, fn, ev), &engine.Lifecycle{Kind: engine.RunFailed, At: someMS + 3, Run: run, Fn: fn, Payload: []byte(`{"e":1}`)})
		got, err := db.Run(t.Context(), run)
		if err != nil || got.Status != Failed || got.StartedAt != someMS+1 || got.EndedAt != someMS+3 {
			t.Errorf("%+v, %v", got, err)
		}
		for _, q := range []RunQuery{{}, {Field: ByEnded}, {Functions: []ids.UUID{fn}, Statuses: []Status{Failed}}} {
			if n, err := db.CountRuns(t.Context(), &q); err != nil || n != 1 {
				t.Errorf("%+v: %d runs, %v", q, n, err)
			}
		}
	})
}

// TestPendingEnds: an event waits until its run is there; a singleton may refuse it then.
func TestPendingEnds(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		fn, other := ids.UUID{5}, ids.UUID{6}
		a, b := ids.New(someMS), ids.New(someMS)
		pending := func(ev ulid.ULID, fn ids.UUID) *engine.Lifecycle {
			return &engine.Lifecycle{Kind: engine.EventPending, At: someMS, Run: ev, Fn: fn, Name: engine.SkipBatch}
		}
		put(t, db, pending(a, fn), pending(b, fn), pending(a, other))
		run := ids.New(someMS + 1)
		put(t, db, scheduled(run, fn, a, b), &engine.Lifecycle{Kind: engine.EventSkipped, At: someMS + 2, Run: a, Fn: other, Name: engine.SkipSingleton})
		got, err := db.Skips(t.Context(), []ulid.ULID{a, b})
		want := Skip{Event: a, Function: other, Reason: engine.SkipSingleton, At: someMS + 2}
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%+v, want %+v; %v", got, want, err)
		}
		runs, err := db.RunsOfEvents(t.Context(), []ulid.ULID{a, b}, false)
		if err != nil || len(runs[a]) != 1 || len(runs[b]) != 1 || runs[b][0].ID != run {
			t.Errorf("%+v, %v", runs, err)
		}
	})
}

// TestStrings: what JSON can hold as a string is kept as it is, and found.
func TestStrings(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		for _, s := range []string{"\x00", "a\x00b", "é\u2028", "\xff\xfe", "'; DROP TABLE ingot_events; --", `"\`, strings.Repeat("n", 5000)} {
			ev := event.Event{InternalID: ids.New(someMS), Name: []byte(s), ID: []byte(s), V: []byte(s), TS: 1, Data: []byte(s)}
			if err := db.Store(t.Context(), &Batch{Events: [][]byte{ev.AppendRecord(nil)}}); err != nil {
				t.Fatalf("%q: %v", s, err)
			}
			got, err := db.Events(t.Context(), &EventQuery{Names: []string{s}, Limit: 2})
			if err != nil || len(got) != 1 || got[0].Name != s || got[0].ExternalID != s || got[0].V != s || string(got[0].Data) != s {
				t.Errorf("%q: %+v, %v", s, got, err)
			}
			if n, err := db.CountEvents(t.Context(), &EventQuery{Names: []string{s}}); err != nil || n != 1 {
				t.Errorf("%q: %d, %v", s, n, err)
			}
		}
	})
}

// TestReopen: what was stored is there after the database was closed, numbers go on, and
// making the tables again changes nothing.
func TestReopen(t *testing.T) {
	t.Parallel()
	for kind, cfg := range map[string]Config{
		"sqlite":   {Path: filepath.Join(t.TempDir(), "a directory ?#%", "history.db")},
		"postgres": {PostgresURI: pgtest.Start(t), MaxConns: 3},
	} {
		if cfg.Path != "" {
			mkdir(t, filepath.Dir(cfg.Path))
		}
		var runs []ulid.ULID
		for i := range 3 {
			db, err := Open(t.Context(), cfg)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			runs = append(runs, ids.New(someMS))
			put(t, db, scheduled(runs[i], ids.UUID{byte(i)}), scheduled(ids.New(someMS), ids.UUID{9}))
			for j, id := range runs {
				if got, err := db.Run(t.Context(), id); err != nil || got.Function != (ids.UUID{byte(j)}) {
					t.Errorf("%s: run %d: %+v, %v", kind, j, got, err)
				}
			}
			if n, err := db.CountRuns(t.Context(), &RunQuery{Functions: []ids.UUID{{9}}}); err != nil || n != i+1 {
				t.Errorf("%s: %d runs, %v", kind, n, err)
			}
			if s := db.Stats(t.Context()); s.Bytes == 0 || s.Runs != 2 {
				t.Errorf("%s: %+v", kind, s)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestNewerVersion: what a newer program wrote is not touched.
func TestNewerVersion(t *testing.T) {
	t.Parallel()
	cfg := Config{Path: filepath.Join(t.TempDir(), "history.db")}
	db := openTest(t, cfg)
	execute(t, db, "UPDATE ingot_cursors SET value = 1000 WHERE name = 'schema'")
	if other, err := Open(t.Context(), cfg); err == nil {
		t.Error("it is opened", other.Close())
	}
}

// TestOutage: while PostgreSQL is away, readers and writers are told so, and afterwards
// everything goes on by itself.
func TestOutage(t *testing.T) {
	t.Parallel()
	s := pgtest.New(t)
	db := openTest(t, Config{PostgresURI: s.URI})
	run := ids.New(someMS)
	b := &Batch{Records: []*engine.Lifecycle{scheduled(run, ids.UUID{1})}, LogNext: 3}
	for range 2 {
		s.Stop()
		if err := db.Store(t.Context(), b); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Store says %v", err)
		}
		if _, err := db.Run(t.Context(), run); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Run says %v", err)
		}
		if _, err := db.Runs(t.Context(), &RunQuery{Limit: 1}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Runs says %v", err)
		}
		if _, _, err := db.Cursors(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Cursors says %v", err)
		}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		if err := db.Store(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Run(t.Context(), run); err != nil {
			t.Error(err)
		}
		run = ids.New(someMS)
		b.Records = []*engine.Lifecycle{scheduled(run, ids.UUID{1})}
	}
	if _, err := Open(t.Context(), Config{PostgresURI: "postgres://nobody:secret@127.0.0.1:1/x"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Open says %v", err)
	} else if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error has the password: %v", err)
	}
}

// TestReadersSeeWhole: a reader sees all records of a run or none of a batch, also while
// chunks are put together.
func TestReadersSeeWhole(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		var runs []ulid.ULID
		fn := ids.UUID{3}
		for range 20 {
			runs = append(runs, ids.New(someMS))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			for ctx.Err() == nil {
				traces, err := db.Traces(ctx, runs)
				if err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
				for _, tr := range traces {
					for i, l := range tr.Records {
						if l.Count != i {
							t.Errorf("record %d of %s is number %d", i, l.Run, l.Count)
						}
					}
					if ended := tr.Run.Status == Completed; ended != (len(tr.Records) == 9) {
						t.Errorf("run %s is %d with %d records", tr.Run.ID, tr.Run.Status, len(tr.Records))
					}
				}
			}
		})
		for i := range 9 {
			var records []*engine.Lifecycle
			for _, id := range runs {
				l := &engine.Lifecycle{Kind: engine.StepCompleted, At: someMS, Run: id, Fn: fn, Count: i, Status: 1, Header: []byte("h"), Payload: incompressible(500)}
				if i == 8 {
					l.Kind = engine.RunCompleted
				}
				records = append(records, l)
			}
			put(t, db, records...)
		}
		cancel()
		wg.Wait()
	})
}

func incompressible(n int) (b []byte) {
	for len(b) < n {
		b = fmt.Appendf(b, "%s", ids.NewUUID())
	}
	return b
}
