package engine

import (
	"context"
	"sync"
)

// mailbox is a partition's input queue. Two kinds of sender use it: those that
// can wait (new events, API calls), which are held back while the queue is long,
// and those that cannot (answers, messages), whose number is bounded by the calls
// and messages under way.
type mailbox struct {
	mu     sync.Mutex
	queue  []command
	bytes  int64
	limit  int
	wake   chan struct{} // has room for one
	room   chan struct{} // closed and replaced when the queue is taken; nil if nobody waits
	closed bool
}

func newMailbox(limit int) *mailbox {
	return &mailbox{limit: limit, wake: make(chan struct{}, 1)}
}

// put adds a command without waiting. It reports false once the mailbox is closed.
func (m *mailbox) put(c command) bool {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false
	}
	m.add(c)
	return true
}

// add appends and unlocks.
func (m *mailbox) add(c command) {
	m.queue = append(m.queue, c)
	m.bytes += c.size()
	first := len(m.queue) == 1
	m.mu.Unlock()
	if first {
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// offer adds a command once the queue is below its limit, or fails when ctx ends.
func (m *mailbox) offer(ctx context.Context, c command) error {
	for {
		m.mu.Lock()
		if m.closed {
			m.mu.Unlock()
			return ErrClosed
		}
		if len(m.queue) < m.limit && m.bytes < maxMailboxBytes {
			m.add(c)
			return nil
		}
		if m.room == nil {
			m.room = make(chan struct{})
		}
		room := m.room
		m.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// maxMailboxBytes bounds the events that wait for a partition.
const maxMailboxBytes = 32 << 20

func (c *command) size() int64 {
	if c.event == nil {
		return 0
	}
	return int64(len(c.event.json))
}

// take returns all queued commands and uses spare for those to come.
func (m *mailbox) take(spare []command) []command {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken := m.queue
	m.queue = spare[:0]
	m.bytes = 0
	m.makeRoom()
	return taken
}

func (m *mailbox) makeRoom() {
	if m.room != nil {
		close(m.room)
		m.room = nil
	}
}

// close refuses further commands and returns those that were left.
func (m *mailbox) close() []command {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	left := m.queue
	m.queue = nil
	m.makeRoom()
	return left
}
