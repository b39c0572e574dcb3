package pebble

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// compactions permits Pebble's compactions, as many at once as its backlog asks for. That
// is what Pebble's own scheduler does; but it looks ten times a second whether there may be
// more than before, however long ago the last write was. Here only what can change that
// makes it look: the end of a flush and the end of a compaction. A compaction can wait only
// while others run, since one is always allowed, so none waits for ever.
type compactions struct {
	db   pebble.DBForCompaction // set by Register, before all else
	turn sync.Mutex             // held while waiting compactions are started; before Pebble's locks
	work sync.WaitGroup         // looks that no compaction's end has caused

	mu      sync.Mutex // protects the following; after Pebble's locks
	closed  bool
	running int
}

var (
	_ pebble.CompactionScheduler   = (*compactions)(nil)
	_ pebble.CompactionGrantHandle = (*compactions)(nil)
)

// Register implements pebble.CompactionScheduler.
func (c *compactions) Register(_ int, db pebble.DBForCompaction) { c.db = db }

// Unregister implements pebble.CompactionScheduler: the database is used no more when it
// returns.
func (c *compactions) Unregister() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.work.Wait()
	c.turn.Lock() // those who had it are done, and those who come see closed
	defer c.turn.Unlock()
}

// TrySchedule implements pebble.CompactionScheduler.
func (c *compactions) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.free() {
		return false, nil
	}
	c.running++
	return true, c
}

// free says whether one more compaction may run. c.mu is held.
func (c *compactions) free() bool {
	return !c.closed && c.running < c.db.GetAllowedWithoutPermission()
}

// UpdateGetAllowedWithoutPermission implements pebble.CompactionScheduler. Its caller holds
// Pebble's locks, so it is another goroutine that starts what waits.
func (c *compactions) UpdateGetAllowedWithoutPermission() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.free() {
		c.work.Go(c.grant)
	}
}

// grant starts compactions that wait, as many as may run.
func (c *compactions) grant() {
	c.turn.Lock()
	defer c.turn.Unlock()
	for {
		c.mu.Lock()
		free := c.free()
		c.mu.Unlock()
		if !free {
			return
		}
		if waiting, _ := c.db.GetWaitingCompaction(); !waiting || !c.db.Schedule(c) {
			return
		}
		// Only now: a place that is taken and given back would have turned others away.
		c.mu.Lock()
		c.running++
		c.mu.Unlock()
	}
}

// Done implements pebble.CompactionGrantHandle.
func (c *compactions) Done() {
	c.mu.Lock()
	c.running--
	c.mu.Unlock()
	c.grant()
}

// Started implements pebble.CompactionGrantHandle.
func (*compactions) Started() {}

// MeasureCPU implements pebble.CompactionGrantHandle.
func (*compactions) MeasureCPU(pebble.CompactionGoroutineKind) {}

// CumulativeStats implements pebble.CompactionGrantHandle.
func (*compactions) CumulativeStats(pebble.CompactionGrantHandleStats) {}
