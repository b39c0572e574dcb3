package pebble

import (
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// backlog is a database of which compactions wait, and of which so many may run.
type backlog struct {
	mu                        sync.Mutex
	waiting, allowed, started int
	begun                     chan struct{}
}

func (b *backlog) GetAllowedWithoutPermission() int { return b.allowed }

func (b *backlog) GetWaitingCompaction() (bool, pebble.WaitingCompaction) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting > 0, pebble.WaitingCompaction{}
}

func (b *backlog) Schedule(pebble.CompactionGrantHandle) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == 0 {
		return false
	}
	b.waiting--
	b.started++
	b.begun <- struct{}{}
	return true
}

// TestCompactionsWait: what waits starts when a compaction ends and when a flush lets more
// run, never more than may, and nothing after the end.
func TestCompactionsWait(t *testing.T) {
	t.Parallel()
	b := &backlog{allowed: 1, begun: make(chan struct{}, 10)}
	c := &compactions{}
	c.Register(2, b)
	ok, handle := c.TrySchedule()
	if !ok {
		t.Fatal("the first compaction may not run")
	}
	if ok, _ := c.TrySchedule(); ok {
		t.Fatal("two run where one may")
	}
	b.waiting = 4
	c.UpdateGetAllowedWithoutPermission() // nothing has changed
	c.work.Wait()
	if b.started != 0 {
		t.Fatalf("%d started beside the one that may run", b.started)
	}
	b.allowed = 3
	c.UpdateGetAllowedWithoutPermission()
	<-b.begun
	<-b.begun
	c.work.Wait()
	if b.started != 2 || c.running != 3 {
		t.Fatalf("%d started, %d run, want 2 and 3", b.started, c.running)
	}
	handle.Done()
	if b.started != 3 || c.running != 3 {
		t.Fatalf("after one has ended %d started, %d run, want 3 and 3", b.started, c.running)
	}
	c.Unregister()
	handle.Done()
	c.UpdateGetAllowedWithoutPermission()
	if ok, _ := c.TrySchedule(); ok || b.started != 3 || c.running != 2 {
		t.Errorf("after the end: permitted %v, %d started, %d run", ok, b.started, c.running)
	}
}
