package history

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"ingot/engine"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// parkedRuns is how many runs an open database has parked, and how many lots.
func parkedRuns(db *DB) (runs, lots int) {
	db.storing.Lock()
	defer db.storing.Unlock()
	return len(db.parked.runs), len(db.parked.lots)
}

// checkParkedBytes checks that only runs which have not left count against maxParked.
func checkParkedBytes(t *testing.T, db *DB) {
	t.Helper()
	db.storing.Lock()
	defer db.storing.Unlock()
	size := 0
	for _, s := range db.parked.runs {
		r := s.lot.runs[s.n]
		size += r.to - r.from
	}
	if db.parked.bytes != size {
		t.Errorf("%d bytes count as parked, want %d", db.parked.bytes, size)
	}
}

func countRuns(t *testing.T, db *DB) int {
	t.Helper()
	n, err := db.CountRuns(t.Context(), &RunQuery{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestPark: runs that are queued get their row when they end, or a batch asks for it, also
// one of the next process, and never two.
func TestPark(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "history.db")
	open := func() *DB {
		return openTest(t, Config{Path: path, Now: func() int64 { return someMS + 1000 }})
	}
	db := open()
	const n = unparkAtOnce + 3000
	runs := make([]ulid.ULID, n)
	b := &Batch{Park: true}
	for i := range runs {
		runs[i] = ids.Derive(someMS, binary.BigEndian.AppendUint32(nil, uint32(i))) // as the engine does
		b.Records = append(b.Records, scheduled(runs[i], ids.UUID{1}, ids.New(someMS)))
	}
	old := ids.New(someMS - parkFor.Milliseconds())
	big := scheduled(ids.New(someMS), ids.UUID{1}, ids.New(someMS))
	big.Name = string(make([]byte, maxParkedRun))
	b.Records = append(b.Records, scheduled(old, ids.UUID{1}, ids.New(someMS)), big)
	put := func(b *Batch) {
		t.Helper()
		if err := db.Store(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(when string, rows, parked, lots int) {
		t.Helper()
		p, l := parkedRuns(db)
		checkParkedBytes(t, db)
		if got := countRuns(t, db); got != rows || p != parked || l != lots {
			t.Errorf("%s: %d rows, want %d; %d runs are parked, want %d; %d lots, want %d", when, got, rows, p, parked, l, lots)
		}
	}
	put(b)
	expect("parked", 2, n, 1)
	put(&Batch{Park: true, Records: []*engine.Lifecycle{
		{Kind: engine.RunCompleted, At: someMS + 5, Run: runs[0]}, {Kind: engine.RunStarted, At: someMS + 5, Run: runs[1]},
	}})
	expect("one has ended, one goes on", 3, n-1, 2)

	db = open()
	put(&Batch{Park: true, Records: []*engine.Lifecycle{{Kind: engine.RunFailed, At: someMS + 6, Run: runs[2]}}})
	expect("opened again", 4, n-2, 2)
	if err := db.Append(t.Context(), engine.Lifecycle{Kind: engine.StepMetadata, At: someMS + 7, Run: runs[3]}); err != nil {
		t.Fatal(err)
	}
	expect("one has metadata", 5, n-3, 2)
	put(&Batch{})
	expect("a reader", n+2, 0, 0)
	traces, err := db.Traces(t.Context(), runs[:4])
	if err != nil || len(traces) != 4 {
		t.Fatalf("%d traces, %v", len(traces), err)
	}
	for _, tr := range traces {
		if len(tr.Records) != 2 || tr.Records[0].Kind != engine.RunScheduled || len(tr.Run.Events) != 1 {
			t.Errorf("run %s is %+v with %d records", tr.Run.ID, tr.Run, len(tr.Records))
		}
	}
}

// TestParkIdle: a function whose runs do not end leaves room for those of others.
func TestParkIdle(t *testing.T) {
	t.Parallel()
	now := int64(someMS)
	db := openTest(t, Config{Path: filepath.Join(t.TempDir(), "history.db"), Now: func() int64 { return now }})
	held, busy := ids.UUID{1}, ids.UUID{2}
	made := uint32(0)
	var last ulid.ULID
	put := func(fn ids.UUID, runs int, parks bool) {
		t.Helper()
		before, _ := parkedRuns(db)
		b := &Batch{Park: true}
		for range runs {
			made++
			last = ids.Derive(now, binary.BigEndian.AppendUint32(nil, made))
			r := scheduled(last, fn, ids.New(now))
			r.Name = strings.Repeat("n", 1<<10)
			b.Records = append(b.Records, r)
		}
		if err := db.Store(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		checkParkedBytes(t, db)
		if after, _ := parkedRuns(db); (after-before == runs) != parks || (after == before) == parks {
			t.Errorf("%d of %d runs are parked; all are to be: %v", after-before, runs, parks)
		}
	}
	put(held, maxIdle>>10+1, true) // it may only be new
	put(held, 1, false)
	put(busy, maxIdle>>10+1, true)
	end := last
	put(busy, 1, false)
	if err := db.Store(t.Context(), &Batch{Park: true, Records: []*engine.Lifecycle{{Kind: engine.RunCompleted, At: now, Run: end}}}); err != nil {
		t.Fatal(err)
	}
	put(busy, 10, true)
	put(held, 1, false)
	now += idleFor.Milliseconds() + 1
	put(busy, 1, false)
}

// TestParkFails: what a transaction that failed has done with lots did not happen.
func TestParkFails(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		db.now = func() int64 { return someMS }
		a, b := ids.New(someMS), ids.New(someMS)
		if err := db.Store(t.Context(), &Batch{Park: true, Records: []*engine.Lifecycle{scheduled(a, ids.UUID{1}), scheduled(b, ids.UUID{1})}}); err != nil {
			t.Fatal(err)
		}
		end := &Batch{Park: true, LogNext: 9, Records: []*engine.Lifecycle{{Kind: engine.RunCompleted, At: someMS + 1, Run: a}}}
		execute(t, db, "ALTER TABLE ingot_counts RENAME TO ingot_elsewhere")
		for range 2 {
			if err := db.Store(t.Context(), end); err == nil {
				t.Error("a batch is stored without its counts")
			}
		}
		execute(t, db, "ALTER TABLE ingot_elsewhere RENAME TO ingot_counts")
		if n := countRuns(t, db); n != 0 {
			t.Errorf("%d rows", n)
		}
		if err := db.Store(t.Context(), end); err != nil {
			t.Fatal(err)
		}
		if runs, lots := parkedRuns(db); countRuns(t, db) != 1 || runs != 1 || lots != 1 {
			t.Errorf("%d rows, %d runs are parked in %d lots", countRuns(t, db), runs, lots)
		}
	})
}

// TestParkDamaged: a lot that cannot be read is left out, and the rest goes on.
func TestParkDamaged(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		db.now = func() int64 { return someMS }
		var last ulid.ULID
		for range 2 {
			last = ids.New(someMS)
			if err := db.Store(t.Context(), &Batch{Park: true, Records: []*engine.Lifecycle{scheduled(last, ids.UUID{1})}}); err != nil {
				t.Fatal(err)
			}
		}
		execute(t, db, "UPDATE ingot_parked SET at = at, data = gone WHERE no = 1")
		db.parked.forget()
		if err := db.Unpark(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Run(t.Context(), last); err != nil || countRuns(t, db) != 1 {
			t.Errorf("%d rows, %v", countRuns(t, db), err)
		}
	})
}

// TestParkDamagedRecords: records that cannot be read are left out and told of, and what
// can be read goes on.
func TestParkDamagedRecords(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		var said bytes.Buffer
		db.now, db.log = func() int64 { return someMS }, slog.New(slog.NewTextHandler(&said, nil))
		good, bad := ids.New(someMS), ids.New(someMS)
		if err := db.Store(t.Context(), &Batch{Park: true, Records: []*engine.Lifecycle{scheduled(good, ids.UUID{1}), scheduled(bad, ids.UUID{1})}}); err != nil {
			t.Fatal(err)
		}
		spot := db.parked.runs[bad]
		r := spot.lot.runs[spot.n]
		for i := r.from + 1; i < r.to; i++ {
			spot.lot.data[i] = 0xff
		}
		if err := db.Unpark(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Run(t.Context(), good); err != nil {
			t.Error(err)
		}
		if !strings.Contains(said.String(), "parked records of run "+bad.String()) {
			t.Errorf("the log says %q", said.String())
		}
	})
}
