package api

import (
	"context"
	"errors"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// runsRoutes adds the endpoints about single runs that SDKs call (spec 01 §7.6,
// §15.3, §15.5) and the sinks for their traces (§15.6).
func (s *Server) runsRoutes(r *router) {
	r.signed(fasthttp.MethodGet, "/v0/runs/{runID}/batch", s.runBatch)
	r.signed(fasthttp.MethodGet, "/v0/runs/{runID}/actions", s.runActions)
	r.signed(fasthttp.MethodDelete, "/v0/runs/{runID}", s.cancelRunV0)
	r.signed(fasthttp.MethodDelete, "/v1/runs/{runID}", s.cancelRunV1)
	r.signed(fasthttp.MethodPost, "/v1/runs/{runID}/metadata", s.runMetadata)
	r.signed(fasthttp.MethodPost, "/v1/traces/userland", s.userlandTraces)
	r.handle(fasthttp.MethodPost, "/dev/traces", s.devTraces)
}

// runBatch answers with a run's events, for SDKs whose call had no room for them.
func (s *Server) runBatch(ctx *fasthttp.RequestCtx, p params) {
	state, ok := s.runState(ctx, p)
	if !ok {
		return
	}
	size := 3
	for _, event := range state.Events {
		size += len(event) + 1
	}
	body := append(make([]byte, 0, size), '[')
	for i, event := range state.Events {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendStoredEvent(body, event)
	}
	ctx.Response.SetBodyRaw(append(body, ']', '\n'))
}

// runActions answers with a run's memos by step id. The keys are in the order of
// the stack: the SDK of a durable endpoint has no other way to learn it (spec 01
// §14.5). The reference sorts them.
func (s *Server) runActions(ctx *fasthttp.RequestCtx, p params) {
	state, ok := s.runState(ctx, p)
	if !ok {
		return
	}
	size := 3
	for _, steps := range [][]engine.Step{state.Steps, state.Inputs} {
		for i := range steps {
			size += len(steps[i].ID) + len(steps[i].Memo) + len(`"":,`)
		}
	}
	body := append(make([]byte, 0, size), '{')
	for _, steps := range [][]engine.Step{state.Steps, state.Inputs} {
		for i := range steps {
			if len(body) > 1 {
				body = append(body, ',')
			}
			body = appendJSONString(body, steps[i].ID)
			body = append(body, ':')
			body = append(body, steps[i].Memo...)
		}
	}
	ctx.Response.SetBodyRaw(append(body, '}', '\n'))
}

// runState reads the state of the path's run, or answers and returns false.
func (s *Server) runState(ctx *fasthttp.RequestCtx, p params) (*engine.RunState, bool) {
	id := p.get("runID")
	run, err := ulid.ParseStrict(id)
	if err != nil {
		publicErr(ctx, fasthttp.StatusBadRequest, "", "The run ID specified is invalid")
		return nil, false
	}
	wait, cancel := context.WithTimeout(context.Background(), engineTimeout)
	defer cancel()
	state, err := s.opts.Engine.State(wait, run)
	switch {
	case errors.Is(err, engine.ErrRunNotFound):
		publicErr(ctx, fasthttp.StatusGone, "", "runtime state is no longer available for runID: "+run.String())
		return nil, false
	case err != nil:
		s.engineErr(ctx, "Unable to load the run's state", err)
		return nil, false
	}
	ctx.SetContentType(contentTypeJSON)
	return state, true
}

// cancelRunV0 ends a run (spec 02 §7).
func (s *Server) cancelRunV0(ctx *fasthttp.RequestCtx, p params) {
	run, err := ulid.ParseStrict(p.get("runID"))
	if err != nil {
		publicErr(ctx, fasthttp.StatusBadRequest, "", "The run ID specified is invalid")
		return
	}
	switch err := s.cancelRun(run); {
	case err == nil:
		ctx.SetStatusCode(fasthttp.StatusNoContent)
	case errors.Is(err, engine.ErrRunNotFound), errors.Is(err, engine.ErrRunEnded):
		publicErr(ctx, fasthttp.StatusNotFound, "", "A function run with the given ID could not be found")
	default:
		s.engineErr(ctx, "Unable to cancel function run", err)
	}
}

// cancelRunV1 ends a run (spec 02 §6.3). For one that has ended already it does
// nothing and is glad.
func (s *Server) cancelRunV1(ctx *fasthttp.RequestCtx, p params) {
	id := p.get("runID")
	run, err := ulid.ParseStrict(id)
	if err != nil {
		publicErr(ctx, fasthttp.StatusBadRequest, "", "Invalid run ID: "+id)
		return
	}
	switch err := s.cancelRun(run); {
	case err == nil, errors.Is(err, engine.ErrRunEnded):
		ctx.SetContentType(contentTypeJSON)
	case errors.Is(err, engine.ErrRunNotFound):
		publicErr(ctx, fasthttp.StatusNotFound, "", "Unable to load function run: "+run.String())
	default:
		s.engineErr(ctx, "Unable to cancel function run", err)
	}
}

func (s *Server) cancelRun(run ulid.ULID) error {
	wait, cancel := context.WithTimeout(context.Background(), engineTimeout)
	defer cancel()
	return s.opts.Engine.Cancel(wait, run) //nolint:wrapcheck // the handlers know what it is about
}
