package wire

import (
	"encoding/binary"
	"encoding/hex"

	"ingot/engine/function"

	"github.com/cespare/xxhash/v2"
	"github.com/oklog/ulid/v2"
)

// The W3C trace context of a call is derived from its ids, so that it needs no
// storage and every call of a run has the same trace id: the run's execution
// trace, and a second one that extended-trace SDKs hand back (spec 01 §4.1).

// Seeds of the derived trace and span ids.
const (
	seedTrace    = 0x696e676f742d7472
	seedRefTrace = 0x696e676f742d7266
)

// AppendTraceparent adds the `traceparent` of a call.
func AppendTraceparent(dst []byte, run, request ulid.ULID) []byte {
	return appendTraceparent(dst, run, request, seedTrace)
}

// AppendTracestate adds the `tracestate` of a call.
func AppendTracestate(dst []byte, fn *function.Function, run, request ulid.ULID) []byte {
	dst = append(dst, `inngest@traceref=%7B%22tp%22%3A%22`...)
	dst = appendTraceparent(dst, run, request, seedRefTrace)
	dst = append(dst, `%22%2C%22ts%22%3A%22%22%7D,inngest@fn=`...)
	dst = fn.ID.Append(dst)
	dst = append(dst, `,inngest@app=`...)
	return fn.AppID.Append(dst)
}

func appendTraceparent(dst []byte, run, request ulid.ULID, seed uint64) []byte {
	var id [24]byte // trace id and span id
	binary.BigEndian.PutUint64(id[0:], derive(run, seed))
	binary.BigEndian.PutUint64(id[8:], derive(run, seed+1))
	binary.BigEndian.PutUint64(id[16:], derive(request, seed+2))
	dst = append(dst, "00-"...)
	dst = hex.AppendEncode(dst, id[:16])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, id[16:])
	return append(dst, "-01"...)
}

func derive(id ulid.ULID, seed uint64) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(seed)
	_, _ = d.Write(id[:])
	return d.Sum64()
}
