// Package loadgen measures a server that speaks the public protocol, as the sender
// of events and as the app whose functions run: a Plan and a target go in, a
// result comes out.
//
// What does not live here: sending (package sender), the app (app), the record of
// each event (ledger), pacing, starting servers (target), the search for the
// highest rate (search) and how results are shown (report).
package loadgen

import (
	"context"
	"fmt"
	"time"

	"ingot/loadgen/result"
	"ingot/loadgen/sender"
	"ingot/loadgen/target"
)

const (
	// interruptedDrain is the drain after an interruption.
	interruptedDrain = 2 * time.Second
	// grace is how long what is overdue at the end of an open loop may still be sent.
	grace = 2 * time.Second
	// drainTick is how often the drain looks whether all runs have completed.
	drainTick = 5 * time.Millisecond
)

// Run measures t as p says. It ends early, with a complete result that says
// Interrupted, when ctx ends. An error means that there is nothing to report.
func Run(ctx context.Context, p Plan, t *target.Target) (r *result.Result, err error) {
	s, err := newSession(ctx, p, t)
	if err != nil {
		return nil, err
	}
	// What runs in the background goes on through the drain, also after ctx has ended.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		end()
		if closing := s.close(); closing != nil && err == nil && r != nil {
			r.Warnings = append(r.Warnings, fmt.Sprintf("closing: %v", closing))
		}
	}()
	if err := s.prepare(ctx, life); err != nil && ctx.Err() == nil {
		return nil, err
	}
	w := s.watch(life)
	defer w.stop()
	s.warmUp(ctx)
	if err := s.window(ctx, w); err != nil {
		return nil, err
	}
	s.drain(ctx, s.plan.Drain)
	w.stop()
	return s.result(ctx.Err() != nil, w), nil
}

// warmUp puts load on the server that is not counted, and lets it end.
func (s *session) warmUp(ctx context.Context) {
	if s.plan.WarmUp == 0 || ctx.Err() != nil {
		return
	}
	s.events.begin(s.plan.MaxEvents / 2)
	s.sender.Run(ctx, sender.Load{Work: s.events, Schedule: s.warmUpSchedule(), Duration: s.plan.WarmUp, Grace: grace})
	s.drain(ctx, s.plan.Drain)
}

// measured is what was noted at the borders of the window.
type measured struct {
	first, last int64 // numbers of the window's events: from first up to, not including, last
	begin, end  snapshot
	stats       sender.Stats
	kind        string
	rate        float64
	drained     time.Duration // when the drain had ended
}

// window is the time in which everything is counted.
func (s *session) window(ctx context.Context, w *watcher) error {
	schedule, rate, err := s.load.schedule(s.plan)
	if err != nil {
		return err
	}
	m := &s.measured
	m.kind, m.rate = s.kind(schedule), rate
	m.first = s.events.next()
	if s.app != nil {
		s.app.MeasureFrom(m.first)
	}
	s.events.takeErrors()
	limit := s.plan.MaxEvents - m.first
	if s.plan.Count > 0 {
		limit = min(limit, s.plan.Count)
	}
	s.events.begin(limit)
	w.begin()
	m.begin = s.snapshot()
	m.stats = s.sender.Run(ctx, sender.Load{Work: s.events, Schedule: s.bounded(schedule, limit), Duration: s.plan.Duration, Grace: grace})
	if ctx.Err() == nil && schedule != nil && m.kind != recorded && s.plan.Count == 0 {
		// The last request comes before the end of its schedule.
		m.stats.End = max(m.stats.End, m.stats.Start+s.plan.Duration)
	}
	m.last = s.events.next()
	return nil
}

// drain waits until all accepted runs have ended, for at most the given time; a short
// one once ctx has ended.
func (s *session) drain(ctx context.Context, limit time.Duration) {
	begin := s.clock.Now()
	defer func() {
		s.measured.end = s.snapshot()
		s.measured.drained = s.clock.Now()
	}()
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	q := quiet{need: s.load.settle()}
	for !q.reached(s) {
		if ctx.Err() != nil {
			limit = min(limit, interruptedDrain)
		}
		if s.clock.Now()-begin >= limit {
			return
		}
		<-tick.C
	}
}
