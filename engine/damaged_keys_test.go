package engine_test

import (
	"fmt"
	"testing"
	"time"

	"ingot/engine"
)

// States of flow-control keys that cannot be read.

// damageKeys makes all states of keys unreadable, and restarts the engine.
func (d *desk) damageKeys() {
	d.t.Helper()
	d.store.Flush()
	n := 0
	d.change(func(_ int, ps engine.PartitionStore, b engine.Batch) {
		_ = ps.Scan(engine.TableFlow, nil, nil, func(k, _ []byte) bool {
			b.Put(engine.TableFlow, k, []byte("damaged"))
			n++
			return true
		})
	})
	if n == 0 {
		d.t.Fatal("no key has a state")
	}
	d.open()
}

// TestDamagedKeysOfRuns: places and locks are those of the runs that hold them, whoever comes
// first: the next run, or the end of one.
func TestDamagedKeysOfRuns(t *testing.T) {
	t.Parallel()
	for _, end := range []bool{false, true} {
		d := newDesk(t, napping, `f "triggers":[{"event":"e"}],"concurrency":{"fn":[{"limit":2}]}`, `g "triggers":[{"event":"s"}],"singleton":{"mode":"skip"}`)
		for range 3 {
			d.send("e", `{}`)
		}
		d.send("s", `{}`)
		d.damageKeys()
		if !end {
			d.send("e", `{}`)
			d.wantSkip("g", d.send("s", `{}`), engine.SkipSingleton)
			d.wantCalls("f", 2)
		}
		d.pass(10 * time.Minute)
		d.send("s", `{}`)
		d.pass(10 * time.Minute)
		d.wantCalls("g", 4)
		d.wantRunsAtMost(2, 3+b2n(!end), nil)
		d.wantDead()
		d.wantClean()
	}
}

func b2n(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestDamagedKeysOfRates: they begin anew, and nothing is left of those that nobody uses.
func TestDamagedKeysOfRates(t *testing.T) {
	t.Parallel()
	d := newDesk(t, done, `f "triggers":[{"event":"e"}],"rateLimit":{"limit":1,"period":"1h","key":"event.data.k"}`)
	d.send("e", `{"k":1}`)
	d.send("e", `{"k":2}`)
	d.wantSkip("f", d.send("e", `{"k":1}`), engine.SkipRateLimit)
	d.damageKeys()
	d.work()
	d.send("e", `{"k":1}`)
	d.wantCalls("f", 3)
	d.pass(3 * time.Hour)
	if n := len(d.deadLetters()); n != 2 { // the records: who knows what they were
		t.Errorf("%d dead letters, want 2", n)
	}
	d.wantClean()
}

// TestDamagedKeysOfCollections: what was collected is put aside, and not lost: events of a
// batch start a run when they are redriven.
func TestDamagedKeysOfCollections(t *testing.T) {
	t.Parallel()
	for _, next := range []bool{false, true} {
		d := newDesk(t, done, `f "triggers":[{"event":"e"}],"batchEvents":{"maxSize":10,"timeout":"10s"}`, `g "triggers":[{"event":"d"}],"debounce":{"period":"10s"}`)
		for i := range 3 {
			d.send("e", fmt.Sprintf(`{"n":%d}`, i))
		}
		d.send("d", `{}`)
		d.damageKeys()
		if next {
			d.send("e", `{"n":4}`)
			d.send("d", `{}`)
		}
		d.pass(time.Minute)
		d.wantCalls("f", b2n(next))
		d.wantCalls("g", b2n(next))
		var kinds [engine.DeadMessage + 1]int
		for _, l := range d.deadLetters() {
			kinds[l.Kind]++
			if l.Kind != engine.DeadEvents {
				continue
			}
			if err := d.redrive(&l); err != nil {
				t.Error(err)
			}
		}
		if kinds[engine.DeadEvents] != 1 || kinds[engine.DeadEntry] != 2 {
			t.Errorf("%v dead letters by kind, want the events of one batch and two records", kinds)
		}
		if calls := d.wantCalls("f", 1+b2n(next)); len(calls[b2n(next)].Events) != 3 {
			t.Errorf("%d events were redriven, want 3", len(calls[b2n(next)].Events))
		}
		d.wantClean()
	}
}
