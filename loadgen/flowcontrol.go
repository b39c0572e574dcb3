package loadgen

import (
	"fmt"
	"time"

	"ingot/loadgen/app"
	"ingot/loadgen/flow"
	"ingot/loadgen/ledger"
	"ingot/loadgen/record"
	"ingot/loadgen/result"
)

// maxCall is the size from which calls have no events any more (spec 01 §7.6).
const maxCall = 4 << 20

// checkFlow refuses flow control that the workload cannot have.
func (p *part) checkFlow() error {
	f := p.shape.Flow
	if err := f.Validate(); err != nil { // the preset's and the given together
		return err
	}
	if f.Batched() && (p.kind == app.Parallel || p.kind == app.Invokes) {
		return fmt.Errorf("batch-events cannot be combined with workload %s: its branches belong to one event", p.Name)
	}
	if n := f.Batch.Size * p.shape.Size; n > maxCall {
		return fmt.Errorf("batch-events: so many events of %d bytes come to %d, a call carries at most %d", p.shape.Size, n, maxCall)
	}
	if n := len(p.functions) * f.Keys; n > flow.MaxKeys {
		return fmt.Errorf("keys times functions is %d, it must be at most %d", n, flow.MaxKeys)
	}
	return nil
}

// expectation is what is to become of the part's events.
func (p *part) expectation() ledger.Expectation {
	switch {
	case p.noRuns:
		return ledger.NoRun
	case p.shape.Flow.Singleton == flow.Cancel:
		return ledger.MayComplete
	case p.shape.Flow.Skips():
		return ledger.MayRun
	}
	return ledger.Run
}

// uncertain reports whether some event may start no run.
func (p *part) uncertain() bool { return !p.noRuns && p.shape.Flow.Skips() }

// settle is how long nothing has to happen until it is sure that no event starts a
// run any more; 0 if every event is sure to start one.
func (l load) settle() (d time.Duration) {
	for _, p := range l.parts {
		if p.uncertain() {
			d = max(d, p.shape.Flow.Settle())
		}
	}
	return d
}

// quiet finds the end of a session in which events may start no run.
type quiet struct {
	need  time.Duration // without a call
	calls int64
	since time.Duration
}

func (q *quiet) reached(s *session) bool {
	now, calls := s.clock.Now(), s.rec.Count(record.Calls)
	if calls != q.calls || q.since == 0 {
		q.calls, q.since = calls, now
	}
	switch {
	case s.backlog() > 0:
		return false
	case s.rec.Count(record.Completed)+s.rec.Count(record.Cancelled) >= s.rec.Count(record.Accepted):
		return true
	}
	return now-q.since >= q.need
}

// flowResult adds what was seen of the flow control.
func (s *session) flowResult(r *result.Result, t ledger.Tally) {
	if s.app == nil {
		return
	}
	seen, given := s.app.Flow()
	if !given {
		return
	}
	f := &result.Flow{Runs: s.rec.Count(record.Started), Skipped: t.Skipped, Cancelled: t.Cancelled,
		CallsAtOnce: seen.Calls, RunsAtOnce: seen.Runs, LargestBatch: seen.Batch, Ahead: seen.Ahead.Microseconds()}
	for kind, n := range seen.Broken {
		f.Broken += n
		r.Errors["flow control: "+kind] += n
	}
	r.Flow = f
}
