package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// Redriven runs keep to the limits that they had a place in.

// redriveAll drives all dead letters again, all at once, and returns what came of each.
func (d *desk) redriveAll(list []engine.DeadLetter) (errs []error) {
	d.t.Helper()
	var answers []func() error
	for i := range list {
		answers = append(answers, d.node.Redrive(&list[i], false))
	}
	d.work()
	for _, answer := range answers {
		errs = append(errs, answer())
	}
	return errs
}

// kill makes a dead letter of a run that can be redriven.
func (d *desk) kill(run ulid.ULID) {
	d.t.Helper()
	good := d.damage(run)
	d.node.Cancel(run)
	d.work()
	list := d.deadLetters()
	d.repair(&list[len(list)-1], good)
	d.now++ // so that they are in the order of their deaths
}

// underWay are the runs that have been called since a number of calls, and not ended.
func (d *desk) underWay(since int) (n int) {
	open := map[ulid.ULID]bool{}
	for _, c := range d.calls[since:] {
		open[c.Ref.RunID] = true
	}
	for _, l := range d.history() {
		if l.Kind >= engine.RunCompleted && l.Kind <= engine.RunCancelled {
			delete(open, l.Run)
		}
	}
	return len(open)
}

// TestRedrivenRunsWaitForPlaces: dead runs that are redriven all at once, while new ones
// are under way, wait for places in their run limit. All of them go on in the end.
func TestRedrivenRunsWaitForPlaces(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{"": "", "restart": "", "throttle": `,"throttle":{"limit":100,"period":"1s"}`, "priority": `,"priority":{"run":"int(event.data.n)"}`} {
		for _, key := range []string{"", `,"key":"event.data.k"`} {
			testRedrivenRuns(t, name+key, name == "restart", `"concurrency":{"fn":[{"limit":2`+key+`}]}`+more)
		}
	}
}

func testRedrivenRuns(t *testing.T, name string, restart bool, config string) {
	t.Helper()
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if !has(c, "a") {
			return ops(2, engine.Op{Code: engine.OpSleep, ID: "a", Name: "10s"})
		}
		return napping(c)
	}, `f "triggers":[{"event":"e"}],`+config)
	for n := range 12 {
		d.send("e", fmt.Sprintf(`{"k":1,"n":%d}`, n))
	}
	for range 3 { // those that have a place, three times
		for _, c := range d.calls[len(d.calls)-2:] {
			d.kill(c.Ref.RunID)
		}
		d.work()
	}
	list, since := d.deadLetters(), len(d.calls)-2 // two others have the places
	if len(list) != 6 {
		t.Fatalf("%s: %d dead letters, want 6", name, len(list))
	}
	for _, err := range d.redriveAll(list) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 30 {
		d.pass(5 * time.Second * time.Duration(1+i%3))
		if n := d.underWay(since); n > 2 {
			t.Fatalf("%s: %d runs are under way after a bulk redrive, limit 2", name, n)
		}
		if restart && i%4 == 1 {
			d.store.Flush()
			d.open()
			d.work()
		}
	}
	d.pass(time.Hour)
	if n := d.completed(); n != 12 {
		t.Errorf("%s: %d of 12 runs have ended", name, n)
	}
	d.wantDead()
	d.wantClean()
}

// TestRedrivenRunTakesAFreePlace: at once, also while it sleeps.
func TestRedrivenRunTakesAFreePlace(t *testing.T) {
	t.Parallel()
	d := newDesk(t, napping, `f "triggers":[{"event":"e"}],"concurrency":{"fn":[{"limit":1}]}`)
	d.send("e", `{}`)
	d.kill(d.wantCalls("f", 1)[0].Ref.RunID)
	d.redriveAll(d.deadLetters())
	d.send("e", `{}`)
	d.wantCalls("f", 1)
	d.pass(time.Minute)
	d.wantCalls("f", 3)
	d.pass(time.Minute)
	d.wantDead()
	d.wantClean()
}

// TestRedrivenRunFindsAPlace: when its next call is due and a place has become free, it takes
// that, like a first call that need not wait.
func TestRedrivenRunFindsAPlace(t *testing.T) {
	t.Parallel()
	d := newDesk(t, napping, `f "triggers":[{"event":"e"}],"concurrency":{"fn":[{"limit":1}],"step":[{"limit":1}]}`)
	d.send("e", `{"dead":1}`)
	dead := d.wantCalls("f", 1)[0].Ref.RunID
	d.kill(dead)
	d.send("e", `{}`)
	d.wantCalls("f", 2)
	d.redriveAll(d.deadLetters()) // still asleep, while the other has the place
	d.node.Cancel(d.of("f")[1].Ref.RunID)
	d.work()
	handler := d.handler
	d.handler = func(c *engine.Call) engine.Result {
		if c.Ref.RunID == dead && !has(c, "more") {
			return ops(2, engine.Op{Code: engine.OpSleep, ID: "more", Name: "1m"})
		}
		return handler(c)
	}
	d.pass(time.Minute)
	d.wantCalls("f", 3)
	d.send("e", `{}`)
	d.wantCalls("f", 3) // the place is taken
	d.pass(time.Minute)
	d.wantCalls("f", 5)
	d.pass(time.Minute)
	d.wantDead()
	d.wantClean()
}

// TestRedrivenRunAfterTheLimit: it needs no place once its function has no such limit.
func TestRedrivenRunAfterTheLimit(t *testing.T) {
	t.Parallel()
	d := newDesk(t, napping, `f "triggers":[{"event":"e"}],"concurrency":{"fn":[{"limit":1}]}`)
	d.send("e", `{}`)
	d.send("e", `{}`)
	d.kill(d.wantCalls("f", 1)[0].Ref.RunID)
	d.wantCalls("f", 2)
	d.redriveAll(d.deadLetters())
	d.define(`f "triggers":[{"event":"e"}],"throttle":{"limit":1,"period":"24h"}`)
	d.work()
	for range 2 { // the first fills the throttle
		d.send("e", `{}`)
	}
	d.pass(time.Minute)
	if n := d.completed(); n != 3 {
		t.Errorf("%d runs have ended, want all but the one that is throttled", n)
	}
}

// completed is how many runs have.
func (d *desk) completed() (n int) {
	for _, l := range d.history() {
		if l.Kind == engine.RunCompleted {
			n++
		}
	}
	return n
}

// TestRedrivenSingleton: never two at once. The lock is taken once more if it is free; if
// not, the dead letter stays.
func TestRedrivenSingleton(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"skip", "cancel"} {
		d := newDesk(t, napping, `f "triggers":[{"event":"e"}],"singleton":{"mode":"`+mode+`"}`)
		d.send("e", `{}`)
		d.kill(d.wantCalls("f", 1)[0].Ref.RunID)
		d.send("e", `{}`)
		d.kill(d.wantCalls("f", 2)[1].Ref.RunID)
		errs := d.redriveAll(d.deadLetters())
		if errs[0] != nil || !errors.Is(errs[1], engine.ErrStillDead) || !strings.Contains(errs[1].Error(), "singleton") {
			t.Errorf("%s: redrives of two runs of a singleton: %v", mode, errs)
		}
		if mode == "skip" {
			d.wantSkip("f", d.send("e", `{}`), engine.SkipSingleton)
		}
		d.pass(2 * time.Minute)
		d.wantCalls("f", 3)
		if errs := d.redriveAll(d.deadLetters()); len(errs) != 1 || errs[0] != nil {
			t.Errorf("%s: redrive of the second: %v", mode, errs)
		}
		d.pass(2 * time.Minute)
		d.wantCalls("f", 4)
		d.wantDead()
		d.wantClean()
	}
}

// TestRedrivenOnce: a dead letter that is redriven twice in one round starts one run.
func TestRedrivenOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, done, `f "triggers":[{"event":"e"}],"batchEvents":{"maxSize":10,"timeout":"5s"}`, `g`)
	d.send("e", `{}`)
	sound := d.cat.Snapshot()
	d.node.Configure(&engine.Snapshot{})
	d.pass(6 * time.Second)
	d.node.Configure(sound)
	d.work()
	d.node.Catch()
	d.node.BreakRouting("g")
	d.send("g", `{}`)
	d.node.Configure(sound)
	d.work()
	list := d.deadLetters()
	if len(list) != 2 {
		t.Fatalf("dead letters %+v, want an event of the log and events of a batch", list)
	}
	for i, err := range d.redriveAll(append(list, list...)) {
		if want := i >= 2; errors.Is(err, engine.ErrNoDeadLetter) != want {
			t.Errorf("redrive %d: %v", i, err)
		}
	}
	d.wantCalls("f", 1)
	d.wantCalls("g", 1)
	d.wantDead()
	d.wantClean()
}

// slowGateway holds back the answers to one step's requests.
type slowGateway struct {
	*desk
	late []func()
}

func (s *slowGateway) Gateway(g *engine.GatewayCall, done func(engine.GatewayResult)) {
	if g.StepID == "late" {
		s.late = append(s.late, func() { done(engine.GatewayResult{Ref: g.Ref, Data: []byte(`1`)}) })
		return
	}
	s.desk.Gateway(g, done)
}

// TestRedrivenRunWithARequest: a request that was under way when its run died is made again,
// and the slot of each is given back with its answer.
func TestRedrivenRunWithARequest(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if len(c.Steps) == 2 {
			return finalResult()
		}
		var requests []engine.Op
		for _, id := range []string{"late", "bad"} {
			requests = append(requests, engine.Op{Code: engine.OpGateway, ID: id, Opts: []byte(`{"url":"http://y"}`)})
		}
		return ops(2, requests...)
	}, `f`)
	slow := &slowGateway{desk: d}
	d.conf.Transport = slow
	d.open()
	faults := 3
	d.gateway = func(*engine.GatewayCall) engine.GatewayResult {
		if faults--; faults < 0 {
			return engine.GatewayResult{Data: []byte(`2`)}
		}
		return engine.GatewayResult{Error: []byte(`{"message":"broken"}`), ErrorCode: engine.CodeFault}
	}
	d.send("f", `{}`)
	d.pass(time.Minute)
	list := d.wantDead(d.wantCalls("f", 1)[0].Ref.RunID)
	d.redriveAll(list)
	if len(slow.late) != 2 {
		t.Fatalf("%d requests, want the one that was under way once more", len(slow.late))
	}
	for _, answer := range slow.late {
		answer()
		d.work()
	}
	d.wantEnd("f", engine.RunCompleted, `"done"`)
	loads := d.node.Loads()
	d.work()
	if l := loads(); len(l) > 0 {
		t.Errorf("calls are counted that have ended: %+v", l)
	}
	d.wantClean()
}
