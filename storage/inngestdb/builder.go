package inngestdb

import (
	"cmp"
	"encoding/json"
	"slices"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// builder makes the records of one run (engine.Lifecycle) of its rows.
type builder struct {
	*oldRun
	faults *faults
	spans  []*span
	byID   map[string]*span // by dynamic ids, and by those of rows
	root   *span            // nil if the run has no spans
	calls  []*call
	jobs   []*job
	ends   []stepEnd
	out    []placed
}

// placed is a record with its place in the story, unix ns. Rows have finer times than
// records, and records of one ms have an order too.
type placed struct {
	at     int64
	record *engine.Lifecycle
}

// recordsOf returns the records of a run, in order; those of a skipped one are about its
// events.
func recordsOf(run *oldRun, spans []*span, faults *faults) []*engine.Lifecycle {
	b := &builder{oldRun: run, faults: faults, spans: spans, byID: map[string]*span{}}
	b.index()
	if b.root != nil && len(run.events) == 0 {
		run.events = b.root.attrs.ulids("event.ids")
	}
	if run.status == codeSkipped || b.root != nil && b.root.has("Skipped") != nil {
		return b.skipped()
	}
	b.findCalls()
	b.findEnds()
	for _, c := range b.calls {
		b.call(c)
	}
	for _, s := range spans {
		switch s.name {
		case spanStep:
			b.step(s)
		case spanMetadata:
			b.metadata(s)
		case spanUserland:
			b.userland(s)
		case spanDefer:
			b.deferred(s)
		}
	}
	slices.SortStableFunc(b.out, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	return b.frame()
}

// index finds spans by their ids; a dynamic id goes before one of a row.
func (b *builder) index() {
	for _, s := range b.spans {
		if b.byID[s.id] == nil {
			b.byID[s.id] = s
		}
		if s.name == spanRun && b.root == nil {
			b.root = s
		}
	}
	for _, s := range b.spans {
		for _, f := range s.fragments {
			if b.byID[f.id] == nil {
				b.byID[f.id] = s
			}
		}
	}
}

// add places a record of the run. at is unix ns.
func (b *builder) add(at int64, l engine.Lifecycle) {
	l.Run, l.Fn = b.id, b.fn
	if l.At == 0 {
		l.At = millis(at)
	}
	b.out = append(b.out, placed{at, &l})
}

// frame puts the run's own records around what happened in it.
func (b *builder) frame() []*engine.Lifecycle {
	scheduled := b.scheduled()
	out := []*engine.Lifecycle{scheduled}
	end, begun := b.end(), scheduled.At
	if at := b.startedAt(end); at != 0 {
		begun = max(begun, at)
		out = append(out, &engine.Lifecycle{Kind: engine.RunStarted, At: begun, Run: b.id, Fn: b.fn})
	}
	for _, p := range b.out {
		out = append(out, p.record)
	}
	if end != nil {
		if end.At == 0 { // not known
			end.At = out[len(out)-1].At
		}
		end.At = max(end.At, begun)
		out = append(out, end)
	}
	return out
}

// scheduled begins the run.
func (b *builder) scheduled() *engine.Lifecycle {
	l := &engine.Lifecycle{
		Kind: engine.RunScheduled, At: int64(b.id.Time()), Run: b.id, Fn: b.fn, Name: b.cron, Child: b.original, Events: b.events,
	}
	if b.batch != (ulid.ULID{}) {
		l.Flags |= engine.FlagBatch
	}
	if b.root == nil {
		return l
	}
	attrs := b.root.attrs
	l.Name = cmp.Or(l.Name, attrs.text("cron.schedule"))
	l.Child = cmp.Or(l.Child, attrs.ulid("run.replay_original_run_id"))
	if attrs.ulid("batch.id") != (ulid.ULID{}) {
		l.Flags |= engine.FlagBatch
	}
	if b.root.fragments[0].deferred || attrs.text("defer.parent_run_ids") != "" {
		l.Flags |= engine.FlagDeferred
	}
	if attrs.flag("run.is_durable_endpoint") {
		l.Flags |= engine.FlagSync
	}
	if due := attrs.time("scheduled_at"); due > l.At && l.Flags&engine.FlagBatch == 0 {
		l.Due = due
	}
	return l
}

// startedAt is when the run started, unix ms; 0 if it has not.
func (b *builder) startedAt(end *engine.Lifecycle) int64 {
	var at int64
	if b.root != nil {
		at = b.root.attrs.time("started_at")
	}
	at = cmp.Or(at, b.started)
	switch {
	case at != 0:
	case len(b.calls) > 0:
		at = b.calls[0].startedAt()
	case b.status == codeRunning || end != nil && end.Kind != engine.RunCancelled:
		at = int64(b.id.Time()) // all that is known
	}
	return at
}

// end returns how the run ended, as its span says, else as trace_runs does; nil if
// neither says that it has.
func (b *builder) end() *engine.Lifecycle {
	l := &engine.Lifecycle{Run: b.id, Fn: b.fn, At: b.ended}
	switch b.status {
	case codeCompleted:
		l.Kind = engine.RunCompleted
	case codeFailed, codeOverflowed:
		l.Kind = engine.RunFailed
	case codeCancelled:
		l.Kind = engine.RunCancelled
	}
	l.Payload = endPayload(l.Kind, b.output)
	if b.root != nil {
		if f := b.root.has("Completed", "Failed", "Cancelled"); f != nil {
			l.Kind = endKinds[f.status()]
			l.At = cmp.Or(f.attrs.time("ended_at"), millis(f.start))
			l.Payload = endPayload(l.Kind, b.output)
			if b.root.output != nil {
				l.Payload = spanPayload(l.Kind, b.root.output)
			}
		}
	}
	if l.Kind == 0 {
		return nil
	}
	return l
}

// spanPayload is what a run ends with, of the output of its span: {"data":…} or {"error":…}.
func spanPayload(kind engine.LifecycleKind, output []byte) json.RawMessage {
	if kind == engine.RunCompleted {
		if data := member(output, "data"); data != nil {
			return data
		}
	}
	return endPayload(kind, output)
}

// skipped says of each event why it started no run.
func (b *builder) skipped() (out []*engine.Lifecycle) {
	reason := ""
	if b.root != nil {
		reason = b.root.attrs.text("run.skip_reason")
	}
	for _, ev := range b.events {
		out = append(out, &engine.Lifecycle{
			Kind: engine.EventSkipped, At: int64(b.id.Time()), Run: ev, Fn: b.fn, Name: skipReason(reason),
		})
	}
	if len(out) == 0 {
		b.faults.add("skipped runs without events", b.id.String())
	}
	return out
}
