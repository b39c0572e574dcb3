package trace

import (
	"cmp"
	"net/http"
	"strconv"

	"ingot/engine"
)

// Names of spans of calls that are no step's.
const (
	nameExecute = "execute"
	nameSuccess = "function success"
	nameError   = "function error"
)

// job makes the span of a job's calls; nil if they did nothing that is shown.
func (l *legacy) job(j *job) *Span {
	var attempts []*Span
	for _, c := range j.calls {
		if s := l.attempt(c); s != nil {
			attempts = append(attempts, s)
		}
	}
	if len(attempts) == 0 {
		return nil
	}
	last := attempts[len(attempts)-1]
	if len(attempts) == 1 && (last.Status == Completed || last.Status == Waiting || last.StepOp == opSleep || last.StepOp == opInvoke) {
		return last
	}
	return l.group(j, attempts)
}

// group puts attempts below a span of their own.
func (l *legacy) group(j *job, attempts []*Span) *Span {
	first, last := attempts[0], attempts[len(attempts)-1]
	g := *last
	g.Attempts = last.Attempts
	g.Name = first.Name
	if last.Status == Completed {
		g.Name = last.Name
	}
	g.SpanID = "exec-" + j.group
	if last.StepOp == opRun {
		g.SpanID = "steprun-" + j.group
	}
	g.QueuedAt = first.QueuedAt
	l.ran(&g, first.StartedAt, last.EndedAt)
	if last.Name == nameSuccess {
		last.OutputID = ""
	}
	if last.Status == Failed {
		g.Attempts++
		if next := last.Attempts + 1; next < l.maxAttempts(j) {
			attempts = append(attempts, l.queued(last, next))
			g.Attempts--
			if g.Name != nameError {
				g.Status, g.OutputID = Running, ""
				l.ran(&g, first.StartedAt, 0)
			}
		}
	}
	for i, s := range attempts {
		s.Name, s.StepOp = "Attempt "+strconv.Itoa(i), last.StepOp
	}
	g.Children = attempts
	return &g
}

// maxAttempts is how often a job may be called.
func (l *legacy) maxAttempts(j *job) int {
	if l.env.Function != nil {
		return l.env.Function.MaxAttempts
	}
	c := j.last()
	if c.due > 0 {
		return c.attempt + 2
	}
	return c.attempt + 1
}

// attempt makes the span of one call; nil if it only planned.
func (l *legacy) attempt(c *call) *Span {
	s := l.child(derivedSpan(l.t.Run.ID, "legacy:"+callKey(c.job.id, c.attempt)), nameExecute, c.started, c.ended)
	s.QueuedAt, s.Attempts = c.queued, c.attempt
	switch {
	case !c.answered():
		return s
	case c.output && (c.answer.Count == 0 || !c.failed):
		return l.function(s, c)
	case c.output: // ops that failed the call
		return nil
	case c.gateway != nil:
		return l.requested(s, c)
	case c.idle():
		l.ran(s, c.started, 0)
		return s
	case width(c) > 1, len(c.ops) == 0, c.ops[0].Kind == engine.StepPlanned:
		return nil
	case c.ops[0].step.begin == c.ops[0].Lifecycle:
		return l.waits(s, c.ops[0].step)
	}
	return l.tried(s, c.ops[0])
}

// function describes an answer that was the function's result or error. The reference
// goes by the status code alone.
func (l *legacy) function(s *Span, c *call) *Span {
	out := l.callOutput(c)
	if len(out.data) == 0 {
		out.data = []byte("null")
	}
	s.Status, out.form = Completed, formPlain
	if c.succeeded() {
		s.Name = nameSuccess
	} else if c.due == 0 {
		s.Name = nameError
	}
	if !c.succeeded() || c.due > 0 {
		s.Status, out.form = Failed, formError
	}
	s.OutputID = l.keep(s.SpanID, out)
	return s
}

// succeeded says that an answer's status code is that of a result.
func (c *call) succeeded() bool {
	switch c.answer.Status {
	case http.StatusOK, http.StatusCreated:
		return !c.unread()
	case 0, http.StatusPartialContent: // of a durable endpoint, or an op
		return !c.failed
	}
	return false
}

// tried describes an answer that was a step's outcome.
func (l *legacy) tried(s *Span, o *outcome) *Span {
	s.Name, s.StepID = o.step.name, o.step.id
	s.Status = Completed
	if o.Kind != engine.StepCompleted {
		s.Status = Failed
	}
	switch o.Op {
	case engine.OpStep, engine.OpStepRun, engine.OpStepError:
		s.StepOp = opRun
	}
	if kind := stepType(o.Input); kind != "" && s.StepOp != "" {
		s.StepInfo = &RunInfo{Type: kind}
	}
	out := output{data: o.Payload, input: stepInput(o.Input)}
	switch {
	case o.Kind == engine.StepErrored:
		out.form = formError
	case o.Op == engine.OpStep:
		out.form = formWhole
	}
	s.OutputID = l.keep(s.SpanID, out)
	return s
}

// requested describes a call that asked for a request of the server.
func (l *legacy) requested(s *Span, c *call) *Span {
	st := c.gateway
	s.Name, s.StepID = cmp.Or(st.name, s.Name), st.id
	if st.begin.Op == engine.OpAIGateway {
		s.StepOp = opGateway
	}
	o := st.outcomeOf(c)
	if o == nil {
		l.ran(s, c.started, 0)
		return s
	}
	l.ran(s, c.started, max(o.At, c.started))
	s.Status = Completed
	out := output{data: o.Payload, form: formWhole, input: stepInput(st.begin.Input)}
	if o.Kind != engine.StepCompleted {
		s.Status = Failed
	}
	if o.Kind == engine.StepErrored {
		out.form = formError
	}
	s.OutputID = l.keep(s.SpanID, out)
	return s
}
