package pebble

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"ingot/engine"

	"github.com/cockroachdb/pebble/v2"
)

// Bounds of a group commit.
const (
	groupBytes  = 8 << 20   // appends share a group up to this size
	appendBytes = 256 << 20 // a single append may exceed it, up to this
	slabBytes   = 512 << 10
)

// eventLog is the log of accepted events. Appends copy their records into the open
// group and wait. The committer takes the group, writes it as one key, syncs, and
// wakes them; what has queued meanwhile is the next group. So there is no timer,
// and groups grow with the load.
//
// Records are copied once, into slabs of memory that groups share as they come.
// The ring then keeps the groups for the reader, and a slab goes to the garbage
// collector when the last group in it does. So an append allocates nothing.
type eventLog struct {
	store    *DB
	maxBytes int64
	full     error
	space    spaceGuard
	stopped  chan struct{} // closed when the committer has ended

	mu       sync.Mutex
	nonempty sync.Cond // the open group has entries, or the log closes
	taken    sync.Cond // the open group is a new one, or the log closes
	open     *group
	spare    []*group
	slab     []byte // its length is what is used
	queued   int64  // size of what is accepted but not yet durable
	closing  bool

	// What is durable.
	head    uint64 // number of the next entry
	headAt  int64  // its position
	last    uint64 // number of the newest group; 0 if there is none
	oldest  uint64 // entries from here on are of this process
	ring    ring
	pages   [readers]page // what lagging readers read next, the last used first
	grown   chan struct{} // closed when head grows or the log closes, if awaited
	awaited bool

	trimState
	reads gate // of the database, other than by the committer

	groups, entries atomic.Uint64
	batch           *pebble.Batch // the committer's
}

// group is a group commit that callers wait for.
type group struct {
	start   int // in the slab
	data    []byte
	count   int
	done    sync.WaitGroup // one count, for the committer
	err     error          // valid when done
	waiters atomic.Int32
}

func openLog(s *DB, o Options) (*eventLog, error) {
	l := &eventLog{
		store:    s,
		maxBytes: o.MaxLogBytes,
		full:     fmt.Errorf("%w (%d bytes)", engine.ErrLogFull, o.MaxLogBytes),
		space:    spaceGuard{fs: o.FS, dir: s.dir, min: o.MinFreeBytes},
		stopped:  make(chan struct{}),
		grown:    make(chan struct{}),
		batch:    s.db.NewBatch(),
	}
	l.nonempty.L, l.taken.L = &l.mu, &l.mu
	if err := l.recover(); err != nil {
		return nil, err
	}
	l.open = l.newGroup()
	go l.commit()
	return l, nil
}

// Append implements engine.Log.
func (l *eventLog) Append(records []byte, count int) error {
	if count < 1 {
		return fmt.Errorf("append of %d records: at least one is needed", count)
	}
	if len(records) > appendBytes {
		return fmt.Errorf("append of %d bytes: at most %d are possible", len(records), appendBytes)
	}
	l.mu.Lock()
	g, err := l.join(records, count)
	l.mu.Unlock()
	if err != nil {
		return err
	}
	g.done.Wait()
	err = g.err
	if g.waiters.Add(-1) == 0 {
		l.mu.Lock()
		l.spare = append(l.spare, g)
		l.mu.Unlock()
	}
	return err
}

// join adds records to the open group, when there is room in it.
func (l *eventLog) join(records []byte, count int) (*group, error) {
	for {
		if l.closing {
			return nil, engine.ErrClosed
		}
		if err := l.store.fs.failure(); err != nil {
			return nil, diskError(err)
		}
		if l.headAt+l.queued-l.cutAt+int64(len(records)) > l.maxBytes {
			return nil, l.full
		}
		g := l.open
		if g.count == 0 {
			l.queued += groupOverhead
			l.nonempty.Signal()
		} else if len(g.data)+len(records) > groupBytes {
			l.taken.Wait()
			continue
		}
		l.queued += int64(len(records))
		if cap(l.slab)-len(l.slab) < len(records) {
			l.moveTo(len(g.data) + len(records))
		}
		l.slab = append(l.slab, records...)
		g.data = l.slab[g.start:len(l.slab):len(l.slab)]
		g.count += count
		g.waiters.Add(1)
		return g, nil
	}
}

// moveTo moves the open group to a new slab with room for need bytes, and for as
// many again while the group may grow.
func (l *eventLog) moveTo(need int) {
	l.slab = append(make([]byte, 0, max(slabBytes, need, min(2*need, groupBytes))), l.open.data...)
	l.open.start = 0
	l.open.data = l.slab
}

// newGroup returns an empty group. Its room begins where the slab's used part ends.
func (l *eventLog) newGroup() *group {
	var g *group
	if n := len(l.spare); n > 0 {
		g, l.spare = l.spare[n-1], l.spare[:n-1]
	} else {
		g = new(group)
	}
	g.start, g.data, g.count, g.err = len(l.slab), nil, 0, nil
	g.done.Add(1)
	return g
}

// commit is the committer.
func (l *eventLog) commit() {
	defer close(l.stopped)
	for {
		l.mu.Lock()
		for l.open.count == 0 && !l.closing {
			l.nonempty.Wait()
		}
		g := l.open
		if g.count == 0 {
			l.mu.Unlock()
			return
		}
		l.open = l.newGroup()
		s := stored{engine.LogGroup{First: l.head, Count: g.count, Data: g.data}, l.headAt}
		l.mu.Unlock()
		l.taken.Broadcast()

		err := l.write(&s)

		l.mu.Lock()
		l.queued -= s.size()
		if err == nil {
			l.head, l.headAt, l.last = s.end(), s.at+s.size(), s.First
			l.ring.push(s)
			l.wake()
		}
		l.mu.Unlock()
		g.err = err
		g.done.Done()
	}
}

// write writes and syncs a group.
func (l *eventLog) write(s *stored) error {
	if err := l.space.check(s.size()); err != nil {
		return diskError(err)
	}
	l.batch.Reset()
	op := l.batch.SetDeferred(logKeyLen, groupHeader+len(s.Data))
	putLogKey(op.Key, s.First)
	putGroup(op.Value, s)
	if err := op.Finish(); err != nil {
		return diskError(err)
	}
	if err := l.store.db.Apply(l.batch, pebble.Sync); err != nil {
		return diskError(err)
	}
	// Under SyncInterval that has only written it. The log is older than what it
	// leads to, so everything before the group becomes durable with it.
	if l.store.sync.interval > 0 {
		l.store.fs.syncLog()
	}
	if err := l.store.fs.failure(); err != nil {
		return diskError(err)
	}
	l.groups.Add(1)
	l.entries.Add(uint64(s.Count))
	return nil
}

// wake wakes readers. The mutex is held.
func (l *eventLog) wake() {
	if l.awaited {
		close(l.grown)
		l.grown, l.awaited = make(chan struct{}), false
	}
}

// Pending implements engine.Log.
func (l *eventLog) Pending() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.headAt - l.cutAt
}

// close completes all appends and ends the log.
func (l *eventLog) close() {
	l.mu.Lock()
	l.closing = true
	l.wake()
	l.mu.Unlock()
	l.nonempty.Broadcast()
	l.taken.Broadcast()
	<-l.stopped
	l.purge()
	l.reads.close()
}

func (l *eventLog) metrics(m *Metrics) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.LogPendingBytes = l.headAt - l.cutAt
	m.LogHead = l.head
	m.LogGroups = l.groups.Load()
	m.LogEntries = l.entries.Load()
}

// diskError says that err has kept an event from being accepted.
func diskError(err error) error {
	if errors.Is(err, engine.ErrDisk) {
		return err
	}
	return fmt.Errorf("%w: %w", engine.ErrDisk, err)
}
