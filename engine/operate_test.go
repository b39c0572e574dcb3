package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

func idOf(slug string) ids.UUID { return ids.UUIDv5([]byte(slug)) }

// TestPause: a paused function keeps what it has, and goes on where it was.
func TestPause(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sleepOnce, `f "triggers":[{"event":"e"}]`, `other "triggers":[{"event":"e"}]`)
	d.send("e", `{"n":1}`)
	d.wantCalls("f", 1)
	d.node.SetMode(idOf("f"), engine.ModePaused)
	d.work()
	d.pass(10 * time.Second) // its sleep is over
	d.send("e", `{"n":2}`)
	d.pass(10 * time.Second)
	d.wantCalls("f", 1)
	d.wantCalls("other", 4)
	d.open() // it outlasts a restart
	d.work()
	d.wantCalls("f", 1)
	d.node.SetMode(idOf("f"), engine.ModeActive)
	d.work()
	d.wantCalls("f", 3)
	d.pass(10 * time.Second)
	d.wantCalls("f", 4)
	d.wantClean()
}

// TestPauseSchedules: the times of a schedule pass while its function is paused.
func TestPauseSchedules(t *testing.T) {
	t.Parallel()
	d := newDesk(t, done, `f "triggers":[{"cron":"* * * * *"}]`)
	d.work()
	d.pass(2 * time.Minute)
	d.wantCalls("f", 2)
	d.node.SetMode(idOf("f"), engine.ModePaused)
	d.pass(10 * time.Minute)
	d.node.SetMode(idOf("f"), engine.ModeActive)
	d.work()
	d.wantCalls("f", 2)
	d.pass(time.Minute)
	d.wantCalls("f", 3)
}

// TestDrain: a draining function starts nothing new and ends what it has; who invokes
// it is told.
func TestDrain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if c.Fn.Slug == "invoker" {
			if memoOf(c, "i") == "none" {
				return ops(2, op(engine.OpInvokeFunction, "i", `{"function_id":"f","payload":{}}`))
			}
			return engine.Result{Status: 200, Output: []byte(memoOf(c, "i"))}
		}
		return sleepOnce(c)
	}, `f "triggers":[{"event":"e"}]`, `invoker`)
	d.send("e", `{}`)
	d.node.SetMode(idOf("f"), engine.ModeDraining)
	d.work()
	skipped := d.send("e", `{}`)
	d.send("invoker", `{}`)
	d.pass(10 * time.Second)
	d.wantCalls("f", 2)
	d.wantEnd("invoker", engine.RunCompleted, `{"error":{"message":"invoked function is draining","name":"Error"}}`)
	d.wantSkip("f", skipped, engine.SkipDraining)
	d.wantClean()
}

// sleepOnce sleeps for a second and ends.
func sleepOnce(c *engine.Call) engine.Result {
	if !has(c, "z") {
		return ops(2, engine.Op{Code: engine.OpSleep, ID: "z", Name: "1s"})
	}
	return finalResult()
}

// wantSkip checks that history tells why an event started no run of a function.
func (d *desk) wantSkip(slug string, ev ulid.ULID, reason string) {
	d.t.Helper()
	for _, l := range d.history() {
		if l.Kind == engine.EventSkipped && l.Fn == idOf(slug) && l.Run == ev {
			if l.Name != reason {
				d.t.Errorf("event was skipped for %q, want %q", l.Name, reason)
			}
			return
		}
	}
	d.t.Errorf("no record of the event that %s skipped for %q", slug, reason)
}

// TestCancelBulk cancels by time and condition, in steps, beside other functions.
func TestCancelBulk(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sleepOnce, `f "triggers":[{"event":"e"}],"concurrency":{"step":[{"limit":1}]}`, `other "triggers":[{"event":"e"}]`)
	d.handler = func(*engine.Call) engine.Result { return engine.Result{Status: -1} }
	before := d.now
	d.now += 1000
	for i := range 900 {
		d.send("e", fmt.Sprintf(`{"n":%d}`, i))
	}
	d.now += 1000
	d.send("e", `{"n":1000}`)
	count := d.node.CancelBulk(&engine.BulkCancel{Fn: idOf("f"), After: before, Before: d.now - 500, If: "event.data.n >= 300"})
	d.work()
	if n, err := count(); n != 600 || err != nil {
		t.Fatalf("%d runs cancelled, %v; want 600", n, err)
	}
	count = d.node.CancelBulk(&engine.BulkCancel{Fn: idOf("f")})
	d.work()
	if n, err := count(); n != 301 || err != nil {
		t.Fatalf("%d runs cancelled, %v; want the other 301", n, err)
	}
	count = d.node.CancelBulk(&engine.BulkCancel{Fn: idOf("f"), If: "event.data.n >"})
	d.work()
	if _, err := count(); !errors.Is(err, engine.ErrCondition) {
		t.Fatalf("a condition that does not compile: %v", err)
	}
	if n := d.node.Stats().Backlog; n != 901 {
		t.Errorf("backlog %d, want the 901 of the other function", n)
	}
}

// TestReplay: from the beginning, and from a step with another input.
func TestReplay(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sequenced, `f`)
	d.send("f", `{"a":1}`)
	first := d.wantCalls("f", 3)
	id := engine.NewReplayID(d.now, idOf("f"))
	err := d.node.Replay(&engine.Replay{RunID: id, Fn: idOf("f"), Events: first[0].Events})
	d.work()
	if err() != nil {
		t.Fatal(err())
	}
	d.wantCalls("f", 6)

	id = engine.NewReplayID(d.now, idOf("f"))
	err = d.node.Replay(&engine.Replay{RunID: id, Fn: idOf("f"), Events: first[0].Events,
		Steps: first[2].Steps[:1], Step: "s1", Input: engine.Step{ID: "s1", Memo: []byte(`{"input":[7]}`)}})
	d.work()
	if e := err(); e != nil {
		t.Fatal(e)
	}
	calls := d.wantCalls("f", 8)[6:]
	if c := calls[0]; c.StepID != "s1" || c.Current != 1 || len(c.Steps) != 1 || len(c.Inputs) != 1 || string(c.Inputs[0].Memo) != `{"input":[7]}` {
		t.Errorf("first call of the replay: step %s at %d, steps %v, inputs %v", c.StepID, c.Current, c.Steps, c.Inputs)
	}
	if c := calls[1]; c.StepID != "step" || len(c.Steps) != 2 {
		t.Errorf("second call of the replay: step %s, steps %v", c.StepID, c.Steps)
	}
	err = d.node.Replay(&engine.Replay{RunID: id, Fn: idOf("nobody"), Events: first[0].Events})
	d.work()
	if e := err(); !errors.Is(e, engine.ErrFunctionNotFound) {
		t.Errorf("replay of a function that is not there: %v", e)
	}
	d.wantClean()
}

// sequenced runs two steps.
func sequenced(c *engine.Call) engine.Result {
	for _, id := range []string{"s0", "s1"} {
		if !has(c, id) {
			return ops(2, ran(id))
		}
	}
	return finalResult()
}

// change writes to each partition's store behind the engine's back.
func (d *desk) change(write func(i int, ps engine.PartitionStore, b engine.Batch)) {
	d.t.Helper()
	d.node.ForgetRead()
	for i := range d.node.Partitions() {
		ps, err := d.store.Partition(i)
		if err != nil {
			d.t.Fatal(err)
		}
		b := ps.NewBatch()
		write(i, ps, b)
		ps.Commit(b, func(err error) {
			if err != nil {
				d.t.Error(err)
			}
		})
	}
}

func (d *desk) deadLetters() []engine.DeadLetter {
	d.t.Helper()
	var all []engine.DeadLetter
	for i := range d.node.Partitions() {
		list := d.node.DeadLetters(i)
		d.work()
		all = append(all, list()...)
	}
	return all
}

// TestDeadRun: a run that cannot be read blocks nobody, and goes on once it can be.
func TestDeadRun(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sleepOnce, `f`, `g`)
	d.send("f", `{}`)
	run := d.wantCalls("f", 1)[0].Ref.RunID
	var good []byte
	d.change(func(_ int, ps engine.PartitionStore, b engine.Batch) {
		_ = ps.Get(engine.TableRun, [][]byte{run[:]}, func(_ int, v []byte) {
			if v != nil {
				good = append([]byte(nil), v...)
				b.Put(engine.TableRun, run[:], []byte("damaged"))
			}
		})
	})
	d.pass(5 * time.Second)
	d.wantCalls("f", 1)
	list := d.deadLetters()
	if len(list) != 1 || list[0].ID != run || list[0].Kind != engine.DeadRun || string(list[0].Body) != "damaged" || list[0].Reason == "" {
		t.Fatalf("dead letters: %+v", list)
	}
	redriven := d.node.Redrive(&list[0], false)
	d.work()
	if err := redriven(); !errors.Is(err, engine.ErrStillDead) {
		t.Errorf("redrive of what cannot be read: %v", err)
	}
	d.change(func(i int, ps engine.PartitionStore, b engine.Batch) {
		if i != list[0].Partition {
			return
		}
		_ = ps.Scan(engine.TableDead, nil, nil, func(k, v []byte) bool {
			b.Put(engine.TableDead, k, engine.EncodeDead(list[0], good))
			return true
		})
	})
	redriven = d.node.Redrive(&list[0], false)
	d.work()
	if err := redriven(); err != nil {
		t.Fatalf("redrive: %v", err)
	}
	d.pass(5 * time.Second)
	d.wantCalls("f", 2)
	if list := d.deadLetters(); len(list) != 0 {
		t.Errorf("dead letters are left: %+v", list)
	}
	d.wantClean()
}

// TestDiscardedRun: nothing stays of a run that is discarded.
func TestDiscardedRun(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 4096)
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if !has(c, "s") {
			return ops(2, engine.Op{Code: engine.OpStepRun, ID: "s", Data: []byte(`"` + big + `"`)})
		}
		return sleepOnce(c)
	}, `f`)
	d.send("f", `{"big":"`+big+`"}`)
	run := d.wantCalls("f", 2)[0].Ref.RunID
	d.change(func(_ int, ps engine.PartitionStore, b engine.Batch) {
		_ = ps.Get(engine.TableRun, [][]byte{run[:]}, func(_ int, v []byte) {
			if v != nil {
				b.Put(engine.TableRun, run[:], []byte("damaged"))
			}
		})
	})
	d.pass(5 * time.Second)
	list := d.deadLetters()
	if len(list) != 1 || list[0].ID != run {
		t.Fatalf("dead letters: %+v", list)
	}
	gone := d.node.Redrive(&list[0], true)
	d.work()
	if err := gone(); err != nil {
		t.Fatal(err)
	}
	d.wantClean()
}

// TestDeadEvents: what was collected for a function that is gone is kept.
func TestDeadEvents(t *testing.T) {
	t.Parallel()
	d := newDesk(t, done, `f "triggers":[{"event":"e"}],"batchEvents":{"maxSize":10,"timeout":"5s"}`)
	d.send("e", `{"n":1}`)
	d.send("e", `{"n":2}`)
	sys := d.cat
	d.node.Configure(&engine.Snapshot{})
	d.pass(6 * time.Second)
	list := d.deadLetters()
	if len(list) != 1 || list[0].Kind != engine.DeadEvents || list[0].Fn != idOf("f") {
		t.Fatalf("dead letters: %+v", list)
	}
	d.node.Configure(sys.Snapshot())
	redriven := d.node.Redrive(&list[0], false)
	d.work()
	if err := redriven(); err != nil {
		t.Fatal(err)
	}
	if c := d.wantCalls("f", 1)[0]; len(c.Events) != 2 || !strings.Contains(string(c.Events[1]), `"n":2`) {
		t.Errorf("events of the run: %s", c.Events)
	}
}

// TestDeadEntry: an entry of the log that cannot be read is kept, and can be discarded.
func TestDeadEntry(t *testing.T) {
	t.Parallel()
	d := newDesk(t, done, `f`)
	if err := d.store.Log().Append([]byte("\xff\xff\xff"), 1); err != nil {
		t.Fatal(err)
	}
	d.work()
	d.send("f", `{}`)
	d.wantCalls("f", 1)
	list := d.deadLetters()
	if len(list) != 1 || list[0].Kind != engine.DeadEntry || string(list[0].Body) != "\xff\xff\xff" {
		t.Fatalf("dead letters: %+v", list)
	}
	d.open()
	d.work()
	if n := d.node.Stats().Dead; n != 1 {
		t.Fatalf("%d dead letters after a restart", n)
	}
	gone := d.node.Redrive(&list[0], true)
	d.work()
	if err := gone(); err != nil {
		t.Fatal(err)
	}
	again := d.node.Redrive(&list[0], true)
	d.work()
	if err := again(); !errors.Is(err, engine.ErrNoDeadLetter) {
		t.Errorf("discarding it again: %v", err)
	}
}

// TestBacklogBounds: events are refused while too many runs are ready.
func TestBacklogBounds(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(*engine.Call) engine.Result { return engine.Result{Status: -1} }, `f "triggers":[{"event":"e"}],"concurrency":{"step":[{"limit":1}]}`, `g`)
	d.conf.MaxFunctionBacklog, d.conf.MaxBacklog = 3, 5
	d.open()
	admit := func(name string) error { return d.node.Engine().Admit(&event.Event{Name: []byte(name)}) }
	for range 3 {
		if err := admit("e"); err != nil {
			t.Fatal(err)
		}
		d.send("e", `{}`)
	}
	var full *engine.BacklogError
	if err := admit("e"); !errors.As(err, &full) || full.Function != "f" || full.Limit != 3 {
		t.Fatalf("fourth event of f: %v", err)
	}
	for range 2 {
		if err := admit("g"); err != nil {
			t.Fatal(err)
		}
		d.send("g", `{}`)
	}
	full = nil
	if err := admit("nobody"); !errors.As(err, &full) || full.Function != "" || full.Limit != 5 {
		t.Fatalf("an event above the bound of all: %v", err)
	}
	d.open() // counted anew
	if n := d.node.Stats().Backlog; n != 5 {
		t.Errorf("backlog after a restart: %d, want 5", n)
	}
}
