package gql

import (
	"context"

	"ingot/internal/why"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// eventSet are the events of one list. What is read for one of them is read for all, once.
type eventSet struct {
	req       *request
	events    []*history.Event
	runs      lazy[map[ulid.ULID][]*runNode]
	decisions lazy[map[ulid.ULID][]why.Decision]
}

func newEventSet(r *request, events []history.Event) *eventSet {
	s := &eventSet{req: r, events: make([]*history.Event, len(events))}
	for i := range events {
		s.events[i] = &events[i]
	}
	return s
}

func (s *eventSet) ids() []ulid.ULID {
	out := make([]ulid.ULID, len(s.events))
	for i, e := range s.events {
		out[i] = e.ID
	}
	return out
}

// runsOf are the runs that an event started, the oldest first.
func (s *eventSet) runsOf(ctx context.Context, id ulid.ULID) ([]*runNode, error) {
	all, err := s.runs.get(func() (map[ulid.ULID][]*runNode, error) {
		h, err := s.req.read(ctx)
		if err != nil {
			return nil, err
		}
		found, err := h.RunsOfEvents(ctx, s.ids(), false)
		if err != nil {
			return nil, err //nolint:wrapcheck // logged with its path
		}
		// All runs of all events are one set, each run once: a batch has several events.
		set, nodes := &runSet{req: s.req}, map[ulid.ULID]*runNode{}
		out := make(map[ulid.ULID][]*runNode, len(found))
		for _, e := range s.events {
			for i := range found[e.ID] {
				run := &found[e.ID][i]
				if nodes[run.ID] == nil {
					set.runs = append(set.runs, run)
					nodes[run.ID] = set.node(run)
				}
				out[e.ID] = append(out[e.ID], nodes[run.ID])
			}
		}
		return out, s.req.charge(len(set.runs))
	})
	return all[id], err
}

// decisionsOf is what became of an event.
func (s *eventSet) decisionsOf(ctx context.Context, id ulid.ULID) ([]why.Decision, error) {
	all, err := s.decisions.get(func() (map[ulid.ULID][]why.Decision, error) {
		h, err := s.req.read(ctx)
		if err != nil {
			return nil, err
		}
		return why.Explain(ctx, h, s.req.catalog(), s.events)
	})
	return all[id], err
}
