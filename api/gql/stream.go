package gql

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"ingot/storage/history"

	"github.com/graph-gophers/graphql-go"
	"github.com/oklog/ulid/v2"
)

// Bounds of the stream.
const (
	maxStream = 400
	// streamPage is how many events are looked through at once for those of the server's
	// own that started runs, and streamPages how often.
	streamPage  = 200
	streamPages = 10
)

// streamNode is the type StreamItem.
type streamNode struct {
	set *eventSet
	e   *history.Event
}

// streamArgs are the arguments of stream.
type streamArgs struct {
	Query struct {
		After, Before         *graphql.ID
		Limit                 int32
		IncludeInternalEvents *bool
	}
}

// Stream lists events between two ids, exclusive, the newest first. Of the server's own it
// has only those that started runs, such as ticks of schedules, unless all are asked for.
func (*query) Stream(ctx context.Context, args streamArgs) ([]*streamNode, error) {
	in := args.Query
	if in.Limit < 1 || in.Limit > maxStream {
		return nil, refuse(fmt.Sprintf("query.limit must be from 1 to %d", maxStream))
	}
	r := of(ctx)
	if err := r.charge(int(in.Limit)); err != nil {
		return nil, err
	}
	q, limit := &history.EventQuery{Internal: true, Limit: int(in.Limit)}, int(in.Limit)
	for _, bound := range []struct {
		from *graphql.ID
		to   *ulid.ULID
	}{{in.After, &q.After}, {in.Before, &q.Before}} {
		if bound.from == nil {
			continue
		}
		var err error
		if *bound.to, err = parseID(text(*bound.from)); err != nil {
			return nil, err
		}
	}
	h, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	var events []history.Event
	if in.IncludeInternalEvents != nil && *in.IncludeInternalEvents {
		events, err = h.Events(ctx, q)
	} else {
		q.Limit = max(limit, streamPage)
		events, err = shownEvents(ctx, h, q, limit)
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // logged with its path
	}
	slices.SortStableFunc(events, func(a, b history.Event) int { return cmp.Compare(b.TS, a.TS) })
	set, out := newEventSet(r, events), []*streamNode{}
	for _, e := range set.events {
		out = append(out, &streamNode{set, e})
	}
	return out, nil
}

// shownEvents leaves out the server's own events that started nothing.
func shownEvents(ctx context.Context, h history.Reader, q *history.EventQuery, limit int) (out []history.Event, err error) {
	for range streamPages {
		page, err := h.Events(ctx, q)
		if err != nil {
			return nil, err //nolint:wrapcheck // logged with its path
		}
		var internal []ulid.ULID
		for i := range page {
			if isInternal(&page[i]) {
				internal = append(internal, page[i].ID)
			}
		}
		runs, err := h.RunsOfEvents(ctx, internal, false)
		if err != nil {
			return nil, err //nolint:wrapcheck // logged with its path
		}
		for i := range page {
			e := &page[i]
			if q.Before = e.ID; !isInternal(e) || len(runs[e.ID]) > 0 {
				out = append(out, *e)
			}
			if len(out) == limit {
				return out, nil
			}
		}
		if len(page) < q.Limit {
			break
		}
	}
	return out, nil
}

func isInternal(e *history.Event) bool { return strings.HasPrefix(e.Name, "inngest/") }

func (n *streamNode) ID() graphql.ID    { return graphql.ID(n.e.ID.String()) }
func (n *streamNode) CreatedAt() moment { return moment(n.e.TS) }
func (n *streamNode) InBatch() bool     { return false }

// cron is the schedule whose tick the event is; empty if it is none.
func (n *streamNode) cron(ctx context.Context) (string, error) {
	runs, err := n.set.runsOf(ctx, n.e.ID)
	for _, r := range runs {
		if r.run.Cron != "" {
			return r.run.Cron, nil
		}
	}
	return "", err
}

// Trigger is the event's name or the schedule.
func (n *streamNode) Trigger(ctx context.Context) (string, error) {
	schedule, err := n.cron(ctx)
	return cmp.Or(schedule, n.e.Name), err
}

func (n *streamNode) Type(ctx context.Context) (string, error) {
	schedule, err := n.cron(ctx)
	if schedule != "" {
		return "CRON", nil
	}
	return "EVENT", err
}

// Runs are those that the event started.
func (n *streamNode) Runs(ctx context.Context) (*[]*functionRunNode, error) {
	runs, err := n.set.runsOf(ctx, n.e.ID)
	return new(functionRuns(runs)), err
}
