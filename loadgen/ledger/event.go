package ledger

import "time"

// Event is what is known of one event.
type Event struct {
	Intended time.Duration // when it was to be sent
	// Accepted was acknowledged, Failed was answered otherwise or not at all; neither
	// is an event whose request is under way.
	Accepted, Failed bool
	Started          bool // its run was called for
	Completed        bool
}

// Event returns false for a number that was never given.
func (l *Ledger) Event(seq int64) (Event, bool) {
	e := l.entry(seq)
	if e == nil {
		return Event{}, false
	}
	s := e.state.Load()
	return Event{Intended: time.Duration(e.intended.Load()), Accepted: s&accepted != 0,
		Failed: s&(refused|unknown) != 0, Started: s&started != 0, Completed: s&completed != 0}, true
}

// Join enters that a run, which another event has started, is for this one too. It
// reports false if the event has a run already.
func (l *Ledger) Join(seq int64, run uint64) bool {
	e := l.entry(seq)
	if e == nil {
		return false
	}
	if !e.run.CompareAndSwap(0, run) {
		e.state.Or(doubledRun)
		return false
	}
	e.state.Or(started)
	return true
}
