package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/pace"
)

// Source is where history comes from; *engine.Engine implements it.
type Source interface {
	Partitions() int
	EventLog() engine.Log
	EventsTaken(next uint64)
	OutboxGrown() <-chan struct{}
	ReadOutbox(partition int, from uint64, visit func(seq uint64, value []byte) bool) error
	ReleaseOutbox(partition int, seq uint64)
}

// Pace of the consumer.
const (
	// storeEvery is the time between two stores while nobody asks for more: a run that
	// begins and ends in between costs one row write.
	storeEvery = time.Second
	// syncEvery bounds how often readers can make it store.
	syncEvery = 20 * time.Millisecond
	// batchBytes bounds what one store takes from the log and the outboxes.
	batchBytes = 2 << 20
	// retryMax bounds the pause after a failed store, which begins at retryMin.
	retryMin, retryMax = 100 * time.Millisecond, 5 * time.Second
	// restUntil is how far behind the consumer rests while it stores.
	restUntil = 2 * storeEvery
	// syncWait bounds Sync.
	syncWait = 3 * time.Second
)

// storer is what the consumer needs of the database; *DB implements it.
type storer interface {
	Store(ctx context.Context, b *Batch) error
	Cursors(ctx context.Context) (logNext uint64, outboxNext map[int]uint64, err error)
}

// Consumer moves what the source has into the database, in order, in batches. What is
// stored is released at the source only then, so nothing is lost when the database or
// this process fails; and the database has the cursors in the same transaction, so
// nothing is stored twice.
type Consumer struct {
	db  storer
	src Source
	log *slog.Logger

	cancel context.CancelFunc
	wg     sync.WaitGroup
	done   <-chan struct{} // closed when the consumer is to end
	ended  context.Context // is over: makes reads of the log that do not wait
	urgent chan struct{}   // has room for one mark: somebody waits in Sync
	grown  chan struct{}   // has room for one mark: the log has grown
	moved  chan struct{}   // has room for one mark: logNext has risen

	logNext atomic.Uint64
	outbox  []uint64 // next number by partition
	buffer  []byte
	records []engine.Lifecycle
	batch   Batch
	pace    pace.Pace // of gathering a batch
	// unsure says that a store has failed in a way that may have stored its batch all the
	// same: the connection may have broken after the commit.
	unsure bool
	// parked says that runs may be parked, since when nobody has asked for more.
	parked bool

	mu      sync.Mutex
	waiting []chan error
	err     error // of the last store
	errAt   time.Time
	behind  time.Time // since when there is something that is not stored; zero if there is not
}

// Consume starts to move history from src to db. Close ends it.
func Consume(db storer, src Source, log *slog.Logger) *Consumer {
	ctx, cancel := context.WithCancel(context.Background())
	over, end := context.WithCancel(context.Background())
	end()
	c := &Consumer{
		db: db, src: src, log: log, cancel: cancel, done: ctx.Done(), ended: over,
		urgent: make(chan struct{}, 1), grown: make(chan struct{}, 1), moved: make(chan struct{}, 1),
		outbox: make([]uint64, src.Partitions()),
	}
	c.wg.Go(func() { c.run(ctx) })
	return c
}

// Close stores what is there, if the database answers within ctx, and ends.
func (c *Consumer) Close(ctx context.Context) {
	if err := c.Sync(ctx); err != nil {
		c.log.Warn("history was not written to the end; it goes on at the next start", "error", err)
	}
	c.cancel()
	c.wg.Wait()
}

// Sync implements Reader.Sync.
func (c *Consumer) Sync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, syncWait)
	defer cancel()
	stored := make(chan error, 1)
	c.mu.Lock()
	// A database that has just failed is not waited for again by each reader.
	if c.err != nil && time.Since(c.errAt) < retryMax {
		err := c.err
		c.mu.Unlock()
		return err
	}
	c.waiting = append(c.waiting, stored)
	c.mu.Unlock()
	mark(c.urgent)
	select {
	case err := <-stored:
		return err
	case <-c.done:
		return ErrUnavailable
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil // far behind, but alive: reads show the past
		}
		return ctx.Err()
	}
}

// Lag is for how long there has been something that is not in the database, and why:
// the error of the last store, nil if it is only behind.
func (c *Consumer) Lag() (time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.behind.IsZero() {
		return 0, c.err
	}
	return time.Since(c.behind), c.err
}

func mark(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (c *Consumer) run(ctx context.Context) {
	if !c.begin(ctx) {
		return
	}
	c.wg.Go(func() { c.watchLog(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	last := time.Time{}
	retry := retryMin
	c.parked = true // the process before may have left some
	for more, idle := true, false; ctx.Err() == nil; {
		if !more {
			var ok bool
			if idle, ok = c.await(ctx, timer, last); !ok {
				return
			}
		}
		var err error
		if more, err = c.move(ctx, !idle); err != nil {
			c.log.Error("history cannot be stored; runs go on, and it is tried again", "error", err, "in", retry)
			more = true // there is something
			if !pause(ctx, timer, retry) {
				return
			}
			retry = min(2*retry, retryMax)
			continue
		}
		last, retry = time.Now(), retryMin
	}
}

// begin learns how far the database is.
func (c *Consumer) begin(ctx context.Context) bool {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for retry := retryMin; ; retry = min(2*retry, retryMax) {
		err := c.locate(ctx)
		if err == nil {
			return true
		}
		c.fail(err)
		c.refuse(err)
		if !pause(ctx, timer, retry) {
			return false
		}
	}
}

// refuse tells those who wait in Sync that they do in vain.
func (c *Consumer) refuse(err error) {
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, w := range waiting {
		w <- err
	}
}

// locate takes over the database's cursors.
func (c *Consumer) locate(ctx context.Context) error {
	logNext, outbox, err := c.db.Cursors(ctx)
	if err != nil {
		return err //nolint:wrapcheck // says what it was
	}
	c.logNext.Store(logNext)
	for p := range c.outbox {
		c.outbox[p] = outbox[p]
		c.src.ReleaseOutbox(p, outbox[p])
	}
	c.src.EventsTaken(logNext)
	mark(c.moved)
	c.unsure = false
	return nil
}

// pause waits; it reports false if ctx ends first.
func pause(ctx context.Context, timer *time.Timer, d time.Duration) bool {
	timer.Reset(d)
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// await waits until there is something to store and it is time to; idle says that there
// has been nothing for as long as runs may be parked.
func (c *Consumer) await(ctx context.Context, timer *time.Timer, last time.Time) (idle, ok bool) {
	urgent := false
	var over <-chan time.Time
	if c.parked {
		timer.Reset(parkFor)
		over = timer.C
	}
	select {
	case <-c.urgent:
		urgent = true
	case <-c.grown:
	case <-c.src.OutboxGrown():
	case <-over:
		return true, true
	case <-ctx.Done():
		return false, false
	}
	c.mu.Lock()
	if c.behind.IsZero() {
		c.behind = time.Now()
	}
	c.mu.Unlock()
	if !urgent {
		timer.Reset(time.Until(last.Add(storeEvery)))
		select {
		case <-timer.C:
			return false, true
		case <-c.urgent:
		case <-ctx.Done():
			return false, false
		}
	}
	return false, pause(ctx, timer, time.Until(last.Add(syncEvery)))
}

// watchLog marks grown whenever the log has entries that are not stored.
func (c *Consumer) watchLog(ctx context.Context) {
	for {
		next := c.logNext.Load()
		if _, err := c.src.EventLog().Next(ctx, next); err != nil {
			if ctx.Err() == nil {
				c.log.Error("the event log cannot be read; history stops", "error", err)
			}
			return
		}
		mark(c.grown)
		for c.logNext.Load() == next {
			select {
			case <-c.moved:
			case <-ctx.Done():
				return
			}
		}
	}
}

// move stores one batch; more says that it did not take all that there was. Runs may be
// parked if nobody waits.
func (c *Consumer) move(ctx context.Context, park bool) (more bool, err error) {
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	park = park && len(waiting) == 0
	var hurry func() bool
	if len(waiting) == 0 {
		hurry = c.hurry
	}
	c.pace.Begin(hurry)
	if c.unsure {
		err = c.locate(ctx)
	}
	if err == nil {
		more, err = c.gather()
	}
	if err == nil && (!c.batch.empty() || c.parked && !park) {
		c.batch.Park, c.batch.Hurry = park, hurry
		err = c.db.Store(ctx, &c.batch)
		c.unsure = err != nil
		c.parked = c.parked && err != nil || park
	}
	if err != nil {
		c.fail(err)
		for _, w := range waiting {
			w <- err
		}
		return false, err
	}
	c.release()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = nil
	if more {
		if n := len(c.records); n > 0 {
			c.behind = time.UnixMilli(c.records[n-1].At)
		}
		c.waiting = append(waiting, c.waiting...)
		return true, nil
	}
	c.behind = time.Time{}
	for _, w := range waiting {
		w <- nil
	}
	return false, nil
}

// hurry says that what is being stored should be soon: somebody waits for it, or history is
// too far behind to rest.
func (c *Consumer) hurry() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting) > 0 || !c.behind.IsZero() && time.Since(c.behind) > restUntil
}

func (c *Consumer) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.behind.IsZero() {
		c.behind = time.Now()
	}
	c.err, c.errAt = err, time.Now()
}

// gather fills the batch with what is next in the log and the outboxes.
func (c *Consumer) gather() (more bool, err error) {
	b := &c.batch
	b.Events, b.LogNext = b.Events[:0], 0
	b.OutboxNext = map[int]uint64{}
	c.buffer, c.records = c.buffer[:0], c.records[:0]
	size := 0
	for next := c.logNext.Load(); size < batchBytes; {
		g, err := c.src.EventLog().Next(c.ended, next)
		if err != nil {
			if c.ended.Err() != nil && errors.Is(err, c.ended.Err()) {
				break
			}
			return false, fmt.Errorf("read the event log: %w", err)
		}
		if b.Events, err = splitEvents(b.Events, g.Data); err != nil {
			// The engine has a dead letter of it.
			c.log.Error("events that cannot be read are left out of history", "error", err, "from", g.First, "count", g.Count)
		}
		c.pace.Step()
		next = g.First + uint64(g.Count)
		b.LogNext = next
		size += len(g.Data)
	}
	more = size >= batchBytes
	for p := range c.outbox {
		err := c.src.ReadOutbox(p, c.outbox[p], func(seq uint64, value []byte) bool {
			if size >= batchBytes {
				more = true
				return false
			}
			c.pace.Step()
			size += len(value)
			b.OutboxNext[p] = seq + 1
			if err := c.take(value); err != nil {
				c.log.Error("records that cannot be read are left out of history", "error", err, "partition", p, "number", seq)
			}
			return true
		})
		if err != nil {
			return false, err
		}
	}
	b.Records = b.Records[:0]
	for i := range c.records {
		b.Records = append(b.Records, &c.records[i])
	}
	return more, nil
}

// take decodes one value of an outbox, of which it keeps a copy until the next batch.
func (c *Consumer) take(value []byte) error {
	if cap(c.buffer)-len(c.buffer) < len(value) {
		c.buffer = make([]byte, 0, max(batchBytes, len(value))) // records keep the old one
	}
	n := len(c.buffer)
	c.buffer = append(c.buffer, value...)
	return engine.DecodeLifecycle(c.buffer[n:len(c.buffer):len(c.buffer)], func(l *engine.Lifecycle) error {
		c.records = append(c.records, *l)
		return nil
	})
}

// release tells the source what is stored.
func (c *Consumer) release() {
	b := &c.batch
	if b.LogNext != 0 {
		c.logNext.Store(b.LogNext)
		c.src.EventsTaken(b.LogNext)
		mark(c.moved)
	}
	for p, next := range b.OutboxNext {
		c.outbox[p] = next
		c.src.ReleaseOutbox(p, next)
	}
}

func (b *Batch) empty() bool { return len(b.Events) == 0 && len(b.Records) == 0 && b.LogNext == 0 }

// splitEvents appends the records of a group of the log.
func splitEvents(dst [][]byte, data []byte) ([][]byte, error) {
	for len(data) > 0 {
		rec, rest, _, err := event.SplitRecord(data)
		if err != nil {
			return dst, fmt.Errorf("an entry of the event log: %w", err)
		}
		dst = append(dst, rec)
		data = rest
	}
	return dst, nil
}
