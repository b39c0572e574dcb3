package trace

import (
	"encoding/json"

	"ingot/engine"
)

// UserSpan is the payload of a record of kind engine.UserSpan: a span of user code. The
// record's Step and Attempt say in which attempt at which step it ran; Step is empty if
// in none.
type UserSpan struct {
	// ID and Parent are 16 hex digits. Parent is another user span, or unknown.
	ID     string `json:"id"`
	Parent string `json:"parent,omitempty"`
	// Start and End are unix ns.
	Start int64 `json:"start"`
	End   int64 `json:"end"`

	Name         string          `json:"name"`
	Kind         string          `json:"kind,omitempty"`
	Service      string          `json:"service,omitempty"`
	Scope        string          `json:"scope,omitempty"`
	ScopeVersion string          `json:"scopeVersion,omitempty"`
	Attributes   json.RawMessage `json:"attributes,omitempty"` // an object
	Failed       bool            `json:"failed,omitempty"`
}

// executionSpan is the SDK's own span around user code, which is not shown if it is the
// only one.
const executionSpan = "inngest.execution"

// userSpans attaches the spans of user code: to their parents if those are such spans
// too, else to the attempt at a step that they ran in, else to the run.
func (b *builder) userSpans() {
	if len(b.users) == 0 {
		return
	}
	byID := make(map[string]*node, len(b.users))
	type placed struct {
		node   *node
		parent string
		record *engine.Lifecycle
	}
	var all []placed
	for _, l := range b.users {
		var u UserSpan
		if json.Unmarshal(l.Payload, &u) != nil || u.ID == "" || byID[u.ID] != nil || b.spans[u.ID] != nil {
			continue
		}
		n := b.userNode(&u)
		byID[u.ID] = n
		all = append(all, placed{n, u.Parent, l})
	}
	for _, p := range all {
		parent := byID[p.parent]
		if parent == nil || parent == p.node {
			parent = b.userParent(p.record)
		}
		p.node.ParentID = parent.SpanID
		// A circle of parents hangs on nothing and so is never shown.
		parent.children = append(parent.children, p.node)
	}
}

func (b *builder) userNode(u *UserSpan) *node {
	n := b.add(nil, kindUser, u.ID, u.Name)
	n.Status = Completed
	if u.Failed {
		n.Status = Failed
	}
	n.ran(u.Start/1e6, u.Start/1e6, max(u.End, u.Start)/1e6)
	n.ScheduledAt, n.start = 0, u.Start
	n.Metadata = u.metadata()
	n.Userland = &Userland{
		Name: u.Name, Kind: u.Kind, Service: u.Service, Scope: u.Scope, ScopeVersion: u.ScopeVersion, Attributes: u.Attributes,
	}
	return n
}

// userParent is the span of the attempt that a user span ran in.
func (b *builder) userParent(l *engine.Lifecycle) *node {
	st := b.byID[l.Step]
	if st == nil {
		return b.root
	}
	for _, o := range st.tries {
		if o.Attempt == l.Attempt {
			return b.spans[trySpan(o)]
		}
	}
	if n := b.spans[b.stepSpan(st.id)]; n != nil {
		return n
	}
	return b.root
}
