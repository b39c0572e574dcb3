package engine

import (
	"sync"
	"sync/atomic"
)

// inbox queues messages for the router. It does not hold senders back: a
// partition with too many undelivered messages stops making calls
// (settings.maxUndelivered), which bounds it.
type inbox struct {
	mu     sync.Mutex
	ready  sync.Cond
	queue  []fromMessage
	closed bool
}

type fromMessage struct {
	from int
	sentMessage
}

func newInbox() *inbox {
	b := &inbox{}
	b.ready.L = &b.mu
	return b
}

func (b *inbox) put(from int, ms []sentMessage) {
	if len(ms) == 0 {
		return
	}
	b.mu.Lock()
	for _, m := range ms {
		b.queue = append(b.queue, fromMessage{from, m})
	}
	b.mu.Unlock()
	b.ready.Signal()
}

// take waits for messages; false means that the inbox is closed.
func (b *inbox) take() ([]fromMessage, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.queue) == 0 && !b.closed {
		b.ready.Wait()
	}
	q := b.queue
	b.queue = nil
	return q, !b.closed
}

func (b *inbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.ready.Broadcast()
}

// deliveredMark tells a partition how far its messages have been delivered. Marks
// that come while one is queued are merged with it.
type deliveredMark struct {
	box    *mailbox
	seq    atomic.Uint64
	queued atomic.Bool
}

func (m *deliveredMark) set(next uint64) {
	m.seq.Store(next - 1)
	if m.queued.CompareAndSwap(false, true) {
		m.box.put(command{kind: cmdDelivered, mark: m})
	}
}

func (m *deliveredMark) take() uint64 {
	m.queued.Store(false)
	return m.seq.Load()
}
