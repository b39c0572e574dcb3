package history

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"
	"ingot/internal/pgtest"

	"github.com/oklog/ulid/v2"
)

// model is what a database should know, in memory.
type model struct {
	t       *testing.T
	r       *rand.Rand
	fns     []ids.UUID
	names   []string
	begin   int64 // unix ms
	runs    map[ulid.ULID]*modelRun
	order   []ulid.ULID // of runs
	events  map[ulid.ULID]Event
	made    []ulid.ULID // events
	skips   map[skipID]Skip
	logNext uint64
	outbox  map[int]uint64
}

type modelRun struct {
	Run
	records []engine.Lifecycle
}

type skipID struct {
	event ulid.ULID
	fn    ids.UUID
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		t: t, r: rand.New(rand.NewPCG(seed, 1)), begin: 1_790_000_000_000,
		runs: map[ulid.ULID]*modelRun{}, events: map[ulid.ULID]Event{}, skips: map[skipID]Skip{}, outbox: map[int]uint64{},
		names: []string{"shop/order", "shop/paid", "a", event.NameFunctionFinished, event.NameFunctionInvoked},
	}
	for i := range 6 {
		m.fns = append(m.fns, ids.UUID{1, byte(i)})
	}
	return m
}

func (m *model) pick(n int) bool { return m.r.IntN(n) == 0 }

// time is one within some days.
func (m *model) time() int64 { return m.begin + m.r.Int64N(40*24*hourMS) }

// id is one whose number others have too, from time to time. Those of one number are
// rarely neighbours of those of the next.
func (m *model) id() ulid.ULID {
	id := ulid.ULID{}
	_ = id.SetTime(uint64(m.time()))
	if m.pick(3) {
		_ = id.SetTime(uint64(m.begin + m.r.Int64N(3)))
	}
	binary.BigEndian.PutUint16(id[6:], uint16(m.r.Uint32()))
	binary.BigEndian.PutUint64(id[8:], uint64(m.r.IntN(3))<<60|uint64(m.r.Uint32()))
	return id
}

// batch makes a random batch and notes what it means.
func (m *model) batch() *Batch {
	b := &Batch{OutboxNext: map[int]uint64{}}
	for range m.r.IntN(30) {
		ev, again := m.event()
		b.Events = append(b.Events, ev.AppendRecord(nil))
		if m.pick(20) && again { // the same id in the same batch
			b.Events = append(b.Events, ev.AppendRecord(nil))
		}
	}
	if len(b.Events) > 0 {
		m.logNext += uint64(len(b.Events))
		b.LogNext = m.logNext
	}
	for range m.r.IntN(60) {
		m.record(b)
	}
	if m.pick(2) {
		p := m.r.IntN(4)
		m.outbox[p] += uint64(1 + m.r.IntN(5))
		b.OutboxNext[p] = m.outbox[p]
	}
	return b
}

func (m *model) event() (ev *event.Event, again bool) {
	ev = &event.Event{
		InternalID: m.id(), Name: []byte(m.names[m.r.IntN(3)]), TS: m.time(), Data: []byte(`{"n":1}`), Seeded: m.pick(2),
	}
	ev.ReceivedAt = int64(ev.InternalID.Time())
	if ev.Seeded && m.pick(2) && len(m.made) > 0 {
		ev.InternalID = m.made[m.r.IntN(len(m.made))]
		again = true
	}
	if m.pick(3) {
		ev.ID, ev.V, ev.User = []byte("mine"), []byte("1"), []byte(`{"u":1}`)
	}
	m.know(ev)
	return ev, ev.Seeded
}

func (m *model) know(ev *event.Event) {
	if _, there := m.events[ev.InternalID]; there {
		return
	}
	m.made = append(m.made, ev.InternalID)
	m.events[ev.InternalID] = Event{
		ID: ev.InternalID, ReceivedAt: ev.ReceivedAt, TS: ev.TS, Name: string(ev.Name), ExternalID: string(ev.ID),
		Data: ev.Data, User: ev.User, V: string(ev.V),
	}
}

// record adds a record, or some, to a batch.
func (m *model) record(b *Batch) {
	switch n := m.r.IntN(10); {
	case n < 3 || len(m.order) == 0:
		m.schedule(b)
	case n == 3:
		m.skip(b)
	case n == 4:
		ev := event.NewInternal(m.id(), m.names[3+m.r.IntN(2)], "", []byte(`{}`), m.time())
		m.know(ev)
		b.Records = append(b.Records, &engine.Lifecycle{Kind: engine.InternalEvent, At: ev.TS, Payload: ev.AppendRecord(nil)})
	default:
		m.progress(b, m.runs[m.order[m.r.IntN(len(m.order))]])
	}
}

func (m *model) some() ulid.ULID {
	if len(m.made) == 0 {
		return m.id()
	}
	return m.made[m.r.IntN(len(m.made))]
}

func (m *model) schedule(b *Batch) {
	id := m.id()
	fn := m.fns[m.r.IntN(len(m.fns))]
	l := engine.Lifecycle{Kind: engine.RunScheduled, At: int64(id.Time()), Run: id, Fn: fn, Events: []ulid.ULID{m.some()}}
	run := &modelRun{Run: Run{ID: id, Function: fn, Status: Scheduled, QueuedAt: int64(id.Time())}}
	switch m.r.IntN(6) {
	case 0:
		l.Flags, run.Deferred = engine.FlagDeferred, true
	case 1:
		l.Flags, run.Batch = engine.FlagBatch, true
		for range m.r.IntN(3) {
			if ev := m.some(); !slices.Contains(l.Events, ev) {
				l.Events = append(l.Events, ev)
			}
		}
	case 2:
		l.Name, run.Cron = "* * * * *", "* * * * *"
	case 3:
		l.Child, run.Original = ulid.ULID{9}, ulid.ULID{9}
	case 4:
		l.Flags, run.Sync = engine.FlagSync, true
	}
	run.Events = l.Events
	m.runs[id] = run
	m.order = append(m.order, id)
	if m.pick(12) { // the outbox begins later
		run.Events, run.Batch, run.Deferred, run.Sync, run.Cron, run.Original = nil, false, false, false, "", ulid.ULID{}
		m.progress(b, run)
		return
	}
	for _, ev := range l.Events {
		if s, ok := m.skips[skipID{ev, fn}]; ok && s.Pending {
			delete(m.skips, skipID{ev, fn})
		}
	}
	m.add(b, run, l)
	for range m.r.IntN(8) {
		m.progress(b, run)
	}
}

func (m *model) add(b *Batch, run *modelRun, l engine.Lifecycle) {
	l.Run, l.Fn = run.ID, run.Function
	run.records = append(run.records, l)
	b.Records = append(b.Records, &l)
}

// progress adds a record to a run, also to one that has ended.
func (m *model) progress(b *Batch, run *modelRun) {
	l := engine.Lifecycle{At: run.QueuedAt + 1 + m.r.Int64N(5*hourMS), Step: "abc"}
	status := Running
	switch m.r.IntN(9) {
	case 0:
		l.Kind = engine.RunStarted
		if run.StartedAt == 0 {
			run.StartedAt = l.At
		}
	case 1:
		l.Kind, status = engine.RunCompleted, Completed
	case 2:
		l.Kind, status = engine.RunFailed, Failed
	case 3:
		l.Kind, status = engine.RunCancelled, Cancelled
	default:
		l.Kind = engine.StepCompleted
		l.Payload = bytes.Repeat([]byte("x"), m.r.IntN(700))
	}
	if status.Ended() {
		l.Payload = []byte(fmt.Sprintf(`{"at":%d}`, l.At))
		run.Output = l.Payload
	}
	if !run.Status.Ended() {
		if status.Ended() {
			run.EndedAt = l.At
		}
		run.Status = max(run.Status, status)
	}
	m.add(b, run, l)
}

func (m *model) skip(b *Batch) {
	ev, fn := m.some(), m.fns[m.r.IntN(len(m.fns))]
	l := &engine.Lifecycle{Kind: engine.EventSkipped, At: m.time(), Run: ev, Fn: fn, Name: engine.SkipRateLimit}
	if m.pick(2) {
		l.Kind, l.Name = engine.EventPending, engine.SkipBatch
	}
	// A run in the same batch that is of this event would end its wait: that is another test.
	for _, r := range b.Records {
		if r.Kind == engine.RunScheduled && r.Fn == fn && slices.Contains(r.Events, ev) {
			return
		}
	}
	m.skips[skipID{ev, fn}] = Skip{Event: ev, Function: fn, Reason: l.Name, At: l.At, Pending: l.Kind == engine.EventPending}
	b.Records = append(b.Records, l)
}

// opened calls f with each kind of database.
func opened(t *testing.T, f func(t *testing.T, db *DB)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, openTest(t, Config{Path: filepath.Join(t.TempDir(), "history.db")}))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, openTest(t, Config{PostgresURI: pgtest.Start(t)}))
	})
}

func openTest(t *testing.T, cfg Config) *DB {
	t.Helper()
	db, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// TestModel compares every query with a model, over random batches.
func TestModel(t *testing.T) {
	t.Parallel()
	opened(t, func(t *testing.T, db *DB) {
		for seed := range uint64(2) {
			m := newModel(t, seed)
			if seed > 0 { // the database keeps what others have left
				m.begin += int64(seed) * 100 * 24 * hourMS
				for i := range m.fns {
					m.fns[i][0] += byte(seed)
				}
			}
			for i := range 32 {
				if err := db.Store(t.Context(), m.batch()); err != nil {
					t.Fatalf("seed %d, batch %d: %v", seed, i, err)
				}
				if i%8 == 7 {
					m.check(db)
				}
				if t.Failed() {
					t.Fatalf("seed %d, batch %d", seed, i)
				}
			}
		}
	})
}

func (m *model) check(db *DB) {
	ctx := m.t.Context()
	m.checkRuns(ctx, db)
	m.checkEvents(ctx, db)
	for range 8 {
		m.checkRunList(ctx, db, m.runQuery())
		m.checkEventList(ctx, db, m.eventQuery())
	}
	logNext, outbox, err := db.Cursors(ctx)
	if err != nil || m.logNext != 0 && logNext != m.logNext && m.fns[0][0] == 1 {
		m.t.Errorf("cursor of the log %d, want %d; %v", logNext, m.logNext, err)
	}
	for p, n := range m.outbox {
		if outbox[p] != n {
			m.t.Errorf("cursor of outbox %d is %d, want %d", p, outbox[p], n)
		}
	}
}

func (m *model) checkRuns(ctx context.Context, db *DB) {
	traces, err := db.Traces(ctx, append([]ulid.ULID{{1}}, m.order...))
	if err != nil || len(traces) != len(m.order) {
		m.t.Fatalf("%d traces of %d: %v", len(traces), len(m.order), err)
	}
	for _, tr := range traces {
		want := m.runs[tr.Run.ID]
		if diff := sameRun(tr.Run, want.Run, true); diff != "" {
			m.t.Errorf("run %s: %s", tr.Run.ID, diff)
		}
		if len(tr.Records) != len(want.records) {
			m.t.Errorf("run %s has %d records, want %d", tr.Run.ID, len(tr.Records), len(want.records))
			continue
		}
		for i := range tr.Records {
			if fmt.Sprint(tr.Records[i]) != fmt.Sprint(want.records[i]) {
				m.t.Errorf("record %d: %v, want %v", i, tr.Records[i], want.records[i])
			}
		}
	}
	if _, err := db.Run(ctx, ulid.ULID{1}); !errors.Is(err, ErrNotFound) {
		m.t.Errorf("a run that does not exist: %v", err)
	}
	byEvent, err := db.RunsOfEvents(ctx, m.made, true)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, ev := range m.made {
		var want []ulid.ULID
		for id, r := range m.runs {
			if slices.Contains(r.Events, ev) {
				want = append(want, id)
			}
		}
		var got []ulid.ULID
		for _, r := range byEvent[ev] {
			got = append(got, r.ID)
		}
		if !sameSet(got, want) {
			m.t.Errorf("runs of event %s: %v, want %v", ev, got, want)
		}
	}
}

// sameRun returns how two runs differ.
func sameRun(got, want Run, output bool) string {
	if !output {
		want.Output = nil
	}
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		return g + "\nwant " + w
	}
	return ""
}

func sameSet(a, b []ulid.ULID) bool {
	byID := func(a, b ulid.ULID) int { return a.Compare(b) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), byID), slices.SortedFunc(slices.Values(b), byID))
}

func (m *model) checkEvents(ctx context.Context, db *DB) {
	events, err := db.EventsByID(ctx, append([]ulid.ULID{{1}}, m.made...))
	if err != nil || len(events) != len(m.made) {
		m.t.Fatalf("%d events of %d: %v", len(events), len(m.made), err)
	}
	for _, e := range events {
		if got, want := fmt.Sprintf("%+v", e), fmt.Sprintf("%+v", m.events[e.ID]); got != want {
			m.t.Errorf("event %s\nwant %s", got, want)
		}
	}
	skips, err := db.Skips(ctx, m.made)
	if err != nil {
		m.t.Fatal(err)
	}
	n := 0
	for _, s := range skips {
		if want := m.skips[skipID{s.Event, s.Function}]; s != want {
			m.t.Errorf("skip %+v, want %+v", s, want)
		}
		n++
	}
	for k := range m.skips {
		if _, ok := m.events[k.event]; ok {
			n--
		}
	}
	if n != 0 {
		m.t.Errorf("%d skips too many", n)
	}
}

// bounds are random ends of a window, some open, some empty.
func (m *model) bounds() (from, until int64) {
	from, until = m.time(), m.time()
	if m.pick(3) {
		from = m.begin + m.r.Int64N(3)
		until = from + m.r.Int64N(3)
	}
	if m.pick(4) {
		from = 0
	}
	if m.pick(4) {
		until = 0
	}
	return from, until
}

func (m *model) runQuery() *RunQuery {
	q := &RunQuery{Limit: 4 + m.r.IntN(40), Ascending: m.pick(2), Outputs: m.pick(3)}
	q.From, q.Until = m.bounds()
	q.Field = TimeField(m.r.IntN(3))
	switch m.r.IntN(4) {
	case 0:
		q.Functions = []ids.UUID{m.fns[0], m.fns[3], {7}}
	case 1:
		q.Functions = m.fns[:m.r.IntN(len(m.fns))]
	}
	if q.Functions == nil && m.fns[0][0] != 1 {
		q.Functions = m.fns // others have left theirs
	}
	if m.pick(2) {
		for range 1 + m.r.IntN(3) {
			if s := Status(1 + m.r.IntN(6)); !slices.Contains(q.Statuses, s) {
				q.Statuses = append(q.Statuses, s)
			}
		}
	}
	if m.pick(3) {
		d := m.pick(2)
		q.Deferred = &d
	}
	return q
}

func (q *RunQuery) selects(r *Run) bool {
	at := r.QueuedAt
	if q.Field == ByEnded {
		at = r.EndedAt
	}
	return (q.Functions == nil || slices.Contains(q.Functions, r.Function)) &&
		(len(q.Statuses) == 0 || slices.Contains(q.Statuses, r.Status)) &&
		(q.Deferred == nil || *q.Deferred == r.Deferred) && (q.Field != ByEnded || r.EndedAt != 0) &&
		(q.From == 0 || at >= q.From) && (q.Until == 0 || at <= q.Until)
}

// checkRunList reads all pages of a query.
func (m *model) checkRunList(ctx context.Context, db *DB, q *RunQuery) {
	var want, got []ulid.ULID
	for id, r := range m.runs {
		if q.selects(&r.Run) {
			want = append(want, id)
		}
	}
	n, err := db.CountRuns(ctx, q)
	if err != nil || n != len(want) {
		m.t.Errorf("%+v counts %d, want %d; %v", q, n, len(want), err)
	}
	last := RunPosition{}
	for {
		page, err := db.Runs(ctx, q)
		if err != nil {
			m.t.Fatalf("%+v: %v", q, err)
		}
		for _, r := range page {
			if diff := sameRun(r, m.runs[r.ID].Run, q.Outputs); diff != "" {
				m.t.Errorf("%+v: %s", q, diff)
			}
			at := RunPosition{r.ID, r.QueuedAt}
			if q.Field == ByEnded {
				at.At = r.EndedAt
			}
			if c := cmp.Compare(at.At, last.At); len(got) > 0 && c != 0 && (c > 0) != q.Ascending {
				m.t.Errorf("%+v: %d follows %d", q, at.At, last.At)
			}
			last = at
			got = append(got, r.ID)
		}
		if len(page) < q.Limit {
			break
		}
		q.After = &last
	}
	if !sameSet(got, want) {
		m.t.Errorf("%+v: %d runs %v, want %d %v", q, len(got), got, len(want), want)
	}
}

func (m *model) eventQuery() *EventQuery {
	q := &EventQuery{Limit: 4 + m.r.IntN(40), Internal: m.pick(2)}
	q.From, q.Until = m.bounds()
	if m.fns[0][0] != 1 && q.From == 0 {
		q.From = m.begin // others have left theirs
	}
	if m.pick(2) {
		q.Names = []string{m.names[m.r.IntN(5)], m.names[m.r.IntN(5)], "nobody"}
	}
	return q
}

func (m *model) checkEventList(ctx context.Context, db *DB, q *EventQuery) {
	var want, got []ulid.ULID
	for id, e := range m.events {
		at := int64(id.Time())
		if (q.Names == nil || slices.Contains(q.Names, e.Name)) && (q.Internal || !internalName(e.Name)) &&
			(q.From == 0 || at >= q.From) && (q.Until == 0 || at <= q.Until) {
			want = append(want, id)
		}
	}
	n, err := db.CountEvents(ctx, q)
	if err != nil || n != len(want) && (q.Until != 0 || m.fns[0][0] == 1) {
		m.t.Errorf("%+v counts %d, want %d; %v", q, n, len(want), err)
	}
	for {
		page, err := db.Events(ctx, q)
		if err != nil {
			m.t.Fatalf("%+v: %v", q, err)
		}
		for _, e := range page {
			if len(got) > 0 && e.ID.Time() > got[len(got)-1].Time() {
				m.t.Errorf("%+v: %s follows %s", q, e.ID, got[len(got)-1])
			}
			got = append(got, e.ID)
		}
		if len(page) < q.Limit {
			break
		}
		q.Before = page[len(page)-1].ID
	}
	if !sameSet(got, want) {
		m.t.Errorf("%+v: %d events, want %d", q, len(got), len(want))
	}
}
