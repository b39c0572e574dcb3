package ledger

import (
	"math/bits"
	"time"
)

// Tally says what became of a range of events.
type Tally struct {
	Events, Accepted, Refused, Unknown int64
	// Started, Completed and Late are of all events; an event without an answer may
	// have been accepted.
	Started, Completed, Late int64
	// Lost were accepted, and their run did not complete.
	Lost int64
	// Skipped were accepted and may have started no run, which they did not.
	Skipped int64
	// Cancelled are accepted events whose run started and was to be ended by another
	// one, since it did not complete.
	Cancelled int64
	// DoubledRuns are events with more than one run.
	DoubledRuns int64
	// MissingBranches are parallel parts of completed runs that were never executed.
	MissingBranches int64
	// LastEnd is when the last run ended.
	LastEnd time.Duration
}

// Expectation is what is to become of an accepted event.
type Expectation uint8

// Expectations. With MayRun, only a run that has started is to complete; with
// MayComplete, another run may have ended that too.
const (
	NoRun Expectation = iota
	Run
	MayRun
	MayComplete
)

// Tally counts the events from `from` up to, not including, `to`. expected says
// what is to become of an event; branches how many parallel parts its run has.
func (l *Ledger) Tally(from, to int64, expected func(seq int64) (run Expectation, branches int)) Tally {
	var t Tally
	for seq := from; seq < min(to, l.next.Load()); seq++ {
		e := l.entry(seq)
		if e == nil {
			continue
		}
		s := e.state.Load()
		t.Events++
		t.Accepted += is(s, accepted)
		t.Refused += is(s, refused)
		t.Unknown += is(s, unknown)
		t.Started += is(s, started)
		t.Completed += is(s, completed)
		t.Late += is(s, late)
		t.DoubledRuns += is(s, doubledRun)
		run, branches := expected(seq)
		if s&accepted != 0 {
			t.accept(s, run)
		}
		if s&completed == 0 {
			continue
		}
		t.LastEnd = max(t.LastEnd, time.Duration(e.answered.Load()))
		if branches > 0 {
			t.MissingBranches += int64(branches) - l.executed(seq, branches)
		}
	}
	return t
}

// accept counts what was missing of an accepted event.
func (t *Tally) accept(state uint32, run Expectation) {
	switch {
	case run == NoRun || state&completed != 0:
	case run == Run || state&started != 0 && run == MayRun:
		t.Lost++
	case state&started != 0:
		t.Cancelled++
	default:
		t.Skipped++
	}
}

func is(state, bit uint32) int64 {
	if state&bit != 0 {
		return 1
	}
	return 0
}

// executed counts the first n branches of an event that have succeeded.
func (l *Ledger) executed(seq int64, n int) int64 {
	var done int
	for b := 0; b < n; b += 64 {
		w := l.word(seq, b)
		if w == nil {
			break
		}
		mask := ^uint64(0)
		if n-b < 64 {
			mask = 1<<(n-b) - 1
		}
		done += bits.OnesCount64(w.Load() & mask)
	}
	return int64(done)
}
