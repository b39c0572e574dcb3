package gql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"
	"ingot/internal/rerun"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// cancelPatience bounds how long cancelRun waits until the history shows it.
const cancelPatience = 5 * time.Second

// CancelRun ends a run as cancelled, and answers with it.
func (*mutation) CancelRun(ctx context.Context, args struct{ RunID text }) (*functionRunNode, error) {
	id, err := parseID(args.RunID)
	if err != nil {
		return nil, err
	}
	n, err := oneRun(ctx, id)
	switch {
	case err != nil:
		return nil, absent(err, "not found")
	case n.run.Status == history.Cancelled:
		return &functionRunNode{n}, nil
	case n.run.Status.Ended():
		return nil, refuse("cannot cancel an ended run")
	}
	err = n.set.req.s.opts.Engine.Cancel(ctx, id)
	if err != nil && !errors.Is(err, engine.ErrRunEnded) && !errors.Is(err, engine.ErrRunNotFound) {
		return nil, err //nolint:wrapcheck // logged with its path
	}
	n, err = awaitEnd(ctx, id)
	if err != nil {
		return nil, err
	}
	if n.run.Status.Ended() && n.run.Status != history.Cancelled {
		return nil, refuse("cannot cancel an ended run") // it ended by itself meanwhile
	}
	return &functionRunNode{n}, nil
}

// awaitEnd reads a run once the history shows its end, or at the latest after cancelPatience.
func awaitEnd(ctx context.Context, id ulid.ULID) (*runNode, error) {
	r := of(ctx)
	h := r.s.opts.History
	deadline := time.Now().Add(cancelPatience)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if err := h.Sync(ctx); err != nil {
			return nil, err //nolint:wrapcheck // logged with its path
		}
		n, err := oneRun(ctx, id)
		if err != nil || n.run.Status.Ended() || time.Now().After(deadline) {
			return n, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// Rerun runs a function once more with the events of a run, from its beginning or from one
// of its steps, and answers with the new run's id.
func (*mutation) Rerun(ctx context.Context, args struct {
	RunID    text
	FromStep *struct {
		StepID string
		Input  *text
	}
	DebugSessionID, DebugRunID *text
}) (text, error) {
	id, err := parseID(args.RunID)
	if err != nil {
		return "", err
	}
	r := of(ctx)
	if r.s.opts.Operator == nil {
		return "", errNoOperator
	}
	h, err := r.read(ctx)
	if err != nil {
		return "", err
	}
	var from *rerun.Step
	if f := args.FromStep; f != nil {
		from = &rerun.Step{ID: f.StepID}
		if f.Input != nil {
			from.Input = []byte(*f.Input)
		}
	}
	run, err := rerun.From(ctx, h, r.s.opts.Catalog, r.s.opts.Operator, id, from)
	return idText(run), rerunError(err)
}

// rerunError words errors of a rerun for the caller.
func rerunError(err error) error {
	if errors.Is(err, history.ErrNotFound) {
		return errNoRows
	}
	for _, told := range []error{
		rerun.ErrInput, rerun.ErrStepNotFound, rerun.ErrStepAmbiguous, rerun.ErrNoEvents, engine.ErrFunctionNotFound, engine.ErrSkipped,
	} {
		if errors.Is(err, told) {
			return refuse(told.Error())
		}
	}
	return err
}

// InvokeFunction sends the event of an invocation. Whether there is such a function turns
// out later, as in the reference.
func (*mutation) InvokeFunction(ctx context.Context, args struct {
	Data                       *object
	FunctionSlug               string
	Meta, User                 *object
	DebugSessionID, DebugRunID *text
}) (*bool, error) {
	body := map[string]any{"id": ids.Now().String()}
	if args.Data != nil {
		body["data"] = *args.Data
	}
	if args.User != nil {
		body["user"] = *args.User
	}
	if args.Meta != nil {
		if err := checkMeta(*args.Meta); err != nil {
			return nil, err
		}
		body["meta"] = *args.Meta
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("write the event: %w", err)
	}
	now := time.Now().UnixMilli()
	e := &event.Event{InternalID: ids.New(now)}
	if err := event.ParseInvocation(raw, args.FunctionSlug, now, e); err != nil {
		return nil, refuse(err.Error())
	}
	if err := of(ctx).s.opts.Send(ctx, e); err != nil {
		return nil, err
	}
	return new(true), nil
}

// checkMeta refuses what an event's meta may not have, with the reference's texts.
func checkMeta(meta object) error {
	for k, v := range meta {
		if k != "sessions" {
			return refuse(fmt.Sprintf("event meta %q is not supported", k))
		}
		sessions, ok := v.(map[string]any)
		if !ok {
			return refuse("event meta sessions must be an object")
		}
		for name, id := range sessions {
			switch id.(type) {
			case string, float64, int32, int64, int:
			default:
				return refuse(fmt.Sprintf("session %q must be a string or number", name))
			}
		}
	}
	return nil
}
