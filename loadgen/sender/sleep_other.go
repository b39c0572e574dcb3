//go:build !linux

package sender

import (
	"context"
	"time"
)

// sleeper sleeps with the runtime's timers.
type sleeper struct{}

func newSleeper() *sleeper { return &sleeper{} }

func (*sleeper) sleep(ctx context.Context, now func() time.Duration, until time.Duration) {
	roughSleep(ctx, now, until)
}

func (*sleeper) close() {}
