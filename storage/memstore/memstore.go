// Package memstore is an engine.Store in memory, for tests of the engine and for
// the simulator. It is deterministic: nothing happens in the background, and what
// a crash keeps of the writes that were not yet durable follows from the seed.
//
// It is no cache and no production backend: it has no bounds, and its data ends
// with the process. The durable store is package pebble.
package memstore

import (
	"math/rand/v2"
	"sync"

	"ingot/engine"
)

// Mode says when a write becomes durable.
type Mode int

const (
	// Auto makes each write durable at once: Commit calls done before it returns.
	Auto Mode = iota
	// Manual makes writes durable, and calls done, only in Step and Flush.
	Manual
	// Interval calls done at once but makes writes of partitions durable only in
	// Step, Flush or when an event is appended: a power cut under the `interval`
	// sync policy loses acknowledged commits, though never acknowledged events.
	Interval
)

// Options of New. The zero value is an Auto store of one partition.
type Options struct {
	// Partitions is their number; 0 means 1.
	Partitions int
	Mode       Mode
}

// Store is an engine.Store in memory. Use New.
type Store struct {
	mode  Mode
	parts []*partition // the system partition first
	log   *log

	mu      sync.Mutex
	rng     *rand.Rand
	journal []*write // visible, not yet durable; oldest first
	err     error    // what every write now fails with
	sealed  bool     // no more writes are taken
	closed  bool
}

var _ engine.Store = (*Store)(nil)

// write is a commit or an append that is not yet durable.
type write struct {
	stream int    // index into parts, or logStream
	undo   []op   // restores the partition
	append int    // entries of the append
	data   []byte // records of the append
	trim   uint64 // what the log forgets, if this is no append
	done   func(error)
}

const logStream = -1

// New returns an empty store. seed decides what a Crash keeps.
func New(seed uint64, o Options) *Store {
	s := &Store{mode: o.Mode, rng: rand.New(rand.NewPCG(seed, 0))}
	for range max(o.Partitions, 1) + 1 {
		s.parts = append(s.parts, &partition{store: s, stream: len(s.parts)})
	}
	s.log = newLog(s)
	return s
}

// Partitions implements engine.Store.
func (s *Store) Partitions() int { return len(s.parts) - 1 }

// Partition implements engine.Store.
func (s *Store) Partition(i int) (engine.PartitionStore, error) {
	if i != engine.SystemPartition && (i < 0 || i >= s.Partitions()) {
		return nil, errPartition(i, s.Partitions())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, engine.ErrClosed
	}
	return s.parts[i+1], nil
}

// Log implements engine.Store.
func (s *Store) Log() engine.Log { return s.log }

// AppendAsync is Log().Append for callers that must not block, such as a
// simulator with one goroutine: done is called when the append is durable or has
// failed, in Auto mode before AppendAsync returns.
func (s *Store) AppendAsync(records []byte, count int, done func(error)) {
	s.log.appendAsync(records, count, done)
}

// Close makes all writes durable, calls their done and ends the store.
func (s *Store) Close() error {
	s.mu.Lock()
	s.sealed = true
	s.mu.Unlock()
	s.Flush()
	s.shut()
	return nil
}

// Pending is the number of writes that are not yet durable.
func (s *Store) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.journal)
}

// Step makes the oldest pending write durable and calls its done. It returns
// false if there was none. Step, Flush and Close are for one goroutine at a time.
func (s *Store) Step() bool {
	s.mu.Lock()
	if len(s.journal) == 0 {
		s.mu.Unlock()
		return false
	}
	w := s.journal[0]
	s.journal = s.journal[1:]
	err := s.err
	s.mu.Unlock()
	s.settle(w, err)
	return true
}

// Flush makes all pending writes durable.
func (s *Store) Flush() {
	for s.Step() {
	}
}

// Fail lets every write that is pending, and every later one, fail with err, as a
// store does after a failed fsync. Pending writes learn of it in Step. Appends
// fail with engine.ErrDisk.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Crash ends the store without calling any pending done, and returns what a
// process that starts next finds: all durable writes, and of the pending ones a
// prefix. In Manual mode each partition and the log keep a prefix of their own,
// which is all that the contract promises; in Interval mode one prefix of all
// writes survives, since acknowledged commits share one stream of syncs. No other
// call may be running, except for appends and Next, which return engine.ErrClosed.
func (s *Store) Crash() *Store {
	s.mu.Lock()
	pending := s.journal
	s.journal = nil
	kept := make(map[int]int) // by stream, how many of its pending writes survive
	if s.mode == Interval {
		for _, w := range pending[:s.rng.IntN(len(pending)+1)] {
			kept[w.stream]++
		}
	} else {
		total := make(map[int]int)
		for _, w := range pending {
			total[w.stream]++
		}
		for stream := logStream; stream < len(s.parts); stream++ {
			kept[stream] = s.rng.IntN(total[stream] + 1)
		}
	}
	s.mu.Unlock()
	s.shut()

	next := New(s.rng.Uint64(), Options{Partitions: s.Partitions(), Mode: s.mode})
	next.log.groups, next.log.head = s.log.groups, s.log.head
	next.log.trimmed, next.log.forgotten = s.log.forgotten, s.log.forgotten
	var dropped []*write
	for _, w := range pending {
		switch {
		case kept[w.stream] == 0:
			dropped = append(dropped, w)
		default:
			kept[w.stream]--
			if w.stream == logStream {
				next.log.take(w)
				next.log.trimmed = next.log.forgotten
			}
		}
	}
	for i := len(dropped) - 1; i >= 0; i-- {
		if w := dropped[i]; w.stream != logStream {
			s.parts[w.stream].apply(w.undo, false)
		}
	}
	for i, p := range s.parts {
		next.parts[i].tables = p.tables
	}
	for i := range next.log.groups {
		next.log.groups[i].Replayed = true
	}
	return next
}

// settle completes a write whose sync has succeeded or failed.
func (s *Store) settle(w *write, err error) {
	if w.stream == logStream && err == nil {
		s.mu.Lock()
		s.log.take(w)
		s.mu.Unlock()
	}
	if w.done != nil {
		w.done(err)
	}
}

// submit takes a visible write and completes it as the mode says. An append makes
// everything before it durable in Interval mode, for the stream of syncs is one.
func (s *Store) submit(w *write) {
	s.mu.Lock()
	switch err := s.err; {
	case s.sealed:
		s.mu.Unlock()
		w.done(engine.ErrClosed)
	case err != nil || s.mode == Auto:
		s.mu.Unlock()
		s.settle(w, err)
	case s.mode == Interval && w.stream == logStream:
		s.mu.Unlock()
		s.Flush()
		s.settle(w, nil)
	default:
		early := w.done
		if s.mode == Interval {
			w.done = nil
		}
		s.journal = append(s.journal, w)
		s.mu.Unlock()
		if s.mode == Interval {
			early(nil)
		}
	}
}

// shut ends the store and wakes whoever waits on the log.
func (s *Store) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.sealed, s.closed = true, true
		close(s.log.closing)
	}
}
