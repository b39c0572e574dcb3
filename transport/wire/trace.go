package wire

import (
	"ingot/engine/function"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// AppendTraceparent adds the `traceparent` of a call: its span in the distributed
// trace (spec 01 §4.1).
func AppendTraceparent(dst []byte, root, request ulid.ULID) []byte {
	return ids.AppendTraceparent(dst, ids.DistributedTrace(root), ids.SpanOf(request, ""), true)
}

// AppendTracestate adds the `tracestate` of a call: its span in the run's own
// trace, which extended-trace SDKs hand back.
func AppendTracestate(dst []byte, fn *function.Function, run, request ulid.ULID) []byte {
	trace, _ := ids.RunTrace(run)
	dst = append(dst, `inngest@traceref=%7B%22tp%22%3A%22`...)
	dst = ids.AppendTraceparent(dst, trace, ids.SpanOf(request, "run"), true)
	dst = append(dst, `%22%2C%22ts%22%3A%22%22%7D,inngest@fn=`...)
	dst = fn.ID.Append(dst)
	dst = append(dst, `,inngest@app=`...)
	return fn.AppID.Append(dst)
}
