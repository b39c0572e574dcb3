package history

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/internal/pgtest"

	"github.com/oklog/ulid/v2"
)

// checkBundles checks that bundles count the runs that refer to them, and returns how many
// runs do.
func checkBundles(t *testing.T, db *DB) (runs int) {
	t.Helper()
	err := db.query(t.Context(), `SELECT b.no, b.runs, (SELECT count(*) FROM ingot_runs r WHERE r.bundle = b.no) FROM ingot_bundles b`, nil,
		func(scan func(...any) error) error {
			var no, says, has int
			err := scan(&no, &says, &has)
			if says != has || has == 0 {
				t.Errorf("bundle %d counts %d runs, and has %d", no, says, has)
			}
			runs += has
			return err
		})
	if err != nil {
		t.Error(err)
	}
	all, err := db.number(t.Context(), "SELECT count(*) FROM ingot_runs r WHERE r.bundle > 0", nil)
	if err != nil || all != runs {
		t.Errorf("%d runs refer to bundles, %d of them to bundles that there are; %v", all, runs, err)
	}
	return runs
}

// endedRuns makes records of runs that begin and end, with an output of some bytes.
func endedRuns(n, size int) (b *Batch, runs []ulid.ULID) {
	b = &Batch{}
	for i := range n {
		fn, ev := ids.UUID{byte(i % 7)}, ids.New(someMS)
		id := ids.Derive(someMS+int64(i), ev[:]) // its number is hardly that of another one
		runs = append(runs, id)
		b.Records = append(b.Records, scheduled(id, fn, ev),
			&engine.Lifecycle{Kind: engine.RunCompleted, At: someMS + int64(n+i), Run: id, Fn: fn, Payload: incompressible(size)})
	}
	return b, runs
}

// checkTraces checks the records that are read of runs; nil is none of a run.
func checkTraces(t *testing.T, db *DB, want map[ulid.ULID][]*engine.Lifecycle) {
	t.Helper()
	var runs []ulid.ULID
	for id := range want {
		runs = append(runs, id)
	}
	traces, err := db.Traces(t.Context(), runs)
	if err != nil {
		t.Fatal(err)
	}
	if len(traces) != len(want) {
		t.Errorf("%d traces, want %d", len(traces), len(want))
	}
	for _, tr := range traces {
		records := want[tr.Run.ID]
		if len(tr.Records) != len(records) {
			t.Errorf("run %s has %d records, want %d", tr.Run.ID, len(tr.Records), len(records))
			continue
		}
		for i := range records {
			if got := &tr.Records[i]; got.Kind != records[i].Kind || got.At != records[i].At || !bytes.Equal(got.Payload, records[i].Payload) {
				t.Errorf("record %d of run %s is %v, want %v", i, tr.Run.ID, got, records[i])
			}
		}
	}
}

func recordsByRun(batches ...*Batch) map[ulid.ULID][]*engine.Lifecycle {
	out := map[ulid.ULID][]*engine.Lifecycle{}
	for _, b := range batches {
		for _, l := range b.Records {
			out[l.Run] = append(out[l.Run], l)
		}
	}
	return out
}

// TestBundle: the records of runs that begin and end in a batch are bundled, what comes later
// joins them, and a bundle goes with the last of its runs.
func TestBundle(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		const n = 200
		b, runs := endedRuns(n, 700)
		huge := endedRun(maxBundledRun)
		open := scheduled(ids.New(someMS), ids.UUID{1}, ids.New(someMS))
		b.Records = append(b.Records, huge...)
		put(t, db, append(b.Records, open)...)
		if got := checkBundles(t, db); got != n {
			t.Errorf("%d runs are bundled, want %d", got, n)
		}
		if got := count(t, db, "ingot_bundles"); got < 2 || got > n/minBundled {
			t.Errorf("%d bundles", got)
		}
		late := &Batch{Records: []*engine.Lifecycle{
			{Kind: engine.UserSpan, At: someMS + 9000, Run: runs[3], Payload: []byte("small")},
			{Kind: engine.UserSpan, At: someMS + 9000, Run: runs[4], Payload: incompressible(2 * growTrace)},
			{Kind: engine.RunCompleted, At: someMS + 9001, Run: open.Run},
		}}
		few, _ := endedRuns(minBundled-1, 10)
		put(t, db, late.Records...)
		put(t, db, few.Records...)
		if got := checkBundles(t, db); got != n {
			t.Errorf("%d runs are bundled, want %d", got, n)
		}
		// Runs that exist come again, as after a power cut, with new ones.
		again := &Batch{Records: b.Records[:40]}
		fresh, _ := endedRuns(20, 10)
		put(t, db, append(again.Records[:40:40], fresh.Records...)...)
		if got := checkBundles(t, db); got != n+20 {
			t.Errorf("%d runs are bundled, want %d", got, n+20)
		}
		put(t, db, again.Records...)
		opening := &Batch{Records: []*engine.Lifecycle{open}}
		checkTraces(t, db, recordsByRun(b, opening, late, few, again, fresh, again))
		bundles := count(t, db, "ingot_bundles")
		db.now = func() int64 { return someMS + hourMS }
		for _, left := range []int{150, 77, 1} {
			if _, err := db.Retain(t.Context(), Policy{RunCount: left}, false); err != nil {
				t.Fatal(err)
			}
			checkBundles(t, db)
		}
		if got := count(t, db, "ingot_bundles"); got >= bundles || got > 1 {
			t.Errorf("%d bundles are left of %d", got, bundles)
		}
		if _, err := db.Retain(t.Context(), Policy{RunAge: time.Minute}, false); err != nil {
			t.Fatal(err)
		}
		if runs, bundles := count(t, db, "ingot_runs"), count(t, db, "ingot_bundles"); runs != 0 || bundles != 0 {
			t.Errorf("%d runs and %d bundles are left", runs, bundles)
		}
	})
}

// endedRun makes the records of one run with an output of some bytes.
func endedRun(size int) []*engine.Lifecycle {
	b, _ := endedRuns(1, size)
	return b.Records
}

// TestBundleDamaged: a bundle that cannot be read is a fault of the traces in it only.
func TestBundleDamaged(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"cut":     "UPDATE ingot_bundles SET data = substr(data, 1, 900) WHERE no = 1",
		"missing": "DELETE FROM ingot_bundles WHERE no = 1",
		"empty":   "UPDATE ingot_bundles SET data = substr(data, 1, 0) WHERE no = 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opened(t, func(t *testing.T, db *DB) {
				var runs [2][]ulid.ULID
				var all []*Batch
				for i := range runs {
					var b *Batch
					b, runs[i] = endedRuns(20, 100)
					put(t, db, b.Records...)
					all = append(all, b)
				}
				lone, _ := endedRuns(1, 10)
				put(t, db, lone.Records...)
				execute(t, db, damage)
				if _, err := db.Traces(t.Context(), runs[0][:1]); err == nil || !strings.Contains(err.Error(), "row 1 of ingot_bundles") {
					t.Errorf("a trace: %v", err)
				}
				if r, err := db.Run(t.Context(), runs[0][1]); err == nil {
					t.Errorf("a run with its output: %+v", r)
				}
				checkTraces(t, db, recordsByRun(all[1], lone))
				if page, err := db.Runs(t.Context(), &RunQuery{Limit: 100}); err != nil || len(page) != 41 {
					t.Errorf("%d runs are listed, %v", len(page), err)
				}
				// The rest goes on.
				late := &Batch{Records: []*engine.Lifecycle{{Kind: engine.UserSpan, At: 1, Run: runs[0][0]}, {Kind: engine.UserSpan, At: 1, Run: runs[1][0]}}}
				put(t, db, late.Records...)
				if _, err := db.Traces(t.Context(), runs[1]); err != nil {
					t.Error(err)
				}
				db.now = func() int64 { return someMS + hourMS }
				if r, err := db.Retain(t.Context(), Policy{RunAge: time.Minute}, false); err != nil || r.Runs != 41 {
					t.Errorf("%+v, %v", r, err)
				}
			})
		})
	}
}

// TestBundleUpgrade: a database of form 3 is opened as it is, its runs get further records,
// and go, as those of bundles do.
func TestBundleUpgrade(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(t *testing.T) Config{
		"sqlite":   func(t *testing.T) Config { return Config{Path: filepath.Join(t.TempDir(), "history.db")} },
		"postgres": func(t *testing.T) Config { return Config{PostgresURI: pgtest.Start(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			old, err := Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			before := &Batch{}
			for range 20 { // one by one, so that they have no bundle
				b, _ := endedRuns(1, 300)
				put(t, old, b.Records...)
				before.Records = append(before.Records, b.Records...)
			}
			for _, sql := range []string{
				"DROP TABLE ingot_bundles", "ALTER TABLE ingot_runs DROP COLUMN bundle", "UPDATE ingot_cursors SET value = 3 WHERE name = 'schema'",
			} {
				execute(t, old, sql)
			}
			if err := old.Close(); err != nil {
				t.Error(err)
			}
			db := openTest(t, cfg)
			if v, err := db.cursor(t.Context(), cursorSchema); err != nil || v != schemaVersion {
				t.Errorf("the form is %d, %v", v, err)
			}
			b, runs := endedRuns(20, 300)
			put(t, db, b.Records...)
			late := &Batch{Records: []*engine.Lifecycle{
				{Kind: engine.UserSpan, At: 1, Run: runs[0]}, {Kind: engine.UserSpan, At: 1, Run: before.Records[0].Run},
			}}
			put(t, db, late.Records...)
			if n := checkBundles(t, db); n != 20 {
				t.Errorf("%d runs are bundled", n)
			}
			checkTraces(t, db, recordsByRun(before, b, late))
			db.now = func() int64 { return someMS + hourMS }
			if r, err := db.Retain(t.Context(), Policy{RunAge: time.Minute}, false); err != nil || r.Runs != 40 || count(t, db, "ingot_bundles") != 0 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}
