package pace_test

import (
	"testing"
	"testing/synctest"
	"time"

	"ingot/internal/pace"
)

// TestStep: work rests for half of what it has worked, up to a millisecond, unless somebody
// waits for it.
func TestStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const short, long = 100 * time.Microsecond, 300 * time.Microsecond
		waited := false
		var p pace.Pace
		step := func(work, rest time.Duration) {
			t.Helper()
			time.Sleep(work)
			begun := time.Now()
			p.Step()
			if got := time.Since(begun); got != rest {
				t.Errorf("after %s it rests for %s, want %s", work, got, rest)
			}
		}
		step(time.Second, 0) // has not begun
		p.Begin(func() bool { return waited })
		step(short, 0)
		step(short, short)
		step(long, long/2)
		step(time.Second, time.Millisecond)
		waited = true
		step(long, 0)
		waited = false
		step(long, 0) // it is waited for until its end
		p.Begin(func() bool { return waited })
		step(long, long/2)
		p.Begin(nil)
		step(long, 0)
	})
}
