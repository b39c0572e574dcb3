package pebble

import (
	"encoding/binary"

	"ingot/engine"
)

// The key space. A key's first byte says what it belongs to:
//
//	01 name                       records of the store itself
//	10 first number               groups of the event log, before format 5
//	20 partition table key        partitions, the system partition being ff ff
//
// Numbers are big-endian. This is part of the on-disk format: change it only
// together with formatVersion.
const (
	spaceStore     = 0x01
	spaceLog       = 0x10
	spacePartition = 0x20
)

var (
	keyFormat  = []byte("\x01format")   // see format.go
	keyTrimmed = []byte("\x01log/trim") // see logtrim.go
)

// systemNumber is the system partition's number in keys.
const systemNumber = 0xffff

// tablePrefix is the length of partitionKey's part before the table's own key.
const tablePrefix = 4

// partitionNumber is a partition's number in keys.
func partitionNumber(i int) uint16 {
	if i == engine.SystemPartition {
		return systemNumber
	}
	return uint16(i)
}

// putTablePrefix writes the part of a key that precedes the table's own key.
func putTablePrefix(dst []byte, partition uint16, t engine.Table) {
	dst[0] = spacePartition
	binary.BigEndian.PutUint16(dst[1:], partition)
	dst[3] = byte(t)
}

// appendTableEnd appends the first key behind a table.
func appendTableEnd(dst []byte, partition uint16, t engine.Table) []byte {
	// As one number, for the carry from the last table to the next partition.
	n := uint32(spacePartition)<<24 | uint32(partition)<<8 | uint32(t)
	return binary.BigEndian.AppendUint32(dst, n+1)
}

const logKeyLen = 9

func logKey(first uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{spaceLog}, first)
}
