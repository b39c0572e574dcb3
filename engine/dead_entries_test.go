package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot/engine"
)

// TestDeadListHasABound: the oldest make room, with all that is stored of them.
func TestDeadListHasABound(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 4096)
	d := newDesk(t, sleepOnce, `f`)
	d.node.BoundDead(2)
	for range 5 {
		d.send("f", `{"big":"`+big+`"}`)
	}
	calls := d.wantCalls("f", 5)
	for _, c := range calls {
		d.damage(c.Ref.RunID)
		d.node.Cancel(c.Ref.RunID)
		d.work()
		d.now++
	}
	d.pass(5 * time.Second)
	d.wantDead(calls[3].Ref.RunID, calls[4].Ref.RunID)
	for _, l := range d.deadLetters() {
		gone := d.node.Redrive(&l, true)
		d.work()
		if err := gone(); err != nil {
			t.Fatal(err)
		}
	}
	d.wantClean()
}

// TestDamagedWait: a wait that cannot be read is taken from its run at the start.
func TestDamagedWait(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if has(c, "w") {
			return finalResult()
		}
		return ops(2, op(engine.OpWaitForEvent, "w", `{"event":"go","timeout":"1h"}`))
	}, `f`)
	d.send("f", `{}`)
	d.wantCalls("f", 1)
	d.store.Flush()
	d.change(func(_ int, ps engine.PartitionStore, b engine.Batch) {
		_ = ps.Scan(engine.TablePause, nil, nil, func(k, _ []byte) bool { b.Put(engine.TablePause, k, nil); return true })
	})
	d.open()
	d.send("go", `{}`)
	d.wantCalls("f", 2)
	d.wantClean()
}

// TestDamagedMessage: a message that cannot be read is put aside, those after it arrive.
func TestDamagedMessage(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if c.Fn.Slug == "invoker" && memoOf(c, "i") == "none" {
			return ops(2, op(engine.OpInvokeFunction, "i", `{"function_id":"f","timeout":"1m","payload":{}}`))
		}
		return finalResult()
	}, `f`, `invoker`)
	first := d.event("invoker", `{}`)
	if err := d.store.Log().Append(first.AppendRecord(nil), 1); err != nil {
		t.Fatal(err)
	}
	for len(d.of("invoker")) == 0 { // until its message is stored, but not delivered
		d.node.RouteGroup()
		for i := range d.node.Partitions() {
			d.node.Round(i, 100)
		}
		d.store.Flush()
	}
	for len(d.queue) > 0 {
		d.queue[0]()
		d.queue = d.queue[1:]
	}
	for i := range d.node.Partitions() {
		d.node.Round(i, 100)
	}
	d.store.Flush()
	damaged := 0
	var good []byte
	d.change(func(_ int, ps engine.PartitionStore, b engine.Batch) {
		_ = ps.Scan(engine.TableMessage, nil, nil, func(k, v []byte) bool {
			good = bytes.Clone(v)
			b.Delete(engine.TableMessage, k)
			b.Put(engine.TableMessage, k, []byte("?"))
			damaged++
			return true
		})
	})
	if damaged != 1 {
		t.Fatalf("%d messages were stored, want the invocation", damaged)
	}
	d.open()
	d.work()
	d.wantCalls("f", 0)
	list := d.deadLetters()
	if len(list) != 1 || list[0].Kind != engine.DeadMessage || string(list[0].Body) != "?" {
		t.Fatalf("dead letters: %+v", list)
	}
	if err := d.redrive(&list[0]); !errors.Is(err, engine.ErrStillDead) || !strings.Contains(err.Error(), "the message cannot be read") {
		t.Errorf("redriving what cannot be read: %v", err)
	}
	if left := d.deadLetters(); len(left) != 1 {
		t.Errorf("%d dead letters are left of one that cannot be read", len(left))
	}
	d.send("invoker", `{}`)
	d.wantCalls("f", 1)
	d.repair(&list[0], good)
	if err := d.redrive(&list[0]); err != nil {
		t.Errorf("redriving it once it can be read: %v", err)
	}
	d.wantCalls("f", 2)
	d.wantCalls("invoker", 4)
	d.wantDead()
	d.wantClean()
}

// TestDamagedBatch: an event of a batch that cannot be read is put aside; the batch goes on
// without it, or with nothing.
func TestDamagedBatch(t *testing.T) {
	t.Parallel()
	d := newDesk(t, done, `f "triggers":[{"event":"e"}],"batchEvents":{"maxSize":10,"timeout":"2s"}`)
	damaged := 0
	damage := func(all bool) {
		d.store.Flush()
		d.change(func(_ int, ps engine.PartitionStore, b engine.Batch) {
			_ = ps.Scan(engine.TableBatch, nil, nil, func(k, _ []byte) bool {
				b.Delete(engine.TableBatch, k)
				b.Put(engine.TableBatch, k, []byte("?"))
				damaged++
				return all
			})
		})
	}
	for i := range 3 {
		d.send("e", fmt.Sprintf(`{"n":%d}`, i))
	}
	damage(false)
	d.pass(3 * time.Second)
	if c := d.wantCalls("f", 1)[0]; len(c.Events) != 2 {
		t.Errorf("%d events are left of 3", len(c.Events))
	}
	d.send("e", `{}`)
	d.send("e", `{}`)
	damage(true)
	d.pass(3 * time.Second)
	d.wantCalls("f", 1)
	list := d.deadLetters()
	if len(list) != 3 || damaged != 3 {
		t.Fatalf("%d dead letters of %d: %+v", len(list), damaged, list)
	}
	for _, l := range list {
		if l.Kind != engine.DeadEntry || l.Fn != idOf("f") || string(l.Body) != "?" {
			t.Errorf("dead letter %+v", l)
		}
	}
	d.wantClean()
}
