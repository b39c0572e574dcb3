package history

import (
	"encoding/binary"
	"errors"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// Rows as they are stored. Times are unix ms, 0 if not yet.

type runRow struct {
	key
	class          int64
	started, ended int64
	event          []byte // id of the first triggering event; empty if unknown
	flags          engine.LifecycleFlags
	chunks         int64  // rows of ingot_chunks
	extra          []byte // nil if there is none
	bundle         int64  // 0 if trace refers to none
	trace          []byte // frames
	fault          error  // why a reader has no records of it; nil if it has
}

func (r *runRow) status() Status { return classStatus(r.class) }

type eventRow struct {
	key
	name         int64 // negative for the server's own
	received, ts int64
	external     []byte
	data, user   []byte
	v            []byte
	sessions     []byte // nil if there are none
}

// toID is an id that is in a row.
func toID(b []byte) (id ulid.ULID) {
	copy(id[:], b)
	return id
}

type chunkRow struct {
	run, seq int64
	data     []byte
}

type batchEventRow struct {
	event ulid.ULID
	run   int64
}

type skipKey struct {
	event ulid.ULID
	fn    int64
}

type skipRow struct {
	skipKey
	reason  string
	at      int64
	pending bool
}

// extra is what only few runs have.
type extra struct {
	cron     string
	original ulid.ULID
	further  []ulid.ULID // events after the first
}

const (
	extraCron = 1 << iota
	extraOriginal
	extraFurther
)

var errExtra = errors.New("the row of a run is damaged, or from a newer version")

// encode returns nil if there is nothing.
func (x *extra) encode() []byte {
	if x.cron == "" && x.original == (ulid.ULID{}) && len(x.further) == 0 {
		return nil
	}
	b := []byte{0}
	if x.cron != "" {
		b[0] |= extraCron
		b = binary.AppendUvarint(b, uint64(len(x.cron)))
		b = append(b, x.cron...)
	}
	if x.original != (ulid.ULID{}) {
		b[0] |= extraOriginal
		b = append(b, x.original[:]...)
	}
	if len(x.further) > 0 {
		b[0] |= extraFurther
		for i := range x.further {
			b = append(b, x.further[i][:]...)
		}
	}
	return b
}

func decodeExtra(b []byte) (x extra, err error) {
	if len(b) == 0 {
		return x, nil
	}
	has := b[0]
	b = b[1:]
	if has&extraCron != 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return x, errExtra
		}
		x.cron, b = string(b[size:size+int(n)]), b[size+int(n):]
	}
	if has&extraOriginal != 0 {
		if len(b) < len(x.original) {
			return x, errExtra
		}
		copy(x.original[:], b)
		b = b[len(x.original):]
	}
	if has&extraFurther != 0 {
		if len(b)%len(ulid.ULID{}) != 0 {
			return x, errExtra
		}
		for ; len(b) > 0; b = b[16:] {
			x.further = append(x.further, ulid.ULID(b[:16]))
		}
	}
	return x, nil
}
