package loadgen

import (
	"strings"
	"time"

	"ingot/loadgen/pacing"
	"ingot/loadgen/record"
	"ingot/loadgen/sender"
)

// Kinds of pacing beside those of package pacing.
const (
	closed   = "closed"
	recorded = "recorded" // the times of a replayed file
)

// kind names a pacing in a result.
func (s *session) kind(schedule sender.Schedule) string {
	switch {
	case schedule == nil:
		return closed
	case s.plan.closed():
		return recorded
	}
	kind, _, _ := strings.Cut(pick(s.plan.Pacing, "constant"), ":")
	return kind
}

// warmUpSchedule is at the window's mean rate; nil in a closed loop.
func (s *session) warmUpSchedule() sender.Schedule {
	_, rate, err := s.load.schedule(s.plan)
	if err != nil || rate == 0 {
		return nil // a bad plan is reported by the window
	}
	w, err := pacing.Parse("constant", rate/float64(s.plan.Batch), s.plan.WarmUp, s.plan.Seed)
	if err != nil {
		return nil
	}
	return w
}

// bounded ends a schedule after so many events.
func (s *session) bounded(schedule sender.Schedule, events int64) sender.Schedule {
	if schedule == nil {
		return nil
	}
	return &boundedSchedule{Schedule: schedule, left: (events + int64(s.plan.Batch) - 1) / int64(s.plan.Batch)}
}

type boundedSchedule struct {
	sender.Schedule
	left int64
}

// Next implements sender.Schedule.
func (b *boundedSchedule) Next() (time.Duration, bool) {
	if b.left <= 0 {
		return 0, false
	}
	b.left--
	return b.Schedule.Next()
}

// backlog is the number of accepted runs that have not ended.
func (s *session) backlog() int64 {
	if s.app == nil {
		return 0
	}
	return max(0, s.rec.Count(record.Expected)-s.rec.Count(record.Completed)-s.rec.Count(record.Cancelled))
}
