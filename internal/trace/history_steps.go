package trace

import (
	"ingot/engine"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// callEnded tells of an answer. One that was the outcome of a single step is told as the
// step's.
func (h *items) callEnded(l *engine.Lifecycle) {
	c := h.callOf(l)
	if c == nil || c.answer != l {
		return // ops that failed the call afterwards
	}
	if c.idle() {
		h.scheduleNext(l, c)
		return
	}
	kind := "StepCompleted"
	name, of := "step", c.outcome()
	switch {
	case of != nil:
		name = of.step.name
		switch of.Kind {
		case engine.StepErrored:
			kind = "StepErrored"
		case engine.StepFailed:
			kind = "StepFailed"
		}
	case c.failed && c.due > 0:
		kind = "StepErrored"
	case c.failed:
		kind = "StepFailed"
	}
	it := h.add(l, kind, c.job.group)
	it.Attempt, it.StepName, it.URL, it.Result, it.Output = l.Attempt, name, h.url(), callResult(c), l.Payload
	if of != nil {
		it.StepType, it.Output = historyType(of), of.Payload
	}
	if c.due > 0 && c.gateway == nil {
		next := h.add(l, "StepScheduled", c.job.group)
		next.Attempt, next.StepName = l.Attempt+1, name
	}
}

// callOf is the call that an answer's record is about.
func (s *story) callOf(l *engine.Lifecycle) *call {
	j := s.jobs[l.Job]
	if j == nil {
		return nil
	}
	for _, c := range j.calls {
		if c.attempt == l.Attempt {
			return c
		}
	}
	return nil
}

// outcome is what a call's answer said of the only step that it told of; nil if it told of
// none or several.
func (c *call) outcome() *outcome {
	if c.output || width(c) != 1 || len(c.ops) != 1 {
		return nil
	}
	switch o := c.ops[0]; o.Op {
	case engine.OpStep, engine.OpStepRun, engine.OpStepError:
		return o
	}
	return nil
}

// historyType is the step type of an outcome: Send for steps that send events.
func historyType(o *outcome) string {
	if stepType(o.Input) == "step.sendEvent" {
		return "Send"
	}
	return "Run"
}

// scheduleNext tells that the function is called again after an answer that brought nothing.
func (h *items) scheduleNext(l *engine.Lifecycle, c *call) {
	group := groupOfStep(h.t.Run.ID, "after:"+callKey(c.job.id, c.attempt))
	for i, other := range h.calls {
		if other == c && i+1 < len(h.calls) {
			group = h.calls[i+1].job.group
		}
	}
	h.add(l, "StepScheduled", group)
}

// stepBegun tells of a sleep, a wait or an invocation. It has the group of its call,
// unless that brought several.
func (h *items) stepBegun(l *engine.Lifecycle) {
	st := h.byID[l.Step]
	if st == nil || st.begin != l {
		return
	}
	group := h.waitGroup(st)
	switch l.Kind {
	case engine.StepSleeping:
		it := h.add(l, "StepSleeping", group)
		it.StepName, it.SleepUntil = l.Name, l.Due
	case engine.StepInvoking:
		it := h.add(l, "StepInvoking", group)
		it.StepName = l.Name
		it.Invoke = &InvokeRequest{Event: l.Child, FunctionID: l.Target, CorrelationID: h.t.Run.ID.String() + "." + l.Step, Timeout: l.Due}
	default:
		it := h.add(l, "StepWaiting", group)
		it.StepName = l.Name
		if l.Op != engine.OpWaitForSignal {
			it.WaitForEvent = &EventInfo{EventName: l.Target, Expression: l.Expr, Timeout: l.Due}
		}
	}
}

func (s *story) waitGroup(st *step) string {
	if st.by != nil && width(st.by) < 2 {
		return st.by.job.group
	}
	return ids.StepGroup(s.t.Run.ID, st.id).String()
}

// stepEnded tells of the end of what was waited for, and of the call that follows.
func (h *items) stepEnded(l *engine.Lifecycle) {
	st := h.byID[l.Step]
	if st == nil || st.end == nil || st.end.Lifecycle != l || l.Flags&engine.FlagCheckpoint != 0 {
		return
	}
	if st.begin != nil && st.begin.Kind != engine.StepPlanned && !st.gateway {
		h.waitEnded(l, st)
		return
	}
	h.add(l, "StepScheduled", h.groupOf(h.next, l.Step))
}

func (h *items) waitEnded(l *engine.Lifecycle, st *step) {
	if st.begin.Kind == engine.StepSleeping {
		return
	}
	kind, late := "StepCompleted", l.Kind == engine.StepTimedOut
	if st.begin.Kind == engine.StepInvoking && isError(l.Payload) {
		kind = "StepFailed"
	}
	it := h.add(l, kind, h.waitGroup(st))
	it.Output = l.Payload
	if !late {
		it.StepName = st.name
	}
	switch {
	case st.begin.Kind == engine.StepInvoking:
		var info InvokeInfo
		h.invoked(st, &info)
		it.InvokeResult = &InvokeResult{Event: info.ReturnEvent, Run: info.Run, TimedOut: late}
		it.Result = &CallResult{}
	case st.begin.Op != engine.OpWaitForSignal:
		it.WaitResult = &WaitResult{Event: found(l, late), TimedOut: late}
	}
}

// found is the event that ended a wait; zero if its time did.
func found(l *engine.Lifecycle, late bool) ulid.ULID {
	if late {
		return ulid.ULID{}
	}
	return l.Child
}
