package pebble

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"ingot/engine"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// trimState is how far the log has been trimmed. Trim itself only moves the cut,
// in memory; the groups before it are deleted together, by and by. If the process
// ends before that, they are replayed.
type trimState struct {
	cut   uint64 // number of the oldest group that is needed; guarded by eventLog.mu
	cutAt int64  // its position
	timer *time.Timer
	due   bool // the timer runs

	files    sync.RWMutex // held to read segments other than the last group; taken to let go of some
	purging  sync.Mutex
	purged   uint64 // groups before this number are deleted; guarded by purging
	purgedAt int64  // its position; guarded by eventLog.mu
}

// Trim implements engine.Log.
func (l *eventLog) Trim(seq uint64) error {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		return engine.ErrClosed
	}
	seq = min(seq, l.head)
	if seq <= l.cut {
		l.mu.Unlock()
		return nil
	}
	// The cut is the group that holds seq, or begins there.
	cut, at, ok := l.head, l.headAt, true
	if seq < l.head {
		if ok = l.ring.len > 0 && l.ring.at(0).First <= seq; ok {
			g := l.ring.at(l.ring.search(func(g *stored) bool { return g.end() > seq }))
			cut, at = g.First, g.at
		}
	}
	l.mu.Unlock()
	if !ok {
		var err error
		if cut, at, err = l.locate(seq); err != nil {
			return err
		}
	}
	l.moveCut(cut, at)
	return nil
}

// moveCut moves the cut forward and has what is before it deleted soon.
func (l *eventLog) moveCut(cut uint64, at int64) {
	l.mu.Lock()
	if l.closing || cut <= l.cut {
		l.mu.Unlock()
		return
	}
	l.cut, l.cutAt = cut, at
	for l.ring.len > 0 && l.ring.at(0).First < cut {
		l.ring.pop()
	}
	many := l.cutAt-l.purgedAt >= trimBytes
	if !many && !l.due {
		l.due = true
		if l.timer == nil {
			l.timer = time.AfterFunc(trimDelay, l.purge)
		} else {
			l.timer.Reset(trimDelay)
		}
	}
	l.mu.Unlock()
	if many {
		l.purge()
	}
}

// locate finds the group that holds seq on disk, for a reader that lags.
func (l *eventLog) locate(seq uint64) (cut uint64, at int64, err error) {
	err = l.walk(seq, func(r *groupReader) (bool, error) {
		g := r.mark
		if err := r.skip(); err != nil {
			return false, err
		}
		if r.first <= seq {
			return true, nil
		}
		if g.first <= seq { // or it has been trimmed away meanwhile
			cut, at = g.first, g.at
		}
		return false, nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("trim the event log: %w", err)
	}
	return cut, at, nil
}

// purge gives back what is before the cut: the record of the cut moves, and segments that
// are before it as a whole are removed. The record is synced only for that: it must not
// be lost when they are, and under SyncInterval neither must the commits that the trim
// rests on.
func (l *eventLog) purge() {
	if !l.reads.enter() {
		return
	}
	defer l.reads.leave()
	l.purging.Lock()
	defer l.purging.Unlock()
	l.mu.Lock()
	cut, at := l.cut, l.cutAt
	removes := len(l.segments) > 1 && l.segments[1].first <= cut
	l.due = false
	l.mu.Unlock()
	if cut == l.purged || l.store.fs.failure() != nil {
		return
	}
	durable := pebble.NoSync
	if removes {
		durable = pebble.Sync
	}
	if err := l.store.db.Set(keyTrimmed, appendTrimmed(nil, cut, at), durable); err != nil {
		l.store.logger.Error("storage: trim of the event log failed", "error", err)
		return
	}
	l.purged = cut
	l.mu.Lock()
	l.purgedAt = at
	l.mu.Unlock()
	if !removes {
		return
	}
	if l.store.sync.interval > 0 {
		l.store.fs.syncLog()
	}
	if l.store.fs.failure() == nil {
		l.dropTrimmed()
	}
}

// dropTrimmed lets go of segments that are before the cut as a whole. Some are kept as
// spares; the files of the others are removed.
func (l *eventLog) dropTrimmed() {
	l.files.Lock()
	defer l.files.Unlock()
	l.mu.Lock()
	var remove []*segment
	for len(l.segments) > 1 && l.segments[1].first <= l.cut {
		s := l.segments[0]
		l.segments = l.segments[1:]
		s.marks = nil
		if len(l.spares) < segmentSpares && s.size <= 2*l.segmentBytes {
			l.spares = append(l.spares, s)
		} else {
			remove = append(remove, s)
		}
	}
	l.mu.Unlock()
	for _, s := range remove {
		if err := l.store.fs.Remove(l.path(s.name)); err != nil {
			l.store.logger.Warn("storage: a trimmed part of the event log cannot be removed; the next start tries it again", "error", err)
		}
	}
}

// The record of the cut keeps numbers and positions going when no group is left.

func appendTrimmed(dst []byte, cut uint64, at int64) []byte {
	dst = binary.BigEndian.AppendUint64(dst, cut)
	return binary.BigEndian.AppendUint64(dst, uint64(at))
}

func parseTrimmed(value []byte) (cut uint64, at int64, err error) {
	if len(value) != 16 {
		return 0, 0, fmt.Errorf("%w: the record of the cut has %d bytes", errGroup, len(value))
	}
	return binary.BigEndian.Uint64(value), int64(binary.BigEndian.Uint64(value[8:])), nil
}

// spaceGuard refuses events when the disk is nearly full. It is used by the
// committer only.
type spaceGuard struct {
	fs  vfs.FS
	dir string
	min int64 // bytes; negative for no bound

	looked  time.Time
	written int64 // since then
	err     error
}

// check notes that n bytes are about to be written.
func (s *spaceGuard) check(n int64) error {
	s.written += n
	if s.min < 0 || s.written < freeSpaceBytes && time.Since(s.looked) < freeSpaceInterval {
		return s.err
	}
	s.looked, s.written, s.err = time.Now(), 0, nil
	// A file system that does not know its free space has no bound.
	if u, err := s.fs.GetDiskUsage(s.dir); err == nil && u.AvailBytes < uint64(s.min) {
		s.err = fmt.Errorf("%w: %d bytes of the disk are free, fewer than %d", engine.ErrDisk, u.AvailBytes, s.min)
	}
	return s.err
}
