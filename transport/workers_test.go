package transport

import (
	"testing"
	"testing/synctest"
	"time"

	"ingot/engine"
)

// TestPoolRests: there is a pool while there are jobs, and none, with its clocks, when
// there have been none for a while.
func TestPoolRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHTTP(Options{Workers: 2})
		pool := func() *workers {
			synctest.Wait()
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.workers
		}
		if pool() != nil {
			t.Error("there is a pool before the first job")
		}
		hold := make(chan struct{})
		do := func() { h.Call(testCall("no URL"), func(engine.Result) { <-hold }) }
		do()
		first := pool()
		time.Sleep(10 * keepWorkers)
		if pool() != first {
			t.Error("the pool has not stayed for the job under way")
		}
		close(hold)
		for range 5 {
			time.Sleep(keepWorkers - time.Second)
			do()
			if pool() != first {
				t.Fatal("the pool has not stayed between jobs")
			}
		}
		time.Sleep(2*keepWorkers + time.Second)
		if pool() != nil {
			t.Error("the pool stays for ever")
		}
		do()
		if second := pool(); second == nil || second == first {
			t.Error("no new pool")
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
}
