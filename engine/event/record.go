package event

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"
)

// The record of an event, in the write-ahead log and in packs of the read model:
//
//	version  1 byte, recordVersion
//	length   4 bytes, little endian: of what follows
//	flags    1 byte
//	id       16 bytes, InternalID
//	ts       varint
//	received varint
//	name, id, data, user, v, sessions: uvarint length and bytes each
//	trace    16 bytes, only if flagTrace
//
// A body may be longer than its fields: later versions of the program can append
// fields without raising the version, as long as old ones may ignore them.
const (
	recordVersion = 1
	recordHeader  = 1 + 4

	flagSeeded = 1 << 0
	flagTrace  = 1 << 1
)

// Errors of DecodeRecord.
var (
	// ErrCorrupt says that bytes are not a record, or not a whole one.
	ErrCorrupt = errors.New("event: corrupt record")
	// ErrVersion says that a newer version of the program wrote the record.
	ErrVersion = errors.New("event: record of a newer version; this program is too old to read it")
)

// AppendRecord appends e's record for the write-ahead log to dst.
func (e *Event) AppendRecord(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, recordVersion, 0, 0, 0, 0)
	var flags byte
	if e.Seeded {
		flags |= flagSeeded
	}
	if e.Trace != (ulid.ULID{}) {
		flags |= flagTrace
	}
	dst = append(dst, flags)
	dst = append(dst, e.InternalID[:]...)
	dst = binary.AppendVarint(dst, e.TS)
	dst = binary.AppendVarint(dst, e.ReceivedAt)
	dst = appendField(dst, e.Name)
	dst = appendField(dst, e.ID)
	dst = appendField(dst, e.Data)
	dst = appendField(dst, e.User)
	dst = appendField(dst, e.V)
	dst = appendField(dst, e.Sessions)
	if flags&flagTrace != 0 {
		dst = append(dst, e.Trace[:]...)
	}
	binary.LittleEndian.PutUint32(dst[start+1:], uint32(len(dst)-start-recordHeader))
	return dst
}

func appendField(dst, f []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(f)))
	return append(dst, f...)
}

// DecodeRecord reads the record at the beginning of b into e, whose slices then
// alias b, and returns what follows it. Errors wrap ErrCorrupt or ErrVersion; e
// is then undefined.
func DecodeRecord(b []byte, e *Event) (rest []byte, err error) {
	size, err := recordSize(b)
	if err != nil {
		return nil, err
	}
	b, rest = b[recordHeader:size:size], b[size:]
	size -= recordHeader
	// The capacity ends with the body, so that appending to a field cannot overwrite the next record.
	d := fieldReader{b: b}
	flags := d.byte()
	e.Seeded = flags&flagSeeded != 0
	copy(e.InternalID[:], d.take(16))
	e.TS = d.varint()
	e.ReceivedAt = d.varint()
	e.Name = d.field()
	e.ID = d.field()
	e.Data = d.field()
	e.User = d.field()
	e.V = d.field()
	e.Sessions = d.field()
	e.Trace = ulid.ULID{}
	if flags&flagTrace != 0 {
		copy(e.Trace[:], d.take(16))
	}
	if d.bad {
		return nil, fmt.Errorf("%w: a field exceeds the record's %d bytes", ErrCorrupt, size)
	}
	return rest, nil
}

// SplitRecord returns the record at the beginning of b as it is, the InternalID in it, and
// what follows it. The rest of the record is not looked at. Errors are those of DecodeRecord.
func SplitRecord(b []byte) (rec, rest []byte, id ulid.ULID, err error) {
	size, err := recordSize(b)
	if err != nil {
		return nil, nil, id, err
	}
	if size < recordHeader+1+len(id) {
		return nil, nil, id, fmt.Errorf("%w: %d bytes are less than an id", ErrCorrupt, size)
	}
	copy(id[:], b[recordHeader+1:])
	return b[:size:size], b[size:], id, nil
}

// RecordName returns the name in a record that SplitRecord has returned; nil if there is
// none, or the record is damaged.
func RecordName(rec []byte) []byte {
	d := fieldReader{b: rec[recordHeader:]}
	d.byte()
	d.take(16)
	d.varint()
	d.varint()
	return d.field()
}

// recordSize is the length of the record at the beginning of b, its header included.
func recordSize(b []byte) (int, error) {
	if len(b) < recordHeader {
		return 0, fmt.Errorf("%w: %d bytes are less than a header", ErrCorrupt, len(b))
	}
	if b[0] != recordVersion {
		if b[0] > recordVersion {
			return 0, fmt.Errorf("%w: version %d, known up to %d", ErrVersion, b[0], recordVersion)
		}
		return 0, fmt.Errorf("%w: version %d", ErrCorrupt, b[0])
	}
	size := uint64(binary.LittleEndian.Uint32(b[1:]))
	if remain := len(b) - recordHeader; size > uint64(remain) {
		return 0, fmt.Errorf("%w: length %d, but %d bytes remain", ErrCorrupt, size, remain)
	}
	return recordHeader + int(size), nil
}

// fieldReader reads fields of a record's body; bad stays set after the first that is
// not there.
type fieldReader struct {
	b   []byte
	bad bool
}

func (d *fieldReader) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	f := d.b[:n:n]
	d.b = d.b[n:]
	return f
}

func (d *fieldReader) byte() byte {
	if f := d.take(1); f != nil {
		return f[0]
	}
	return 0
}

func (d *fieldReader) varint() int64 {
	v, n := binary.Varint(d.b)
	d.skip(n)
	return v
}

// field returns the next field, nil if it is empty.
func (d *fieldReader) field() []byte {
	size, n := binary.Uvarint(d.b)
	d.skip(n)
	if size == 0 || d.bad {
		return nil
	}
	return d.take(size)
}

func (d *fieldReader) skip(n int) {
	if n <= 0 {
		d.bad, d.b = true, nil
		return
	}
	d.b = d.b[n:]
}
