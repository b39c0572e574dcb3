package history

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"
	"ingot/internal/pgtest"

	"github.com/oklog/ulid/v2"
)

// someEvents makes n events, perMS a millisecond, of some names.
func someEvents(n int, ms int64, perMS int, names ...string) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		at := ms + int64(i/perMS)
		events[i] = event.Event{
			InternalID: ids.New(at), Name: []byte(names[i%len(names)]), TS: at, ReceivedAt: at, Data: fmt.Appendf(nil, `{"n":%d}`, i),
		}
	}
	return events
}

func batchOf(events ...event.Event) *Batch {
	b := &Batch{Park: true}
	for i := range events {
		b.Events = append(b.Events, events[i].AppendRecord(nil))
	}
	return b
}

// count is how many rows a table has.
func count(t *testing.T, db *DB, table string) int {
	t.Helper()
	n, err := db.number(t.Context(), "SELECT count(*) FROM "+table, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestPackCut: how a batch is cut into packs and rows.
func TestPackCut(t *testing.T) {
	t.Parallel()
	many := make([]string, 40)
	for i := range many {
		many[i] = fmt.Sprintf("name %d", i)
	}
	big := someEvents(40, someMS, 1, "big")
	for i := range big {
		big[i].Data = fmt.Appendf(nil, `"%s"`, strings.Repeat("x", maxPackedEvent))
	}
	own := someEvents(minPacked, someMS, 1, event.NameFunctionFinished)
	for name, c := range map[string]struct {
		events      []event.Event
		packs, rows int
	}{
		"few":                 {someEvents(minPacked-1, someMS, 1, "a"), 0, minPacked - 1},
		"a pack":              {someEvents(minPacked, someMS, 1, "a", "b"), 1, 0},
		"two packs":           {someEvents(2*fullPack, someMS, 100, "a"), 2, 0},
		"no small rest":       {someEvents(fullPack+minPacked-1, someMS, 100, "a"), 1, 0},
		"far apart":           {append(someEvents(minPacked-1, someMS, 1, "a"), someEvents(minPacked-1, someMS+2100, 1, "a")...), 0, 2 * (minPacked - 1)},
		"two seconds":         {append(someEvents(50, someMS, 1, "a"), someEvents(50, someMS+2100, 1, "a")...), 2, 0},
		"many names":          {someEvents(len(many)*packPerName, someMS, 100, many...), 1, 0},
		"big":                 {big, 0, len(big)},
		"the server's own":    {append(own, someEvents(minPacked, someMS, 1, "a")...), 2, 0},
		"beyond what numbers": {someEvents(minPacked, numberMS+1000, 1, "a"), 0, minPacked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openTest(t, Config{Path: filepath.Join(t.TempDir(), "history.db")})
			rand.Shuffle(len(c.events), func(i, j int) { c.events[i], c.events[j] = c.events[j], c.events[i] })
			if err := db.Store(t.Context(), batchOf(c.events...)); err != nil {
				t.Fatal(err)
			}
			if packs, rows := count(t, db, "ingot_packs"), count(t, db, "ingot_events"); packs != c.packs || rows != c.rows {
				t.Errorf("%d packs, want %d; %d rows, want %d", packs, c.packs, rows, c.rows)
			}
			got, err := db.Events(t.Context(), &EventQuery{Limit: 1000, Internal: true})
			if err != nil || len(got) != len(c.events) {
				t.Errorf("%d events are listed of %d, %v", len(got), len(c.events), err)
			}
			for i := range c.events {
				if _, err := db.Event(t.Context(), c.events[i].InternalID); err != nil {
					t.Fatalf("event %s: %v", c.events[i].InternalID, err)
				}
			}
		})
	}
}

// TestPackAgain: an event whose id comes again, in any way, is there once, as it came first.
func TestPackAgain(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		events := someEvents(300, someMS, 100, "a", "b", "c")
		for i := range events {
			events[i].Seeded = true
		}
		want := 0
		expect := func(when string) {
			t.Helper()
			got, err := db.Events(t.Context(), &EventQuery{Limit: 1000})
			n, errCount := db.CountEvents(t.Context(), &EventQuery{})
			if err != nil || errCount != nil || len(got) != want || n != want {
				t.Errorf("%s: %d events are listed and %d counted, want %d; %v, %v", when, len(got), n, want, err, errCount)
			}
			for _, e := range got {
				if string(e.Data) == `"again"` {
					t.Fatalf("%s: %s is what came later", when, e.ID)
				}
			}
		}
		store := func(events []event.Event) {
			t.Helper()
			if err := db.Store(t.Context(), batchOf(events...)); err != nil {
				t.Fatal(err)
			}
		}
		again := func(events []event.Event) []event.Event {
			events = slices.Clone(events)
			for i := range events {
				events[i].Data = []byte(`"again"`)
			}
			return events
		}
		store(events[:20]) // rows
		store(events[100:200])
		want = 120
		expect("stored")
		store(again(events[100:200]))
		expect("a pack again")
		store(again(events[105:106]))
		expect("one again")
		store(append(again(events[:20]), events[20:100]...))
		want = 200
		expect("rows again, in a pack")
		store(append(again(events[50:150]), events[200:]...))
		want = 300
		expect("some again, in a pack with new ones")
	})
}

// TestPackOverlap: packs of one time and equal numbers, in turns with rows, are one list.
func TestPackOverlap(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		events := someEvents(1000, someMS, 500, "a", "b")
		rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		for rest := events; len(rest) > 0; {
			n := min(len(rest), 1+rand.IntN(100))
			if err := db.Store(t.Context(), batchOf(rest[:n]...)); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if packs, rows := count(t, db, "ingot_packs"), count(t, db, "ingot_events"); packs < 3 || rows < 3 {
			t.Errorf("%d packs and %d rows show nothing", packs, rows)
		}
		for _, names := range [][]string{nil, {"b"}} {
			seen := map[ulid.ULID]bool{}
			for q := (&EventQuery{Limit: 30, Names: names}); ; {
				page, err := db.Events(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page {
					if seen[e.ID] {
						t.Errorf("%s is listed twice", e.ID)
					}
					seen[e.ID] = true
				}
				if len(page) < q.Limit {
					break
				}
				q.Before = page[len(page)-1].ID
			}
			if want := len(events) / (1 + len(names)); len(seen) != want {
				t.Errorf("%d events of %v are listed, want %d", len(seen), names, want)
			}
		}
	})
}

// TestLastNumbers: senders may choose ids of the end of time. They are events like others,
// also when they come again.
func TestLastNumbers(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		events := someEvents(3, someMS, 1, "a")
		for i := range events {
			events[i].InternalID, events[i].Seeded = maxID, true
			events[i].InternalID[15] -= byte(i)
		}
		for range 2 {
			for i := range events {
				if err := db.Store(t.Context(), batchOf(events[i])); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i := range events {
			if _, err := db.Event(t.Context(), events[i].InternalID); err != nil {
				t.Errorf("event %d: %v", i, err)
			}
		}
		page, err := db.Events(t.Context(), &EventQuery{Limit: 10, Before: maxID})
		if err != nil || len(page) > 2 {
			t.Errorf("%d events are before the last one, %v", len(page), err)
		}
		if n, err := db.CountEvents(t.Context(), &EventQuery{From: someMS}); err != nil || n != 3 {
			t.Errorf("%d events, %v", n, err)
		}
		db.now = func() int64 { return someMS }
		for _, p := range []Policy{{EventCount: 2}, {EventAge: time.Hour}} {
			if _, err := db.Retain(t.Context(), p, false); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestPackDamaged: a pack that cannot be read is left out and told of, and the rest goes on.
func TestPackDamaged(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		var said bytes.Buffer
		db.log = slog.New(slog.NewTextHandler(&said, nil))
		events := someEvents(200, someMS, 1, "a")
		for _, half := range [][]event.Event{events[:100], events[100:]} {
			if err := db.Store(t.Context(), batchOf(half...)); err != nil {
				t.Fatal(err)
			}
		}
		execute(t, db, "UPDATE ingot_packs SET data = substr(data, 1, 9) WHERE no = (SELECT min(no) FROM ingot_packs)")
		page, err := db.Events(t.Context(), &EventQuery{Limit: 1000})
		if err != nil || len(page) != 100 {
			t.Errorf("%d events are listed, %v", len(page), err)
		}
		if !strings.Contains(said.String(), "of ingot_packs") {
			t.Errorf("the log says %q", said.String())
		}
		if err := db.Store(t.Context(), batchOf(someEvents(100, someMS+300, 1, "a")...)); err != nil {
			t.Error(err)
		}
		db.now = func() int64 { return someMS + 2*hourMS }
		if r, err := db.Retain(t.Context(), Policy{EventAge: time.Hour}, false); err != nil || r.Events != 200 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// TestUpgrade: a database of form 2 is opened as it is; its rows and new packs are one list,
// and its program refuses it from then on.
func TestUpgrade(t *testing.T) {
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
			events := someEvents(200, someMS, 10, "a", "b")
			var want []ulid.ULID
			for i := range events { // one by one, so that they are rows
				want = append(want, events[i].InternalID)
				if err := old.Store(t.Context(), batchOf(events[i])); err != nil {
					t.Fatal(err)
				}
			}
			for _, sql := range []string{"DROP TABLE ingot_packs", "DROP TABLE ingot_pack_names", "UPDATE ingot_cursors SET value = 2 WHERE name = 'schema'"} {
				execute(t, old, sql)
			}
			if err := old.Close(); err != nil {
				t.Error(err)
			}
			db := openTest(t, cfg)
			if v, err := db.cursor(t.Context(), cursorSchema); err != nil || v != schemaVersion {
				t.Errorf("the form is %d, %v", v, err)
			}
			more := someEvents(200, someMS+15, 10, "b", "c")
			for i := range more {
				want = append(want, more[i].InternalID)
			}
			if err := db.Store(t.Context(), batchOf(more...)); err != nil {
				t.Fatal(err)
			}
			if packs, rows := count(t, db, "ingot_packs"), count(t, db, "ingot_events"); packs != 1 || rows != 200 {
				t.Errorf("%d packs and %d rows", packs, rows)
			}
			page, err := db.Events(t.Context(), &EventQuery{Limit: 1000})
			var got []ulid.ULID
			for i, e := range page {
				got = append(got, e.ID)
				if i > 0 && e.ID.Time() > page[i-1].ID.Time() {
					t.Errorf("%s follows %s", e.ID, page[i-1].ID)
				}
			}
			if err != nil || !sameSet(got, want) {
				t.Errorf("%d events are listed, want %d; %v", len(got), len(want), err)
			}
			if n, err := db.CountEvents(t.Context(), &EventQuery{Names: []string{"b"}, From: someMS + 10}); err != nil || n != 150 {
				t.Errorf("%d events of a name, %v", n, err)
			}
			if all, err := db.EventsByID(t.Context(), want); err != nil || len(all) != len(want) {
				t.Errorf("%d events by id, %v", len(all), err)
			}
		})
	}
}

// TestPackNeeded: an event of a pack stays while a run needs it, and goes with that.
func TestPackNeeded(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		events := someEvents(100, someMS, 1, "a", "b")
		b := batchOf(events...)
		run := ids.New(someMS)
		b.Park, b.Records = false, []*engine.Lifecycle{
			scheduled(run, ids.UUID{1}, events[7].InternalID), {Kind: engine.RunCompleted, Run: run, At: someMS + 3*hourMS},
		}
		if err := db.Store(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		db.now = func() int64 { return someMS + 4*hourMS }
		for _, c := range []struct {
			policy Policy
			want   Report
		}{
			{Policy{EventAge: 5 * time.Hour}, Report{}},
			{Policy{EventAge: time.Hour}, Report{Events: 99}},
			{Policy{EventAge: time.Hour, RunAge: time.Minute}, Report{Runs: 1, Events: 1}},
		} {
			would, err := db.Retain(t.Context(), c.policy, true)
			did, err2 := db.Retain(t.Context(), c.policy, false)
			if err != nil || err2 != nil || would != c.want || did != c.want {
				t.Errorf("%+v deletes %+v, would have %+v, want %+v; %v, %v", c.policy, did, would, c.want, err, err2)
			}
			page, err := db.Events(t.Context(), &EventQuery{Limit: 1000})
			n, err2 := db.CountEvents(t.Context(), &EventQuery{From: someMS})
			if err != nil || err2 != nil || len(page) != n {
				t.Errorf("%d events are listed, %d counted; %v, %v", len(page), n, err, err2)
			}
		}
		for _, table := range []string{"ingot_packs", "ingot_pack_names", "ingot_events"} {
			if n := count(t, db, table); n != 0 {
				t.Errorf("%d rows of %s are left", n, table)
			}
		}
	})
}
