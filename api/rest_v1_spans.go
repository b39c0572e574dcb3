package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/internal/trace"

	"github.com/oklog/ulid/v2"
)

// Attributes by which SDKs say where a span of user code belongs (spec 02 §6.8).
const (
	attrTraceRef    = "inngest.traceref"
	attrTraceParent = "inngest.traceparent"
	attrRun         = "sdk.run.id"
	attrFunction    = "sys.function.id"
	attrApp         = "sys.app.id"
	attrParent      = "inngest.step.parentSpanId"
	attrStepID      = "inngest.step.id"
	attrStepIndex   = "inngest.step.index"
	attrStepHash    = "inngest.step.hash"
	attrStepAttempt = "inngest.step.attempt"
	droppedPrefix   = "_inngest."

	executionScope = "inngest"
	executionName  = "inngest.execution"
)

// consumed are attributes that are not shown as the user's.
var consumed = map[string]bool{
	attrTraceRef: true, attrTraceParent: true, attrRun: true, attrFunction: true, attrApp: true, attrParent: true,
	attrStepID: true, attrStepIndex: true, attrStepHash: true, attrStepAttempt: true,
}

// errNoRun says that a span does not say which run of a known function it is of.
var errNoRun = errors.New("the span names no run of a known function")

// record is the span as the history keeps it. errNoRun if it is refused.
func (sp *otlpSpan) record(s *engine.Snapshot, now int64) (engine.Lifecycle, error) {
	run, fn, err := sp.owner(s)
	if err != nil {
		return engine.Lifecycle{}, err
	}
	u := trace.UserSpan{
		ID: sp.ID, Parent: sp.Parent, Start: sp.Start, End: sp.End, Name: sp.Name, Kind: sp.Kind, Service: sp.Service,
		Scope: sp.Scope, ScopeVersion: sp.ScopeVersion, Failed: sp.Failed,
	}
	if parent, ok := sp.Attributes[attrParent].(string); ok {
		u.Parent = otlpID(parent)
	}
	if sp.Scope == executionScope && sp.Name == executionName {
		u.Parent = "" // it hangs on the call, whatever the SDK's tracer says
	}
	own := map[string]any{}
	for k, v := range sp.Attributes {
		if !consumed[k] && !strings.HasPrefix(k, droppedPrefix) {
			own[k] = v
		}
	}
	if len(own) > 0 {
		if u.Attributes, err = json.Marshal(own); err != nil {
			return engine.Lifecycle{}, fmt.Errorf("attributes of a span: %w", err)
		}
	}
	l := engine.Lifecycle{Kind: engine.UserSpan, At: now, Run: run, Fn: fn, Target: sp.ID}
	l.Step, l.Attempt = sp.step()
	if l.Payload, err = json.Marshal(u); err != nil {
		return l, fmt.Errorf("a span: %w", err)
	}
	return l, nil
}

// owner is the run and the function that the span names.
func (sp *otlpSpan) owner(s *engine.Snapshot) (run ulid.ULID, fn ids.UUID, err error) {
	ref, _ := sp.Attributes[attrTraceRef].(string)
	text, err := url.QueryUnescape(ref)
	if err != nil || sp.ID == "" || !strings.HasPrefix(text, "{") || !json.Valid([]byte(text)) {
		return run, fn, errNoRun
	}
	name, _ := sp.Attributes[attrFunction].(string)
	fn, ok := ids.ParseUUID(name)
	if _, archived := s.Archived(fn); !ok || archived || s.ByID[fn] == nil {
		return run, fn, errNoRun
	}
	id, _ := sp.Attributes[attrRun].(string)
	if run, err = ulid.ParseStrict(id); err != nil {
		return run, fn, errNoRun
	}
	return run, fn, nil
}

// step is the hashed id of the step that the span ran in, and the attempt at it.
func (sp *otlpSpan) step() (hash string, attempt int) {
	hash, _ = sp.Attributes[attrStepHash].(string)
	if id, ok := sp.Attributes[attrStepID].(string); ok && hash == "" {
		index, _ := sp.Attributes[attrStepIndex].(int64)
		hash = hashStep(id, int(index))
	}
	n, _ := sp.Attributes[attrStepAttempt].(int64)
	return hash, int(n)
}

// spanRecords returns the records of an export by run, and the number of spans refused.
func (s *Server) spanRecords(spans []otlpSpan) (byRun map[ulid.ULID][]engine.Lifecycle, rejected int) {
	byRun = map[ulid.ULID][]engine.Lifecycle{}
	snapshot := s.opts.Catalog.Snapshot()
	now := time.Now().UnixMilli()
	for i := range spans {
		l, err := spans[i].record(snapshot, now)
		if err != nil {
			rejected++
			continue
		}
		byRun[l.Run] = append(byRun[l.Run], l)
	}
	return byRun, rejected
}
