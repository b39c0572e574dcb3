package gql

import (
	"context"
	"fmt"
	"slices"

	"ingot/engine"
	"ingot/internal/trace"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// traceCost is how many nodes the trace of a run counts as, besides its spans: one may have
// hundreds of kilobytes, and all traces of a set are in memory together.
const traceCost = 50

// runSet are the runs of one list, or of all lists that are at the same place of an answer.
// What is read for one of them is read for all, once.
type runSet struct {
	req  *request
	runs []*history.Run
	// whole says that the runs came with their outputs.
	whole   bool
	outputs lazy[map[ulid.ULID]*history.Run]
	events  lazy[map[ulid.ULID]*history.Event]
	// eventSet are the same as a set.
	eventSet lazy[*eventSet]
	traces   lazy[map[ulid.ULID]*history.Trace]
	// started are the runs that events started which these runs sent: invocations, defers.
	started lazy[map[ulid.ULID][]history.Run]
	defers  lazy[map[ulid.ULID][]*deferNode]
	parents lazy[map[ulid.ULID]*runNode]
	// cancellers are events that cancelled runs of the set.
	cancellers lazy[map[ulid.ULID]*history.Event]
}

func newRunSet(r *request, runs []history.Run, whole bool) *runSet {
	s := &runSet{req: r, whole: whole, runs: make([]*history.Run, len(runs))}
	for i := range runs {
		s.runs[i] = &runs[i]
	}
	return s
}

// node is one run of the set.
func (s *runSet) node(run *history.Run) *runNode { return &runNode{set: s, run: run} }

// nodes are the set's runs by their ids.
func (s *runSet) nodes() map[ulid.ULID]*runNode {
	out := make(map[ulid.ULID]*runNode, len(s.runs))
	for _, run := range s.runs {
		out[run.ID] = s.node(run)
	}
	return out
}

func (s *runSet) ids() []ulid.ULID {
	out := make([]ulid.ULID, len(s.runs))
	for i, run := range s.runs {
		out[i] = run.ID
	}
	return out
}

// withOutput is a run with what it returned, or its error.
func (s *runSet) withOutput(ctx context.Context, run *history.Run) (*history.Run, error) {
	if s.whole {
		return run, nil
	}
	all, err := s.outputs.get(func() (map[ulid.ULID]*history.Run, error) {
		h, err := s.req.read(ctx)
		if err != nil {
			return nil, err
		}
		runs, err := h.RunsByID(ctx, s.ids(), true)
		out := make(map[ulid.ULID]*history.Run, len(runs))
		for i := range runs {
			out[runs[i].ID] = &runs[i]
		}
		return out, err
	})
	if whole := all[run.ID]; whole != nil {
		return whole, err
	}
	return run, err
}

// event is one that triggered runs of the set; nil if it is not kept any more.
func (s *runSet) event(ctx context.Context, id ulid.ULID) (*history.Event, error) {
	all, err := s.events.get(func() (map[ulid.ULID]*history.Event, error) {
		var ids []ulid.ULID
		for _, run := range s.runs {
			ids = append(ids, run.Events...)
		}
		return s.req.eventsByID(ctx, ids)
	})
	return all[id], err
}

// triggers are the events that triggered runs of the set.
func (s *runSet) triggers(ctx context.Context) (*eventSet, error) {
	return s.eventSet.get(func() (*eventSet, error) {
		set, seen := &eventSet{req: s.req}, map[ulid.ULID]bool{}
		for _, run := range s.runs {
			for _, id := range run.Events {
				e, err := s.event(ctx, id)
				if err != nil {
					return nil, err
				}
				if e != nil && !seen[id] {
					seen[id] = true
					set.events = append(set.events, e)
				}
			}
		}
		return set, nil
	})
}

// eventsByID reads events, each once.
func (r *request) eventsByID(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID]*history.Event, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	h, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	ids = distinct(ids)
	if err := r.charge(len(ids)); err != nil {
		return nil, err
	}
	events, err := h.EventsByID(ctx, ids)
	out := make(map[ulid.ULID]*history.Event, len(events))
	for i := range events {
		out[events[i].ID] = &events[i]
	}
	return out, err
}

func distinct(ids []ulid.ULID) []ulid.ULID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, ulid.ULID.Compare)
	return slices.Compact(ids)
}

// trace is everything that was recorded of a run.
func (s *runSet) trace(ctx context.Context, run *history.Run) (*history.Trace, error) {
	all, err := s.traces.get(func() (map[ulid.ULID]*history.Trace, error) {
		if err := s.req.charge(traceCost * len(s.runs)); err != nil {
			return nil, err
		}
		h, err := s.req.read(ctx)
		if err != nil {
			return nil, err
		}
		traces, err := h.Traces(ctx, s.ids())
		out := make(map[ulid.ULID]*history.Trace, len(traces))
		for i := range traces {
			out[traces[i].Run.ID] = &traces[i]
		}
		return out, err
	})
	if err != nil {
		return nil, err
	}
	t := all[run.ID]
	if t == nil { // deleted between two readings
		return nil, fmt.Errorf("the trace of run %s: %w", run.ID, history.ErrNotFound)
	}
	return t, nil
}

// startedBy are the runs that invocations and defers of the set's runs led to, by event.
func (s *runSet) startedBy(ctx context.Context) (map[ulid.ULID][]history.Run, error) {
	return s.started.get(func() (map[ulid.ULID][]history.Run, error) {
		var events []ulid.ULID
		for _, run := range s.runs {
			t, err := s.trace(ctx, run)
			if err != nil {
				return nil, err
			}
			events = append(events, sentBy(t)...)
		}
		if len(events) == 0 {
			return nil, nil
		}
		h, err := s.req.read(ctx)
		if err != nil {
			return nil, err
		}
		return h.RunsOfEvents(ctx, distinct(events), false)
	})
}

// canceller is the event that cancelled a run; nil if none did.
func (s *runSet) canceller(ctx context.Context, run *history.Run) (*history.Event, error) {
	all, err := s.cancellers.get(func() (map[ulid.ULID]*history.Event, error) {
		var events []ulid.ULID
		for _, run := range s.runs {
			t, err := s.trace(ctx, run)
			if err != nil {
				return nil, err
			}
			if id := cancelledBy(t); id != (ulid.ULID{}) {
				events = append(events, id)
			}
		}
		return s.req.eventsByID(ctx, events)
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	t, err := s.trace(ctx, run)
	if err != nil {
		return nil, err
	}
	return all[cancelledBy(t)], nil
}

func cancelledBy(t *history.Trace) ulid.ULID {
	for i := range t.Records {
		if l := &t.Records[i]; l.Kind == engine.RunCancelled {
			return l.Child
		}
	}
	return ulid.ULID{}
}

// sentBy are the events by which a run started others.
func sentBy(t *history.Trace) (events []ulid.ULID) {
	for i := range t.Records {
		if l := &t.Records[i]; l.Kind == engine.StepInvoking {
			events = append(events, l.Child)
		}
	}
	trace.Defers(t, trace.Env{Started: func(event ulid.ULID, _ string) (trace.Child, bool) {
		events = append(events, event)
		return trace.Child{}, false
	}})
	return events
}

// env is what package trace needs to know about a run of the set, but for events.
func (s *runSet) env(ctx context.Context, run *history.Run) (trace.Env, error) {
	started, err := s.startedBy(ctx)
	return trace.Env{
		Function: s.req.catalog().ByID[run.Function], Now: s.req.now.UnixMilli(),
		Started: func(event ulid.ULID, function string) (trace.Child, bool) {
			child := s.req.child(started[event], function)
			if child == nil {
				return trace.Child{}, false
			}
			return trace.Child{Run: child.ID, EndedAt: child.EndedAt}, true
		},
	}, err
}

// child is the run of a function, by its slug, among those that one event started; nil if
// there is none. A function that is not registered any more is taken to be the first's.
func (r *request) child(runs []history.Run, slug string) *history.Run {
	f := r.catalog().BySlug[slug]
	for i := range runs {
		if f == nil || runs[i].Function == f.ID {
			return &runs[i]
		}
	}
	return nil
}
