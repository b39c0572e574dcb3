package api

import (
	"context"

	"ingot/internal/why"
	"ingot/storage/history"

	"github.com/valyala/fasthttp"
)

// decisionJSON is what became of an event in one function.
type decisionJSON struct {
	FunctionID string `json:"function_id,omitempty"`
	Function   string `json:"function,omitempty"`
	// Outcome is RUN, SKIPPED, PENDING or NOT_MATCHED.
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
	RunID   string `json:"run_id,omitempty"`
}

// opsDecisions tells why an event started the runs that it did, and no others.
func (s *Server) opsDecisions(ctx context.Context, _ *fasthttp.RequestCtx, p params) (any, error) {
	r, e, err := s.eventOf(ctx, p)
	if err != nil {
		return nil, err
	}
	snapshot := s.opts.Catalog.Snapshot()
	found, err := why.Explain(ctx, r, snapshot, []*history.Event{e})
	if err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	out := []decisionJSON{}
	for _, d := range found[e.ID] {
		j := decisionJSON{Outcome: string(d.Outcome), Reason: d.Reason}
		if !d.Function.IsZero() {
			j.FunctionID = d.Function.String()
		}
		if f := snapshot.ByID[d.Function]; f != nil {
			j.Function = f.Slug
		}
		if d.Outcome == why.Run {
			j.RunID = d.Run.String()
		}
		out = append(out, j)
	}
	return out, nil
}
