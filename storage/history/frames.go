package history

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A run's records are stored as frames: a byte that says how the frame is packed, its
// length, and records as engine.AppendLifecycle writes them. Frames follow one another,
// so what a run's records are put together from is not unpacked for it.

// Values are stored.
const packNone = 0

// frameOverhead bounds the bytes of a frame besides its records.
const frameOverhead = 16

var errFrame = errors.New("the records of a run are damaged, or from a newer version")

// appendFrame appends one frame of records.
func appendFrame(dst, records []byte) []byte {
	dst = append(dst, packNone)
	dst = binary.AppendUvarint(dst, uint64(len(records)))
	return append(dst, records...)
}

// unpack returns the records of frames.
func unpack(frames []byte) (records []byte, err error) {
	for len(frames) > 0 {
		how := frames[0]
		n, size := binary.Uvarint(frames[1:])
		if size <= 0 || n > uint64(len(frames)-1-size) {
			return nil, errFrame
		}
		body := frames[1+size : 1+size+int(n)]
		frames = frames[1+size+int(n):]
		if how != packNone {
			return nil, fmt.Errorf("%w: packed as %d", errFrame, how)
		}
		records = append(records, body...)
	}
	return records, nil
}
