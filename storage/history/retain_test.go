package history

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// retain deletes from the model what a policy does not keep.
func (m *model) retain(p Policy, now int64) (r Report) {
	ended := slices.DeleteFunc(slices.Clone(m.order), func(id ulid.ULID) bool { return m.runs[id].EndedAt == 0 })
	slices.SortFunc(ended, func(a, b ulid.ULID) int { return cmp.Compare(m.runs[a].EndedAt, m.runs[b].EndedAt) })
	for i, id := range ended {
		excess := p.RunCount > 0 && i < len(ended)-p.RunCount
		if excess || p.RunAge > 0 && m.runs[id].EndedAt < now-p.RunAge.Milliseconds() {
			delete(m.runs, id)
			r.Runs++
		}
	}
	m.order = slices.DeleteFunc(m.order, func(id ulid.ULID) bool { return m.runs[id] == nil })
	needed := map[ulid.ULID]bool{}
	for _, run := range m.runs {
		for _, ev := range run.Events {
			needed[ev] = true
		}
	}
	for k, s := range m.skips {
		needed[k.event] = needed[k.event] || s.Pending
	}
	m.made = slices.DeleteFunc(m.made, func(id ulid.ULID) bool {
		if p.EventAge == 0 || needed[id] || int64(id.Time()) >= now-p.EventAge.Milliseconds() {
			return false
		}
		delete(m.events, id)
		for k := range m.skips {
			if k.event == id {
				delete(m.skips, k)
			}
		}
		r.Events++
		return true
	})
	return r
}

// TestRetain compares what is deleted, and what is left, with the model.
func TestRetain(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		m := newModel(t, 7)
		for range 30 {
			if err := m.store(db); err != nil {
				t.Fatal(err)
			}
		}
		day := 24 * time.Hour
		now := m.begin + 41*day.Milliseconds()
		db.now = func() int64 { return now }
		for _, p := range []Policy{
			{}, {RunAge: 35 * day}, {EventAge: 30 * day}, {RunCount: 80, EventAge: 25 * day}, {RunCount: 70, RunAge: 20 * day}, {RunAge: day, EventAge: day},
		} {
			would, err := db.Retain(t.Context(), p, true)
			if err != nil {
				t.Fatal(err)
			}
			did, err := db.Retain(t.Context(), p, false)
			if err != nil {
				t.Fatal(err)
			}
			if want := m.retain(p, now); did != want || would != want {
				t.Errorf("%+v deleted %+v, would have %+v, want %+v", p, did, would, want)
			}
			m.check(db)
			if again, err := db.Retain(t.Context(), p, false); err != nil || again != (Report{}) {
				t.Errorf("%+v deletes %+v again, %v", p, again, err)
			}
			if t.Failed() {
				t.FailNow()
			}
		}
		if n := len(m.runs); n == 0 || len(m.events) == 0 {
			t.Errorf("%d runs and %d events are left: the test shows nothing", n, len(m.events))
		}
	})
}

// TestRetainEventCount: the newest events stay, and so many, also if many have come in
// a millisecond.
func TestRetainEventCount(t *testing.T) {
	t.Parallel()
	for name, perMS := range map[string]float64{"rows": 1. / 7000, "packs": 40} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opened(t, func(t *testing.T, db *DB) { testRetainEventCount(t, db, perMS) })
		})
	}
}

func testRetainEventCount(t *testing.T, db *DB, perMS float64) {
	b := &Batch{}
	var made []ulid.ULID
	for i := range 1500 {
		ev := event.Event{InternalID: ids.New(1_790_000_000_000 + int64(float64(i)/perMS)), Name: []byte("e"), TS: 1, ReceivedAt: 1}
		made = append(made, ev.InternalID)
		b.Events = append(b.Events, ev.AppendRecord(nil))
	}
	// Events of one millisecond are in the order of their keys.
	slices.SortFunc(made, func(a, b ulid.ULID) int { x, y := keyOf(a), keyOf(b); return x.compare(&y) })
	if err := db.Store(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for _, keep := range []int{5000, 1499, 777, 10} {
		want := Report{Events: max(0, len(made)-keep)}
		would, err := db.Retain(t.Context(), Policy{EventCount: keep}, true)
		if err != nil || would != want {
			t.Errorf("would delete %+v, want %+v; %v", would, want, err)
		}
		did, err := db.Retain(t.Context(), Policy{EventCount: keep}, false)
		if err != nil || did != want {
			t.Errorf("deletes %+v, want %+v; %v", did, want, err)
		}
		made = made[want.Events:]
		left, err := db.Events(t.Context(), &EventQuery{Limit: 10_000})
		if err != nil || len(left) != len(made) || left[len(left)-1].ID != made[0] {
			t.Fatalf("%d events are left of %d; %v", len(left), len(made), err)
		}
	}
}

// TestRetainShrinks: what is deleted leaves the file.
func TestRetainShrinks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "history.db")
	db := openTest(t, Config{Path: path, Now: func() int64 { return 1_800_000_000_000 }})
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	b := &Batch{}
	for i := range 4000 {
		id := ids.New(1_790_000_000_000 + int64(i))
		b.Records = append(b.Records, &engine.Lifecycle{Kind: engine.RunScheduled, Run: id, At: 1, Events: []ulid.ULID{id}},
			&engine.Lifecycle{Kind: engine.RunCompleted, Run: id, At: 2, Payload: incompressible(400)})
	}
	if err := db.Store(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	// This copies the log into the file.
	if r, err := db.Retain(t.Context(), Policy{RunCount: 3999}, false); err != nil || r.Runs != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	full := size()
	r, err := db.Retain(t.Context(), Policy{RunCount: 100}, false)
	if err != nil || r.Runs != 3899 {
		t.Fatalf("%+v, %v", r, err)
	}
	if left := size(); left > full/4 {
		t.Errorf("%d bytes of %d are left", left, full)
	}
}
