package trace

import (
	"bytes"
	"encoding/json"
	"strconv"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// trySpan is the span of an attempt that was made again.
func trySpan(o *outcome) string { return seededSpan(o.step.id + ":" + strconv.Itoa(o.Attempt)) }

func callAttempt(c *call) string { return strconv.Itoa(c.attempt) }

// stepNodes makes the spans of a step: one for each attempt that will be made again, and
// one for its outcome, or what it waits for.
func (b *builder) stepNodes(st *step) {
	for _, o := range st.tries {
		n := b.add(b.root, kindStep, trySpan(o), st.name)
		n.at = o.at
		b.ranAs(n, o)
		n.Status = Failed
		b.describe(n, o)
	}
	switch {
	case st.begin != nil && !st.gateway:
		b.begun(st)
	case st.end != nil:
		n := b.add(b.root, kindStep, seededSpan(st.id), st.name)
		n.at = st.done
		b.finished(n, st.end)
	}
}

// finished describes a step by its end.
func (b *builder) finished(n *node, o *outcome) {
	b.ranAs(n, o)
	n.Status = Completed
	if o.Kind == engine.StepFailed {
		n.Status = Failed
	}
	b.describe(n, o)
}

// ranAs sets when an attempt at a step ran: as its SDK says, else as long as its call.
func (b *builder) ranAs(n *node, o *outcome) {
	queued, started, ended := o.At, o.At, o.At
	if c := o.call; c != nil {
		queued, started = c.queued, c.started
		n.GroupID = c.job.group
		if c.gateway == o.step {
			started = c.requested
		}
		if n.QueuedAt != 0 {
			queued = n.QueuedAt // planned before
		}
	}
	if o.Started > 0 && !(o.call != nil && o.call.gateway == o.step) {
		started = o.Started
		ended = o.Started + max(o.Duration/1e6, 1) // spec 02 §6.10
		if o.call == nil {
			queued = started
		}
	}
	n.ran(queued, started, max(ended, started))
	n.start = started * 1e6
}

// begun makes the span of a step that was announced.
func (b *builder) begun(st *step) {
	seed := st.id
	if st.begin.Kind == engine.StepSleeping {
		seed = "sleep-step:" + st.id
	}
	n := b.add(b.root, kindStep, seededSpan(seed), st.name)
	n.Attempts = 0
	n.QueuedAt, n.start, n.at = st.begin.At, st.begin.At*1e6, st.first
	if st.begin.Kind == engine.StepPlanned {
		n.ScheduledAt = st.begin.At
		if st.end != nil {
			b.finished(n, st.end)
			return
		}
		n.Status = Queued
		n.StepID = st.id
		n.StepOp, n.StepType = opRun, opRun
		runInfo(n, st.begin.Input)
		n.OutputID = b.output(n, output{input: stepInput(st.begin.Input)})
		return
	}
	b.waiting(n, st)
}

// waiting describes a sleep, a wait or an invocation.
func (b *builder) waiting(n *node, st *step) {
	l := st.begin
	if st.by != nil {
		n.GroupID = st.by.job.group
	}
	var ended int64
	if st.end != nil {
		ended = max(st.end.At, l.At)
	}
	n.ran(l.At, l.At, ended)
	n.StepID = st.id
	n.StepOp, n.StepInfo = b.waitInfo(st)
	n.StepType = n.StepOp
	n.Status = Waiting
	if l.Kind == engine.StepInvoking {
		n.Status = Running
	}
	if st.end == nil {
		return
	}
	n.Status = Completed
	if isError(st.end.Payload) {
		n.Status = Failed
	}
	if l.Kind != engine.StepSleeping && string(st.end.Payload) != "null" {
		n.OutputID = b.output(n, output{data: st.end.Payload})
	}
}

// waitInfo is what a step waits for.
func (s *story) waitInfo(st *step) (op string, info any) {
	l := st.begin
	var timedOut *bool
	var found ulid.ULID
	if st.end != nil {
		late := st.end.Kind == engine.StepTimedOut
		timedOut, found = &late, st.end.Child
	}
	switch {
	case l.Kind == engine.StepSleeping:
		return opSleep, &SleepInfo{SleepUntil: l.Due}
	case l.Kind == engine.StepInvoking:
		info := &InvokeInfo{TriggeringEvent: l.Child, FunctionID: l.Target, Timeout: l.Due, TimedOut: timedOut}
		s.invoked(st, info)
		return opInvoke, info
	case l.Op == engine.OpWaitForSignal:
		return opWaitSignal, &SignalInfo{Signal: l.Target, Timeout: l.Due, TimedOut: timedOut}
	}
	return opWaitEvent, &EventInfo{EventName: l.Target, Expression: l.Expr, Timeout: l.Due, FoundEvent: found, TimedOut: timedOut}
}

// describe sets what an attempt at a step says about itself.
func (b *builder) describe(n *node, o *outcome) {
	n.Name, n.StepID, n.Attempts = o.step.name, o.step.id, o.Attempt
	n.StepOp = stepOp(o)
	n.StepType = n.StepOp
	input := o.Input
	if len(input) == 0 && o.step.begin != nil {
		input = o.step.begin.Input
	}
	if n.StepOp == opRun || n.StepOp == opGateway {
		runInfo(n, input)
	}
	out := output{data: o.Payload, input: stepInput(input)}
	if o.Kind == engine.StepErrored {
		out.form = formError
	}
	n.OutputID = b.output(n, out)
}

// runInfo sets what the options of a step say about its kind.
func runInfo(n *node, opts []byte) {
	kind := stepType(opts)
	if n.StepOp == opRun {
		n.StepInfo = &RunInfo{Type: kind}
	}
	if kind != "" {
		n.StepType = kind
	}
}

// stepType is the type in a step's options, such as step.ai.wrap; empty if there is none.
func stepType(opts []byte) string {
	var in struct{ Type string }
	if bytes.Contains(opts, []byte(`"type"`)) {
		_ = json.Unmarshal(opts, &in) // other options are no matter of ours
	}
	return in.Type
}
