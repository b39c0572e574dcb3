package gql

import (
	"context"
	"slices"
	"time"

	"ingot/storage/history"

	"github.com/graph-gophers/graphql-go"
	"github.com/oklog/ulid/v2"
)

// legacyWindow is how far the deprecated list of events goes back.
const legacyWindow = time.Hour

// eventNode is the legacy type Event.
type eventNode struct {
	set *eventSet
	e   *history.Event
}

// Event finds an event by its internal id.
func (*query) Event(ctx context.Context, args struct {
	Query struct{ WorkspaceID, EventID graphql.ID }
}) (*eventNode, error) {
	id, err := ulid.ParseStrict(string(args.Query.EventID))
	if err != nil {
		return nil, errNoRows
	}
	r := of(ctx)
	h, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	e, err := h.Event(ctx, id)
	if err != nil {
		return nil, absent(err, textNoRows)
	}
	return &eventNode{&eventSet{req: r, events: []*history.Event{e}}, e}, nil
}

// Events lists the events of the last hour, at most 51 and only those whose id is a ULID.
func (*query) Events(ctx context.Context, args struct {
	Query struct {
		WorkspaceID graphql.ID
		LastEventID *graphql.ID
	}
}) (*[]*eventNode, error) {
	r := of(ctx)
	q := &history.EventQuery{From: r.now.Add(-legacyWindow).UnixMilli(), Limit: maxEvents}
	if args.Query.LastEventID != nil {
		id, err := parseID(text(*args.Query.LastEventID))
		if err != nil {
			return nil, err
		}
		q.Before = id
	}
	if err := r.charge(q.Limit); err != nil {
		return nil, err
	}
	h, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	events, err := h.Events(ctx, q)
	if err != nil {
		return nil, err //nolint:wrapcheck // logged with its path
	}
	events = slices.DeleteFunc(events, func(e history.Event) bool {
		_, err := ulid.ParseStrict(e.IDText())
		return err != nil
	})
	set, out := newEventSet(r, events), []*eventNode{}
	for _, e := range set.events {
		out = append(out, &eventNode{set, e})
	}
	return &out, nil
}

func (n *eventNode) ID() text                  { return idText(n.e.ID) }
func (n *eventNode) ExternalID() *string       { return optionalText(n.e.ExternalID) }
func (n *eventNode) Workspace() *workspaceNode { return nil }
func (n *eventNode) Name() *string             { return &n.e.Name }
func (n *eventNode) CreatedAt() *moment        { return optional(n.e.TS) }
func (n *eventNode) Payload() *string          { return new(string(dataOf(n.e))) }
func (n *eventNode) Schema() *string           { return nil }
func (n *eventNode) Raw() *string              { return new(string(storedEvent(n.e))) }

// tally counts the runs of an event.
type tally struct{ total, running, failed int }

func (n *eventNode) tally(ctx context.Context) (t tally, err error) {
	runs, err := n.set.runsOf(ctx, n.e.ID)
	for _, r := range runs {
		t.total++
		switch {
		case !r.run.Status.Ended():
			t.running++
		case r.run.Status == history.Failed:
			t.failed++
		}
	}
	return t, err
}

// Status sums up the runs.
func (n *eventNode) Status(ctx context.Context) (*string, error) {
	t, err := n.tally(ctx)
	s := "COMPLETED"
	switch {
	case t.total == 0:
		s = "NO_FUNCTIONS"
	case t.failed == t.total:
		s = "FAILED"
	case t.failed > 0:
		s = "PARTIALLY_FAILED"
	case t.running > 0:
		s = "RUNNING"
	}
	return &s, err
}

func (n *eventNode) PendingRuns(ctx context.Context) (*int32, error) {
	t, err := n.tally(ctx)
	return new(int32(t.running)), err
}

func (n *eventNode) TotalRuns(ctx context.Context) (*int32, error) {
	t, err := n.tally(ctx)
	return new(int32(t.total)), err
}

// FunctionRuns is absent if there are none.
func (n *eventNode) FunctionRuns(ctx context.Context) (*[]*functionRunNode, error) {
	runs, err := n.set.runsOf(ctx, n.e.ID)
	if len(runs) == 0 {
		return nil, err
	}
	return new(functionRuns(runs)), err
}

func functionRuns(runs []*runNode) []*functionRunNode {
	out := make([]*functionRunNode, len(runs))
	for i, r := range runs {
		out[i] = &functionRunNode{r}
	}
	return out
}
