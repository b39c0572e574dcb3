package engine_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/storage/memstore"

	"github.com/oklog/ulid/v2"
)

// Faults of the server itself, made by a store that panics at what has a poison in it.

// poisoned is a store whose batches and reads panic at values that contain a text, in the
// tables that are given.
type poisoned struct {
	*memstore.Store
	tables  map[engine.Table]bool
	put     string // panics when written
	get     string // panics when read
	panics  int
	stopped bool
}

func (s *poisoned) Partition(i int) (engine.PartitionStore, error) {
	ps, err := s.Store.Partition(i)
	return &poisonedPartition{ps, s}, err
}

func (s *poisoned) taste(t engine.Table, poison string, v []byte) {
	if !s.stopped && s.tables[t] && poison != "" && bytes.Contains(v, []byte(poison)) {
		s.panics++
		panic("poison")
	}
}

type poisonedPartition struct {
	engine.PartitionStore
	s *poisoned
}

type poisonedBatch struct {
	engine.Batch
	s *poisoned
}

func (p *poisonedPartition) NewBatch() engine.Batch {
	return &poisonedBatch{p.PartitionStore.NewBatch(), p.s}
}

func (p *poisonedPartition) Commit(b engine.Batch, done func(error)) {
	p.PartitionStore.Commit(b.(*poisonedBatch).Batch, done)
}

func (p *poisonedPartition) Get(t engine.Table, keys [][]byte, fn func(int, []byte)) error {
	return p.PartitionStore.Get(t, keys, func(i int, v []byte) { p.s.taste(t, p.s.get, v); fn(i, v) })
}

func (b *poisonedBatch) Put(t engine.Table, k, v []byte) {
	b.s.taste(t, b.s.put, v)
	b.Batch.Put(t, k, v)
}

// poison replaces the desk's store by a poisoned one, and lets the engine go on after
// panics.
func (d *desk) poison(s *poisoned) {
	d.t.Helper()
	s.Store = d.store
	d.conf.Store = s
	d.open()
	d.node.Catch()
	d.work()
}

func (d *desk) wantFaults(s *poisoned, n int) {
	d.t.Helper()
	if got := d.node.Faults(); got != n || s.panics != n {
		d.t.Errorf("%d faults of %d panics, want %d", got, s.panics, n)
	}
}

func (d *desk) redrive(l *engine.DeadLetter) error {
	d.t.Helper()
	redriven := d.node.Redrive(l, false)
	d.work()
	return redriven()
}

// TestFaultOfARun: a run whose state cannot be written is called again, and put aside
// after three attempts; it keeps nothing, and goes on where it was once it can.
func TestFaultOfARun(t *testing.T) {
	t.Parallel()
	var results []string
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if !has(c, "s") {
			return ops(2, engine.Op{Code: engine.OpStepRun, ID: "s", Data: []byte(fmt.Sprintf(`"%s"`, results[0]))})
		}
		return finalResult()
	}, `f "triggers":[{"event":"e"}],"concurrency":{"fn":[{"limit":1}]}`, `other`)
	results = []string{"poison"}
	s := &poisoned{tables: map[engine.Table]bool{engine.TableRun: true}, put: "poison"}
	d.poison(s)
	d.send("e", `{}`)
	run := d.wantCalls("f", 3)[0].Ref.RunID
	d.wantFaults(s, 3)
	list := d.wantDead(run)
	if l := list[0]; l.Kind != engine.DeadRun || l.Fn != idOf("f") || !strings.Contains(l.Reason, "poison") {
		t.Errorf("dead letter %+v", l)
	}
	results[0] = "sound"
	d.send("e", `{}`) // the limit has room
	d.send("other", `{}`)
	if k, _ := d.ended("other"); k != engine.RunCompleted {
		t.Error("another function has not run")
	}
	d.wantCalls("f", 5)
	if err := d.redrive(&list[0]); err != nil {
		t.Fatal(err)
	}
	d.wantCalls("f", 7)
	d.wantDead()
	if n := d.node.Stats().Backlog; n != 0 {
		t.Errorf("backlog %d", n)
	}
	d.wantClean()
}

// TestFaultOfAnEvent: an event of which no run can be made is put aside for the function
// that cannot have it; others get it.
func TestFaultOfAnEvent(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"event":    `"triggers":[{"event":"e"}]`,
		"debounce": `"triggers":[{"event":"e"}],"debounce":{"period":"1s"}`,
		"batch":    `"triggers":[{"event":"e"}],"batchEvents":{"maxSize":10,"timeout":"2s"}`,
		"cancel":   `"triggers":[{"event":"e"}],"cancel":[{"event":"never"}]`,
	} {
		d := newDesk(t, done, `f `+config, `other`)
		s := &poisoned{tables: map[engine.Table]bool{engine.TableRun: true}, put: "poison"}
		d.poison(s)
		bad := d.send("e", `{"a":"poison"}`)
		d.send("other", `{}`)
		d.pass(10 * time.Second)
		d.wantCalls("f", 0)
		d.wantCalls("other", 1)
		d.wantFaults(s, 3)
		list := d.deadLetters()
		if len(list) != 1 || list[0].Kind != engine.DeadEvents || list[0].Fn != idOf("f") || !strings.Contains(list[0].Reason, "poison") {
			t.Fatalf("%s: dead letters %+v", name, list)
		}
		d.wantSkip("f", bad, engine.SkipDead)
		d.store.Flush()
		d.open() // what is applied is not applied again
		d.node.Catch()
		d.work()
		d.wantCalls("f", 0)
		s.stopped = true
		if err := d.redrive(&list[0]); err != nil {
			t.Fatal(err)
		}
		if c := d.wantCalls("f", 1)[0]; len(c.Events) != 1 || !bytes.Contains(c.Events[0], []byte("poison")) {
			t.Errorf("%s: events of the redriven run: %s", name, c.Events)
		}
		if l := d.scheduled("f"); !slices.Equal(l.Events, []ulid.ULID{bad}) {
			t.Errorf("%s: the redriven run is recorded with events %v, want %s", name, l.Events, bad)
		}
		d.wantClean()
	}
}

// scheduled is the last run of a function, as it is recorded.
func (d *desk) scheduled(slug string) (last engine.Lifecycle) {
	for _, l := range d.history() {
		if l.Kind == engine.RunScheduled && l.Fn == idOf(slug) {
			last = l
		}
	}
	return last
}

// TestFaultOfReading: a run whose events make the server panic is put aside with it, at
// its timer, by an event that it waits for, and as the holder of a lock.
func TestFaultOfReading(t *testing.T) {
	t.Parallel()
	for name, find := range map[string]func(d *desk){
		"timer":    func(d *desk) { d.pass(2 * time.Minute) },
		"event":    func(d *desk) { d.send("go", `{}`) },
		"lock":     func(d *desk) { d.send("e", `{"k":1}`) },
		"bulk":     func(d *desk) { d.node.CancelBulk(&engine.BulkCancel{Fn: idOf("f")}); d.work() },
		"messages": func(d *desk) { d.node.Signal("sig"); d.work() },
	} {
		d := newDesk(t, func(c *engine.Call) engine.Result {
			if bytes.Contains(c.Events[0], []byte("sound")) {
				return finalResult()
			}
			return ops(2, engine.Op{Code: engine.OpSleep, ID: "z", Name: "1m"}, op(engine.OpWaitForEvent, "w", `{"event":"go","timeout":"1h"}`),
				op(engine.OpWaitForSignal, "s", `{"signal":"sig","timeout":"1h"}`))
		}, `f "triggers":[{"event":"e"}],"singleton":{"mode":"skip","key":"event.data.k"},"concurrency":{"fn":[{"limit":1}]}`)
		s := &poisoned{tables: map[engine.Table]bool{engine.TableTrigger: true}}
		d.poison(s)
		d.send("e", `{"k":1,"a":"poison`+strings.Repeat("!", 1000)+`"}`)
		run := d.wantCalls("f", 1)[0].Ref.RunID
		s.get = "poison"
		find(d)
		if s.panics < 3 {
			t.Fatalf("%s: %d panics", name, s.panics)
		}
		if failed := d.node.Failed(); failed != nil {
			t.Fatalf("%s: %v", name, failed)
		}
		list := d.deadLetters()
		if len(list) != 1 || list[0].ID != run {
			t.Fatalf("%s: dead letters %+v", name, list)
		}
		d.pass(3 * time.Hour)
		d.send("e", `{"k":1,"a":"sound"}`)
		if n := len(d.of("f")); n < 2 {
			t.Errorf("%s: a run after it was not called", name)
		}
		gone := d.node.Redrive(&list[0], true)
		d.pass(3 * time.Hour)
		if err := gone(); err != nil {
			t.Errorf("%s: discarding it: %v", name, err)
		}
		d.wantClean()
	}
}
