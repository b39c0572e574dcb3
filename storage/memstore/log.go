package memstore

import (
	"context"
	"fmt"
	"sort"

	"ingot/engine"
)

// log is the write-ahead log. Each durable append is a group of its own. The
// store's mutex guards it.
type log struct {
	store   *Store
	groups  []engine.LogGroup
	head    uint64 // sequence number of the next entry
	trimmed uint64 // entries below are not read again
	// forgotten is how far the trim is durable: a crash brings back what is above.
	forgotten uint64
	grown     chan struct{}
	closing   chan struct{}
}

func newLog(s *Store) *log {
	return &log{store: s, head: 1, grown: make(chan struct{}), closing: make(chan struct{})}
}

func (l *log) Append(records []byte, count int) error {
	done := make(chan error, 1)
	l.appendAsync(records, count, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-l.closing:
	}
	select { // closing may have completed the append
	case err := <-done:
		return err
	default:
		return engine.ErrClosed
	}
}

// Submit implements engine.Log. What a power cut takes is told to nobody.
func (l *log) Submit(records []byte, count int, done engine.Logged) error {
	l.appendAsync(records, count, done.Logged)
	return nil
}

func (l *log) appendAsync(records []byte, count int, done func(error)) {
	if count < 1 {
		done(fmt.Errorf("append of %d records: at least one is needed", count))
		return
	}
	w := &write{stream: logStream, append: count, data: append([]byte{}, records...)}
	w.done = func(err error) {
		if err != nil && err != engine.ErrClosed {
			err = fmt.Errorf("%w: %w", engine.ErrDisk, err)
		}
		done(err)
	}
	l.store.submit(w)
}

// add makes a durable append visible. The store's mutex is held.
func (l *log) add(records []byte, count int) {
	l.groups = append(l.groups, engine.LogGroup{First: l.head, Count: count, Data: records})
	l.head += uint64(count)
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *log) Next(ctx context.Context, from uint64) (engine.LogGroup, error) {
	for {
		l.store.mu.Lock()
		i := sort.Search(len(l.groups), func(i int) bool { return l.groups[i].First >= from })
		i = max(i, l.index(l.trimmed))
		closed, grown := l.store.closed, l.grown
		if !closed && i < len(l.groups) {
			g := l.groups[i]
			l.store.mu.Unlock()
			return g, nil
		}
		l.store.mu.Unlock()
		if closed {
			return engine.LogGroup{}, engine.ErrClosed
		}
		select {
		case <-grown:
		case <-l.closing:
		case <-ctx.Done():
			return engine.LogGroup{}, ctx.Err()
		}
	}
}

func (l *log) Trim(seq uint64) error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.store.closed {
		return engine.ErrClosed
	}
	l.trimmed = max(l.trimmed, min(seq, l.head))
	if l.store.mode == Interval {
		// It rests on commits that are not durable yet, and must not survive them.
		l.store.journal = append(l.store.journal, &write{stream: logStream, trim: l.trimmed})
		return nil
	}
	l.forget(l.trimmed)
	return nil
}

// take applies a durable write of the log.
func (l *log) take(w *write) {
	if w.trim > 0 {
		l.forget(w.trim)
		return
	}
	l.add(w.data, w.append)
}

// forget drops entries below seq for good.
func (l *log) forget(seq uint64) {
	l.forgotten = max(l.forgotten, seq)
	l.groups = l.groups[l.index(seq):]
}

// index finds the first group that has an entry at or after seq: a group goes
// when all its entries do.
func (l *log) index(seq uint64) int {
	return sort.Search(len(l.groups), func(i int) bool {
		return l.groups[i].First+uint64(l.groups[i].Count) > seq
	})
}

func (l *log) Pending() int64 {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	var n int64
	for _, g := range l.groups[l.index(l.trimmed):] {
		n += int64(len(g.Data))
	}
	return n
}
