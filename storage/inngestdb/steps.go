package inngestdb

import (
	"cmp"
	"encoding/json"

	"ingot/engine"
)

// jsonNull is the memo of a sleep, and of a wait whose time ended.
var jsonNull = []byte("null")

// step tells of a step: what announced it, and what became of it.
func (b *builder) step(s *span) {
	if s.attrs.text("step.id") == "" {
		b.faults.add("spans of steps without an id", b.id.String())
		return
	}
	code, _ := engine.ParseOpcode(s.attrs.text("step.op"))
	switch code {
	case engine.OpSleep, engine.OpWaitForEvent, engine.OpWaitForSignal, engine.OpInvokeFunction:
		b.waiting(s, code)
	case engine.OpGateway, engine.OpAIGateway:
		b.request(s, code)
	default:
		if f := s.has("Queued"); f != nil {
			c := b.callOf(s, engine.Opcode.Plan)
			b.add(after(c, f.start), b.about(s, c, engine.Lifecycle{Kind: engine.StepPlanned, Op: engine.OpStepPlanned, Input: options(s)}))
		}
		b.outcome(s, code)
	}
}

// about completes a record about a step that a call brought; c may be nil.
func (b *builder) about(s *span, c *call, l engine.Lifecycle) engine.Lifecycle {
	l.Step, l.Name = s.attrs.text("step.id"), s.attrs.text("step.name")
	if c != nil {
		l.Job = c.job.no
	}
	return l
}

// after is the place of something that a call brought: not before its answer.
func after(c *call, at int64) int64 {
	if c == nil {
		return at
	}
	return max(at, c.end())
}

// callOf finds the call that brought a step with an op of a kind: that of the same
// attempt, else any; nil if there is none.
func (b *builder) callOf(s *span, kind func(engine.Opcode) bool) *call {
	id, attempt := s.attrs.text("step.id"), int(s.attrs.number("step.attempt"))
	var found *call
	var taken *op
	for _, c := range b.calls {
		for i := range c.ops {
			o := &c.ops[i]
			if o.ID == id && !o.taken && kind(o.Code) && (found == nil || found.attempt != attempt && c.attempt == attempt) {
				found, taken = c, o
			}
		}
	}
	if taken != nil {
		taken.taken = true
	}
	return found
}

// outcome tells how an attempt at a step that runs user code ended, if it has.
func (b *builder) outcome(s *span, code engine.Opcode) {
	f := s.has("Completed", "Failed", "Errored")
	if f == nil {
		return
	}
	c := b.callOf(s, func(o engine.Opcode) bool { return !o.Plan() })
	started, ended := s.attrs.time("started_at"), s.attrs.time("ended_at")
	l := engine.Lifecycle{
		Op: cmp.Or(code, engine.OpStepRun), Attempt: int(s.attrs.number("step.attempt")), Started: started, Input: options(s),
	}
	if started != 0 && ended > started {
		l.Duration = (ended - started) * 1e6
	}
	if code == engine.OpStepPlanned {
		l.Op = engine.OpStepRun
	}
	if s.attrs.flag("checkpoint") {
		l.Flags = engine.FlagCheckpoint
	}
	b.settle(&l, s, f, c)
	b.add(after(c, f.start), b.about(s, c, l))
}

// settle sets what a step, or an attempt at it, came to.
func (b *builder) settle(l *engine.Lifecycle, s *span, f *fragment, c *call) {
	l.Kind, l.Payload = engine.StepCompleted, s.output
	if l.Payload == nil {
		l.Payload = jsonNull
	}
	switch f.status() {
	case "Failed":
		l.Kind = engine.StepFailed
	case "Errored":
		l.Kind = engine.StepErrored
		if err := member(s.output, "error"); err != nil {
			l.Payload = err
		}
		if c != nil {
			l.Due = c.due()
		}
	}
}

// request tells of a request that the server made for a step.
func (b *builder) request(s *span, code engine.Opcode) {
	c := b.callOf(s, func(o engine.Opcode) bool { return o == code })
	attempt := int(s.attrs.number("step.attempt"))
	begun := after(c, s.start())
	if c != nil {
		begun = c.end()
	}
	b.add(begun, b.about(s, c, engine.Lifecycle{Kind: engine.CallStarted, Op: code, Attempt: attempt, Input: options(s)}))
	f := s.has("Completed", "Failed", "Errored")
	if f == nil {
		return
	}
	l := engine.Lifecycle{Attempt: attempt, At: s.attrs.time("ended_at")}
	b.settle(&l, s, f, c)
	b.add(max(begun, f.start), b.about(s, c, l))
}

// waiting tells of a sleep, a wait or an invocation.
func (b *builder) waiting(s *span, code engine.Opcode) {
	begin := s.has("Sleeping", "Waiting", "Invoking", "Queued")
	if begin == nil {
		begin = s.fragments[0]
	}
	c := b.callOf(s, func(o engine.Opcode) bool { return o == code })
	at := after(c, begin.start)
	attrs := s.attrs
	l := engine.Lifecycle{Kind: engine.StepWaiting, Op: code, Due: attrs.time("step.wait.expiry"), Input: options(s)}
	switch code {
	case engine.OpSleep:
		l.Kind = engine.StepSleeping
		l.Due = cmp.Or(attrs.time("queued_at"), millis(at)) + attrs.number("step.sleep.duration")
	case engine.OpWaitForEvent:
		l.Target, l.Expr = attrs.text("step.wait_for_event.name"), attrs.text("step.wait_for_event.if")
	case engine.OpWaitForSignal:
		l.Target = attrs.text("step.signal.name")
	case engine.OpInvokeFunction:
		l.Kind = engine.StepInvoking
		l.Target, l.Child = attrs.text("step.invoke.function.id"), attrs.ulid("step.invoke.trigger.event.id")
	}
	b.add(at, b.about(s, c, l))
	if f := s.has("Completed", "Failed", "Errored", "TimedOut"); f != nil {
		b.add(max(at, f.start), b.waited(s, f, code))
	}
}

// waited is the end of a sleep, a wait or an invocation.
func (b *builder) waited(s *span, f *fragment, code engine.Opcode) engine.Lifecycle {
	l := engine.Lifecycle{Kind: engine.StepCompleted, At: f.attrs.time("ended_at"), Payload: jsonNull}
	if code != engine.OpSleep {
		l.Child = cmp.Or(s.attrs.ulid("step.wait_for_event.matched_id"), s.attrs.ulid("step.invoke.finish.event.id"))
		if s.output != nil {
			l.Payload = s.output
		}
		if f.status() == "TimedOut" || s.attrs.flag("step.wait.expired") {
			l.Kind = engine.StepTimedOut
		}
	}
	return b.about(s, nil, l)
}

// options makes of a step's columns what is kept of its `opts`; nil if they have nothing.
func options(s *span) []byte {
	kind := s.attrs.text("step.run.type")
	if s.input == nil && kind == "" {
		return nil
	}
	opts := map[string]any{}
	if kind != "" {
		opts["type"] = kind
	}
	switch {
	case s.input == nil:
	case kind == "step.ai.infer": // what is asked of a model has another name there
		opts["body"] = json.RawMessage(s.input)
	default:
		opts["input"] = json.RawMessage(s.input)
	}
	raw, err := json.Marshal(opts)
	if err != nil {
		return nil // cannot be: the input was read as JSON
	}
	return raw
}
