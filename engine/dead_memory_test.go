package engine_test

import (
	"strings"
	"testing"
	"time"

	"ingot/engine"
)

// Runs whose records are damaged while memory still knows of them.

// TestDamagedRunFreesItsLockOnce: the first of two events that come in one round finds that
// the holder of their lock cannot be read, and takes the lock; the second finds it taken.
func TestDamagedRunFreesItsLockOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, napping, `f "triggers":[{"event":"e"}],"singleton":{"mode":"skip","key":"event.data.k"}`)
	d.node.SetMode(idOf("f"), engine.ModePaused)
	d.work()
	d.send("e", `{"k":1}`)
	run := d.history()[0].Run
	d.damage(run)
	d.open()
	d.work()
	first, second := d.event("e", `{"k":1}`), d.event("e", `{"k":1}`)
	if err := d.store.Log().Append(second.AppendRecord(first.AppendRecord(nil)), 2); err != nil {
		t.Fatal(err)
	}
	d.work()
	d.wantSkip("f", second.InternalID, engine.SkipSingleton)
	d.wantDead(run)
	d.node.SetMode(idOf("f"), engine.ModeActive)
	d.work()
	d.wantCalls("f", 1)
	d.pass(10 * time.Minute)
	d.wantClean()
}

// TestDamagedRunKeepsItsPlace: a run that is being called does not need its record, and
// keeps its place while places are counted anew for another run's sake.
func TestDamagedRunKeepsItsPlace(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if strings.Contains(string(c.Events[0]), `"k":1`) {
			return engine.Result{Status: -1} // never answers
		}
		return napping(c)
	}, `f "triggers":[{"event":"e"}],"concurrency":{"fn":[{"limit":1,"key":"event.data.k"}]}`)
	d.send("e", `{"k":1}`)
	called := d.wantCalls("f", 1)[0].Ref.RunID
	d.send("e", `{"k":2}`)
	asleep := d.wantCalls("f", 2)[1].Ref.RunID
	d.damage(called)
	d.damage(asleep)
	d.node.Cancel(asleep)
	d.work()
	d.wantDead(asleep)
	d.send("e", `{"k":1}`)
	d.wantCalls("f", 2)
	d.node.Cancel(called)
	d.work()
	last := d.wantCalls("f", 3)[2].Ref.RunID
	d.node.Cancel(last)
	d.pass(10 * time.Minute)
	d.wantDead(asleep)
	if n := d.node.Stats().Backlog; n != 0 {
		t.Errorf("backlog %d", n)
	}
}
