package api

import (
	"context"
	"encoding/json"
	"time"

	"ingot/internal/rerun"
	"ingot/internal/trace"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// v2SpanJSON is a span of a run's trace (spec 02 §8.6).
type v2SpanJSON struct {
	Children   []v2SpanJSON     `json:"children,omitempty"`
	DurationMs *int64           `json:"durationMs,omitempty,string"`
	EndedAt    string           `json:"endedAt,omitempty"`
	ID         string           `json:"id"`
	Input      json.RawMessage  `json:"input,omitempty"`
	Metadata   []v2MetadataJSON `json:"metadata,omitempty"`
	Name       string           `json:"name"`
	Output     json.RawMessage  `json:"output,omitempty"`
	QueuedAt   string           `json:"queuedAt"`
	StartedAt  string           `json:"startedAt,omitempty"`
	Status     string           `json:"status,omitempty"`
	StepID     string           `json:"stepId,omitempty"`
	StepOp     string           `json:"stepOp,omitempty"`
}

type v2MetadataJSON struct {
	Kind      string            `json:"kind"`
	Scope     string            `json:"scope"`
	UpdatedAt string            `json:"updatedAt"`
	Values    map[string]string `json:"values,omitempty"`
}

func (s *Server) v2Trace(ctx context.Context, req *fasthttp.RequestCtx, p params) (v2Answer, error) {
	outputs, _, err := v2Query{req.QueryArgs()}.boolean("include_output")
	if err != nil {
		return v2Answer{}, err
	}
	id, err := v2ID(p, "run_id", "Run")
	if err != nil {
		return v2Answer{}, err
	}
	r, err := s.current(ctx)
	if err != nil {
		return v2Answer{}, err
	}
	traces, err := r.Traces(ctx, []ulid.ULID{id})
	if err != nil {
		return v2Answer{}, err //nolint:wrapcheck // the caller logs it with the path
	}
	if len(traces) == 0 {
		return v2Answer{}, v2NotFound("Trace")
	}
	t := &traces[0]
	env := trace.Env{Function: s.opts.Catalog.Snapshot().ByID[t.Run.Function], Now: time.Now().UnixMilli()}
	if outputs {
		if env.Event, err = inputEvents(ctx, r, t.Run.Events); err != nil {
			return v2Answer{}, err
		}
	}
	b := v2TraceBuilder{ctx: ctx}
	tree, outputOf := trace.TreeWithOutputs(t, env)
	if outputs {
		b.outputOf = outputOf
	}
	root, err := b.span(tree)
	if err != nil {
		return v2Answer{}, err
	}
	return v2Answer{data: struct {
		RootSpan v2SpanJSON `json:"rootSpan"`
		RunID    ulid.ULID  `json:"runId"`
	}{root, id}}, nil
}

// inputEvents returns the lookup of some events in the form of a run's input.
func inputEvents(ctx context.Context, r history.Reader, ids []ulid.ULID) (func(ulid.ULID) json.RawMessage, error) {
	events, err := r.EventsByID(ctx, ids)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller logs it with the path
	}
	byID := make(map[ulid.ULID]json.RawMessage, len(events))
	for i := range events {
		byID[events[i].ID] = appendStoredEvent(nil, rerun.CanonicalEvent(&events[i]))
	}
	return func(id ulid.ULID) json.RawMessage { return byID[id] }, nil
}

// v2TraceBuilder turns a tree into its JSON.
type v2TraceBuilder struct {
	ctx context.Context //nolint:containedctx // it lives as long as one request
	// outputOf finds inputs and outputs; nil if they were not asked for.
	outputOf func(id *trace.OutputID) *trace.Output
}

func (b *v2TraceBuilder) span(n *trace.Span) (v2SpanJSON, error) {
	out := v2SpanJSON{
		DurationMs: n.Duration, EndedAt: v2Time(n.EndedAt), ID: n.SpanID, Name: n.Name, QueuedAt: v2Time(n.QueuedAt),
		StartedAt: v2Time(n.StartedAt), Status: string(n.Status), StepID: n.StepID, StepOp: n.StepOp,
	}
	if n.Duration == nil && n.StartedAt > 0 {
		out.DurationMs = v2Duration(n.StartedAt, n.EndedAt) // of groups of spans
	}
	if n.Status == trace.Queued {
		out.Status = string(trace.Waiting)
	}
	for i := range n.Metadata {
		out.Metadata = append(out.Metadata, v2MetadataOf(&n.Metadata[i]))
	}
	if b.outputOf != nil && n.OutputID != "" {
		if err := b.output(n.OutputID, &out); err != nil {
			return out, err
		}
	}
	for _, c := range n.Children {
		child, err := b.span(c)
		if err != nil {
			return out, err
		}
		out.Children = append(out.Children, child)
	}
	return out, nil
}

func v2MetadataOf(m *trace.Metadata) v2MetadataJSON {
	out := v2MetadataJSON{Kind: m.Kind, Scope: m.Scope, UpdatedAt: v2Time(m.UpdatedAt), Values: map[string]string{}}
	for k, raw := range m.Values {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		out.Values[k] = text
	}
	return out
}

// output adds what a span was given and what it returned.
func (b *v2TraceBuilder) output(id string, to *v2SpanJSON) error {
	if err := b.ctx.Err(); err != nil {
		return err //nolint:wrapcheck // it is answered as the time limit of the request
	}
	parsed, err := trace.ParseOutputID(id)
	if err != nil {
		return err //nolint:wrapcheck // a bug
	}
	o := b.outputOf(parsed)
	to.Input = v2Object(o.Input)
	to.Output = v2Object(o.Data)
	if e := o.Error; e != nil {
		to.Output, err = json.Marshal(struct {
			Cause   json.RawMessage `json:"cause,omitempty"`
			Message string          `json:"message,omitempty"`
			Name    *string         `json:"name,omitempty"`
			Stack   *string         `json:"stack,omitempty"`
		}{e.Cause, e.Message, e.Name, e.Stack})
	}
	return err
}
