package engine

import (
	"fmt"
	"sync"
	"sync/atomic"

	"ingot/engine/event"
	"ingot/engine/function"
	"ingot/internal/ids"
)

// Backlogs and their bounds: how many runs are ready or being called, and what is
// refused at ingest when there are too many.

// backlogs counts runs that have work, per function and in all. Partitions write it,
// everybody may read it.
type backlogs struct {
	total atomic.Int64
	byFn  sync.Map // ids.UUID to *atomic.Int64
}

// of returns a function's count.
func (b *backlogs) of(fn ids.UUID) *atomic.Int64 {
	if c, ok := b.byFn.Load(fn); ok {
		return c.(*atomic.Int64)
	}
	c, _ := b.byFn.LoadOrStore(fn, new(atomic.Int64))
	return c.(*atomic.Int64)
}

// count adds to the backlog of a queue.
func (p *partition) count(q *fnQueue, n int64) {
	q.counted += n
	q.backlog.Add(n)
	p.set.backlogs.total.Add(n)
}

// BacklogError says that an event is refused because too many runs wait.
type BacklogError struct {
	// Function is the slug of the function whose bound is reached; empty for the bound
	// of all.
	Function string
	// Outbox says that it is not runs but history that waits: the database is behind, and
	// Limit is in bytes.
	Outbox bool
	Limit  int64
}

func (e *BacklogError) Error() string {
	if e.Outbox {
		return fmt.Sprintf("the history database is too far behind: the limit of %d bytes that wait for it is reached; send the events again later", e.Limit)
	}
	if e.Function == "" {
		return fmt.Sprintf("too many runs wait: the limit of %d (max-backlog) is reached; send the events again later", e.Limit)
	}
	return fmt.Sprintf("too many runs of function %q wait: the limit of %d (max-function-backlog) is reached; send the events again later", e.Function, e.Limit)
}

// Admit reports whether the event may be accepted: a *BacklogError if a configured
// bound on the backlog is reached, of all functions or of one that the event triggers by
// its name or invokes. What events on their way will add is not counted, so that a bound may be
// exceeded by what is in the log.
func (e *Engine) Admit(ev *event.Event) error {
	if m := e.conf.MaxOutbox; m > 0 && e.feed.bytes.Load() >= m {
		return &BacklogError{Outbox: true, Limit: m}
	}
	if m := e.conf.MaxBacklog; m > 0 && e.set.backlogs.total.Load() >= m {
		return &BacklogError{Limit: m}
	}
	m := e.conf.MaxFunctionBacklog
	if m <= 0 {
		return nil
	}
	t := e.table.Load()
	var full error
	check := func(fn *function.Function) {
		if e.set.backlogs.of(fn.ID).Load() >= m {
			full = &BacklogError{Function: fn.Slug, Limit: m}
		}
	}
	if string(ev.Name) == event.NameFunctionInvoked {
		if fn, _ := t.invoked(ev); fn != nil {
			check(fn)
		}
	}
	t.matches(ev.Name, func(refs []triggerRef) {
		for _, r := range refs {
			check(t.functions[r.fn])
		}
	})
	return full
}

// Backlog is the number of runs of a function that are ready or being called.
func (e *Engine) Backlog(fn ids.UUID) int64 { return e.set.backlogs.of(fn).Load() }

// Stats are counts of what the engine holds, for metrics.
type Stats struct {
	// Backlog counts runs that are ready or being called.
	Backlog int64
	// Lanes are lines of runs of keyed limits in memory, Gates limits of single keys in
	// memory (the only run of a key mostly needs none), Keys states of keys in memory, Dead
	// dead letters.
	Lanes, Gates, Keys, Dead int64
}

// gauges are a partition's counts, as of its last round.
type gauges struct{ lanes, gates, keys, dead atomic.Int64 }

func (p *partition) publishGauges() {
	g := &p.gauges
	g.lanes.Store(int64(p.lanes + p.singles.queued))
	g.gates.Store(int64(len(p.gates)))
	g.keys.Store(int64(len(p.flows) + len(p.held)))
	g.dead.Store(int64(p.dead))
}

// Stats returns the counts of all partitions, each as of its last round.
func (e *Engine) Stats() Stats {
	s := Stats{Backlog: e.set.backlogs.total.Load()}
	for _, w := range e.workers {
		g := &w.p.gauges
		s.Lanes += g.lanes.Load()
		s.Gates += g.gates.Load()
		s.Keys += g.keys.Load()
		s.Dead += g.dead.Load()
	}
	return s
}
