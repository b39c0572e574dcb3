package api

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"

	"ingot/internal/jcs"

	"github.com/valyala/fasthttp"
)

// maxSignalBody bounds a signal with its data, which becomes a step's memo.
const maxSignalBody = 4 << 20

// signalsRoutes adds the signal API (spec 01 §15.2).
func (s *Server) signalsRoutes(r *router) {
	r.signed(fasthttp.MethodPost, "/v1/signals", s.sendSignal)
}

// sendSignal resumes the run that waits for a signal. Signals are not stored: one
// that nobody waits for is a 404, which SDKs take as "no waiter".
func (s *Server) sendSignal(ctx *fasthttp.RequestCtx, _ params) {
	body := ctx.PostBody()
	if len(body) > maxSignalBody {
		publicErr(ctx, fasthttp.StatusRequestEntityTooLarge, "", "Signal exceeds "+strconv.Itoa(maxSignalBody)+" bytes")
		return
	}
	var in struct {
		Signal string          `json:"signal"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&in); err != nil {
		publicErr(ctx, fasthttp.StatusBadRequest, "", "Invalid signal data")
		return
	}
	if in.Signal == "" {
		// The sender's fault, but 500 is the reference's answer.
		publicErr(ctx, fasthttp.StatusInternalServerError, "", "Failed to receive signal")
		return
	}
	if len(in.Data) == 0 {
		in.Data = json.RawMessage("null")
	}
	data, err := jcs.Append(make([]byte, 0, len(in.Data)), in.Data)
	if err != nil {
		publicErr(ctx, fasthttp.StatusBadRequest, "", "Invalid signal data")
		return
	}
	wait, cancel := context.WithTimeout(context.Background(), engineTimeout)
	defer cancel()
	run, ok, err := s.opts.Engine.Signal(wait, in.Signal, data)
	switch {
	case err != nil:
		s.engineErr(ctx, "Failed to receive signal", err)
	case !ok:
		publicErr(ctx, fasthttp.StatusNotFound, "", "No signal found")
	default:
		success(ctx, runData{RunID: run.String()})
	}
}
