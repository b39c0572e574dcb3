package ledger

import (
	"sync/atomic"
	"time"
)

// Bits of a progress: the position, and below it the attempt, or all ones once the
// step has succeeded.
const (
	attemptBits = 6
	succeeded   = 1<<attemptBits - 1
	// MaxPosition bounds the steps of one run.
	MaxPosition = 1<<(32-attemptBits) - 1
)

// Call is one call of the app for the run of an event.
type Call struct {
	Seq     int64
	Run     uint64 // hash of the run's id, not 0
	Now     time.Duration
	Attempt int // from 0
	// Position counts the steps that come before the one that this call executes. A
	// run goes through its positions in order.
	Position int
	// Branch is the parallel part that this call executes, from 0, instead of a
	// position; -1 is none.
	Branch int
	// Observe is for calls that execute nothing: neither position nor branch count.
	Observe bool
	// Fails says that the app will answer with an error and asks to be called again.
	Fails bool
}

// Verdict is what a call means.
type Verdict struct {
	Known    bool // the event is one of this session's
	First    bool // the first call of the event's run
	Again    bool // executed already, and successfully: a doubled step
	OtherRun bool // of a second run of the same event
	// Intended is when the event was to be sent, Answered when the last answer for its
	// run was given; 0 is never.
	Intended, Answered time.Duration
}

// Call enters a call and judges it.
func (l *Ledger) Call(c Call) (v Verdict) {
	e := l.entry(c.Seq)
	if e == nil {
		return v
	}
	v.Known, v.Intended = true, time.Duration(e.intended.Load())
	switch {
	case c.Branch < 0 && e.run.CompareAndSwap(0, c.Run):
		v.First = true
		e.state.Or(started)
	case c.Branch < 0 && e.run.Load() != c.Run:
		v.OtherRun = true
		e.state.Or(doubledRun)
		return v
	}
	v.Answered = time.Duration(e.answered.Load())
	switch {
	case c.Observe:
	case c.Branch >= 0:
		v.Again = l.branch(c)
	default:
		v.Again = e.advance(c)
	}
	return v
}

// branch enters that a parallel part succeeds, and reports whether it had before.
func (l *Ledger) branch(c Call) bool {
	word := l.word(c.Seq, c.Branch)
	if word == nil {
		return false
	}
	bit := uint64(1) << (c.Branch % 64)
	if c.Fails {
		return word.Load()&bit != 0
	}
	return word.Or(bit)&bit != 0
}

func (l *Ledger) word(seq int64, branch int) *atomic.Uint64 {
	if branch/64 >= l.words {
		return nil
	}
	b := l.chunks[seq>>chunkBits].Load().branches
	return &b[int(seq&(chunkSize-1))*l.words+branch/64]
}

// advance enters the position of a call, and reports whether the run was there before.
func (e *entry) advance(c Call) bool {
	at := uint32(min(c.Position, MaxPosition)) << attemptBits
	key := at | uint32(min(c.Attempt+1, succeeded-1))
	next := key
	if !c.Fails {
		next = at | succeeded
	}
	for {
		old := e.progress.Load()
		if key <= old {
			return true
		}
		if e.progress.CompareAndSwap(old, next) {
			return false
		}
	}
}

// Answered says that the app gave an answer at the given time. With final, the run
// has completed; it reports whether this is the first time.
func (l *Ledger) Answered(seq int64, now time.Duration, final bool) (completes bool) {
	e := l.entry(seq)
	if e == nil {
		return false
	}
	e.answered.Store(int64(now))
	if !final {
		return false
	}
	bits := uint32(completed)
	if now-time.Duration(e.intended.Load()) > l.late {
		bits |= late
	}
	for {
		old := e.state.Load()
		if old&completed != 0 {
			return false
		}
		if e.state.CompareAndSwap(old, old|bits) {
			return true
		}
	}
}

// Resumed says that the event which ends the run's wait was sent at the given time,
// from which the wait's end is measured.
func (l *Ledger) Resumed(seq int64, now time.Duration) {
	if e := l.entry(seq); e != nil {
		e.answered.Store(int64(now))
	}
}

// Position is the furthest position that a run was called for; -1 before its first call.
func (l *Ledger) Position(seq int64) int {
	e := l.entry(seq)
	if e == nil || e.run.Load() == 0 {
		return -1
	}
	return int(e.progress.Load() >> attemptBits)
}
