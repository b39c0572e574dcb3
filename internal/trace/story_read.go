package trace

import "ingot/engine"

func (s *story) jobOf(id uint32) *job {
	j := s.jobs[id]
	if j == nil {
		j = &job{id: id, group: groupOf(s.t.Run.ID, id)}
		s.jobs[id] = j
		s.order = append(s.order, j)
	}
	return j
}

func (s *story) callStarted(i int, l *engine.Lifecycle) {
	if l.Op == engine.OpGateway || l.Op == engine.OpAIGateway {
		s.requestStarted(i, l)
		return
	}
	s.begin(i, l, l.At)
}

// begin adds a call that a record speaks of.
func (s *story) begin(i int, l *engine.Lifecycle, at int64) *call {
	j := s.jobOf(l.Job)
	c := &call{job: j, attempt: l.Attempt, started: at, queued: at, at: i}
	before := j.last()
	switch {
	case l.Step == "":
		if l.Flags&engine.FlagDiscovery != 0 && len(s.calls) == 0 {
			c.queued = min(at, s.queuedAt())
		}
	case l.Flags&engine.FlagDiscovery != 0:
		c.cause = s.byID[l.Step]
		if c.cause != nil && c.cause.end != nil {
			c.queued = c.cause.end.At
		}
	default:
		c.planned = s.step(i, l)
		if c.planned.begin != nil {
			c.queued = c.planned.begin.At
		}
	}
	if before != nil {
		c.cause, c.planned = before.cause, before.planned
		if before.due > 0 {
			c.queued = before.due
		}
	}
	j.calls = append(j.calls, c)
	s.calls = append(s.calls, c)
	return c
}

// requestStarted notes that the server makes a request for a step.
func (s *story) requestStarted(i int, l *engine.Lifecycle) {
	c := s.jobOf(l.Job).last()
	if c == nil {
		c = s.begin(i, &engine.Lifecycle{Job: l.Job, Attempt: l.Attempt}, l.At)
	}
	st := s.step(i, l)
	st.gateway = true
	if st.begin == nil {
		st.begin, st.by = l, c
	}
	c.gateway, c.requested = st, l.At
}

func (s *story) callEnded(i int, l *engine.Lifecycle) {
	c := s.jobOf(l.Job).last()
	if c == nil || c.attempt != l.Attempt {
		at := l.Started
		if at == 0 {
			at = l.At
		}
		c = s.begin(i, &engine.Lifecycle{Job: l.Job, Attempt: l.Attempt}, at)
	}
	c.answer, c.ended = l, l.At
	if l.Started > 0 {
		c.started = l.Started
		c.ended = l.Started + l.Duration/1e6
	}
	c.failed = l.Name != ""
	c.output = c.failed || l.Flags&engine.FlagOutput != 0
	c.due = l.Due
}

// step returns the step that a record is about, which it may be the first to name.
func (s *story) step(i int, l *engine.Lifecycle) *step {
	st := s.byID[l.Step]
	if st == nil {
		st = &step{id: l.Step, first: i, done: -1}
		s.byID[l.Step] = st
		s.steps = append(s.steps, st)
	}
	if st.name == "" && l.Kind != engine.StepMetadata {
		st.name = l.Name
	}
	return st
}

func (s *story) stepBegun(i int, l *engine.Lifecycle) {
	st := s.step(i, l)
	c := s.lastCall(l.Job)
	if st.begin == nil {
		st.begin, st.by = l, c
	}
	if c != nil {
		c.ops = append(c.ops, &outcome{Lifecycle: l, step: st, call: c})
	}
}

func (s *story) stepTried(i int, l *engine.Lifecycle) {
	st := s.step(i, l)
	o := &outcome{Lifecycle: l, step: st, at: i}
	c := s.lastCall(l.Job)
	switch {
	case c == nil, l.Flags&engine.FlagCheckpoint != 0:
	case c.gateway == st: // the server's request has ended
		o.call = c
		if l.Kind == engine.StepErrored {
			c.due = l.Due
		}
	case l.Op != engine.OpNone:
		o.call = c
		c.ops = append(c.ops, o)
		if l.Kind == engine.StepErrored && c.due == 0 {
			c.due = l.Due
		}
	}
	switch {
	case l.Kind == engine.StepErrored:
		st.tries = append(st.tries, o)
	case st.end == nil:
		st.end, st.done = o, i
	}
}

func (s *story) lastCall(id uint32) *call {
	if j := s.jobs[id]; j != nil {
		return j.last()
	}
	return nil
}
