package gql

import (
	"context"
	"encoding/json"

	"ingot/internal/trace"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// deferNode is the type RunDefer.
type deferNode struct {
	req *request
	d   trace.Defer
	run *runNode // nil until it is started
}

func (n *deferNode) HashedDeferID() string   { return n.d.HashedID }
func (n *deferNode) UserlandDeferID() string { return n.d.UserID }
func (n *deferNode) FnSlug() string          { return n.d.Slug }
func (n *deferNode) Status() string          { return n.d.Status }
func (n *deferNode) RunID() *text            { return optionalID(n.d.Run) }
func (n *deferNode) Run() *runNode           { return n.run }

// Function is absent if it is not registered.
func (n *deferNode) Function() *functionNode {
	if f := n.req.catalog().BySlug[n.d.Slug]; f != nil {
		return &functionNode{n.req, f}
	}
	return nil
}

// parentNode is the type RunDeferredFrom.
type parentNode struct {
	id  ulid.ULID
	run *runNode
}

func (n *parentNode) RunID() text             { return idText(n.id) }
func (n *parentNode) Function() *functionNode { return n.run.Function() }
func (n *parentNode) Run() *runNode           { return n.run }

// Defers are the functions that the run deferred to its end.
func (n *runNode) Defers(ctx context.Context) ([]*deferNode, error) {
	out, err := n.set.defersOf(ctx, n.run.ID)
	if err != nil {
		return nil, err
	}
	return out, n.set.req.charge(len(out))
}

// DeferredFrom is the run that deferred this one.
func (n *runNode) DeferredFrom(ctx context.Context) ([]*parentNode, error) {
	p, err := n.parent(ctx)
	if p == nil {
		return []*parentNode{}, err
	}
	return []*parentNode{{p.run.ID, p}}, n.set.req.charge(1)
}

// SiblingDefers are what the run that deferred this one has deferred.
func (n *runNode) SiblingDefers(ctx context.Context) ([]*deferNode, error) {
	p, err := n.parent(ctx)
	if p == nil {
		return []*deferNode{}, err
	}
	return p.Defers(ctx)
}

// defersOf are a run's defers, with the runs of all the set's defers as one set.
func (s *runSet) defersOf(ctx context.Context, run ulid.ULID) ([]*deferNode, error) {
	all, err := s.defers.get(func() (map[ulid.ULID][]*deferNode, error) {
		out := make(map[ulid.ULID][]*deferNode, len(s.runs))
		started, err := s.startedBy(ctx)
		if err != nil {
			return nil, err
		}
		var children []history.Run
		for _, run := range s.runs {
			t, err := s.trace(ctx, run)
			if err != nil {
				return nil, err
			}
			list := []*deferNode{}
			for _, d := range trace.Defers(t, trace.Env{Started: s.req.children(started, &children)}) {
				list = append(list, &deferNode{req: s.req, d: d})
			}
			out[run.ID] = list
		}
		byID := newRunSet(s.req, children, false).nodes()
		for _, list := range out {
			for _, d := range list {
				d.run = byID[d.d.Run]
			}
		}
		return out, nil
	})
	return all[run], err
}

// children finds the run of a function that an event started, and collects it.
func (r *request) children(started map[ulid.ULID][]history.Run, found *[]history.Run) func(ulid.ULID, string) (trace.Child, bool) {
	return func(event ulid.ULID, function string) (trace.Child, bool) {
		run := r.child(started[event], function)
		if run == nil {
			return trace.Child{}, false
		}
		*found = append(*found, *run)
		return trace.Child{Run: run.ID, EndedAt: run.EndedAt}, true
	}
}

// parent is the run that deferred this one; nil if none did, or if it is not kept any more.
func (n *runNode) parent(ctx context.Context) (*runNode, error) {
	if !n.run.Deferred {
		return nil, nil
	}
	all, err := n.set.parents.get(func() (map[ulid.ULID]*runNode, error) { return n.set.readParents(ctx) })
	return all[n.run.ID], err
}

// readParents finds the parents of the set's runs, as one set.
func (s *runSet) readParents(ctx context.Context) (map[ulid.ULID]*runNode, error) {
	of := map[ulid.ULID]ulid.ULID{}
	var ids []ulid.ULID
	for _, run := range s.runs {
		if !run.Deferred || len(run.Events) == 0 {
			continue
		}
		e, err := s.event(ctx, run.Events[0])
		if err != nil {
			return nil, err
		}
		if e == nil {
			continue
		}
		parent, ok := trace.DeferredFrom(&history.Trace{Run: *run}, trace.Env{
			Event: func(ulid.ULID) json.RawMessage { return storedEvent(e) },
		})
		if ok {
			of[run.ID] = parent
			ids = append(ids, parent)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	h, err := s.req.read(ctx)
	if err != nil {
		return nil, err
	}
	runs, err := h.RunsByID(ctx, distinct(ids), false)
	if err != nil {
		return nil, err //nolint:wrapcheck // logged with its path
	}
	byID := newRunSet(s.req, runs, false).nodes()
	out := make(map[ulid.ULID]*runNode, len(of))
	for run, parent := range of {
		if p := byID[parent]; p != nil {
			out[run] = p
		}
	}
	return out, nil
}
