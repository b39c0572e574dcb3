package engine

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// recordVersion leads every stored record. A reader refuses newer ones; a field
// is added by raising it and reading the old form too.
const recordVersion = 1

var errRecord = errors.New("stored record is damaged or from a newer version")

// encoder appends the fields of a record. Integers are varints, byte strings are
// length-prefixed.
type encoder struct{ b []byte }

func (e *encoder) byte(v byte)    { e.b = append(e.b, v) }
func (e *encoder) uint(v uint64)  { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)    { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) id(v [16]byte)  { e.b = append(e.b, v[:]...) }
func (e *encoder) str(v string)   { e.uint(uint64(len(v))); e.b = append(e.b, v...) }
func (e *encoder) bytes(v []byte) { e.uint(uint64(len(v))); e.b = append(e.b, v...) }
func (e *encoder) bool(v bool)    { e.byte(b2u(v)) }
func (e *encoder) strs(v []string) {
	e.uint(uint64(len(v)))
	for _, s := range v {
		e.str(s)
	}
}

func b2u(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// decoder reads what encoder wrote. After the first fault all reads give zero
// values and err is set.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() { d.err, d.b = errRecord, nil }

func (d *decoder) byte() byte {
	if len(d.b) < 1 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) uint64() uint64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	v := binary.BigEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) id() (v [16]byte) {
	if len(d.b) < 16 {
		d.fail()
		return v
	}
	copy(v[:], d.b)
	d.b = d.b[16:]
	return v
}

// span returns a length-prefixed string of bytes that aliases the input.
func (d *decoder) span() []byte {
	n := d.uint()
	if uint64(len(d.b)) < n {
		d.fail()
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

// alias is str without a copy.
func (d *decoder) alias() string {
	s := d.span()
	return unsafe.String(unsafe.SliceData(s), len(s))
}

func (d *decoder) str() string { return string(d.span()) }
func (d *decoder) bool() bool  { return d.byte() != 0 }

// bytes returns a copy; nil if empty.
func (d *decoder) bytes() []byte {
	s := d.span()
	if len(s) == 0 {
		return nil
	}
	return append([]byte(nil), s...)
}

// count reads the length of a list whose elements take at least min bytes each,
// so that damaged input cannot ask for more memory than it has bytes.
func (d *decoder) count(min int) int {
	n := d.uint()
	if n > uint64(len(d.b)/min) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) strs() []string {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	v := make([]string, n)
	for i := range v {
		v[i] = d.str()
	}
	return v
}

func (d *decoder) version() {
	if d.byte() != recordVersion {
		d.fail()
	}
}

// Keys. Numbers are big-endian so that byte order is numeric order.

func appendUint32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }
func appendUint64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

// sortable maps a signed number to an unsigned one of the same order.
func sortable(v int64) uint64   { return uint64(v) ^ 1<<63 }
func unsortable(v uint64) int64 { return int64(v ^ 1<<63) }

func stepKey(dst []byte, run ulid.ULID, index int) []byte {
	return appendUint32(append(dst, run[:]...), uint32(index))
}

func jobKey(dst []byte, run ulid.ULID, job uint32) []byte {
	return appendUint32(append(dst, run[:]...), job)
}

func readyKey(dst []byte, fn ids.UUID, score int64, run ulid.ULID) []byte {
	dst = append(dst, fn[:]...)
	dst = appendUint64(dst, sortable(score))
	return append(dst, run[:]...)
}

// laneKey is readyKey of a lane; the zero lane's is in TableReady.
func laneKey(dst []byte, fn ids.UUID, lane laneID, score int64, run ulid.ULID) []byte {
	dst = append(dst, fn[:]...)
	dst = append(dst, lane[:]...)
	dst = appendUint64(dst, sortable(score))
	return append(dst, run[:]...)
}

func timerKey(dst []byte, due int64, run ulid.ULID, job uint32) []byte {
	dst = appendUint64(dst, sortable(due))
	dst = append(dst, run[:]...)
	return appendUint32(dst, job)
}

// prefixEnd returns the first key after all keys that begin with prefix; nil if none.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
