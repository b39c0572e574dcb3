package engine

import (
	"fmt"
	"math"
	"sync/atomic"
)

// What the read model consumes: the log of events and the partitions' outboxes. It reads
// only what is durable, and what it has not taken stays where it is; so it may stop,
// lag and start again without a loss, and takes disk space instead of memory meanwhile.

// feed is the engine's side of the consumer.
type feed struct {
	// wake has room for one mark: there is something new in an outbox.
	wake chan struct{}
	// delivered and taken are how far the log is needed by partitions and by the consumer:
	// the first entry that still is.
	delivered, taken atomic.Uint64
	// bytes is the size of the outboxes.
	bytes atomic.Int64
}

func (f *feed) init(consumed bool) {
	f.wake = make(chan struct{}, 1)
	if !consumed {
		f.taken.Store(math.MaxUint64)
	}
}

func (f *feed) notify() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// EventLog is the log of accepted events, for the consumer to read. Entries stay until
// EventsTaken says that they are not needed.
func (e *Engine) EventLog() Log { return e.conf.Store.Log() }

// EventsTaken tells that the consumer needs no entries of the log below next. An engine
// with Config.History keeps them until then.
func (e *Engine) EventsTaken(next uint64) {
	e.feed.taken.Store(next)
	e.trimLog()
}

// trimLog forgets what neither partitions nor the consumer need.
func (e *Engine) trimLog() {
	next := min(e.feed.delivered.Load(), e.feed.taken.Load())
	if next == 0 {
		return
	}
	if err := e.conf.Store.Log().Trim(next); err != nil && e.ctx.Err() == nil {
		e.log.Error("the event log could not be trimmed", "error", err)
	}
}

// Partitions is the number of partitions, and of outboxes.
func (e *Engine) Partitions() int { return e.set.partitions }

// OutboxGrown has a value whenever outboxes have grown since it was last received from.
func (e *Engine) OutboxGrown() <-chan struct{} { return e.feed.wake }

// OutboxEnd is the number behind the last durable value of a partition's outbox.
func (e *Engine) OutboxEnd(partition int) uint64 { return e.workers[partition].outboxEnd.Load() }

// ReadOutbox visits the durable values of a partition's outbox from a number on, in
// order, until visit returns false. Numbers rise but may have gaps. Values are valid
// only during the call; DecodeLifecycle reads them.
func (e *Engine) ReadOutbox(partition int, from uint64, visit func(seq uint64, value []byte) bool) error {
	end := e.OutboxEnd(partition)
	if from >= end {
		return nil
	}
	var lo, hi [8]byte
	err := e.workers[partition].p.store.Scan(TableHistory, appendUint64(lo[:0], from), appendUint64(hi[:0], end), func(k, v []byte) bool {
		return visit(outboxSeq(k), v)
	})
	if err != nil {
		return fmt.Errorf("read the outbox of partition %d: %w", partition, err)
	}
	return nil
}

// ReleaseOutbox deletes a partition's values below seq, with its next commit.
func (e *Engine) ReleaseOutbox(partition int, seq uint64) {
	e.workers[partition].box.put(command{kind: cmdOutbox, seq: seq})
}

// OutboxBytes is the size of what the consumer has not released.
func (e *Engine) OutboxBytes() int64 { return e.feed.bytes.Load() }
