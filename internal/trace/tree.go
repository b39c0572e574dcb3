package trace

import (
	"cmp"

	"ingot/engine"
	"ingot/storage/history"
)

// nodeKind is what a span of the tree stands for (spec 02 §10.3).
type nodeKind uint8

const (
	kindRun nodeKind = iota
	kindDiscovery
	kindExecution
	kindStep
	kindNonStep
	kindUser
)

// Names of spans that have no other.
const (
	nameRun       = "executor.run"
	nameDiscovery = "executor.step.discovery"
	nameExecution = "executor.execution"
	nameNonStep   = "executor.nonstep"
	finalization  = "Finalization"
)

// node is a span while the tree is being made.
type node struct {
	Span
	kind nodeKind
	// start orders siblings, unix ns; late comes after others of the same start, at (the
	// index of a record) decides between others, and the order in which nodes are made the rest.
	start int64
	late  bool
	at    int
	// drop marks executions that only found steps, final those that answered with the
	// function's result or error.
	drop, final bool
	children    []*node
}

// builder makes the nodes of one run.
type builder struct {
	*story
	trace string
	root  *node
	// spans finds what metadata is attached to, execs what user spans belong to.
	spans map[string]*node
	outs  []output
}

// Tree returns the run's trace as runTrace and /runs/{id}/trace show it (spec 02 §10.6,
// §10.7).
func Tree(t *history.Trace, env Env) *Span {
	b := build(t, &env)
	return b.shape()
}

func build(t *history.Trace, env *Env) *builder {
	b := &builder{story: read(t, env), spans: map[string]*node{}}
	b.buildRoot()
	for _, j := range b.order {
		b.discovery(j)
	}
	for _, st := range b.steps {
		b.stepNodes(st)
	}
	for _, c := range b.calls {
		if c.output && c.answered() {
			b.nonStep(c)
		}
	}
	b.userSpans()
	b.metadata()
	return b
}

// add makes a node below a parent.
func (b *builder) add(parent *node, kind nodeKind, spanID, name string) *node {
	n := &node{kind: kind}
	n.TraceID, n.SpanID, n.Name = b.trace, spanID, name
	if parent != nil {
		n.ParentID = parent.SpanID
		parent.children = append(parent.children, n)
	}
	if _, taken := b.spans[spanID]; !taken {
		b.spans[spanID] = n
	}
	return n
}

// ran sets a span's own times, unix ms. A span that has not ended has no end.
func (n *node) ran(queued, started, ended int64) {
	n.QueuedAt, n.ScheduledAt, n.StartedAt, n.EndedAt = queued, queued, started, ended
	n.start = max(queued, started) * 1e6
	if started != 0 && ended != 0 {
		d := ended - started
		n.Duration = &d
	}
}

func (b *builder) buildRoot() {
	trace, span := runTrace(b.t.Run.ID)
	b.trace = trace
	n := b.add(nil, kindRun, span, nameRun)
	b.root = n
	n.Status = b.status()
	queued := b.t.Run.QueuedAt
	if queued == 0 {
		queued = int64(b.t.Run.ID.Time())
	}
	n.ran(queued, b.startedAt(), b.endedAt())
	n.ScheduledAt = b.queuedAt()
	var id OutputID
	if out := b.result(); len(out.data) > 0 {
		id.Span = derivedSpan(b.t.Run.ID, "output")
		out.span = id.Span
		b.outs = append(b.outs, out)
	}
	if len(b.t.Run.Events) > 0 {
		id.Input = span
		b.outs = append(b.outs, output{span: span, events: true})
	}
	n.OutputID = b.outputID(id)
}

// discovery makes the group of a job's calls.
func (b *builder) discovery(j *job) {
	if len(j.calls) == 0 {
		return
	}
	first := j.calls[0]
	n := b.add(b.root, kindDiscovery, derivedSpan(b.t.Run.ID, "discovery:"+callKey(j.id, 0)), nameDiscovery)
	n.QueuedAt, n.start, n.at = first.queued, first.queued*1e6, first.at
	if first.planned != nil && first.planned.by != nil {
		n.at = first.planned.by.at // before the steps that were planned with it
	}
	if first.cause != nil || first.planned != nil {
		n.GroupID = j.group
	}
	if first.afterSleep() {
		// Its place is that of the wake, which is within the call's first moment; the
		// reference shows it after what the call brought.
		n.start, n.late = first.started*1e6, true
	}
	for _, c := range j.calls {
		b.execution(n, c)
	}
}

// execution makes the span of one call.
func (b *builder) execution(parent *node, c *call) {
	key := callKey(c.job.id, c.attempt)
	n := b.add(parent, kindExecution, derivedSpan(b.t.Run.ID, "call:"+key), nameExecution)
	n.Attempts, n.GroupID = c.attempt, c.job.group
	n.ran(c.queued, c.started, c.ended)
	n.Status = Running
	if !c.answered() {
		return
	}
	n.Status = Completed
	if c.answer != nil {
		n.Response = response(c.answer)
		n.Metadata = timing(c)
	}
	switch {
	case c.output:
		n.final = true
		if c.failed {
			n.Status = Failed
		}
		n.OutputID = b.output(n, b.callOutput(c))
	case c.gateway != nil:
		b.gatewayExecution(n, c)
	default:
		b.stepExecution(n, c)
	}
}

// stepExecution describes a call by what its answer brought. One that brought only steps
// to come is not shown.
func (b *builder) stepExecution(n *node, c *call) {
	n.drop = true
	for _, o := range c.ops {
		if o.Kind == engine.StepCompleted || o.Kind == engine.StepFailed || o.Kind == engine.StepErrored {
			n.drop = false
			if o.Kind != engine.StepCompleted {
				n.Status = Failed
			}
		}
	}
	if n.drop || len(c.ops) != 1 {
		return
	}
	b.describe(n, c.ops[0])
}

// gatewayExecution describes a call that asked for a request of the server: it lasts
// until that has ended.
func (b *builder) gatewayExecution(n *node, c *call) {
	o := c.gateway.outcomeOf(c)
	if o == nil {
		n.Status, n.Name = Running, cmp.Or(c.gateway.name, n.Name)
		n.StepID, n.StepOp, n.StepType = c.gateway.id, opGateway, opGateway
		n.EndedAt, n.Duration = 0, nil
		return
	}
	n.ran(c.queued, c.started, max(o.At, c.started))
	b.describe(n, o)
	if o.Kind != engine.StepCompleted {
		n.Status = Failed
	}
}

// outcomeOf returns what a call's request came to; nil if it has not ended.
func (st *step) outcomeOf(c *call) *outcome {
	for _, o := range st.tries {
		if o.call == c {
			return o
		}
	}
	if st.end != nil && st.end.call == c {
		return st.end
	}
	return nil
}

// nonStep makes the span of an answer that was the function's result or error.
func (b *builder) nonStep(c *call) {
	n := b.add(b.root, kindNonStep, seededSpan("nonstep:"+c.job.group+":"+callAttempt(c)), nameNonStep)
	n.at = c.at
	n.Attempts, n.GroupID = c.attempt, c.job.group
	n.ran(c.queued, c.started, c.ended)
	n.Status = Completed
	if c.failed {
		n.Status = Failed
	}
	n.OutputID = b.output(n, b.callOutput(c))
}
