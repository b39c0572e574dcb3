package gql

import (
	"context"
	"errors"

	"ingot/internal/ids"
	"ingot/internal/why"
	"ingot/storage/history"

	"github.com/graph-gophers/graphql-go"
)

// Page sizes of eventsV2 (spec 02 §9.4).
const (
	defaultEvents = 40
	maxEvents     = 51
)

// eventV2Node is the type EventV2.
type eventV2Node struct {
	set *eventSet
	e   *history.Event
}

// EventV2 finds an event.
func (*query) EventV2(ctx context.Context, args struct{ ID text }) (*eventV2Node, error) {
	id, err := parseID(args.ID)
	if err != nil {
		return nil, err
	}
	r := of(ctx)
	h, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	e, err := h.Event(ctx, id)
	if errors.Is(err, history.ErrNotFound) {
		return nil, refuse("event not found: " + id.String())
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // logged with its path
	}
	return &eventV2Node{&eventSet{req: r, events: []*history.Event{e}}, e}, nil
}

func (n *eventV2Node) EnvID() text             { return text(ids.UUID{}.String()) } // the reference's too
func (n *eventV2Node) ID() text                { return idText(n.e.ID) }
func (n *eventV2Node) IdempotencyKey() *string { return new(n.e.IDText()) }
func (n *eventV2Node) Name() string            { return n.e.Name }
func (n *eventV2Node) OccurredAt() moment      { return moment(n.e.TS) }
func (n *eventV2Node) ReceivedAt() moment      { return moment(n.e.ReceivedAt) }
func (n *eventV2Node) Raw() string             { return sortedEvent(n.e) }
func (n *eventV2Node) Version() *string        { return &n.e.V }
func (n *eventV2Node) Source() *sourceNode     { return nil }

// Runs are those that the event started.
func (n *eventV2Node) Runs(ctx context.Context) ([]*runNode, error) {
	runs, err := n.set.runsOf(ctx, n.e.ID)
	if runs == nil {
		runs = []*runNode{}
	}
	return runs, err
}

// sourceNode is the type EventSource.
type sourceNode struct {
	ID         graphql.ID
	Name       *string
	SourceKind string
}

// decisionNode is the type EventDecision.
type decisionNode struct {
	req *request
	d   *why.Decision
}

// Decisions tell of each function that the event may concern what became of it.
func (n *eventV2Node) Decisions(ctx context.Context) ([]*decisionNode, error) {
	list, err := n.set.decisionsOf(ctx, n.e.ID)
	if err != nil {
		return nil, err
	}
	out := make([]*decisionNode, len(list))
	for i := range list {
		out[i] = &decisionNode{n.set.req, &list[i]}
	}
	return out, n.set.req.charge(len(out))
}

func (n *decisionNode) Outcome() string { return string(n.d.Outcome) }
func (n *decisionNode) Reason() *string { return optionalText(n.d.Reason) }
func (n *decisionNode) RunID() *text    { return optionalID(n.d.Run) }

func (n *decisionNode) FunctionID() *text {
	if n.d.Function.IsZero() {
		return nil
	}
	return new(text(n.d.Function.String()))
}

// Function is absent if it is not registered.
func (n *decisionNode) Function() *functionNode {
	if n.req.catalog().ByID[n.d.Function] == nil {
		return nil
	}
	return functionOf(n.req, n.d.Function)
}

// eventsNode is the type EventsConnection.
type eventsNode struct {
	req      *request
	query    *history.EventQuery
	edges    []*eventEdge
	PageInfo pageNode
}

// eventEdge is the type EventsEdge.
type eventEdge struct {
	Node   *eventV2Node
	Cursor string
}

// eventsArgs are the arguments of eventsV2.
type eventsArgs struct {
	First  int32
	After  *string
	Filter struct {
		EventNames            *[]string
		From                  text
		IncludeInternalEvents bool
		Query                 *string
		Until                 *text
	}
}

// EventsV2 lists events, the newest first. Like the reference it does not look at
// filter.query.
func (*query) EventsV2(ctx context.Context, args eventsArgs) (*eventsNode, error) {
	q := &history.EventQuery{Internal: args.Filter.IncludeInternalEvents, Limit: pageSize(args.First, maxEvents, defaultEvents)}
	if args.Filter.EventNames != nil && len(*args.Filter.EventNames) > 0 {
		q.Names = *args.Filter.EventNames
	}
	var err error
	if q.From, err = parseTime("filter.from", &args.Filter.From); err != nil {
		return nil, err
	}
	if q.Until, err = parseTime("filter.until", args.Filter.Until); err != nil {
		return nil, err
	}
	if args.After != nil {
		if q.Before, err = parseEventCursor(*args.After); err != nil {
			return nil, err
		}
	}
	r := of(ctx)
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
	out := &eventsNode{req: r, query: q, edges: []*eventEdge{}}
	set := newEventSet(r, events)
	for _, e := range set.events {
		out.edges = append(out.edges, &eventEdge{&eventV2Node{set, e}, eventCursor(e.ID)})
	}
	out.PageInfo = pageNode{HasNextPage: len(events) == q.Limit, HasPreviousPage: args.After != nil}
	if n := len(out.edges); n > 0 {
		out.PageInfo.StartCursor, out.PageInfo.EndCursor = &out.edges[0].Cursor, &out.edges[n-1].Cursor
	}
	return out, nil
}

func (n *eventsNode) Edges() []*eventEdge { return n.edges }

// TotalCount does not depend on the cursor.
func (n *eventsNode) TotalCount(ctx context.Context) (int32, error) {
	h, err := n.req.read(ctx)
	if err != nil {
		return 0, err
	}
	total, err := h.CountEvents(ctx, n.query)
	return count(int64(total)), err
}

// pageSize is what was asked for if it is allowed, as in the reference.
func pageSize(first int32, most, otherwise int) int {
	if first < 1 || int(first) > most {
		return otherwise
	}
	return int(first)
}
