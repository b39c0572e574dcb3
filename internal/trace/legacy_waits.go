package trace

import "ingot/engine"

// apart makes the span of a sleep, wait or invocation that is one of several ops of an
// answer: it has no step id.
func (l *legacy) apart(st *step) *Span {
	s := l.child(derivedSpan(l.t.Run.ID, "legacy-step:"+st.id), st.name, st.begin.At, 0)
	l.waits(s, st)
	s.StepID = ""
	return s
}

// waits describes a sleep, a wait or an invocation.
func (l *legacy) waits(s *Span, st *step) *Span {
	s.Name, s.StepID = st.name, st.id
	s.StepOp, s.StepInfo = l.waitInfo(st)
	switch {
	case st.begin.Kind == engine.StepSleeping:
		l.sleeps(s, st)
		return s
	case st.end == nil:
		s.Status = Waiting
		if st.begin.Kind == engine.StepInvoking {
			s.Status = Running
		}
		l.ran(s, s.StartedAt, 0)
		return s
	}
	l.ran(s, s.StartedAt, max(st.end.At, s.StartedAt))
	s.Status = Completed
	if isError(st.end.Payload) {
		s.Status = Failed
	}
	if st.begin.Op != engine.OpWaitForEvent || st.end.Kind != engine.StepTimedOut {
		s.OutputID = l.keep(derivedSpan(l.t.Run.ID, "legacy-resumed:"+st.id), output{data: st.end.Payload, form: formWhole})
	}
	return s
}

// sleeps describes a sleep, which is over when its time is, whatever becomes of the run.
func (l *legacy) sleeps(s *Span, st *step) {
	until := st.begin.Due
	if st.end != nil {
		until = st.end.At
	}
	until = max(until, s.StartedAt)
	if st.end != nil || l.env.Now >= until {
		s.Status = Completed
		l.ran(s, s.StartedAt, until)
		return
	}
	planned := max(until-st.begin.At, 0)
	l.ran(s, s.StartedAt, 0)
	s.Children = []*Span{{
		TraceID: s.TraceID, SpanID: derivedSpan(l.t.Run.ID, "legacy-sleep:"+st.id), ParentID: l.root.SpanID, Name: "Attempt 0",
		Status: Running, QueuedAt: st.begin.At, StartedAt: st.begin.At, Duration: &planned, StepOp: opSleep, StepInfo: s.StepInfo,
	}}
}
