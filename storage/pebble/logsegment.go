package pebble

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ingot/engine"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// The event log is a row of files, segments, each named after the number of its first
// entry. A segment begins with
//
//	8 bytes  segmentMagic
//	8 bytes  salt, random, the segment's own
//	uint64   number of the first entry
//	uint64   position in the log where the segment begins
//	uint64   xxhash64 of what precedes
//
// and goes on with groups, one behind the other:
//
//	uint64   xxhash64 of the salt and what follows, to the end of the group
//	uint64   number of the first entry
//	uint64   position of the group in the log, in bytes since its creation
//	uint32   number of entries
//	uint32   size of the records in bytes
//	...      the records
//
// with little-endian numbers. Behind the last group are zeros, written ahead, or what an
// earlier life of the file has left there, which cannot have the salt: a file whose
// groups are trimmed becomes a later segment, since overwriting is cheaper than growing.
//
// The log has files of its own, and not the database's write-ahead log, because events
// are written once and read from memory: there they would be copied into a memtable,
// flushed and deleted as well (docs/performance.md has what that cost).
const (
	segmentMagic  = "ingotev\x01"
	segmentHeader = 8 + 8 + 8 + 8 + 8
	groupHeader   = 8 + 8 + 8 + 4 + 4

	segmentPrefix = "events-"
	// segmentBytes is the size from which on a segment is followed by another one.
	segmentBytes = 32 << 20
	// segmentSpares bounds the files that are kept to become later segments.
	segmentSpares = 2
	// markBytes is how far apart the places are from which readers can begin.
	markBytes = 256 << 10

	segmentCategory = "ingot-events"
)

// groupOverhead is what a group counts beyond its records.
const groupOverhead = 64

var errGroup = errors.New("the event log is damaged")

// stored is a group with its position.
type stored struct {
	engine.LogGroup
	at int64
}

// end is the number after the last entry.
func (g *stored) end() uint64 { return g.First + uint64(g.Count) }

// size is how much of the log's positions the group takes.
func (g *stored) size() int64 { return int64(len(g.Data)) + groupOverhead }

// putGroup completes a group that is to be written: b is the room for its header and,
// behind it, g's data.
func putGroup(b []byte, g *stored, salt []byte) {
	binary.LittleEndian.PutUint64(b[8:], g.First)
	binary.LittleEndian.PutUint64(b[16:], uint64(g.at))
	binary.LittleEndian.PutUint32(b[24:], uint32(g.Count))
	binary.LittleEndian.PutUint32(b[28:], uint32(len(g.Data)))
	binary.LittleEndian.PutUint64(b, groupSum(salt, b[8:groupHeader], g.Data))
}

func groupSum(salt, head, data []byte) uint64 {
	var h xxhash.Digest
	h.Reset()
	_, _ = h.Write(salt)
	_, _ = h.Write(head)
	_, _ = h.Write(data)
	return h.Sum64()
}

// segment is a file of the log.
type segment struct {
	name  string
	first uint64
	at    int64
	salt  [8]byte
	// size is that of the file, as far as it is known.
	size int64
	// marks are places where groups begin, rising. A segment from before the start has none.
	marks []mark
}

// mark is a group's place in its file.
type mark struct {
	first  uint64
	at     int64
	offset int64
}

// begin is the place of the first group.
func (s *segment) begin() mark { return mark{s.first, s.at, segmentHeader} }

func segmentName(first uint64) string { return fmt.Sprintf("%s%020d", segmentPrefix, first) }

func (s *segment) header() []byte {
	b := append(make([]byte, 0, segmentHeader), segmentMagic...)
	b = append(b, s.salt[:]...)
	b = binary.LittleEndian.AppendUint64(b, s.first)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.at))
	return binary.LittleEndian.AppendUint64(b, xxhash.Sum64(b))
}

// parseSegment reads the header of a segment; nil if it is none.
func parseSegment(b []byte) *segment {
	if len(b) < segmentHeader || string(b[:8]) != segmentMagic || binary.LittleEndian.Uint64(b[32:]) != xxhash.Sum64(b[:32]) {
		return nil
	}
	s := &segment{first: binary.LittleEndian.Uint64(b[16:]), at: int64(binary.LittleEndian.Uint64(b[24:]))}
	s.name = segmentName(s.first)
	copy(s.salt[:], b[8:])
	return s
}

func (l *eventLog) path(name string) string { return l.store.fs.PathJoin(l.store.dir, name) }

// segmentNames lists the segments in order.
func (l *eventLog) segmentNames() ([]string, error) {
	all, err := l.store.fs.List(l.store.dir)
	if err != nil {
		return nil, fmt.Errorf("open the event log: %w", err)
	}
	var names []string
	for _, name := range all {
		if strings.HasPrefix(name, segmentPrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// put writes a group at the end of the log, without syncing it. b is its data with room
// for the header.
func (l *eventLog) put(g *stored, b []byte) error {
	if l.file == nil || l.offset >= l.segmentBytes {
		if err := l.nextSegment(); err != nil {
			return err
		}
	}
	putGroup(b, g, l.active.salt[:])
	if _, err := l.file.WriteAt(b, l.offset); err != nil {
		return err
	}
	l.marked(mark{g.First, g.at, l.offset})
	l.offset += int64(len(b))
	return nil
}

// marked notes where a group begins, if the last mark is far.
func (l *eventLog) marked(m mark) {
	if n := len(l.active.marks); n > 0 && m.offset-l.active.marks[n-1].offset < markBytes {
		return
	}
	l.mu.Lock()
	l.active.marks = append(l.active.marks, m)
	l.active.size = max(l.active.size, m.offset+markBytes)
	l.mu.Unlock()
}

// nextSegment begins a segment at the head of the log. It is durable, also as an entry of
// the directory, when it returns: what is in it must not depend on its successor.
func (l *eventLog) nextSegment() error {
	s := &segment{name: segmentName(l.head), first: l.head, at: l.headAt}
	if _, err := rand.Read(s.salt[:]); err != nil {
		return err
	}
	file, err := l.newFile(s)
	if err != nil {
		return fmt.Errorf("create %s: %w", s.name, err)
	}
	if _, err = file.WriteAt(s.header(), 0); err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = l.syncDir()
	}
	if err == nil {
		err = l.store.fs.failure()
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if l.file != nil {
		// Groups are synced one by one, but for those of an older log that moves here.
		if err := errors.Join(l.file.SyncData(), l.file.Close()); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	l.file, l.offset = file, segmentHeader
	l.mu.Lock()
	l.active = s
	l.segments = append(l.segments, s)
	l.mu.Unlock()
	return nil
}

// newFile makes the file of a segment, of a spare if there is one.
func (l *eventLog) newFile(s *segment) (vfs.File, error) {
	l.mu.Lock()
	var spare string
	if n := len(l.spares); n > 0 {
		spare, s.size = l.spares[n-1].name, l.spares[n-1].size
		l.spares = l.spares[:n-1]
	}
	l.mu.Unlock()
	if spare != "" && spare != s.name {
		if err := l.store.fs.Rename(l.path(spare), l.path(s.name)); err != nil {
			return nil, err
		}
	}
	return l.store.fs.OpenReadWrite(l.path(s.name), segmentCategory)
}

func (l *eventLog) syncDir() error {
	dir, err := l.store.fs.OpenDir(l.store.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
