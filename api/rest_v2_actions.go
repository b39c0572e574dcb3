package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"
	"ingot/internal/rerun"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// maxEventName bounds the names of events, here only (spec 02 §14).
const maxEventName = 512

// v2ActionMethods adds what changes something (spec 02 §8.5 to §8.7).
func (s *Server) v2ActionMethods(add func(method, path string, call v2Call)) {
	keys := &invokeKeys{}
	add(fasthttp.MethodPost, "/apps/{app_id}/functions/{function_id}/invoke", func(ctx context.Context, req *fasthttp.RequestCtx, p params) (v2Answer, error) {
		return s.v2Invoke(ctx, req, p, keys)
	})
	add(fasthttp.MethodPost, "/runs/{run_id}/rerun", s.v2Rerun)
	add(fasthttp.MethodPost, "/runs/{run_id}/cancel", s.v2Cancel)
	add(fasthttp.MethodPost, "/runs/{run_id}/scores", s.v2Scores)
	add(fasthttp.MethodPost, "/events", s.v2SendEvent)
}

// v2RunID is the data of an answer that names a run.
type v2RunID struct {
	RunID ulid.ULID `json:"runId"`
}

func (s *Server) v2Cancel(ctx context.Context, req *fasthttp.RequestCtx, p params) (v2Answer, error) {
	id, err := v2ID(p, "run_id", "Run")
	if err != nil {
		return v2Answer{}, err
	}
	if err := v2Decode(req, maxRESTBody, nil); err != nil {
		return v2Answer{}, err
	}
	err = s.opts.Engine.Cancel(ctx, id)
	if err == nil {
		return v2Answer{data: v2RunID{id}}, nil
	}
	if !errors.Is(err, engine.ErrRunNotFound) && !errors.Is(err, engine.ErrRunEnded) {
		return v2Answer{}, err //nolint:wrapcheck // the caller logs it with the path
	}
	run, _, err := s.v2LoadRun(ctx, p)
	switch {
	case err != nil:
		return v2Answer{}, err
	case run.Status == history.Cancelled:
		return v2Answer{}, v2Fault(fasthttp.StatusConflict, "run_already_cancelled", "Run is already cancelled")
	}
	return v2Answer{}, v2Fault(fasthttp.StatusConflict, "run_already_ended", "Cannot cancel an ended run")
}

func (s *Server) v2Rerun(ctx context.Context, req *fasthttp.RequestCtx, p params) (v2Answer, error) {
	id, err := v2ID(p, "run_id", "Run")
	if err != nil {
		return v2Answer{}, err
	}
	var from json.RawMessage
	if err := v2Decode(req, maxRESTBody, v2Fields{"fromStep": takeObject(&from)}); err != nil {
		return v2Answer{}, err
	}
	var step *rerun.Step
	if from != nil {
		if step, err = v2FromStep(from); err != nil {
			return v2Answer{}, err
		}
	}
	if s.opts.Operator == nil {
		return v2Answer{}, errNoOperator
	}
	r, err := s.current(ctx)
	if err != nil {
		return v2Answer{}, err
	}
	made, err := rerun.From(ctx, r, s.opts.Catalog, s.opts.Operator, id, step)
	switch {
	case errors.Is(err, history.ErrNotFound), errors.Is(err, rerun.ErrNoEvents):
		return v2Answer{}, v2NotFound("Run")
	case errors.Is(err, engine.ErrFunctionNotFound):
		return v2Answer{}, v2NotFound("Function")
	case errors.Is(err, engine.ErrSkipped):
		return v2Answer{}, v2Fault(fasthttp.StatusUnprocessableEntity, "function_skipped", engine.ErrSkipped.Error())
	case errors.Is(err, rerun.ErrStepNotFound):
		return v2Answer{}, v2Fault(fasthttp.StatusBadRequest, "invalid_request", "Step not found in original run")
	case errors.Is(err, rerun.ErrStepAmbiguous):
		return v2Answer{}, v2Fault(fasthttp.StatusBadRequest, "invalid_request", "Step ID is ambiguous in original run")
	case errors.Is(err, rerun.ErrInput):
		return v2Answer{}, v2Invalid("fromStep.input: " + rerun.ErrInput.Error())
	}
	return v2Answer{data: v2RunID{made}}, err //nolint:wrapcheck // the caller logs it with the path
}

// v2FromStep reads the step that a rerun begins with.
func v2FromStep(raw json.RawMessage) (*rerun.Step, error) {
	var in struct {
		StepID  string          `json:"stepId"`
		StepID2 string          `json:"step_id"`
		Input   json.RawMessage `json:"input"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, v2Fault(fasthttp.StatusBadRequest, v2APIError, v2TypeText("fromStep", err))
	}
	step := &rerun.Step{ID: in.StepID + in.StepID2, Input: in.Input}
	if step.ID == "" {
		return nil, v2Missing("Step ID is required")
	}
	if string(in.Input) == "null" {
		step.Input = nil
	}
	return step, nil
}

func (s *Server) v2SendEvent(ctx context.Context, req *fasthttp.RequestCtx, _ params) (v2Answer, error) {
	var in struct {
		Name string          `json:"name"`
		Data json.RawMessage `json:"data,omitempty"`
		User json.RawMessage `json:"user,omitempty"`
		ID   string          `json:"id,omitempty"`
		TS   int64           `json:"ts,omitempty"`
	}
	err := v2Decode(req, event.MaxEventSize, v2Fields{
		"name": takeString(&in.Name), "data": takeObject(&in.Data), "user": takeObject(&in.User), "id": takeString(&in.ID), "ts": takeInt64(&in.TS),
	})
	switch {
	case err != nil:
		return v2Answer{}, err
	case in.Name == "":
		return v2Answer{}, v2Missing("Event name is required")
	case utf8.RuneCountInString(in.Name) > maxEventName:
		return v2Answer{}, v2Invalid(fmt.Sprintf("Event name cannot exceed %d characters", maxEventName))
	case strings.HasPrefix(strings.ToLower(in.Name), event.InternalPrefix):
		return v2Answer{}, v2Invalid("event name is reserved for internal use: " + in.Name)
	}
	body, err := json.Marshal(in)
	if err != nil {
		return v2Answer{}, fmt.Errorf("write the event: %w", err)
	}
	now := time.Now().UnixMilli()
	var parser event.Parser
	var e event.Event
	parser.Reset(body, now)
	if !parser.Next(&e) {
		return v2Answer{}, v2Fault(fasthttp.StatusBadRequest, "validation_error", parser.Err().Error())
	}
	e.InternalID = ids.New(now)
	if err := s.v2Send(ctx, &e); err != nil {
		return v2Answer{}, err
	}
	return v2Answer{data: struct {
		EventID ulid.ULID `json:"eventId"`
	}{e.InternalID}}, nil
}

// v2Send accepts an event, unless too many runs wait.
func (s *Server) v2Send(ctx context.Context, e *event.Event) error {
	if s.opts.Admit != nil {
		if err := s.opts.Admit(e); err != nil {
			return v2Refusal(err)
		}
	}
	if err := s.opts.Engine.Send(ctx, e); err != nil {
		return v2Refusal(err)
	}
	return nil
}

// v2Refusal tells what asks the caller to come back later.
func v2Refusal(err error) error {
	if status := refusalStatus(err); status == fasthttp.StatusTooManyRequests {
		return v2Fault(status, "rate_limited", err.Error())
	} else if status != 0 {
		return v2Fault(status, "internal_error", err.Error())
	}
	return err
}
