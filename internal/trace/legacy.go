package trace

import (
	"cmp"
	"encoding/hex"
	"slices"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// legacy makes the tree of old clients: one span for each call that did something, with
// its attempts below it if there is more than one to tell of (spec 02 §10.8, golden
// runs/). Where the reference shows something odd, such as a next attempt that was never
// planned, so does this.
type legacy struct {
	*story
	root *Span
	outs []output
}

// Legacy returns the run's trace as `run{trace}` shows it without preview; nil if the run
// has neither started nor ended.
func Legacy(t *history.Trace, env Env) *Span {
	return buildLegacy(t, &env).root
}

func buildLegacy(t *history.Trace, env *Env) *legacy {
	l := &legacy{story: read(t, env)}
	started, ended := l.startedAt(), l.endedAt()
	if started == 0 && ended == 0 {
		return l
	}
	l.root = &Span{TraceID: l.traceID(), SpanID: derivedSpan(t.Run.ID, "legacy"), QueuedAt: t.Run.QueuedAt}
	if env.Function != nil {
		l.root.Name = env.Function.Slug
	}
	l.root.Status = l.status()
	if l.root.Status == Queued {
		l.root.Status = Running
	}
	l.ran(l.root, cmp.Or(started, ended), ended)
	l.children()
	l.endRoot()
	return l
}

// TraceID is the id of the distributed trace that a run belongs to, as `run{traceID}`
// shows it. Runs that one led to have it in common.
func TraceID(t *history.Trace) string { return read(t, &Env{}).traceID() }

func (s *story) traceID() string {
	root := s.t.Run.ID
	if len(s.t.Run.Events) > 0 {
		root = s.t.Run.Events[0]
	}
	if s.scheduled != nil {
		if id, err := ulid.ParseStrict(s.scheduled.Target); err == nil {
			root = id
		}
	}
	id := ids.DistributedTrace(root)
	return hex.EncodeToString(id[:])
}

// ran sets a span's times and what it took; until now if it goes on.
func (l *legacy) ran(s *Span, started, ended int64) {
	s.StartedAt, s.EndedAt = started, ended
	s.QueuedAt = cmp.Or(s.QueuedAt, started)
	d := max(cmp.Or(ended, l.env.Now, started)-started, 0)
	s.Duration = &d
}

func (l *legacy) child(id, name string, started, ended int64) *Span {
	s := &Span{TraceID: l.root.TraceID, SpanID: id, ParentID: l.root.SpanID, Name: name, Status: Running}
	l.ran(s, started, ended)
	return s
}

func (l *legacy) children() {
	for _, j := range l.order {
		if s := l.job(j); s != nil {
			l.root.Children = append(l.root.Children, s)
		}
		for _, c := range j.calls {
			if width(c) < 2 {
				continue
			}
			for _, o := range c.ops {
				if o.step.begin == o.Lifecycle && o.Kind != engine.StepPlanned {
					l.root.Children = append(l.root.Children, l.apart(o.step))
				}
			}
		}
	}
	slices.SortStableFunc(l.root.Children, func(a, b *Span) int { return cmp.Compare(a.StartedAt, b.StartedAt) })
}

// width is the number of ops that an answer carried.
func width(c *call) int {
	if c.answer == nil {
		return len(c.ops)
	}
	return max(c.answer.Count, len(c.ops))
}

// endRoot gives the root what its last child came to, and what is queued.
func (l *legacy) endRoot() {
	r := l.root
	if len(r.Children) == 0 {
		return
	}
	last := r.Children[len(r.Children)-1]
	switch {
	case r.Status == Completed || r.Status == Failed:
		r.OutputID = last.OutputID
		if last.Name == nameSuccess || last.Name == nameError {
			r.Status = last.Status
		}
	case r.Status == Running && last.Status == Completed && last.StepOp == opRun:
		q := l.queued(last, 0)
		q.Name, q.ParentID, q.StepOp = "Queued step", r.SpanID, ""
		r.Children = append(r.Children, q)
	}
}

// queued is the next attempt after a span.
func (l *legacy) queued(after *Span, attempt int) *Span {
	zero := int64(0)
	return &Span{
		TraceID: after.TraceID, SpanID: "queued", ParentID: after.SpanID, Status: Queued, Attempts: attempt,
		QueuedAt: cmp.Or(after.EndedAt, after.StartedAt), Duration: &zero, StepOp: after.StepOp,
	}
}

// keep remembers an output and returns its id; empty if there is none.
func (l *legacy) keep(span string, out output) string {
	if len(out.data) == 0 {
		return ""
	}
	out.span = span
	l.outs = append(l.outs, out)
	id := OutputID{Function: l.t.Run.Function, Trace: l.root.TraceID, Span: span, Run: l.t.Run.ID}
	if l.env.Function != nil {
		id.App = l.env.Function.AppID
	}
	return id.String()
}

func legacyOutput(t *history.Trace, env Env, id *OutputID) *Output {
	l := buildLegacy(t, &env)
	out := &Output{}
	for i := range l.outs {
		if o := &l.outs[i]; o.span == id.Span {
			out.Input = o.input
			o.unwrap(out)
			break
		}
	}
	return out
}
