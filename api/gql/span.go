package gql

import (
	"context"
	"encoding/json"
	"fmt"

	"ingot/internal/trace"

	"github.com/oklog/ulid/v2"
)

// spanNode is the type RunTraceSpan.
type spanNode struct {
	of     *runNode
	span   *trace.Span
	parent *spanNode
}

// RunTrace is the tree of a run's spans (spec 02 §10.6).
func (*query) RunTrace(ctx context.Context, args struct{ RunID string }) (*spanNode, error) {
	id, err := ulid.ParseStrict(args.RunID)
	if err != nil {
		return nil, refuse("error parsing runID: " + err.Error())
	}
	run, err := oneRun(ctx, id)
	if err != nil {
		// The reference tells a zero id here, whichever was asked for.
		return nil, absent(err, "error retrieving trace: no root span found for run "+ulid.ULID{}.String())
	}
	return run.tree(ctx)
}

func (n *runNode) tree(ctx context.Context) (*spanNode, error) {
	t, err := n.set.trace(ctx, n.run)
	if err != nil {
		return nil, err
	}
	env, err := n.set.env(ctx, n.run)
	if err != nil {
		return nil, err
	}
	return n.span(trace.Tree(t, env), nil), nil
}

// span is nil if s is.
func (n *runNode) span(s *trace.Span, parent *spanNode) *spanNode {
	if s == nil {
		return nil
	}
	return &spanNode{n, s, parent}
}

func (s *spanNode) AppID() text                { return s.of.AppID() }
func (s *spanNode) FunctionID() text           { return s.of.FunctionID() }
func (s *spanNode) RunID() text                { return s.of.ID() }
func (s *spanNode) Run() *functionRunNode      { return &functionRunNode{s.of.set.node(s.of.run)} }
func (s *spanNode) SpanID() string             { return s.span.SpanID }
func (s *spanNode) TraceID() string            { return s.span.TraceID }
func (s *spanNode) GroupID() *string           { return optionalText(s.span.GroupID) }
func (s *spanNode) Name() string               { return s.span.Name }
func (s *spanNode) Status() string             { return string(s.span.Status) }
func (s *spanNode) Attempts() *int32           { return new(count(int64(s.span.Attempts))) }
func (s *spanNode) OutputID() *string          { return optionalText(s.span.OutputID) }
func (s *spanNode) QueuedAt() moment           { return moment(s.span.QueuedAt) }
func (s *spanNode) ScheduledAt() *moment       { return optional(s.span.ScheduledAt) }
func (s *spanNode) StartedAt() *moment         { return optional(s.span.StartedAt) }
func (s *spanNode) EndedAt() *moment           { return optional(s.span.EndedAt) }
func (s *spanNode) StepOp() *string            { return optionalText(s.span.StepOp) }
func (s *spanNode) StepID() *string            { return optionalText(s.span.StepID) }
func (s *spanNode) StepType() string           { return s.span.StepType }
func (s *spanNode) IsRoot() bool               { return s.span.IsRoot() }
func (s *spanNode) ParentSpanID() *string      { return optionalText(s.span.ParentID) }
func (s *spanNode) ParentSpan() *spanNode      { return s.parent }
func (s *spanNode) IsUserland() bool           { return s.span.Userland != nil }
func (s *spanNode) DebugRunID() *text          { return nil }
func (s *spanNode) DebugSessionID() *text      { return nil }
func (s *spanNode) DebugPaused() bool          { return false }
func (s *spanNode) SkipReason() *string        { return nil } // there is no trace of what is skipped
func (s *spanNode) SkipExistingRunID() *string { return nil }

func (s *spanNode) Duration() *int32 {
	if s.span.Duration == nil {
		return nil
	}
	return new(count(*s.span.Duration))
}

// ChildrenSpans are in the order of their beginning.
func (s *spanNode) ChildrenSpans() ([]*spanNode, error) {
	out := make([]*spanNode, len(s.span.Children))
	for i, c := range s.span.Children {
		out[i] = &spanNode{s.of, c, s}
	}
	return out, s.of.set.req.charge(len(out))
}

// StepInfo says more of some kinds of steps.
func (s *spanNode) StepInfo() *stepInfo {
	if s.span.StepInfo == nil {
		return nil
	}
	return &stepInfo{s.span.StepInfo}
}

// userlandNode is the type UserlandSpan.
type userlandNode struct {
	SpanName, SpanKind, ServiceName, ScopeName, ScopeVersion *string
	ResourceAttrs, SpanAttrs                                 *text
}

func (s *spanNode) UserlandSpan() *userlandNode {
	u := s.span.Userland
	if u == nil {
		return nil
	}
	return &userlandNode{
		SpanName: &u.Name, SpanKind: &u.Kind, ServiceName: &u.Service, ScopeName: &u.Scope, ScopeVersion: &u.ScopeVersion,
		SpanAttrs: bytesOf(u.Attributes),
	}
}

// responseNode is the type RunTraceSpanResponseInfo.
type responseNode struct {
	StatusCode int32
	Headers    raw
}

func (s *spanNode) Response() (*responseNode, error) {
	if s.span.Response == nil {
		return nil, nil
	}
	headers, err := json.Marshal(s.span.Response.Headers)
	return &responseNode{count(int64(s.span.Response.Status)), headers}, err
}

// metadataNode is the type SpanMetadata.
type metadataNode struct {
	Scope, Kind text
	Values      raw
	UpdatedAt   moment
}

func (s *spanNode) Metadata() ([]*metadataNode, error) {
	out := make([]*metadataNode, len(s.span.Metadata))
	for i := range s.span.Metadata {
		m := &s.span.Metadata[i]
		values, err := json.Marshal(m.Values)
		if err != nil {
			return nil, fmt.Errorf("metadata %s of span %s: %w", m.Kind, s.span.SpanID, err)
		}
		out[i] = &metadataNode{text(m.Scope), text(m.Kind), values, moment(m.UpdatedAt)}
	}
	return out, s.of.set.req.charge(len(out))
}
