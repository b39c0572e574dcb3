package gql

import (
	"context"
	"encoding/json"
	"errors"

	"ingot/internal/trace"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// outputNode is the type RunTraceSpanOutput.
type outputNode struct {
	Input, Data *text
	Error       *stepError
}

// stepError is the type StepError.
type stepError struct {
	Message     string
	Name, Stack *string
	Cause       *raw
}

// RunTraceSpanOutputByID is what a span was given and what came of it (spec 02 §9.7).
func (*query) RunTraceSpanOutputByID(ctx context.Context, args struct{ OutputID string }) (*outputNode, error) {
	id, err := trace.ParseOutputID(args.OutputID)
	if err != nil {
		return nil, refuse("error parsing span identifier: " + err.Error())
	}
	run, err := oneRun(ctx, id.Run)
	if errors.Is(err, history.ErrNotFound) {
		return &outputNode{}, nil
	}
	if err != nil {
		return nil, err
	}
	t, err := run.set.trace(ctx, run.run)
	if err != nil {
		return nil, err
	}
	env, err := run.set.env(ctx, run.run)
	if err != nil {
		return nil, err
	}
	// Reads the run's events now, so that their absence cannot be taken for an error.
	if len(run.run.Events) > 0 {
		if _, err := run.set.event(ctx, run.run.Events[0]); err != nil {
			return nil, err
		}
	}
	env.Event = func(id ulid.ULID) json.RawMessage {
		if e, _ := run.set.event(ctx, id); e != nil {
			return storedEvent(e)
		}
		return nil
	}
	return outputOf(trace.OutputOf(t, env, id)), nil
}

func outputOf(o *trace.Output) *outputNode {
	n := &outputNode{Input: bytesOf(o.Input), Data: bytesOf(bare(o.Data, o.Text))}
	if e := o.Error; e != nil {
		n.Error = &stepError{Message: e.Message, Name: e.Name, Stack: e.Stack}
		if e.Cause != nil {
			n.Error.Cause = new(raw(e.Cause))
		}
	}
	return n
}

// bare is a result as it is shown: JSON, or text that was none as it came.
func bare(out json.RawMessage, isText bool) []byte {
	var s string
	if !isText || json.Unmarshal(out, &s) != nil {
		return out
	}
	return []byte(s)
}

// runTriggerNode is the type RunTraceTrigger.
type runTriggerNode struct {
	EventName *string
	IDs       []text
	Payloads  []text
	Timestamp moment
	IsBatch   bool
	BatchID   *text
	Cron      *string
}

// RunTrigger is what started a run.
func (*query) RunTrigger(ctx context.Context, args struct{ RunID string }) (*runTriggerNode, error) {
	n, err := findRun(ctx, args.RunID)
	if err != nil {
		return nil, err
	}
	out := &runTriggerNode{IDs: n.TriggerIDs(), Payloads: []text{}, Cron: n.CronSchedule(), Timestamp: moment(n.run.QueuedAt)}
	batch, isBatch := n.run.BatchID()
	out.IsBatch, out.BatchID = isBatch, optionalID(batch)
	names := map[string]bool{}
	for i, id := range n.run.Events {
		if at := moment(id.Time()); i == 0 || at < out.Timestamp {
			out.Timestamp = at
		}
		e, err := n.set.event(ctx, id)
		if err != nil {
			return nil, err
		}
		if e != nil {
			out.Payloads = append(out.Payloads, text(storedEvent(e)))
			names[e.Name] = true
			out.EventName = &e.Name
		}
	}
	if len(names) != 1 || n.run.Cron != "" {
		out.EventName = nil
	}
	return out, of(ctx).charge(len(out.IDs) + len(out.Payloads))
}
