// Package ledger knows each event of a session by its number: when it was to be
// sent, whether it was acknowledged, which run it started and how far that run is.
// From this it tells what was lost, doubled or late.
//
// What does not live here: counters and histograms (record), and what calls mean (app).
package ledger

import (
	"sync/atomic"
	"time"
)

// State of an event, as bits.
const (
	accepted   = 1 << iota // acknowledged with 2xx
	refused                // answered otherwise
	unknown                // no answer
	started                // its function was called
	completed              // the last answer of its run was given
	doubledRun             // a second run was seen
	late                   // completed, but later than the bound
)

const (
	chunkBits = 16
	chunkSize = 1 << chunkBits
)

// entry is one event. All fields are atomic: the sender, the app and the watcher
// meet here without a lock.
type entry struct {
	intended atomic.Int64  // when it was to be sent, in ns of the session's clock
	run      atomic.Uint64 // hash of its first run's id; 0 is none
	answered atomic.Int64  // when the app's last answer was given
	state    atomic.Uint32
	progress atomic.Uint32 // see Position
}

type chunk struct {
	// branches are words of bits for parallel steps, words of them per entry. The
	// pointer comes first, so that the garbage collector looks no further.
	branches []atomic.Uint64
	entries  [chunkSize]entry
}

// Ledger holds the events of a session. Its memory grows by chunks of 2 MB up to
// its bound.
type Ledger struct {
	words  int // of branch bits per event
	late   time.Duration
	limit  int64
	next   atomic.Int64
	chunks []atomic.Pointer[chunk]
}

// New makes a ledger for at most limit events. branches is how many parallel parts
// a run has at most; runs that complete after `late` are counted as late.
func New(limit int64, branches int, late time.Duration) *Ledger {
	return &Ledger{words: (branches + 63) / 64, late: late, limit: limit,
		chunks: make([]atomic.Pointer[chunk], (limit+chunkSize-1)/chunkSize)}
}

// Next is the number that the next event will get.
func (l *Ledger) Next() int64 { return l.next.Load() }

// Reserve numbers n events that are to be sent at the given time. It reports false
// when the limit is reached.
func (l *Ledger) Reserve(n int, intended time.Duration) (first int64, ok bool) {
	first = l.next.Add(int64(n)) - int64(n)
	if first+int64(n) > l.limit {
		l.next.Add(-int64(n))
		return 0, false
	}
	for i := first; i < first+int64(n); i++ {
		l.make(i).intended.Store(int64(intended))
	}
	return first, true
}

// make returns the entry of an event, and its chunk if that is new.
func (l *Ledger) make(seq int64) *entry {
	p := &l.chunks[seq>>chunkBits]
	c := p.Load()
	if c == nil {
		c = &chunk{branches: make([]atomic.Uint64, chunkSize*l.words)}
		if !p.CompareAndSwap(nil, c) {
			c = p.Load()
		}
	}
	return &c.entries[seq&(chunkSize-1)]
}

// entry returns nil for a number that was never given.
func (l *Ledger) entry(seq int64) *entry {
	if seq < 0 || seq >= l.next.Load() {
		return nil
	}
	if c := l.chunks[seq>>chunkBits].Load(); c != nil {
		return &c.entries[seq&(chunkSize-1)]
	}
	return nil
}

// Outcome of a request with events.
type Outcome uint8

// Outcomes: acknowledged, answered otherwise, or without an answer.
const (
	Accepted Outcome = iota
	Refused
	Unknown
)

// Sent says what became of the request with n events from first.
func (l *Ledger) Sent(first int64, n int, o Outcome) {
	bit := [...]uint32{Accepted: accepted, Refused: refused, Unknown: unknown}[o]
	for i := first; i < first+int64(n); i++ {
		if e := l.entry(i); e != nil {
			e.state.Or(bit)
		}
	}
}
