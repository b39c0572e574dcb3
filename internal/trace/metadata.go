package trace

import (
	"encoding/json"
	"strconv"

	"ingot/engine"
)

// update is one element of what the API or a step said about a span (spec 02 §6.4).
type update struct {
	Scope  string                     `json:"scope"`
	Kind   string                     `json:"kind"`
	Op     string                     `json:"op"`
	Values map[string]json.RawMessage `json:"values"`
}

// metadata attaches what was said about spans to them, and the usage of it to the root.
func (b *builder) metadata() {
	for _, st := range b.steps {
		for _, o := range st.tries {
			if len(o.Meta) > 0 {
				b.updates(o.Meta, trySpan(o), o.At)
			}
		}
		if st.end != nil && len(st.end.Meta) > 0 {
			b.updates(st.end.Meta, b.stepSpan(st.id), st.end.At)
		}
	}
	for _, l := range b.metas {
		b.updates(l.Payload, b.target(l), l.At)
	}
	n := usage(b.root)
	if n > 0 {
		b.root.Metadata = append(b.root.Metadata, Metadata{
			Scope: "run", Kind: "inngest.usage", UpdatedAt: max(b.endedAt(), b.root.QueuedAt),
			Values: map[string]json.RawMessage{"metadata_bytes": number(int64(n))},
		})
	}
}

// target is the span that a record is about.
func (b *builder) target(l *engine.Lifecycle) string {
	switch {
	case l.Target != "":
		return l.Target
	case l.Step == "":
		return b.root.SpanID
	case l.Attempt >= 0:
		if id := seededSpan(l.Step + ":" + strconv.Itoa(l.Attempt)); b.spans[id] != nil {
			return id
		}
	}
	return b.stepSpan(l.Step)
}

// stepSpan is the span of a step's outcome.
func (b *builder) stepSpan(id string) string {
	if st := b.byID[id]; st != nil && st.begin != nil && st.begin.Kind == engine.StepSleeping {
		return seededSpan("sleep-step:" + id)
	}
	return seededSpan(id)
}

// updates applies a JSON array of updates to a span. One about a span that does not
// exist is dropped, as is what cannot be read.
func (b *builder) updates(raw []byte, span string, at int64) {
	var list []json.RawMessage
	_ = json.Unmarshal(raw, &list)
	for _, element := range list {
		var u update
		if json.Unmarshal(element, &u) != nil {
			continue
		}
		n := b.spans[span]
		if u.Scope == "run" {
			n = b.root
		}
		if n != nil && u.Kind != "" {
			n.update(&u, at)
		}
	}
}

func (n *node) update(u *update, at int64) {
	var m *Metadata
	for i := range n.Metadata {
		if n.Metadata[i].Kind == u.Kind {
			m = &n.Metadata[i]
		}
	}
	if m == nil {
		n.Metadata = append(n.Metadata, Metadata{Kind: u.Kind, Values: map[string]json.RawMessage{}})
		m = &n.Metadata[len(n.Metadata)-1]
	}
	m.Scope, m.UpdatedAt = u.Scope, max(m.UpdatedAt, at)
	m.apply(u)
}

// apply joins values by the update's op; without one it is a merge (spec 02 §10.6).
func (m *Metadata) apply(u *update) {
	switch u.Op {
	case "delete":
		for k := range u.Values {
			delete(m.Values, k)
		}
		return
	case "set":
		clear(m.Values)
	}
	for k, v := range u.Values {
		if u.Op == "add" {
			v = sum(m.Values[k], v)
		}
		if v != nil {
			m.Values[k] = v
		}
	}
}

// sum adds two JSON numbers. What is there is replaced if it is none; nil, no change, if
// the addend is none.
func sum(is, add json.RawMessage) json.RawMessage {
	b, err := strconv.ParseFloat(string(add), 64)
	if err != nil {
		return nil
	}
	a, err := strconv.ParseFloat(string(is), 64)
	if err != nil {
		return add
	}
	out, err := json.Marshal(a + b)
	if err != nil {
		return nil // the sum is no number that JSON has
	}
	return out
}

// usage is the size of all metadata of a tree: keys and values.
func usage(n *node) (size int) {
	for i := range n.Metadata {
		for k, v := range n.Metadata[i].Values {
			size += len(k) + len(v)
		}
	}
	for _, c := range n.children {
		size += usage(c)
	}
	return size
}
