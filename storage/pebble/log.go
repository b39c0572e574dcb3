package pebble

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"ingot/engine"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Bounds of a group commit.
const (
	groupBytes  = 8 << 20   // appends share a group up to this size
	appendBytes = 256 << 20 // a single append may exceed it, up to this
	slabBytes   = 512 << 10
	groupsTold  = 4 // groups whose submits wait to be told; the committer waits beyond
)

// eventLog is the log of accepted events. Appends copy their records into the open
// group and wait. The committer takes the group, writes it to the last segment, syncs,
// and wakes them; what has queued meanwhile is the next group. So there is no timer,
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
	told     chan *group   // whose submits are to be told
	stopped  chan struct{} // closed when committer and teller have ended

	mu       sync.Mutex
	nonempty sync.Cond // the open group has entries, or the log closes
	taken    sync.Cond // the open group is a new one, or the log closes
	open     *group
	spare    []*group
	slab     []byte // its length is what is used
	queued   int64  // size of what is accepted but not yet durable
	closing  bool

	// What is durable.
	head     uint64 // number of the next entry
	headAt   int64  // its position
	last     uint64 // number of the newest group; 0 if there is none
	oldest   uint64 // entries from here on are of this process
	ring     ring
	segments []*segment    // all that has not been trimmed, the last one being written
	spares   []*segment    // trimmed ones, whose files can be used again
	pages    [readers]page // what lagging readers read next, the last used first
	grown    chan struct{} // closed when head grows or the log closes, if awaited
	awaited  bool

	trimState
	reads gate // of the database, other than by the committer

	// The committer's, but for what active points to: marks and size are guarded by mu.
	file   vfs.File // of the last segment
	offset int64    // of its end
	active *segment

	segmentBytes    int64
	groups, entries atomic.Uint64
}

// group is a group commit that callers wait for.
type group struct {
	start   int    // in the slab
	data    []byte // room for the header, and the records
	count   int
	done    sync.WaitGroup // one count, for the committer
	err     error          // valid when done
	submits []engine.Logged
	waiters atomic.Int32 // appends, and one for all submits
}

func openLog(s *DB, o Options) (*eventLog, error) {
	l := &eventLog{
		store:        s,
		maxBytes:     o.MaxLogBytes,
		full:         fmt.Errorf("%w (%d bytes)", engine.ErrLogFull, o.MaxLogBytes),
		space:        spaceGuard{fs: o.FS, dir: s.dir, min: o.MinFreeBytes},
		told:         make(chan *group, groupsTold),
		stopped:      make(chan struct{}),
		grown:        make(chan struct{}),
		segmentBytes: o.segment,
	}
	l.nonempty.L, l.taken.L = &l.mu, &l.mu
	open := l.recover
	if s.format.Version < formatSegments {
		open = l.migrate
	}
	if err := open(); err != nil {
		if l.file != nil {
			err = errors.Join(err, l.file.Close())
		}
		return nil, err
	}
	l.oldest, l.purged, l.purgedAt = l.head, l.cut, l.cutAt
	l.open = l.newGroup()
	go l.commit()
	go l.tell()
	return l, nil
}

// Append implements engine.Log.
func (l *eventLog) Append(records []byte, count int) error {
	if err := checkAppend(records, count); err != nil {
		return err
	}
	l.mu.Lock()
	g, err := l.join(records, count)
	if err == nil {
		g.waiters.Add(1)
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	g.done.Wait()
	err = g.err
	l.leave(g)
	return err
}

// Submit implements engine.Log.
func (l *eventLog) Submit(records []byte, count int, done engine.Logged) error {
	if err := checkAppend(records, count); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	g, err := l.join(records, count)
	if err != nil {
		return err
	}
	if len(g.submits) == 0 {
		g.waiters.Add(1)
	}
	g.submits = append(g.submits, done)
	return nil
}

func checkAppend(records []byte, count int) error {
	if count < 1 {
		return fmt.Errorf("append of %d records: at least one is needed", count)
	}
	if len(records) > appendBytes {
		return fmt.Errorf("append of %d bytes: at most %d are possible", len(records), appendBytes)
	}
	return nil
}

// leave makes g ready for use again when all who waited for it have left.
func (l *eventLog) leave(g *group) {
	if g.waiters.Add(-1) == 0 {
		l.mu.Lock()
		l.spare = append(l.spare, g)
		l.mu.Unlock()
	}
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
		} else if len(g.data)-groupHeader+len(records) > groupBytes {
			l.taken.Wait()
			continue
		}
		l.queued += int64(len(records))
		l.reserve(g, len(records))
		l.slab = append(l.slab, records...)
		g.data = l.slab[g.start:len(l.slab):len(l.slab)]
		g.count += count
		return g, nil
	}
}

// reserve has the slab begin with the open group's header, and have room for n bytes
// more. If it has not, the group moves to a new one, with room for as many again while it
// may grow.
func (l *eventLog) reserve(g *group, n int) {
	if g.count == 0 {
		n += groupHeader
		g.start = len(l.slab)
	}
	if cap(l.slab)-len(l.slab) < n {
		need := len(g.data) + n
		l.slab = append(make([]byte, 0, max(slabBytes, need, min(2*need, groupBytes))), g.data...)
		g.start = 0
	}
	if g.count == 0 {
		l.slab = l.slab[:g.start+groupHeader]
	}
}

// newGroup returns an empty group.
func (l *eventLog) newGroup() *group {
	var g *group
	if n := len(l.spare); n > 0 {
		g, l.spare = l.spare[n-1], l.spare[:n-1]
	} else {
		g = new(group)
	}
	g.data, g.count, g.err = nil, 0, nil
	g.done.Add(1)
	return g
}

// tell is the teller: it tells submits how they ended while the committer goes on.
func (l *eventLog) tell() {
	defer close(l.stopped)
	for g := range l.told {
		for i, done := range g.submits {
			done.Logged(g.err)
			g.submits[i] = nil
		}
		g.submits = g.submits[:0]
		l.leave(g)
	}
}

// commit is the committer.
func (l *eventLog) commit() {
	defer close(l.told)
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
		s := stored{engine.LogGroup{First: l.head, Count: g.count, Data: g.data[groupHeader:]}, l.headAt}
		l.mu.Unlock()
		l.taken.Broadcast()

		err := l.write(&s, g.data)

		l.mu.Lock()
		l.queued -= s.size()
		if err == nil {
			l.head, l.headAt, l.last = s.end(), s.at+s.size(), s.First
			l.ring.push(s)
			l.wake()
		}
		l.mu.Unlock()
		submits := len(g.submits) > 0 // after Done, g belongs to those who wait
		g.err = err
		g.done.Done()
		if submits {
			l.told <- g
		}
	}
}

// write writes and syncs a group. b is its data with room for the header.
func (l *eventLog) write(s *stored, b []byte) error {
	if err := l.space.check(s.size()); err != nil {
		return diskError(err)
	}
	// A power cut leaves a prefix of the order in which commits and groups were made:
	// what commits under SyncInterval have only written becomes durable first.
	if l.store.sync.interval > 0 {
		l.store.fs.syncLog()
	}
	err := l.put(s, b)
	if err == nil {
		err = l.file.SyncData()
	}
	if err == nil {
		err = l.store.fs.failure()
	}
	if err != nil {
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
	_ = l.file.Close() // everything is synced, or the store has failed
}

func (l *eventLog) metrics(m *Metrics) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.LogPendingBytes = l.headAt - l.cutAt
	for _, s := range l.segments {
		m.DiskBytes += uint64(s.size)
	}
	for _, s := range l.spares {
		m.DiskBytes += uint64(s.size)
	}
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
