package inngestdb

import (
	"cmp"
	"encoding/json"

	"ingot/engine"
	"ingot/internal/trace"
)

// derivedKinds are metadata that are made anew for each call when a trace is shown.
var derivedKinds = map[string]bool{"inngest.http.timing": true, "inngest.timing": true}

// metadata tells what was said about a span, update by update.
func (b *builder) metadata(s *span) {
	step, attempt := "", -1
	if about := b.byID[s.parent]; about != nil && about != b.root {
		step = about.attrs.text("step.id")
		if about.has("Errored") != nil {
			attempt = int(about.attrs.number("step.attempt"))
		}
	}
	for _, f := range s.fragments {
		kind := f.attrs.text("metadata.kind")
		var values map[string]json.RawMessage
		if derivedKinds[kind] || kind == "" {
			continue
		}
		if !f.attrs.object("metadata.values", &values) {
			b.faults.add("metadata that is no JSON object", b.id.String())
			continue
		}
		payload, err := json.Marshal([]map[string]any{{
			"scope": f.attrs.text("metadata.scope"), "kind": kind, "op": f.attrs.text("metadata.op"), "values": values,
		}})
		if err != nil {
			continue // cannot be: the values were read as JSON
		}
		b.add(f.start, engine.Lifecycle{Kind: engine.StepMetadata, At: millis(max(f.end, f.start)), Step: step, Attempt: attempt, Payload: payload})
	}
}

// userland tells of a span of user code.
func (b *builder) userland(s *span) {
	f := s.fragments[0]
	payload, err := json.Marshal(trace.UserSpan{
		ID: s.id, Parent: s.parent, Start: f.start, End: max(f.end, f.start),
		Name: cmp.Or(s.attrs.text("userland.name"), s.name), Kind: s.attrs.text("userland.kind"),
		Service: s.attrs.text("userland.service.name"), Scope: s.attrs.text("userland.scope.name"),
		ScopeVersion: s.attrs.text("userland.scope.version"), Attributes: s.attrs.users(),
		Failed: s.has("Failed", "Errored") != nil,
	})
	if err != nil {
		b.faults.add("spans of user code", b.id.String())
		return
	}
	b.add(f.start, engine.Lifecycle{
		Kind: engine.UserSpan, Step: s.attrs.text("step.id"), Attempt: int(s.attrs.number("step.attempt")), Payload: payload,
	})
}

// deferred tells of a function that the run deferred to its end.
func (b *builder) deferred(s *span) {
	l := engine.Lifecycle{
		Kind: engine.DeferAdded, Step: s.attrs.text("defer.hashed_id"),
		Name: s.attrs.text("defer.userland_id"), Target: s.attrs.text("defer.fn_slug"),
	}
	status := s.attrs.text("defer.status")
	if status == "rejected" {
		l.Expr = status
	}
	b.add(s.start(), l)
	if status == "aborted" {
		l.Kind, l.Expr = engine.DeferEnded, status
		b.add(s.fragments[len(s.fragments)-1].start, l)
	}
}
