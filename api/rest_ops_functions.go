package api

import (
	"context"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/internal/ids"

	"github.com/valyala/fasthttp"
)

// opsFunctionJSON is a function as operators see it.
type opsFunctionJSON struct {
	ID    ids.UUID `json:"id"`
	Slug  string   `json:"slug"`
	Name  string   `json:"name"`
	App   string   `json:"app"`
	AppID ids.UUID `json:"app_id"`
	// Mode is active, paused or draining.
	Mode string `json:"mode"`
	// Backlog is the number of runs that are ready or being called.
	Backlog int64 `json:"backlog"`
}

func (s *Server) opsFunction(ctx context.Context, f *function.Function) (opsFunctionJSON, error) {
	mode, err := s.opts.Operator.Mode(ctx, f.ID)
	if err != nil {
		return opsFunctionJSON{}, err //nolint:wrapcheck // the caller logs it with the path
	}
	return opsFunctionJSON{
		ID: f.ID, Slug: f.Slug, Name: f.Name, App: f.AppName, AppID: f.AppID, Mode: mode.String(),
		Backlog: s.opts.Operator.Backlog(f.ID),
	}, nil
}

// opsFunctions lists the active functions, by slug.
func (s *Server) opsFunctions(ctx context.Context, _ *fasthttp.RequestCtx, _ params) (any, error) {
	out := []opsFunctionJSON{}
	for _, f := range s.opts.Catalog.Snapshot().Active {
		j, err := s.opsFunction(ctx, f)
		if err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, nil
}

// opsSetMode pauses, drains or activates a function, and answers with what it is then.
func (s *Server) opsSetMode(m engine.FunctionMode) opsCall {
	return func(ctx context.Context, _ *fasthttp.RequestCtx, p params) (any, error) {
		f, err := findFunction(s.opts.Catalog.Snapshot(), p.get("function"))
		if err != nil {
			return nil, err
		}
		if err := s.opts.Operator.SetMode(ctx, f.ID, m); err != nil {
			return nil, err //nolint:wrapcheck // the caller logs it with the path
		}
		s.log.Info("an operator has set the mode of a function", "function", f.Slug, "mode", m.String())
		return s.opsFunction(ctx, f)
	}
}
