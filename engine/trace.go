package engine

import (
	"encoding/hex"
	"time"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Trace references inside events, in the reference's shape (golden
// runs/INTERNAL-EVENTS). The ids are derived from the run, so that a replay
// writes the same.

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

type spanIDs struct{ trace, span, parent string }

func runTrace(run ulid.ULID, span []byte) spanIDs {
	t := ids.UUIDv5(run[:])
	s := ids.UUIDv5(span)
	return spanIDs{hex.EncodeToString(t[:]), hex.EncodeToString(s[:8]), hex.EncodeToString(s[8:])}
}

func (s spanIDs) ref() *spanRef {
	return &spanRef{
		DynamicSpanID: s.span,
		DynamicParent: "00-" + s.trace + "-" + s.parent + "-00",
		TraceParent:   "00-" + s.trace + "-" + s.span + "-01",
	}
}

func (s spanIDs) carrier(now int64) *traceCarrier {
	c := &traceCarrier{Time: time.UnixMilli(now).UTC().Format(time.RFC3339Nano)}
	c.Context.SpanID = s.span
	c.Context.TraceParent = "00-" + s.trace + "-" + s.span + "-01"
	return c
}
