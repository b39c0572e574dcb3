package pebble

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
)

// Up to format 4 the event log was in the database: a group was one key, the number of
// its first entry, and its value
//
//	byte    version of this encoding, 1
//	uint32  number of entries
//	uint64  position of the group in the log, in bytes since its creation
//	uint64  xxhash64 of key and value without this field
//	...     the entries' records
//
// with little-endian numbers.
const (
	oldVersion = 1
	oldHeader  = 1 + 4 + 8 + 8
	oldSum     = 1 + 4 + 8 // where the checksum is
)

func oldChecksum(key, value []byte) uint64 {
	var h xxhash.Digest
	h.Reset()
	_, _ = h.Write(key)
	_, _ = h.Write(value[:oldSum])
	_, _ = h.Write(value[oldHeader:])
	return h.Sum64()
}

// parseOld reads such a group. Its data is a part of value.
func parseOld(key, value []byte) (stored, error) {
	if len(key) != logKeyLen {
		return stored{}, fmt.Errorf("%w: key %x", errGroup, key)
	}
	g := stored{}
	g.First = binary.BigEndian.Uint64(key[1:])
	switch {
	case len(value) < oldHeader:
		return stored{}, fmt.Errorf("%w: the group at entry %d has only %d bytes", errGroup, g.First, len(value))
	case value[0] != oldVersion:
		return stored{}, fmt.Errorf("%w: the group at entry %d has version %d", errGroup, g.First, value[0])
	case binary.LittleEndian.Uint64(value[oldSum:]) != oldChecksum(key, value):
		return stored{}, fmt.Errorf("%w: checksum of the group at entry %d", errGroup, g.First)
	}
	g.Count = int(binary.LittleEndian.Uint32(value[1:]))
	g.at = int64(binary.LittleEndian.Uint64(value[5:]))
	g.Data = value[oldHeader:]
	return g, nil
}

// migrate moves a log of format 4 or older into segments. It is durable when it returns;
// the keys are deleted with the record of the new format.
func (l *eventLog) migrate() error {
	names, err := l.segmentNames()
	if err != nil {
		return err
	}
	for _, name := range names { // of a migration that was cut short
		if err := l.store.fs.Remove(l.path(name)); err != nil {
			return fmt.Errorf("move the event log: %w", err)
		}
	}
	if err := l.recoverCut(); err != nil {
		return err
	}
	it, err := l.store.db.NewIter(&pebble.IterOptions{LowerBound: logKey(0), UpperBound: []byte{spaceLog + 1}})
	if err != nil {
		return fmt.Errorf("move the event log: %w", err)
	}
	defer func() { _ = it.Close() }()
	var buf []byte
	for ok := it.First(); ok; ok = it.Next() {
		g, err := parseOld(it.Key(), it.Value())
		if err != nil {
			return err
		}
		if l.file == nil { // the keys before it have been deleted
			l.cut, l.cutAt = g.First, g.at
			l.head, l.headAt = g.First, g.at
		}
		if g.First != l.head {
			return fmt.Errorf("%w: entries %d to %d are missing", errGroup, l.head, g.First)
		}
		buf = append(append(buf[:0], make([]byte, groupHeader)...), g.Data...)
		if err := l.put(&g, buf); err != nil {
			return fmt.Errorf("move the event log: %w", err)
		}
		l.head, l.headAt, l.last = g.end(), g.at+g.size(), g.First
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("move the event log: %w", err)
	}
	if l.file == nil {
		return l.nextSegment()
	}
	return l.file.SyncData()
}
