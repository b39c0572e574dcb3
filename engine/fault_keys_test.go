package engine_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// Faults at the states of flow-control keys, which a round writes at its end.

// keyPoison is in all states of a function's keys of a kind (see flow.encode).
func keyPoison(kind byte, slug string) string {
	fn := idOf(slug)
	return string(append([]byte{1, kind}, fn[:]...))
}

const (
	rateKind      = 1
	throttleKind  = 2
	runsKind      = 3
	singletonKind = 4
)

// TestFaultOfAKey: what has changed a key's state that cannot be written is put aside: an
// event on its way in, its run at the first call, or as it falls asleep. Others with the key,
// and other functions, go on.
func TestFaultOfAKey(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config string
		kind   byte
		run    bool // a run is put aside, not the events of one that is new
	}{
		"rate limit": {`"rateLimit":{"limit":100,"period":"1s"}`, rateKind, false},
		"throttle":   {`"throttle":{"limit":100,"period":"1s"}`, throttleKind, false},
		"runs":       {`"concurrency":{"fn":[{"limit":1}]}`, runsKind, false},
		"singleton":  {`"singleton":{"mode":"cancel"}`, singletonKind, true},
	} {
		d := newDesk(t, sleepOnce, `f "triggers":[{"event":"e"}],`+test.config, `other`)
		s := &poisoned{tables: map[engine.Table]bool{engine.TableFlow: true}, put: keyPoison(test.kind, "f")}
		d.poison(s)
		d.send("e", `{"n":1}`)
		d.send("other", `{}`)
		d.pass(10 * time.Second)
		d.wantCalls("other", 2)
		d.wantFaults(s, 3)
		list := d.deadLetters()
		if len(list) != 1 || (list[0].Kind == engine.DeadRun) != test.run || list[0].Fn != idOf("f") || !strings.Contains(list[0].Reason, "poison") {
			t.Fatalf("%s: dead letters %+v", name, list)
		}
		before := len(d.of("f"))
		s.stopped = true
		d.send("e", `{"n":2}`)
		d.pass(10 * time.Second)
		d.wantCalls("f", before+2)
		if err := d.redrive(&list[0]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		d.pass(10 * time.Second)
		if last := d.of("f"); !bytes.Contains(last[len(last)-1].Events[0], []byte(`"n":1`)) {
			t.Errorf("%s: the run does not go on: %d calls", name, len(last))
		}
		d.wantClean()
	}
}

// TestFaultOfCollecting: an event that cannot be collected is put aside, those that a
// debounce or batch has collected with its key start their run.
func TestFaultOfCollecting(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config string
		table  engine.Table
	}{
		"debounce": {`"debounce":{"period":"2s"}`, engine.TableFlow},
		"batch":    {`"batchEvents":{"maxSize":10,"timeout":"2s"}`, engine.TableBatch},
	} {
		d := newDesk(t, done, `f "triggers":[{"event":"e"}],`+test.config)
		s := &poisoned{tables: map[engine.Table]bool{test.table: true}, put: "poison"}
		d.poison(s)
		d.send("e", `{"a":"sound"}`)
		d.pass(time.Second)
		bad := d.send("e", `{"a":"poison"}`)
		d.wantFaults(s, 3)
		list := d.deadLetters()
		if len(list) != 1 || list[0].Kind != engine.DeadEvents || list[0].ID != bad {
			t.Fatalf("%s: dead letters %+v", name, list)
		}
		d.pass(5 * time.Second)
		if c := d.wantCalls("f", 1)[0]; len(c.Events) != 1 || !bytes.Contains(c.Events[0], []byte("sound")) {
			t.Errorf("%s: events of the run: %s", name, c.Events)
		}
		d.wantClean()
	}
}

// TestFaultOfAKeyByItself: pending events whose state cannot be written as its timer is
// set again, which no event and no run is to blame for.
func TestFaultOfAKeyByItself(t *testing.T) {
	t.Parallel()
	d := newDesk(t, done, `f "triggers":[{"event":"e"}],"debounce":{"period":"2s"}`, `other`)
	s := &poisoned{tables: map[engine.Table]bool{engine.TableFlow: true}}
	d.poison(s)
	d.send("e", `{"a":1}`)
	d.pass(time.Second)
	d.send("e", `{"a":2}`)
	s.put = `"a":2`
	d.pass(5 * time.Second) // the timer is that of the first event
	d.wantFaults(s, 3)
	list := d.deadLetters()
	if len(list) != 1 || list[0].Kind != engine.DeadEvents || !bytes.Contains(list[0].Body, []byte(`"a":2`)) {
		t.Fatalf("dead letters %+v", list)
	}
	d.send("other", `{}`)
	d.send("e", `{"a":3}`)
	d.pass(5 * time.Second)
	d.wantCalls("other", 1)
	d.wantCalls("f", 1)
	if err := d.redrive(&list[0]); err != nil {
		t.Fatal(err)
	}
	d.wantCalls("f", 2)
	d.wantClean()
}

// TestFaultOfACount: a count of runs that cannot be written when one ends is kept in
// memory, and made anew by the next start: it holds nobody up, and nobody passes it.
func TestFaultOfACount(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sleepOnce, `f "triggers":[{"event":"e"}],"concurrency":{"fn":[{"limit":2}]}`, `other`)
	s := &poisoned{tables: map[engine.Table]bool{engine.TableFlow: true}}
	d.poison(s)
	for range 3 {
		d.send("e", `{}`)
	}
	d.wantCalls("f", 2)
	s.put = keyPoison(runsKind, "f")
	for range 6 {
		d.send("e", `{}`)
	}
	d.send("other", `{}`)
	d.pass(30 * time.Second)
	d.wantEnd("other", engine.RunCompleted, `"done"`)
	if err := d.node.Failed(); err != nil {
		t.Fatal(err)
	}
	panics := s.panics
	d.send("e", `{}`)
	d.pass(30 * time.Second)
	if s.panics != panics {
		t.Errorf("%d further panics", s.panics-panics)
	}
	dead := map[ulid.ULID]bool{}
	for _, l := range d.deadLetters() {
		dead[l.ID] = true
	}
	d.wantRunsAtMost(2, 10-len(dead), dead)
	s.stopped = true
	d.store.Flush()
	d.open()
	d.node.Catch()
	d.work()
	for range 3 {
		d.send("e", `{}`)
	}
	d.pass(30 * time.Second)
	d.wantRunsAtMost(2, 13-len(dead), dead)
	for _, l := range d.deadLetters() {
		if err := d.redrive(&l); err != nil {
			t.Error(err)
		}
	}
	d.pass(30 * time.Second)
	d.wantClean()
}

// TestFaultOfPuttingAside: a run at which even giving back its place fails is put aside
// nevertheless, and gives its signals back.
func TestFaultOfPuttingAside(t *testing.T) {
	t.Parallel()
	const signals = 8 // in all partitions
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if bytes.Contains(c.Events[0], []byte("nap")) {
			return ops(2, engine.Op{Code: engine.OpSleep, ID: "z", Name: "1h"})
		}
		var waits []engine.Op
		for i := range signals {
			timeout := "1h"
			if i == 0 && c.Fn.Slug == "f" {
				timeout = "1m"
			}
			waits = append(waits, op(engine.OpWaitForSignal, fmt.Sprint("s", i), fmt.Sprintf(`{"signal":"s%d","timeout":%q}`, i, timeout)))
		}
		if len(c.Steps) > 0 {
			return finalResult()
		}
		waits[0].Race = c.Fn.Slug == "f"
		return ops(2, waits...)
	}, `f "triggers":[{"event":"e"}],"concurrency":{"fn":[{"limit":3}]}`, `other`)
	s := &poisoned{tables: map[engine.Table]bool{engine.TableFlow: true}}
	d.poison(s)
	d.send("e", `{}`)
	run := d.wantCalls("f", 1)[0].Ref.RunID
	d.send("e", `{"nap":1}`)
	s.put = keyPoison(runsKind, "f")
	d.pass(10 * time.Minute) // it ends, and leaves a place that is counted
	d.wantDead(run)
	if err := d.node.Failed(); err != nil {
		t.Fatal(err)
	}
	for _, l := range d.deadLetters() {
		if l.Kind == engine.DeadEntry {
			t.Errorf("a message is put aside: %+v", l)
		}
	}
	d.send("other", `{}`)
	for i := range signals {
		taken := d.node.Signal(fmt.Sprint("s", i))
		d.work()
		if !taken() {
			t.Errorf("nobody waits for signal %d: it is kept", i)
		}
	}
}

// wantRunsAtMost checks that so many runs of a function have ended, and never more than
// the limit were started at once, but for the dead.
func (d *desk) wantRunsAtMost(limit, ended int, dead map[ulid.ULID]bool) {
	d.t.Helper()
	running, n := map[ulid.ULID]bool{}, 0
	for _, l := range d.history() {
		switch {
		case l.Fn != idOf("f") || dead[l.Run]:
		case l.Kind == engine.RunStarted:
			if running[l.Run] = true; len(running) > limit {
				d.t.Errorf("%d runs at once, limit %d", len(running), limit)
			}
		case l.Kind == engine.RunCompleted:
			delete(running, l.Run)
			n++
		}
	}
	if n != ended || len(running) > 0 {
		d.t.Errorf("%d runs have ended, want %d; %d have not", n, ended, len(running))
	}
}
