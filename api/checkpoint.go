package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"time"

	"ingot/engine"
	"ingot/transport/wire"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

const (
	// maxCheckpointBody bounds a checkpoint of an existing run: the state of a run
	// is at most 32 MiB, and the rest is what SDKs wrap around it.
	maxCheckpointBody = 40 << 20
	// maxNewRunBody bounds the request that creates a run (spec 01 §14.1).
	maxNewRunBody = 4 << 20
	// engineTimeout bounds how long a handler waits until an effect is durable.
	// After it the client is told to come again, which every effect here bears.
	engineTimeout = 30 * time.Second
)

// checkpointRoutes adds the checkpoint API (spec 01 §13, 02 §6.10), under its
// name and its older one.
func (s *Server) checkpointRoutes(r *router) {
	for _, prefix := range []string{"/v1/checkpoint", "/v1/http/runs"} {
		r.signed(fasthttp.MethodPost, prefix, s.checkpointNew)
		r.signed(fasthttp.MethodPost, prefix+"/{runID}/steps", s.checkpointSteps)
		r.signed(fasthttp.MethodPost, prefix+"/{runID}/async", s.checkpointAsync)
		for _, method := range []string{
			fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodPost, fasthttp.MethodPut,
			fasthttp.MethodPatch, fasthttp.MethodDelete,
		} {
			r.handle(method, prefix+"/{runID}/output", s.checkpointOutput)
		}
	}
}

// runData is the data of a checkpoint's error envelope.
type runData struct {
	RunID string `json:"run_id"`
}

// checkpointAsync saves steps of a call that goes on (spec 01 §13). The run id in
// the path is ignored; the body's counts. It is the hottest call of an SDK: one
// for each step.
func (s *Server) checkpointAsync(ctx *fasthttp.RequestCtx, _ params) {
	c, ok := s.readCheckpoint(ctx)
	if !ok {
		return
	}
	wait, cancel := context.WithTimeout(context.Background(), engineTimeout)
	defer cancel()
	err := s.opts.Engine.Checkpoint(wait, &engine.Checkpoint{RunID: c.runID, JobID: c.jobID, Generation: c.generation, Ops: c.ops})
	if err != nil {
		s.checkpointErr(ctx, c.runID, err)
		return
	}
	ctx.SetContentType(contentTypeJSON)
}

// checkpointSteps takes the further steps of a sync run (spec 01 §14.3). What is
// wrong with the steps or the run is only logged, as in the reference: the user's
// endpoint goes on without us. What is wrong with this server is a 503, since the
// SDK then sends the steps again.
func (s *Server) checkpointSteps(ctx *fasthttp.RequestCtx, _ params) {
	c, ok := s.readCheckpoint(ctx)
	if !ok {
		return
	}
	ctx.SetContentType(contentTypeJSON)
	if len(c.ops) == 0 {
		return
	}
	wait, cancel := context.WithTimeout(context.Background(), engineTimeout)
	defer cancel()
	err := s.opts.Engine.Checkpoint(wait, &engine.Checkpoint{RunID: c.runID, Ops: c.ops, Sync: true})
	switch {
	case err == nil:
	case callersFault(err):
		s.log.Warn("steps of a sync run were not taken", "run", c.runID, "error", err)
	default:
		s.checkpointErr(ctx, c.runID, err)
	}
}

// readCheckpoint reads a request's body, or answers it and returns false.
func (s *Server) readCheckpoint(ctx *fasthttp.RequestCtx) (checkpointBody, bool) {
	body := ctx.PostBody()
	if len(body) > maxCheckpointBody {
		publicErr(ctx, fasthttp.StatusRequestEntityTooLarge, "", "request body exceeds "+strconv.Itoa(maxCheckpointBody)+" bytes")
		return checkpointBody{}, false
	}
	c, err := parseCheckpoint(body)
	switch {
	case errors.Is(err, wire.ErrStepSize):
		publicErrData(ctx, fasthttp.StatusRequestEntityTooLarge, "", err.Error(), runData{RunID: c.runID.String()})
		return checkpointBody{}, false
	case err != nil:
		publicErr(ctx, fasthttp.StatusBadRequest, "", "invalid request body: "+err.Error())
		return checkpointBody{}, false
	}
	return c, true
}

// checkpointErr answers a checkpoint that failed.
func (s *Server) checkpointErr(ctx *fasthttp.RequestCtx, run ulid.ULID, err error) {
	var refused *engine.CheckpointError
	status, text := 0, ""
	switch {
	case errors.As(err, &refused):
		status, text = refused.Status, refused.Message
	case errors.Is(err, engine.ErrRunNotFound):
		status, text = fasthttp.StatusBadRequest, "run not found in state store"
	case errors.Is(err, engine.ErrStateTooLarge):
		status, text = fasthttp.StatusRequestEntityTooLarge, err.Error()
	default:
		s.engineErr(ctx, "checkpoint failed", err)
		return
	}
	publicErrData(ctx, status, "", text, runData{RunID: run.String()})
}

// callersFault reports whether a checkpoint would fail again if it were sent again.
func callersFault(err error) bool {
	var refused *engine.CheckpointError
	return errors.As(err, &refused) || errors.Is(err, engine.ErrRunNotFound) || errors.Is(err, engine.ErrStateTooLarge)
}

// engineErr answers what the engine could not do. Overload, a full disk and an
// effect that is not durable in time ask the client to come again; the rest is a
// fault of this server, logged, of which the client learns only text.
func (s *Server) engineErr(ctx *fasthttp.RequestCtx, text string, err error) {
	for _, passing := range []error{
		engine.ErrBusy, engine.ErrLogFull, engine.ErrDisk, engine.ErrClosed, context.DeadlineExceeded, context.Canceled,
	} {
		if errors.Is(err, passing) {
			s.log.Warn("a request was put off", "path", string(ctx.Path()), "error", err)
			ctx.Response.Header.Set(headerRetryAfter, retryAfterSeconds)
			publicErr(ctx, fasthttp.StatusServiceUnavailable, "", text+": try again")
			return
		}
	}
	s.internalErr(ctx, text, err)
}

// jobOf returns the job id in a qi_id: base64 of `<job id>::<shard>` (spec 01
// §7.3). What cannot be read names no job.
func jobOf(queueItem []byte) string {
	var buf [256]byte
	b, err := base64.StdEncoding.AppendDecode(buf[:0], queueItem)
	if err != nil {
		return ""
	}
	i := bytes.LastIndex(b, []byte("::"))
	if i < 0 {
		return ""
	}
	return string(b[:i])
}
