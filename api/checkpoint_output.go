package api

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// outputTimeout bounds the wait for a run's output (spec 01 §14.6).
const outputTimeout = 5 * time.Minute

const stillRunning = `{"status":"running","message":"run did not end within 5 minutes"}`

// checkpointOutput answers with the output of a sync run once it has ended. Its
// callers are end users, redirected here by the SDK, so the token decides which
// run, and the path's run id is ignored.
func (s *Server) checkpointOutput(ctx *fasthttp.RequestCtx, _ params) {
	run, ok := s.tokenRun(string(ctx.QueryArgs().Peek("token")))
	if !ok {
		publicErr(ctx, fasthttp.StatusUnauthorized, "", "Unable to find run with auth token")
		return
	}
	// Clients that wait do not hold up the server's end.
	wait, cancel := context.WithTimeout(s.closing, outputTimeout)
	defer cancel()
	out, err := s.opts.Engine.Output(wait, run)
	switch {
	case err == nil:
		writeOutput(ctx, out)
	case errors.Is(err, engine.ErrRunNotFound):
		publicErr(ctx, fasthttp.StatusNotFound, "", "Unable to find run: "+run.String())
	case errors.Is(err, context.DeadlineExceeded):
		ctx.SetContentType(contentTypeJSON)
		ctx.SetBodyString(stillRunning)
	default:
		s.engineErr(ctx, "Unable to read the run's output", err)
	}
}

// tokenRun returns the run that a run-claim token stands for.
func (s *Server) tokenRun(token string) (ulid.ULID, bool) {
	c, err := s.verifyRunToken(token, time.Now())
	if err != nil {
		return ulid.ULID{}, false
	}
	run, err := ulid.ParseStrict(c.RunID)
	return run, err == nil
}

// httpResult is how an endpoint ends a run (spec 01 §14.3).
type httpResult struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    *string           `json:"body"`
}

// writeOutput replays the endpoint's own response, if that is what the run ended
// with, alone or under `data`. Any other output is JSON.
func writeOutput(ctx *fasthttp.RequestCtx, out *engine.RunOutput) {
	var wrapped struct {
		Data httpResult `json:"data"`
	}
	var res httpResult
	switch {
	case json.Unmarshal(out.Output, &res) == nil && res.valid():
	case json.Unmarshal(out.Output, &wrapped) == nil && wrapped.Data.valid():
		res = wrapped.Data
	default:
		ctx.SetContentType(contentTypeJSON)
		ctx.SetBody(out.Output)
		return
	}
	for name, value := range res.Headers {
		switch string(fasthttp.AppendNormalizedHeaderKey(nil, name)) {
		// These describe the endpoint's connection to its own client, not ours.
		case fasthttp.HeaderContentLength, fasthttp.HeaderTransferEncoding, fasthttp.HeaderConnection,
			fasthttp.HeaderContentEncoding, "Keep-Alive", fasthttp.HeaderTrailer, fasthttp.HeaderUpgrade:
		default:
			ctx.Response.Header.Set(name, value)
		}
	}
	ctx.SetStatusCode(res.Status)
	ctx.SetBodyString(*res.Body)
}

func (r *httpResult) valid() bool { return r.Status >= 200 && r.Status <= 599 && r.Body != nil }
