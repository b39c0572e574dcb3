package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"
	"ingot/storage/memstore"

	"github.com/oklog/ulid/v2"
)

// fakeSource is a source in memory.
type fakeSource struct {
	t     *testing.T
	log   engine.Log
	grown chan struct{}

	mu       sync.Mutex
	outboxes [2]map[uint64][]byte
	next     [2]uint64
	taken    uint64
	made     []ulid.ULID // the runs of all records, in order
	sent     []ulid.ULID // events
}

func newFakeSource(t *testing.T) *fakeSource {
	s := &fakeSource{t: t, log: memstore.New(1, memstore.Options{Partitions: 2}).Log(), grown: make(chan struct{}, 1)}
	for p := range s.outboxes {
		s.outboxes[p], s.next[p] = map[uint64][]byte{}, 1
	}
	return s
}

func (s *fakeSource) Partitions() int              { return len(s.outboxes) }
func (s *fakeSource) EventLog() engine.Log         { return s.log }
func (s *fakeSource) OutboxGrown() <-chan struct{} { return s.grown }

func (s *fakeSource) EventsTaken(next uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next < s.taken {
		s.t.Errorf("events are taken up to %d after %d", next, s.taken)
	}
	s.taken = next
}

func (s *fakeSource) ReadOutbox(p int, from uint64, visit func(uint64, []byte) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for seq := from; seq < s.next[p]; seq++ {
		if v, ok := s.outboxes[p][seq]; ok && !visit(seq, slices.Clone(v)) {
			return nil
		}
	}
	return nil
}

func (s *fakeSource) ReleaseOutbox(p int, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.outboxes[p] {
		if k < seq {
			delete(s.outboxes[p], k)
		}
	}
}

// add makes a value with one record in an outbox, and an event.
func (s *fakeSource) add(p int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := ids.New(int64(len(s.made)))
	s.made = append(s.made, run)
	v := append([]byte{2}, engine.AppendLifecycle(nil, &engine.Lifecycle{Kind: engine.RunStarted, At: 1})...)
	// The form of an outbox has the run in it, which AppendLifecycle leaves out.
	v = appendRun(v[:1], run)
	s.next[p] += uint64(rand.IntN(3)) // numbers may have gaps
	s.outboxes[p][s.next[p]] = v
	s.next[p]++
	ev := event.Event{InternalID: run, Name: []byte("e"), Data: []byte("{}"), TS: 1, ReceivedAt: 1}
	if err := s.log.Append(ev.AppendRecord(nil), 1); err != nil {
		s.t.Error(err)
	}
	s.sent = append(s.sent, run)
	mark(s.grown)
}

// appendRun appends a record of RunStarted with its run.
func appendRun(dst []byte, run ulid.ULID) []byte {
	dst = append(dst, byte(engine.RunStarted), 0, 2) // kind, no fields, At 1
	dst = append(dst, run[:]...)
	return append(dst, make([]byte, 16)...)
}

// fakeDB notes what is stored, fails when it is told to, and may lose its answer.
type fakeDB struct {
	mu      sync.Mutex
	runs    map[ulid.ULID]int
	events  map[ulid.ULID]int
	logNext uint64
	outbox  map[int]uint64
	parks   []bool // Batch.Park of each store
	fail    func() (before, after error)
}

func newFakeDB() *fakeDB {
	return &fakeDB{runs: map[ulid.ULID]int{}, events: map[ulid.ULID]int{}, outbox: map[int]uint64{}}
}

func (d *fakeDB) Cursors(context.Context) (uint64, map[int]uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		if err, _ := d.fail(); err != nil {
			return 0, nil, err
		}
	}
	out := map[int]uint64{}
	for p, n := range d.outbox {
		out[p] = n
	}
	return d.logNext, out, nil
}

func (d *fakeDB) Store(_ context.Context, b *Batch) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var after error
	if d.fail != nil {
		var before error
		if before, after = d.fail(); before != nil {
			return before
		}
	}
	d.parks = append(d.parks, b.Park)
	for _, r := range b.Records {
		d.runs[r.Run]++
	}
	for _, raw := range b.Events {
		var ev event.Event
		if _, err := event.DecodeRecord(raw, &ev); err != nil {
			return fmt.Errorf("event: %w", err)
		}
		d.events[ev.InternalID]++
	}
	if b.LogNext != 0 {
		d.logNext = b.LogNext
	}
	for p, n := range b.OutboxNext {
		d.outbox[p] = n
	}
	return after
}

// check reports whether everything is stored exactly once.
func (d *fakeDB) check(t *testing.T, s *fakeSource) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.made {
		if d.runs[id] != 1 || d.events[id] != 1 {
			t.Fatalf("run %s is stored %d times, its event %d times", id, d.runs[id], d.events[id])
		}
	}
	for p := range s.outboxes {
		if n := len(s.outboxes[p]); n != 0 {
			t.Errorf("%d values of outbox %d were not released", n, p)
		}
	}
	if s.taken != d.logNext {
		t.Errorf("events are released up to %d of %d", s.taken, d.logNext)
	}
}

// TestConsumeOnce: what is made before and during Consume is stored once when Sync
// returns, also by a consumer that starts again in the middle.
func TestConsumeOnce(t *testing.T) {
	t.Parallel()
	s, d := newFakeSource(t), newFakeDB()
	for range 3 {
		for range 50 {
			s.add(rand.IntN(2))
		}
		c := Consume(d, s, slog.New(slog.DiscardHandler))
		for range 50 {
			s.add(rand.IntN(2))
			if err := c.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.check(t, s)
		}
		if lag, err := c.Lag(); err != nil || lag > time.Minute {
			t.Errorf("behind by %v, %v", lag, err)
		}
		c.Close(t.Context())
	}
}

// TestConsumeFailures: stores that fail are made again and lose nothing. A consumer
// whose store has failed says so to readers at once.
func TestConsumeFailures(t *testing.T) {
	t.Parallel()
	s, d := newFakeSource(t), newFakeDB()
	away := fmt.Errorf("gone: %w", ErrUnavailable)
	down, lost := true, false
	d.fail = func() (error, error) {
		if down {
			return away, nil
		}
		if lost = !lost; lost {
			return nil, away // stored, but nobody learns of it
		}
		return nil, nil
	}
	c := Consume(d, s, slog.New(slog.DiscardHandler))
	for range 20 {
		s.add(rand.IntN(2))
	}
	if err := c.Sync(t.Context()); !errors.Is(err, ErrUnavailable) {
		for range 100 { // the first attempt may have been before
			if err = c.Sync(t.Context()); errors.Is(err, ErrUnavailable) {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if !errors.Is(err, ErrUnavailable) {
			t.Fatalf("Sync says %v", err)
		}
	}
	if _, err := c.Lag(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Lag says %v", err)
	}
	d.mu.Lock()
	down = false
	d.mu.Unlock()
	for range 500 {
		if lag, err := c.Lag(); lag == 0 && err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	d.check(t, s)
	c.Close(t.Context())
}

// TestConsumeParks: runs may be parked until somebody reads, or nothing has happened for a
// while. What an earlier process may have parked is the same.
func TestConsumeParks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := newFakeSource(t), newFakeDB()
		expect := func(when string, want ...bool) {
			t.Helper()
			synctest.Wait()
			d.mu.Lock()
			defer d.mu.Unlock()
			if !slices.Equal(d.parks, want) {
				t.Errorf("%s: stores with %v, want %v", when, d.parks, want)
			}
			d.parks = nil
		}
		c := Consume(d, s, slog.New(slog.DiscardHandler))
		expect("nothing")
		time.Sleep(parkFor)
		expect("after the start", false)
		time.Sleep(10 * parkFor)
		expect("still nothing")
		s.add(0)
		time.Sleep(2 * storeEvery)
		expect("a record", true)
		time.Sleep(parkFor)
		expect("idle", false)
		s.add(1)
		time.Sleep(2 * storeEvery)
		expect("another", true)
		for range 2 {
			if err := c.Sync(t.Context()); err != nil {
				t.Error(err)
			}
		}
		expect("readers", false)
		c.Close(t.Context())
		expect("closed")
	})
}

// watchedDB is a database that shows what it is given before it stores it.
type watchedDB struct {
	*fakeDB
	watch func(b *Batch)
}

func (d watchedDB) Store(ctx context.Context, b *Batch) error {
	d.watch(b)
	return d.fakeDB.Store(ctx, b)
}

// TestHurry: the consumer rests while it stores, until somebody waits or it is far behind.
func TestHurry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSource(t)
		var watch func(b *Batch)
		var c *Consumer
		stores := 0 // of batches with something in them
		store := func(doing string, act func(), hurries ...bool) {
			t.Helper()
			stores = 0
			watch = func(b *Batch) {
				if b.empty() { // which gives rows to what is parked
					return
				}
				stores++
				for i, want := range hurries {
					if i > 0 {
						act()
					}
					if got := b.Hurry == nil || b.Hurry(); got != want {
						t.Errorf("%s, %d: hurries is %v", doing, i, got)
					}
				}
			}
			s.add(0)
			time.Sleep(2*storeEvery + 2*restUntil)
			synctest.Wait()
			if stores != 1 {
				t.Errorf("%s: %d stores, want 1", doing, stores)
			}
		}
		c = Consume(watchedDB{newFakeDB(), func(b *Batch) { watch(b) }}, s, slog.New(slog.DiscardHandler))
		store("nobody waits", nil, false)
		store("somebody comes", func() {
			go func() {
				if err := c.Sync(t.Context()); err != nil {
					t.Error(err)
				}
			}()
			time.Sleep(time.Millisecond)
		}, false, true)
		store("it takes long", func() { time.Sleep(restUntil + 1) }, false, true)
		watch = func(b *Batch) {
			if !b.empty() && b.Hurry != nil {
				t.Error("a store that is waited for rests")
			}
		}
		s.add(0)
		if err := c.Sync(t.Context()); err != nil {
			t.Error(err)
		}
		c.Close(t.Context())
	})
}
