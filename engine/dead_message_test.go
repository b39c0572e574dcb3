package engine_test

import (
	"errors"
	"testing"
	"time"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// Messages between partitions among the dead letters.

// signalOrStop is a function that waits for the signal, for an hour or until an event.
func signalOrStop(c *engine.Call) engine.Result {
	if len(c.Steps) > 0 {
		return finalResult()
	}
	wait := op(engine.OpWaitForSignal, "s", `{"signal":"sig","timeout":"1h"}`)
	stop := op(engine.OpWaitForEvent, "w", `{"event":"stop","timeout":"2h"}`)
	wait.Race, stop.Race = true, true
	return ops(2, wait, stop)
}

// takes reports whether somebody waits for the signal, who gets it.
func (d *desk) takes(signal string) bool {
	d.t.Helper()
	taken := d.node.Signal(signal)
	d.work()
	return taken()
}

// wantDeadMessage returns the only dead letter, a message.
func (d *desk) wantDeadMessage() *engine.DeadLetter {
	d.t.Helper()
	list := d.deadLetters()
	if len(list) != 1 || list[0].Kind != engine.DeadMessage {
		d.t.Fatalf("dead letters %+v, want a message", list)
	}
	return &list[0]
}

// TestDeadClaim: a claim of a signal at which the server has failed is made when it is
// redriven, if its run still waits for the signal.
func TestDeadClaim(t *testing.T) {
	t.Parallel()
	for _, waits := range []bool{true, false} {
		d := newDesk(t, signalOrStop, `f`)
		s := &poisoned{tables: map[engine.Table]bool{engine.TableSignal: true}, put: "\x01"}
		d.poison(s)
		d.send("f", `{}`)
		d.wantFaults(s, 3)
		letter := d.wantDeadMessage()
		if d.takes("sig") {
			t.Error("the signal is claimed, although the claim is put aside")
		}
		if !waits {
			d.send("stop", `{}`)
			d.wantCalls("f", 2)
		}
		s.stopped = true
		if err := d.redrive(letter); err != nil {
			t.Fatal(err)
		}
		if d.takes("sig") != waits {
			t.Errorf("the signal reaches somebody: %t, its run waits: %t", !waits, waits)
		}
		d.wantCalls("f", 2)
		d.wantDead()
		d.wantClean()
	}
}

// TestDeadRelease: a signal that could not be given back is given back when that is
// redriven, unless the run waits for it again.
func TestDeadRelease(t *testing.T) {
	t.Parallel()
	d := newDesk(t, signalOrStop, `f`)
	s := &poisoned{tables: map[engine.Table]bool{engine.TableSignal: true}}
	d.poison(s)
	d.send("f", `{}`)
	s.get = "\x01"
	d.send("stop", `{}`)
	d.wantCalls("f", 2)
	s.stopped = true
	d.send("f", `{}`) // cannot have it
	d.wantLastEnd(engine.RunFailed)
	if err := d.redrive(d.wantDeadMessage()); err != nil {
		t.Fatal(err)
	}
	d.send("f", `{}`)
	if !d.takes("sig") {
		t.Error("the signal has not been given back")
	}
	d.wantCalls("f", 5)
	d.wantClean()
}

// wantLastEnd checks how the last run has ended.
func (d *desk) wantLastEnd(kind engine.LifecycleKind) {
	d.t.Helper()
	var last engine.LifecycleKind
	for _, l := range d.history() {
		if l.Kind >= engine.RunCompleted && l.Kind <= engine.RunCancelled {
			last = l.Kind
		}
	}
	if last != kind {
		d.t.Errorf("the last run has ended as %d, want %d", last, kind)
	}
}

// TestDeadInvokeDone: the end of an invocation that could not be told resumes its invoker
// once, when it is redriven, but not before the invoker is if that is dead too.
func TestDeadInvokeDone(t *testing.T) {
	t.Parallel()
	for _, dead := range []bool{false, true} {
		d := newDesk(t, func(c *engine.Call) engine.Result {
			switch {
			case c.Fn.Slug == "f":
				return engine.Result{Status: -1}
			case memoOf(c, "i") == "none":
				return ops(2, op(engine.OpInvokeFunction, "i", `{"function_id":"f","timeout":"1h","payload":{}}`))
			}
			return engine.Result{Status: 200, Output: []byte(memoOf(c, "i"))}
		}, `f`, `invoker`)
		d.send("invoker", `{}`)
		run := d.wantCalls("invoker", 1)[0].Ref.RunID
		d.wantCalls("f", 1)
		letter := engine.DeadLetter{Partition: d.of("invoker")[0].Ref.Partition, At: d.now, ID: ulid.ULID{1}, Kind: engine.DeadMessage}
		body := d.node.EncodeInvokeDone(run, "i", []byte(`{"data":1}`))
		d.change(func(i int, _ engine.PartitionStore, b engine.Batch) {
			if i == letter.Partition {
				b.Put(engine.TableDead, engine.DeadKey(&letter), engine.EncodeDead(letter, body))
			}
		})
		d.store.Flush()
		d.open()
		d.work()
		if dead {
			d.now++
			d.kill(run)
			if err := d.redrive(&letter); !errors.Is(err, engine.ErrStillDead) {
				t.Errorf("redriving a message to a dead run: %v", err)
			}
			if err := d.redrive(&d.deadLetters()[1]); err != nil {
				t.Fatal(err)
			}
		}
		errs := d.redriveAll([]engine.DeadLetter{letter, letter})
		if errs[0] != nil || !errors.Is(errs[1], engine.ErrNoDeadLetter) {
			t.Errorf("redriving it twice: %v", errs)
		}
		d.wantEnd("invoker", engine.RunCompleted, `{"data":1}`)
		d.wantCalls("invoker", 2)
		d.wantDead()
		d.pass(2 * time.Hour)
	}
}
