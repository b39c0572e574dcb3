package e2e

import (
	"slices"
	"testing"
)

// TestOperatePause pauses a function while its calls are under way: those end, what
// comes meanwhile waits, other functions run, and after a kill -9 and the unpause
// everything goes on, each run once.
func TestOperatePause(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	o.hold(fnWork)
	before := keys("before", 3)
	o.sendAll(fnWork, before...)
	o.await("three calls are under way", func() bool { return o.calls(fnWork) == 3 })
	o.setMode(fnWork, "pause", "paused")
	during := keys("during", 4)
	o.sendAll(fnWork, during...)
	o.release() // the calls under way end
	o.await("seven runs wait", func() bool { return o.function(fnWork) == operatedFn{"operate-work", "paused", 7} })
	o.settle()
	if n := o.calls(fnWork); n != 3 {
		t.Errorf("%d calls of a paused function, want the 3 from before", n)
	}

	o.kill()
	if f := o.function(fnWork); f != (operatedFn{"operate-work", "paused", 7}) {
		t.Errorf("after a restart: %+v", f)
	}
	late := o.send(fnWork, "late")
	o.register(fnWork, fnNap, fnWait, fnIdle) // a new registration does not unpause it
	o.settle()
	if n := o.calls(fnWork); n != 3 {
		t.Errorf("%d calls of a paused function after a restart, want the 3 from before", n)
	}
	if got := o.outcome(late, fnWork); got != "RUN" {
		t.Errorf("an event for a paused function: %s", got)
	}

	o.setMode(fnWork, "unpause", "active")
	o.awaitEnds(fnWork, slices.Concat(before, during, []string{"late"})...)
	if f := o.function(fnWork); f != (operatedFn{"operate-work", "active", 0}) {
		t.Errorf("once all has ended: %+v", f)
	}
	if n := o.calls(fnWork); n != 2*8 {
		t.Errorf("%d calls, want two for each of 8 runs: steps that have run do not run again", n)
	}
}

// TestOperatePauseBetweenSteps: sleeps go on in a paused function; what they lead to waits.
func TestOperatePauseBetweenSteps(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	o.sendAll(fnNap, "a", "b")
	o.await("both sleep", func() bool { return o.calls(fnNap) == 2 && o.function(fnNap).Backlog == 0 })
	o.setMode(fnNap, "pause", "paused")
	o.kill()
	o.await("both have slept", func() bool { return o.function(fnNap).Backlog == 2 })
	o.settle()
	if n := o.calls(fnNap); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
	o.setMode(fnNap, "unpause", "active")
	o.awaitEnds(fnNap, "a", "b")
}

// TestOperateDrain: a draining function ends what it has and skips events, which say so,
// until it is unpaused; also after a kill -9.
func TestOperateDrain(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	first := o.send(fnNap, "first")
	o.await("it sleeps", func() bool { return o.calls(fnNap) == 1 && o.function(fnNap).Backlog == 0 })
	o.setMode(fnNap, "drain", "draining")
	skipped := []string{o.send(fnNap, "skipped")}
	o.settle()
	o.kill()
	skipped = append(skipped, o.send(fnNap, "skipped too"))
	o.awaitEnds(fnNap, "first")
	o.setMode(fnNap, "unpause", "active")
	last := o.send(fnNap, "last")
	o.awaitEnds(fnNap, "first", "last")
	for id, want := range map[string]string{first: "RUN", last: "RUN", skipped[0]: "SKIPPED draining", skipped[1]: "SKIPPED draining"} {
		if got := o.outcome(id, fnNap); got != want {
			t.Errorf("event %s: %s, want %s", id, got, want)
		}
	}
}
