package ids

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/oklog/ulid/v2"
)

// Two traces meet in a run (golden runs/INTERNAL-EVENTS). The distributed trace
// begins with an event and goes on through everything that the event leads to:
// runs, those they invoke, handlers of their end. A run's own trace holds what the
// run does. The ids of both are derived, so that they need no storage and a replay
// writes the same.

// TraceID identifies a trace, SpanID a span in it (W3C trace context).
type (
	TraceID [16]byte
	SpanID  [8]byte
)

// Seeds of the derived ids.
const (
	seedTrace = 0x696e676f742d7472
	seedSpan  = seedTrace + 2
)

// DistributedTrace is the trace that began with the given id, usually an event's.
func DistributedTrace(root ulid.ULID) (t TraceID) {
	binary.BigEndian.PutUint64(t[:], hash(seedTrace, root[:]))
	binary.BigEndian.PutUint64(t[8:], hash(seedTrace+1, root[:]))
	return t
}

// SpanOf derives the id of a span from what it stands for.
func SpanOf(id ulid.ULID, part string) (s SpanID) {
	var d xxhash.Digest
	d.ResetWithSeed(seedSpan)
	_, _ = d.Write(id[:])
	_, _ = d.WriteString(part)
	binary.BigEndian.PutUint64(s[:], d.Sum64())
	return s
}

// RunTrace is a run's own trace and the span of the run in it (spec 02 §10.2).
func RunTrace(run ulid.ULID) (TraceID, SpanID) { return seeded(run[:]) }

var generators = sync.Pool{New: func() any { return rand.NewChaCha8([32]byte{}) }}

func seeded(seed []byte) (t TraceID, s SpanID) {
	c := generators.Get().(*rand.ChaCha8)
	defer generators.Put(c)
	c.Seed(sha256.Sum256(seed))
	// As its Read would do.
	binary.LittleEndian.PutUint64(t[:], c.Uint64())
	binary.LittleEndian.PutUint64(t[8:], c.Uint64())
	binary.LittleEndian.PutUint64(s[:], c.Uint64())
	return t, s
}

func hash(seed uint64, b []byte) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(seed)
	_, _ = d.Write(b)
	return d.Sum64()
}

// AppendTraceparent adds "00-<trace>-<span>-<flags>".
func AppendTraceparent(dst []byte, t TraceID, s SpanID, sampled bool) []byte {
	dst = append(dst, "00-"...)
	dst = hex.AppendEncode(dst, t[:])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, s[:])
	if sampled {
		return append(dst, "-01"...)
	}
	return append(dst, "-00"...)
}
