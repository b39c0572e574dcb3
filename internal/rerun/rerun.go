// Package rerun makes a new run of one that is in the history: from its beginning, or from
// one of its steps, perhaps with another input (spec 03 §18.2). REST, GraphQL and bulk
// replays share it.
//
// What does not live here: starting the run (engine.Engine.Replay), what a run had done
// before a step (package trace), and HTTP (package api).
package rerun

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/jcs"
	"ingot/internal/trace"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// Errors that callers tell apart, besides history.ErrNotFound (no such run),
// history.ErrUnavailable, engine.ErrFunctionNotFound and engine.ErrSkipped. Their texts are
// the reference's where it has one.
var (
	// ErrStepNotFound says that the run has no step of that id or name.
	ErrStepNotFound = errors.New("rerun step not found")
	// ErrStepAmbiguous says that several steps have that name.
	ErrStepAmbiguous = errors.New("rerun step name is ambiguous")
	// ErrInput says that a step's input is no JSON array.
	ErrInput = errors.New("input is not a valid JSON array")
	// ErrNoEvents says that the events of the run are not kept any more.
	ErrNoEvents = errors.New("the events of the run are not kept any more")
)

// Replayer starts runs; *engine.Engine is one.
type Replayer interface {
	Replay(ctx context.Context, r *engine.Replay) error
}

// Step is where a rerun begins.
type Step struct {
	// ID is the step's hashed id, or its name if no other step has the same.
	ID string
	// Input is a JSON array that takes the place of the step's arguments; nil keeps them.
	Input []byte
}

// From runs the function of a run once more with the run's events, and returns the new
// run's id. With from, steps that were done when that one began are not called again.
// The run is read as far as the history is; call Sync first for one that still executes.
func From(ctx context.Context, r history.Reader, c *engine.Catalog, to Replayer, run ulid.ULID, from *Step) (ulid.ULID, error) {
	if from == nil {
		old, err := r.Run(ctx, run)
		if err != nil {
			return ulid.ULID{}, fmt.Errorf("rerun %s: %w", run, err)
		}
		return Whole(ctx, r, c, to, old)
	}
	input, err := stepInput(from.Input)
	if err != nil {
		return ulid.ULID{}, err
	}
	traces, err := r.Traces(ctx, []ulid.ULID{run})
	if err == nil && len(traces) == 0 {
		err = history.ErrNotFound
	}
	if err != nil {
		return ulid.ULID{}, fmt.Errorf("rerun %s: %w", run, err)
	}
	events, err := r.EventsByID(ctx, traces[0].Run.Events)
	if err != nil {
		return ulid.ULID{}, fmt.Errorf("rerun %s: %w", run, err)
	}
	replay, err := prepare(c, &traces[0].Run, events)
	if err != nil {
		return ulid.ULID{}, err
	}
	if err := replayFrom(replay, &traces[0], from.ID, input); err != nil {
		return ulid.ULID{}, err
	}
	return replay.RunID, start(ctx, to, run, replay)
}

// Whole is From for a run that has been read, without a step.
func Whole(ctx context.Context, r history.Reader, c *engine.Catalog, to Replayer, run *history.Run) (ulid.ULID, error) {
	events, err := r.EventsByID(ctx, run.Events)
	if err != nil {
		return ulid.ULID{}, fmt.Errorf("rerun %s: %w", run.ID, err)
	}
	replay, err := prepare(c, run, events)
	if err != nil {
		return ulid.ULID{}, err
	}
	return replay.RunID, start(ctx, to, run.ID, replay)
}

// Once is Whole for events that have been read, other ones among them too, and for a rerun
// that has a name: a second one of that name is refused with engine.ErrRunExists.
func Once(ctx context.Context, c *engine.Catalog, to Replayer, run *history.Run, events []history.Event, name ulid.ULID) error {
	replay, err := prepare(c, run, events)
	if err != nil {
		return err
	}
	replay.Once = name
	return start(ctx, to, run.ID, replay)
}

func start(ctx context.Context, to Replayer, run ulid.ULID, replay *engine.Replay) error {
	if err := to.Replay(ctx, replay); err != nil {
		return fmt.Errorf("rerun %s: %w", run, err)
	}
	return nil
}

// prepare makes what starts the run from the beginning.
func prepare(c *engine.Catalog, run *history.Run, events []history.Event) (*engine.Replay, error) {
	if c.Snapshot().ByID[run.Function] == nil {
		return nil, fmt.Errorf("rerun %s: %w", run.ID, engine.ErrFunctionNotFound)
	}
	triggers, err := Triggers(run, events)
	if err != nil {
		return nil, fmt.Errorf("rerun %s: %w", run.ID, err)
	}
	original := run.ID
	if run.Original != (ulid.ULID{}) {
		original = run.Original // the chain leads to its first run
	}
	return &engine.Replay{
		RunID: engine.NewReplayID(time.Now().UnixMilli(), run.Function), Fn: run.Function,
		Events: triggers, EventIDs: run.Events, Original: original,
	}, nil
}

// Triggers returns the triggering events of a run as functions see them, in order.
// ErrNoEvents if one of them is not among events.
func Triggers(run *history.Run, events []history.Event) ([][]byte, error) {
	out := make([][]byte, 0, len(run.Events))
	for _, id := range run.Events {
		i := slices.IndexFunc(events, func(e history.Event) bool { return e.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("%w: there is no event %s", ErrNoEvents, id)
		}
		out = append(out, CanonicalEvent(&events[i]))
	}
	if len(out) == 0 {
		return nil, ErrNoEvents
	}
	return out, nil
}

// CanonicalEvent is an event as functions see it.
func CanonicalEvent(e *history.Event) []byte {
	return (&event.Event{
		InternalID: e.ID, ID: []byte(e.ExternalID), Name: []byte(e.Name), Data: e.Data, User: e.User, V: []byte(e.V), TS: e.TS,
		Sessions: e.Sessions,
	}).AppendJSON(nil)
}

// stepInput is the memo that gives a step its input; nil without one.
func stepInput(raw []byte) ([]byte, error) {
	if raw == nil {
		return nil, nil
	}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '[' || !json.Valid(raw) {
		return nil, ErrInput
	}
	out, err := jcs.Append([]byte(`{"input":`), raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	return append(out, '}'), nil
}

// replayFrom lets a replay begin at a step of the former run.
func replayFrom(replay *engine.Replay, t *history.Trace, id string, input []byte) error {
	st, err := find(t, id)
	if err != nil {
		return err
	}
	memos, planned, ok := trace.MemosBefore(t, st.ID)
	if !ok {
		return ErrStepNotFound
	}
	replay.Steps = memos
	if input != nil {
		replay.Input = engine.Step{ID: st.ID, Memo: input}
	}
	// Only code of the step itself can be called for; what the server does (a sleep, a
	// wait) is asked for once more by the function.
	if runsCode(st.Op) || planned {
		replay.Step = st.ID
	}
	return nil
}

func runsCode(op engine.Opcode) bool {
	switch op {
	case engine.OpStep, engine.OpStepRun, engine.OpStepError, engine.OpStepFailed, engine.OpStepPlanned:
		return true
	}
	return false
}

// find returns the step with the hashed id, or else the only one with that name.
func find(t *history.Trace, id string) (*trace.Step, error) {
	steps := trace.Steps(t)
	var found *trace.Step
	for i := range steps {
		switch st := &steps[i]; {
		case st.ID == id:
			return st, nil
		case st.Name != id:
		case found != nil:
			return nil, ErrStepAmbiguous
		default:
			found = st
		}
	}
	if found == nil {
		return nil, ErrStepNotFound
	}
	return found, nil
}
