package sender

import (
	"context"
	"time"
)

// minSleep is the shortest sleep of a pacer. What becomes due meanwhile is given
// out together: at high rates waking costs more than such a delay is worth.
const minSleep = 40 * time.Microsecond

// pacer gives out the times of a schedule when they are due.
type pacer struct {
	now func() time.Duration
	// sleep returns at or after the given time, or when ctx ends.
	sleep func(ctx context.Context, until time.Duration)
}

// run gives the times of s, shifted by start, to due, and closes it. When due is
// full, a time is dropped and counted: nobody could take it for a long while.
func (p pacer) run(ctx context.Context, s Schedule, start time.Duration, due chan<- time.Duration) (unsent int64) {
	defer close(due)
	for {
		at, ok := s.Next()
		if !ok {
			return unsent
		}
		at += start
		for now := p.now(); now < at; now = p.now() {
			if ctx.Err() != nil {
				return unsent
			}
			p.sleep(ctx, max(at, now+minSleep))
		}
		if ctx.Err() != nil {
			return unsent
		}
		select {
		case due <- at:
		default:
			unsent++
		}
	}
}
