package history

import (
	"bytes"
	"encoding/binary"
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
	parked  int   // runs, after each batch
	bundled int   // runs, at most
	burst   int64 // about when most of the batch is, unix ms; 0 if it is anywhere
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

// eventID is one of an event, with others near in a burst.
func (m *model) eventID() ulid.ULID {
	id := m.id()
	if m.burst != 0 && !m.pick(10) {
		_ = id.SetTime(uint64(m.burst + m.r.Int64N(3000) - 1500))
	}
	return id
}

// batch makes a random batch and notes what it means.
func (m *model) batch() *Batch {
	b := &Batch{OutboxNext: map[int]uint64{}}
	if m.burst = 0; m.pick(6) { // its events are packed
		m.burst = m.begin + (1+m.r.Int64N(4))*9*24*hourMS
	}
	for range m.r.IntN(30 + int(min(m.burst, 200))) {
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
	records := 60
	if m.pick(8) { // more than a bundle
		records = 400
	}
	for range m.r.IntN(records) {
		m.record(b)
	}
	for range m.r.IntN(int(min(m.burst, 100)) + 1) {
		m.internal(b)
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
		InternalID: m.eventID(), Name: []byte(m.names[m.r.IntN(3)]), TS: m.time(), Data: []byte(`{"n":1}`), Seeded: m.pick(2),
	}
	ev.ReceivedAt = int64(ev.InternalID.Time())
	if ev.Seeded && m.pick(2) && len(m.made) > 0 {
		ev.InternalID = m.made[m.r.IntN(len(m.made))]
		again = true
	}
	if m.pick(3) {
		ev.ID, ev.V, ev.User, ev.Sessions = []byte("mine"), []byte("1"), []byte(`{"u":1}`), []byte(`{"chat":"7"}`)
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
		Data: ev.Data, User: ev.User, V: string(ev.V), Sessions: ev.Sessions,
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
		m.internal(b)
	default:
		m.progress(b, m.runs[m.order[m.r.IntN(len(m.order))]])
	}
}

// internal adds an event of the server's own, or one that there is.
func (m *model) internal(b *Batch) {
	id := m.eventID()
	if m.pick(9) {
		id = m.some()
	}
	ev := event.NewInternal(id, m.names[3+m.r.IntN(2)], "", []byte(`{}`), m.time())
	m.know(ev)
	b.Records = append(b.Records, &engine.Lifecycle{Kind: engine.InternalEvent, At: ev.TS, Payload: ev.AppendRecord(nil)})
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
		if m.pick(30) { // too much for a bundle
			l.Payload = bytes.Repeat(l.Payload, 20)
		}
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

// store stores a random batch, which may park runs that begin about when the model does.
func (m *model) store(db *DB) error {
	b := m.batch()
	b.Park = !m.pick(3)
	now := m.begin
	if m.pick(6) { // lots are old
		now += parkFor.Milliseconds()
	}
	db.now = func() int64 { return now }
	err := db.Store(m.t.Context(), b)
	if !b.Park && len(db.parked.runs) > 0 {
		m.t.Errorf("%d runs are parked", len(db.parked.runs))
	}
	m.parked += len(db.parked.runs)
	if m.pick(4) {
		db.parked.forget() // as if the server had been started again
	}
	return err
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
				if err := m.store(db); err != nil {
					t.Fatalf("seed %d, batch %d: %v", seed, i, err)
				}
				if i%8 == 7 {
					if err := db.Unpark(t.Context()); err != nil {
						t.Fatal(err)
					}
					m.check(db)
				}
				if t.Failed() {
					t.Fatalf("seed %d, batch %d", seed, i)
				}
			}
			if m.parked < 20 || m.bundled < 100 {
				t.Errorf("%d runs were parked, %d bundled: the test shows nothing", m.parked, m.bundled)
			}
		}
	})
}
