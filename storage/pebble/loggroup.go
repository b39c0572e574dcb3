package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"

	"ingot/engine"

	"github.com/cespare/xxhash/v2"
)

// A group of the event log is one key: the number of its first entry. The value is
//
//	byte    version of this encoding, 1
//	uint32  number of entries
//	uint64  position of the group in the log, in bytes since its creation
//	uint64  xxhash64 of key and value without this field
//	...     the entries' records
//
// with little-endian numbers. From the positions, the size of what has not been
// trimmed follows without reading what lies between.
const (
	groupVersion = 1
	groupHeader  = 1 + 4 + 8 + 8
	groupSum     = 1 + 4 + 8 // where the checksum is
)

// groupOverhead is what a group counts beyond its records: header, key and what
// Pebble adds.
const groupOverhead = 64

// stored is a group with its position.
type stored struct {
	engine.LogGroup
	at int64
}

// end is the number after the last entry.
func (g *stored) end() uint64 { return g.First + uint64(g.Count) }

// size is how much of the log's positions the group takes.
func (g *stored) size() int64 { return int64(len(g.Data)) + groupOverhead }

// putGroup writes g's value to dst, which has its length.
func putGroup(dst []byte, g *stored) {
	dst[0] = groupVersion
	binary.LittleEndian.PutUint32(dst[1:], uint32(g.Count))
	binary.LittleEndian.PutUint64(dst[5:], uint64(g.at))
	copy(dst[groupHeader:], g.Data)
	binary.LittleEndian.PutUint64(dst[groupSum:], groupChecksum(g.First, dst))
}

func groupChecksum(first uint64, value []byte) uint64 {
	var h xxhash.Digest
	h.Reset()
	var key [logKeyLen]byte
	putLogKey(key[:], first)
	_, _ = h.Write(key[:])
	_, _ = h.Write(value[:groupSum])
	_, _ = h.Write(value[groupHeader:])
	return h.Sum64()
}

var errGroup = errors.New("the event log is damaged")

// parseGroup reads a group. Its data is a part of value.
func parseGroup(key, value []byte) (stored, error) {
	if len(key) != logKeyLen {
		return stored{}, fmt.Errorf("%w: key %x", errGroup, key)
	}
	g := stored{}
	g.First = binary.BigEndian.Uint64(key[1:])
	if len(value) < groupHeader {
		return stored{}, fmt.Errorf("%w: the group at entry %d has only %d bytes", errGroup, g.First, len(value))
	}
	if value[0] != groupVersion {
		return stored{}, fmt.Errorf("%w: the group at entry %d has version %d", errGroup, g.First, value[0])
	}
	if binary.LittleEndian.Uint64(value[groupSum:]) != groupChecksum(g.First, value) {
		return stored{}, fmt.Errorf("%w: checksum of the group at entry %d", errGroup, g.First)
	}
	g.Count = int(binary.LittleEndian.Uint32(value[1:]))
	g.at = int64(binary.LittleEndian.Uint64(value[5:]))
	g.Data = value[groupHeader:]
	return g, nil
}
