package event

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"
)

// The record of an event in the write-ahead log:
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
	if len(b) < recordHeader {
		return nil, fmt.Errorf("%w: %d bytes are less than a header", ErrCorrupt, len(b))
	}
	if b[0] != recordVersion {
		if b[0] > recordVersion {
			return nil, fmt.Errorf("%w: version %d, known up to %d", ErrVersion, b[0], recordVersion)
		}
		return nil, fmt.Errorf("%w: version %d", ErrCorrupt, b[0])
	}
	size := uint64(binary.LittleEndian.Uint32(b[1:]))
	b = b[recordHeader:]
	if size > uint64(len(b)) {
		return nil, fmt.Errorf("%w: length %d, but %d bytes remain", ErrCorrupt, size, len(b))
	}
	// The capacity ends with the body, so that appending to a field cannot overwrite the next record.
	d := fieldReader{b: b[:size:size]}
	rest = b[size:]
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
