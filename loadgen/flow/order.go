package flow

import (
	"sync"
	"time"
)

// overtaking is how long a run with priority has to have waited before one without
// may not start: acknowledgements and calls under way take their time.
const overtaking = time.Second

// order knows the first event with priority whose run has not started.
type order struct {
	mu   sync.Mutex
	next int64
}

// overtakes reports whether the run of event seq starts although one with priority
// waits that comes before it.
func (o *order) overtakes(f *Function, seq int64, now, intended time.Duration) bool {
	if isUrgent(seq) {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		e, ok := f.watch.ledger.Event(o.next)
		switch {
		case !ok:
			return false
		case e.Started || e.Failed:
			o.next += urgent
		default:
			score := e.Intended - time.Duration(f.Priority)*time.Second
			return e.Accepted && now-e.Intended > overtaking && score < intended-overtaking
		}
	}
}
