package engine

import (
	"encoding/hex"
	"time"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Trace references inside events, in the reference's shape (golden
// runs/INTERNAL-EVENTS). The ids are derived, so that a replay writes the same.

type spanRef struct {
	DynamicSpanID string `json:"dsid"`
	DynamicParent string `json:"dstp"`
	TraceParent   string `json:"tp"`
	TraceState    string `json:"ts"`
}

type traceCarrier struct {
	Context struct {
		SpanID      string `json:"sid"`
		TraceParent string `json:"traceparent"`
	} `json:"ctx"`
	Time string `json:"ts"`
}

// newSpanRef refers to a step's span in the run's own trace, below the run's.
func newSpanRef(run ulid.ULID, step string, sampled bool) *spanRef {
	trace, root := ids.RunTrace(run)
	span := ids.SpanOf(run, "ref:"+step)
	return &spanRef{
		DynamicSpanID: hex.EncodeToString(span[:]),
		DynamicParent: string(ids.AppendTraceparent(nil, trace, root, false)),
		TraceParent:   string(ids.AppendTraceparent(nil, trace, span, sampled)),
	}
}

// newTraceCarrier hands the distributed trace on, with the run as the parent.
func newTraceCarrier(r *run, step string, now int64) *traceCarrier {
	c := &traceCarrier{Time: time.UnixMilli(now).UTC().Format(time.RFC3339Nano)}
	span := ids.SpanOf(r.id, step)
	c.Context.SpanID = hex.EncodeToString(span[:])
	c.Context.TraceParent = string(ids.AppendTraceparent(nil, ids.DistributedTrace(r.trace), ids.SpanOf(r.id, ""), true))
	return c
}
