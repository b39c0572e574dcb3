package sender

import (
	"context"
	"runtime"
	"time"
)

// spin is how long before the time a sleeper of the runtime stops sleeping: its
// timers may be late by about as much.
const spin = 1200 * time.Microsecond

// longestSleep bounds one sleep, so that the end of a context is seen.
const longestSleep = 50 * time.Millisecond

// roughSleep works everywhere: it sleeps until shortly before, and yields for the rest.
func roughSleep(ctx context.Context, now func() time.Duration, until time.Duration) {
	for ctx.Err() == nil {
		left := until - now()
		switch {
		case left <= 0:
			return
		case left > spin:
			time.Sleep(min(left-spin, longestSleep))
		default:
			runtime.Gosched()
		}
	}
}
