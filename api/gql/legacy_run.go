package gql

import (
	"context"
	"encoding/json"

	"ingot/internal/trace"
	"ingot/storage/history"

	"github.com/graph-gophers/graphql-go"
	"github.com/oklog/ulid/v2"
)

// functionRunNode is the legacy type FunctionRun.
type functionRunNode struct{ *runNode }

// FunctionRun finds a run.
func (*query) FunctionRun(ctx context.Context, args struct {
	Query struct{ WorkspaceID, FunctionRunID graphql.ID }
}) (*functionRunNode, error) {
	id, err := ulid.ParseStrict(string(args.Query.FunctionRunID))
	if err != nil {
		return nil, refuse("invalid run ID: " + err.Error())
	}
	run, err := oneRun(ctx, id)
	if err != nil {
		return nil, absent(err, "not found")
	}
	return &functionRunNode{run}, nil
}

func (n *functionRunNode) ID() graphql.ID            { return graphql.ID(n.run.ID.String()) }
func (n *functionRunNode) FunctionID() string        { return n.run.Function.String() }
func (n *functionRunNode) Function() *functionNode   { return n.runNode.Function() }
func (n *functionRunNode) Workspace() *workspaceNode { return nil }
func (n *functionRunNode) BatchCreatedAt() *moment   { return n.runNode.BatchCreatedAt() }
func (n *functionRunNode) Status() *string           { return new(n.runNode.Status()) }
func (n *functionRunNode) WaitingFor() *waitNode     { return nil }
func (n *functionRunNode) FinishedAt() *moment       { return optional(n.run.EndedAt) }
func (n *functionRunNode) Cron() *string             { return n.CronSchedule() }

func (n *functionRunNode) BatchID() *text {
	id, _ := n.run.BatchID()
	return optionalID(id)
}

// StartedAt is when the run was made as long as it has not begun.
func (n *functionRunNode) StartedAt() *moment {
	return optional(max(n.run.QueuedAt, n.run.StartedAt))
}

// EventID is the first of the run's events.
func (n *functionRunNode) EventID() graphql.ID {
	if len(n.run.Events) == 0 {
		return graphql.ID(ulid.ULID{}.String())
	}
	return graphql.ID(n.run.Events[0].String())
}

// Event is the first of the run's events.
func (n *functionRunNode) Event(ctx context.Context) (*eventNode, error) {
	all, err := n.Events(ctx)
	if len(all) == 0 {
		return nil, err
	}
	return all[0], err
}

// Events are those that are still kept.
func (n *functionRunNode) Events(ctx context.Context) ([]*eventNode, error) {
	set, err := n.set.triggers(ctx)
	if err != nil {
		return nil, err
	}
	out := []*eventNode{}
	for _, id := range n.run.Events {
		e, err := n.set.event(ctx, id)
		if err != nil {
			return nil, err
		}
		if e != nil {
			out = append(out, &eventNode{set, e})
		}
	}
	return out, n.set.req.charge(len(out))
}

// Output is what the run returned or threw; an empty object if it was cancelled.
func (n *functionRunNode) Output(ctx context.Context) (*string, error) {
	out, err := n.result(ctx)
	switch {
	case err != nil || out == nil && !n.run.Status.Ended():
		return nil, err
	case out == nil && n.run.Status == history.Cancelled:
		return new("{}"), nil
	case out == nil:
		return new("null"), nil
	case n.run.Status == history.Failed: // text without its quotes, as in the reference
		out = bare(out, true)
	}
	return new(string(out)), nil
}

// PendingSteps is how much the run has outstanding.
func (n *functionRunNode) PendingSteps(ctx context.Context) (*int32, error) {
	if n.run.Status.Ended() {
		return new(int32(0)), nil
	}
	t, err := n.set.trace(ctx, n.run)
	if err != nil {
		return nil, err
	}
	return new(int32(len(trace.Jobs(t)))), nil
}

// History is what happened, the oldest first.
func (n *functionRunNode) History(ctx context.Context) ([]*historyNode, error) {
	items, err := n.items(ctx)
	if err != nil {
		return nil, err
	}
	version := int32(1)
	if f := n.runNode.Function().fn; f.Version > 0 {
		version = int32(f.Version)
	}
	out := make([]*historyNode, len(items))
	for i := range items {
		out[i] = historyOf(&items[i], version)
	}
	return out, n.set.req.charge(len(out))
}

// HistoryItemOutput is the output of one item.
func (n *functionRunNode) HistoryItemOutput(ctx context.Context, args struct{ ID text }) (*string, error) {
	id, err := parseID(args.ID)
	if err != nil {
		return nil, err
	}
	items, err := n.items(ctx)
	if err != nil {
		return nil, err
	}
	for i := range items {
		if items[i].ID == id && items[i].Output != nil {
			return new(string(items[i].Output)), nil
		}
	}
	return nil, nil
}

func (n *functionRunNode) items(ctx context.Context) ([]trace.HistoryItem, error) {
	t, err := n.set.trace(ctx, n.run)
	if err != nil {
		return nil, err
	}
	env, err := n.set.env(ctx, n.run)
	if err != nil {
		return nil, err
	}
	cancelledBy, err := n.set.canceller(ctx, n.run)
	if err != nil {
		return nil, err
	}
	env.Event = func(ulid.ULID) json.RawMessage {
		if cancelledBy == nil {
			return nil
		}
		return storedEvent(cancelledBy)
	}
	return trace.History(t, env), nil
}

// waitNode is the type StepEventWait.
type waitNode struct {
	EventName, Expression *string
	ExpiryTime            moment
}
