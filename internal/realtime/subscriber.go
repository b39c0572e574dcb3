package realtime

import (
	"errors"
	"sync"
)

// Subscriber is one connection's view of a hub. One goroutine waits on Ready and
// Done and calls Take; the other methods may be called from anywhere.
type Subscriber struct {
	hub *Hub
	// topics is guarded by hub.mu.
	topics map[Topic]struct{}

	ready chan struct{}
	done  chan struct{}

	mu    sync.Mutex
	queue []Frame
	bytes int
	err   error // why it ended; nil while it lives
}

// Ready receives when there is something to Take.
func (s *Subscriber) Ready() <-chan struct{} { return s.ready }

// Done is closed when the subscription has ended; Err then says why, and Take
// returns what is left.
func (s *Subscriber) Done() <-chan struct{} { return s.done }

// Err returns ErrSlow, ErrClosed, or nil while the subscription lives or after
// its own Close.
func (s *Subscriber) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == errLeft {
		return nil
	}
	return s.err
}

// Take appends all frames that wait to dst, in order of arrival.
func (s *Subscriber) Take(dst []Frame) []Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	dst = append(dst, s.queue...)
	s.clear()
	return dst
}

// clear empties the queue. s.mu is held.
func (s *Subscriber) clear() {
	clear(s.queue) // lets go of the shared bytes
	s.queue = s.queue[:0]
	s.hub.queued.Add(-int64(s.bytes))
	s.bytes = 0
}

// push queues f; it returns false if that would exceed a bound. A subscriber that
// has ended swallows it.
func (s *Subscriber) push(f Frame) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return true
	}
	l := &s.hub.limits
	if len(s.queue) >= l.QueueLen || s.bytes+len(f.Data) > l.QueueBytes {
		return false
	}
	if s.hub.queued.Add(int64(len(f.Data))) > l.HubBytes {
		s.hub.queued.Add(-int64(len(f.Data)))
		return false
	}
	s.queue = append(s.queue, f)
	s.bytes += len(f.Data)
	select {
	case s.ready <- struct{}{}:
	default:
	}
	return true
}

// Add subscribes to further topics: to all of them or, on an error, to none.
func (s *Subscriber) Add(topics []Topic) error {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if _, live := s.hub.subs[s]; !live {
		return ErrClosed
	}
	return s.hub.add(s, topics)
}

// Remove ends the subscription to topics; unknown ones are ignored.
func (s *Subscriber) Remove(topics []Topic) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	for _, t := range topics {
		if _, ok := s.topics[t]; ok {
			s.hub.remove(s, t)
		}
	}
}

// errLeft marks a subscriber that ended by its own Close.
var errLeft = errors.New("the subscriber has left")

// Close ends the subscription from the subscriber's side. It may be called twice.
func (s *Subscriber) Close() {
	s.end(errLeft)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

// end takes s out of the hub and closes Done, once. What a slow subscriber has
// not taken is dropped, so that its memory is free at once.
func (s *Subscriber) end(reason error) {
	s.hub.mu.Lock()
	for t := range s.topics {
		s.hub.remove(s, t)
	}
	delete(s.hub.subs, s)
	s.hub.mu.Unlock()

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = reason
	if reason == ErrSlow {
		s.clear()
	}
	close(s.done)
}
