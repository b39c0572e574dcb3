package history

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"github.com/oklog/ulid/v2"
)

// A row's number orders the rows of a table by time, and is what indexes point with: the
// id's milliseconds, 42 bits, and the upper 21 bits of its last eight bytes. (Bytes 6 and
// 7 of a run's id are the same for all runs of a function.) A row whose number is taken
// gets the next that is free, so that ids which rise within a millisecond, as those of
// events do, have numbers that rise. A row is looked for among the span of numbers that
// begins with its id's.
const (
	numberBits = 21
	// numberMS is the last millisecond that numbers tell from others. Behind its numbers there
	// is room for spans.
	numberMS = 1<<42 - 2
	// numberSpan bounds how far behind its id's number a row can be: so many ids with
	// equal upper bits would have to come in one millisecond.
	numberSpan = 1 << 16
)

// key is what a row is found by.
type key struct {
	id ulid.ULID
	no int64 // the first number that the row can have
}

// maxID is behind all other ids.
var maxID = ulid.ULID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func keyOf(id ulid.ULID) key { return key{id, number(id)} }

// compare orders keys by number, those of equal numbers by id.
func (k *key) compare(other *key) int {
	if c := cmp.Compare(k.no, other.no); c != 0 {
		return c
	}
	return bytes.Compare(k.id[:], other.id[:])
}

// number is the first number that the row of an id can have.
func number(id ulid.ULID) int64 {
	return firstNumber(int64(id.Time())) | int64(binary.BigEndian.Uint64(id[8:])>>(64-numberBits))
}

// firstNumber is the lowest number of a millisecond.
func firstNumber(ms int64) int64 { return min(max(ms, 0), numberMS) << numberBits }

// window is the range of numbers [from, to) of ids between two times, unix ms, both
// included; 0 is open.
func window(from, until int64) (lo, hi int64) {
	if until <= 0 || until >= numberMS {
		return firstNumber(from), 1<<63 - 1
	}
	return firstNumber(from), firstNumber(until + 1)
}

// numbersOf is the range of numbers [lo, hi) of ids of a time [from, until), unix ms.
func numbersOf(from, until int64) (lo, hi int64) {
	if until > numberMS {
		return firstNumber(from), 1<<63 - 1
	}
	return firstNumber(from), firstNumber(until)
}

// Classes. A run's class is the number of its function and its state, in one integer that
// indexes begin with.
const (
	stateBits     = 4
	stateDeferred = 1 << 3
	stateStatus   = stateDeferred - 1
	stateMask     = 1<<stateBits - 1
)

func classOf(fn int64, s Status, deferred bool) int64 {
	c := fn<<stateBits | int64(s)
	if deferred {
		c |= stateDeferred
	}
	return c
}

func classStatus(class int64) Status { return Status(class & stateStatus) }
func classDeferred(class int64) bool { return class&stateDeferred != 0 }
func classFunction(class int64) int64 {
	return class >> stateBits
}
