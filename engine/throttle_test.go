package engine_test

import (
	"testing"
	"time"

	"ingot/engine"
)

func done(*engine.Call) engine.Result { return finalResult() }

// TestThrottle: limit + burst starts at once, then one each period/limit, to the ms.
func TestThrottle(t *testing.T) {
	t.Parallel()
	d := newDesk(t, done, `f "triggers":[{"event":"e"}],"throttle":{"limit":1,"period":"3s","burst":2}`)
	for range 6 {
		d.send("e", `{}`)
	}
	for i, want := range []int{3, 4, 5, 6, 6} {
		if len(d.calls) != want {
			t.Fatalf("after %d periods %d calls, want %d", i, len(d.calls), want)
		}
		d.pass(2999 * time.Millisecond)
		if len(d.calls) != want {
			t.Fatalf("1 ms before period %d %d calls, want %d", i+1, len(d.calls), want)
		}
		d.pass(time.Millisecond)
	}
}

// TestLimitsOfWhatIsQueued: a new configuration holds for a long queue, which is moved in
// steps.
func TestLimitsOfWhatIsQueued(t *testing.T) {
	t.Parallel()
	d := newDesk(t, done, `f "triggers":[{"event":"e"}]`)
	d.node.SetMode(idOf("f"), engine.ModePaused)
	d.work()
	const queued = 5000
	for range queued {
		d.send("e", `{}`)
	}
	d.define(`f "triggers":[{"event":"e"}],"throttle":{"limit":100,"period":"1s"}`)
	d.node.SetMode(idOf("f"), engine.ModeActive)
	d.work()
	d.wantCalls("f", 100)
	d.pass(10 * time.Second)
	d.wantCalls("f", 1100)
	d.define(`f "triggers":[{"event":"e"}]`)
	d.work()
	d.wantCalls("f", queued)
	d.wantClean()
}
