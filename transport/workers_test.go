package transport

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// counted counts the workers' goroutines, and says whether a timer runs.
func (p *workers) counted() (alive, idle int, timer bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.alive, len(p.idle), p.trimming != nil
}

// TestWorkersRest: workers are kept for the next jobs; those that none needs end, and then
// no timer runs any more.
func TestWorkersRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var jobs sync.WaitGroup
		p := newWorkers(8, 8, func(*job) { time.Sleep(time.Millisecond); jobs.Done() })
		do := func(n int) {
			t.Helper()
			jobs.Add(n)
			for range n {
				if v := p.submit(new(job)); v != accepted {
					t.Fatalf("a job is refused: %d", v)
				}
			}
			jobs.Wait()
			synctest.Wait()
		}
		want := func(what string, alive int, timer bool) {
			t.Helper()
			n, idle, runs := p.counted()
			if n != alive || idle != alive || runs != timer {
				t.Errorf("%s: %d workers, %d idle, a timer %v; want %d and %v", what, n, idle, runs, alive, timer)
			}
		}
		do(6)
		do(5)
		want("after two bursts", 6, true)
		for range 20 { // two are needed now and then
			time.Sleep(keepWorkers / 4)
			do(2)
		}
		want("after a lull", 2, true)
		time.Sleep(2*keepWorkers + time.Second)
		synctest.Wait()
		want("at rest", 0, false)
		do(3)
		want("after the rest", 3, true)
		if _, first := p.close(); !first {
			t.Error("it was closed already")
		}
		if err := p.wait(time.Second); err != nil {
			t.Error(err)
		}
	})
}

// TestWorkersBounds: no more goroutines and no longer a queue than allowed; what waits at
// the end is given back.
func TestWorkersBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		p := newWorkers(3, 2, func(*job) { <-hold })
		for i, want := range []verdict{accepted, accepted, accepted, accepted, accepted, queueFull} {
			if got := p.submit(new(job)); got != want {
				t.Errorf("job %d: %d, want %d", i, got, want)
			}
		}
		synctest.Wait()
		if n, _, _ := p.counted(); n != 3 {
			t.Errorf("%d workers", n)
		}
		waiting, first := p.close()
		n := 0
		for ; waiting != nil; waiting = waiting.next {
			n++
		}
		if n != 2 || !first {
			t.Errorf("%d jobs waited, the first close %v", n, first)
		}
		if _, again := p.close(); again {
			t.Error("the second close is the first")
		}
		if got := p.submit(new(job)); got != workersClosed {
			t.Errorf("after close: %d", got)
		}
		if err := p.wait(time.Minute); err == nil {
			t.Error("it did not wait for what is under way")
		}
		close(hold)
		if err := p.wait(time.Minute); err != nil {
			t.Error(err)
		}
	})
}
