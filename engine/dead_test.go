package engine_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// What a dead letter must not keep: places, locks, signals, waits, a share of the backlog.

// damage makes a run's record unreadable behind the engine's back and returns it as it was.
func (d *desk) damage(run ulid.ULID) (good []byte) {
	d.t.Helper()
	d.store.Flush()
	d.change(func(_ int, ps engine.PartitionStore, b engine.Batch) {
		_ = ps.Get(engine.TableRun, [][]byte{run[:]}, func(_ int, v []byte) {
			if v != nil {
				good = append([]byte(nil), v...)
				b.Put(engine.TableRun, run[:], []byte("damaged"))
			}
		})
	})
	if good == nil {
		d.t.Fatalf("run %s has no record", run)
	}
	return good
}

// repair puts a readable record into a dead letter.
func (d *desk) repair(l *engine.DeadLetter, good []byte) {
	d.t.Helper()
	d.change(func(i int, ps engine.PartitionStore, b engine.Batch) {
		if i == l.Partition {
			_ = ps.Scan(engine.TableDead, nil, nil, func(k, _ []byte) bool {
				if strings.HasSuffix(string(k), string(l.ID[:])) {
					b.Put(engine.TableDead, k, engine.EncodeDead(*l, good))
				}
				return true
			})
		}
	})
}

func (d *desk) wantDead(runs ...ulid.ULID) []engine.DeadLetter {
	d.t.Helper()
	list := d.deadLetters()
	if len(list) != len(runs) || int(d.node.Stats().Dead) != len(runs) {
		d.t.Fatalf("%d dead letters, counted as %d, want %d: %+v", len(list), d.node.Stats().Dead, len(runs), list)
	}
	for i, run := range runs {
		if list[i].ID != run {
			d.t.Errorf("dead letter %d is %s, want %s", i, list[i].ID, run)
		}
	}
	return list
}

// TestDamagedRunFreesItsPlace: a run that cannot be read gives its place in a run limit
// back, also if the server restarts before that is done.
func TestDamagedRunFreesItsPlace(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		for _, config := range []string{`{"limit":1}`, `{"limit":1,"key":"event.data.k"}`} {
			d := newDesk(t, napping, `f "triggers":[{"event":"e"}],"concurrency":{"fn":[`+config+`]}`, `many`)
			for i := range 1200 { // the search takes several rounds
				d.send("many", fmt.Sprintf(`{"n":%d}`, i))
			}
			for range 3 {
				d.send("e", `{"k":1}`)
			}
			run := d.wantCalls("f", 1)[0].Ref.RunID
			d.damage(run)
			d.node.Cancel(run) // which looks for it
			for i := range d.node.Partitions() {
				d.node.Round(i, 100)
			}
			if restart {
				d.store.Flush()
				d.open()
			}
			d.work()
			d.wantCalls("f", 2)
			d.pass(10 * time.Minute)
			d.wantCalls("f", 5)
			d.wantDead(run)
			d.wantClean()
		}
	}
}

// TestDamagedRunFreesItsLock: and its singleton's lock.
func TestDamagedRunFreesItsLock(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		d := newDesk(t, napping, `f "triggers":[{"event":"e"}],"singleton":{"mode":"skip","key":"event.data.k"}`)
		d.send("e", `{"k":1}`)
		d.send("e", `{"k":1}`)
		run := d.wantCalls("f", 1)[0].Ref.RunID
		d.damage(run)
		if again { // the next event finds it, before its time has come
			d.send("e", `{"k":1}`)
			d.wantCalls("f", 2)
		}
		d.pass(10 * time.Minute)
		d.wantDead(run)
		d.wantClean()
	}
}

// TestDamagedRunFreesWhatItWaitsFor: signals are free for others, waits are forgotten;
// redriven, it waits again.
func TestDamagedRunFreesWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *engine.Call) engine.Result {
		switch {
		case has(c, "w") || has(c, "s"):
			return finalResult()
		case c.Fn.Slug == "other":
			return ops(2, op(engine.OpWaitForSignal, "s", `{"signal":"sig","timeout":"1h"}`))
		}
		return ops(2, op(engine.OpWaitForEvent, "w", `{"event":"go","timeout":"1h"}`), op(engine.OpWaitForSignal, "s", `{"signal":"sig","timeout":"1h"}`))
	}, `f`, `other`)
	d.send("f", `{}`)
	run := d.wantCalls("f", 1)[0].Ref.RunID
	good := d.damage(run)
	d.send("go", `{}`) // which looks for it
	list := d.wantDead(run)
	d.send("other", `{}`)
	taken := d.node.Signal("sig")
	d.work()
	if !taken() {
		t.Error("the signal reached nobody")
	}
	d.wantCalls("other", 2)
	d.repair(&list[0], good)
	redriven := d.node.Redrive(&list[0], false)
	d.work()
	if err := redriven(); err != nil {
		t.Fatal(err)
	}
	d.send("go", `{}`)
	taken = d.node.Signal("sig")
	d.work()
	if !taken() {
		t.Error("the redriven run does not wait for its signal")
	}
	d.wantCalls("f", 2)
	d.wantDead()
	d.pass(2 * time.Hour)
	d.wantClean()
}

// TestDamagedRunInTheQueue: the backlog does not count it once its turn has come.
func TestDamagedRunInTheQueue(t *testing.T) {
	t.Parallel()
	for _, config := range []string{`"concurrency":{"step":[{"limit":1}]}`, `"concurrency":{"step":[{"limit":1,"key":"event.data.k"}]}`} {
		var free bool
		d := newDesk(t, nil, `f "triggers":[{"event":"e"}],`+config)
		d.handler = func(*engine.Call) engine.Result {
			if free {
				return finalResult()
			}
			return engine.Result{Status: -1}
		}
		for i := range 4 {
			d.send("e", fmt.Sprintf(`{"k":1,"n":%d}`, i))
			d.now++
		}
		var runs []ulid.ULID
		for _, l := range d.history() {
			if l.Kind == engine.RunScheduled {
				runs = append(runs, l.Run)
			}
		}
		d.store.Flush()
		d.open()
		d.damage(runs[2]) // its lane is known by the first
		d.damage(runs[3])
		free = true
		d.work()
		d.wantDead(runs[2], runs[3])
		if n := d.node.Stats().Backlog; n != 0 {
			t.Errorf("%s: backlog %d once all has been done", config, n)
		}
		d.wantClean()
	}
}

// TestDamagedRunAlone: a lane of which nothing but a damaged run is there.
func TestDamagedRunAlone(t *testing.T) {
	t.Parallel()
	never := func(*engine.Call) engine.Result { return engine.Result{Status: -1} }
	d := newDesk(t, never, `f "triggers":[{"event":"e"}],"concurrency":{"step":[{"limit":1,"key":"event.data.k"}]}`)
	d.send("e", `{"k":1}`)
	run := d.wantCalls("f", 1)[0].Ref.RunID
	d.store.Flush()
	d.open()
	d.damage(run)
	d.work()
	d.wantDead(run)
	if n := d.node.Stats().Backlog; n != 0 {
		t.Errorf("backlog %d, all of it damaged", n)
	}
	d.wantClean()
}

// TestDamagedParts: a run whose steps are gone tells what it holds, and gives it back.
func TestDamagedParts(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 4096)
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if !has(c, "s") {
			return ops(2, engine.Op{Code: engine.OpStepRun, ID: "s", Data: []byte(`"` + big + `"`)})
		}
		return sleepOnce(c)
	}, `f "triggers":[{"event":"e"}],"concurrency":{"fn":[{"limit":1}]}`)
	d.send("e", `{}`)
	run := d.wantCalls("f", 2)[0].Ref.RunID
	d.store.Flush()
	kept := map[string][]byte{}
	d.change(func(_ int, ps engine.PartitionStore, b engine.Batch) {
		_ = ps.Scan(engine.TableStep, run[:], nil, func(k, v []byte) bool {
			kept[string(k)] = append([]byte(nil), v...)
			b.Put(engine.TableStep, k, []byte("damaged"))
			return true
		})
	})
	d.send("e", `{}`)
	d.pass(5 * time.Second)
	list := d.wantDead(run)
	d.wantCalls("f", 5)
	d.change(func(i int, _ engine.PartitionStore, b engine.Batch) {
		for k, v := range kept {
			if i == list[0].Partition {
				b.Put(engine.TableStep, []byte(k), v)
			}
		}
	})
	redriven := d.node.Redrive(&list[0], false)
	d.work()
	if err := redriven(); err != nil {
		t.Fatal(err)
	}
	d.pass(5 * time.Second)
	d.wantCalls("f", 6)
	d.wantClean()
}

// TestDamagedAtRandom damages runs of a function with a run limit at random moments,
// also while counts are made anew, restarts at others, and checks the limit all the time.
func TestDamagedAtRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		limit := 1 + rng.IntN(3)
		d := newDesk(t, napping, fmt.Sprintf(`f "triggers":[{"event":"e"}],"concurrency":{"fn":[{"limit":%d,"key":"event.data.k"}]}`, limit))
		dead := map[ulid.ULID]bool{}
		for i := range 60 {
			d.send("e", fmt.Sprintf(`{"k":%d}`, rng.IntN(3)))
			d.pass(time.Duration(rng.IntN(40)) * time.Second)
			switch active := d.active(dead); {
			case len(active) == 0:
			case rng.IntN(6) == 0:
				run := active[rng.IntN(len(active))]
				d.damage(run)
				dead[run] = true
				d.node.Cancel(run)
				if rng.IntN(2) == 0 {
					d.work()
				}
			case rng.IntN(8) == 0:
				d.store.Flush()
				d.open()
			}
			for k, n := range d.perKey(dead) {
				if n > limit {
					t.Fatalf("seed %d, event %d: %d runs with key %s at once, limit %d", seed, i, n, k, limit)
				}
			}
		}
		d.work()
		d.pass(3 * time.Hour)
		if left := d.active(dead); len(left) > 0 {
			t.Fatalf("seed %d: %d runs of %d have not ended", seed, len(left), len(d.of("f")))
		}
		d.wantClean()
	}
}

// active are the runs that have started and not ended, but for the dead.
func (d *desk) active(dead map[ulid.ULID]bool) (out []ulid.ULID) {
	open := map[ulid.ULID]bool{}
	for _, l := range d.history() {
		switch {
		case l.Kind == engine.RunScheduled:
			open[l.Run] = true
		case l.Kind >= engine.RunCompleted && l.Kind <= engine.RunCancelled:
			delete(open, l.Run)
		}
	}
	for _, c := range d.calls {
		if id := c.Ref.RunID; open[id] && !dead[id] {
			out = append(out, id)
			delete(open, id)
		}
	}
	return out
}

// perKey counts them by the key of their events.
func (d *desk) perKey(dead map[ulid.ULID]bool) map[string]int {
	n := map[string]int{}
	key := map[ulid.ULID]string{}
	for _, c := range d.calls {
		key[c.Ref.RunID] = string(c.Events[0][strings.Index(string(c.Events[0]), `"k":`):][:5])
	}
	for _, id := range d.active(dead) {
		n[key[id]]++
	}
	return n
}
