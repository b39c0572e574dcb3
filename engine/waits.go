package engine

import (
	"encoding/json"
	"time"

	"ingot/engine/event"
	"ingot/engine/expr"

	"github.com/oklog/ulid/v2"
)

// Waits for events and cancellations by event (spec 01 §9.9, spec 03 §14, §17.1).

// wait makes a run wait for an event.
func (h *opHandler) wait(op *Op) {
	var opts struct{ Event, If, Timeout string }
	if len(op.Opts) > 0 {
		if err := json.Unmarshal(op.Opts, &opts); err != nil {
			h.fail("error reading wait options: " + err.Error())
			return
		}
	}
	name := opts.Event
	if name == "" {
		name = op.Name
	}
	if name == "" {
		h.fail("An event name must be provided when waiting for an event")
		return
	}
	due, ok := h.now, true
	if opts.Timeout != "" {
		if due, ok = h.timeout(opts.Timeout); !ok {
			return
		}
	}
	if due > h.now+maxWait.Milliseconds() {
		h.failEarly(h.r, timeoutTooLong("The wait-for-event timeout \""+opts.Timeout+"\" expires more than one year in the future; timeouts may last at most one year."))
		return
	}
	cond, err := h.interpolate(h.r, opts.If)
	if err != nil {
		h.failEarly(h.r, &runError{name: "InvalidExpression", message: "Wait for event If expression failed to compile", stack: err.Error()})
		return
	}
	if !h.fresh(op) {
		return
	}
	h.addJob(h.r, job{kind: jobWait, state: jobTimed, due: max(due, h.now), step: op.ID, name: op.label(), race: op.Race, event: name, expr: cond})
	h.record(&Lifecycle{Kind: StepWaiting, Target: name, Expr: cond, Due: max(due, h.now)}, op)
}

// interpolate fixes the run's triggering event into a condition and checks it.
func (p *partition) interpolate(r *run, cond string) (string, error) {
	if cond == "" {
		return "", nil
	}
	if _, err := expr.Compile(cond); err != nil {
		return "", err
	}
	if !usesEvent(cond) {
		return cond, nil
	}
	fixed, err := expr.InterpolateJSON(cond, firstEvent(r.events))
	if err != nil {
		return "", err
	}
	_, err = expr.Compile(fixed)
	return fixed, err
}

// addPause indexes a wait or cancellation.
func (p *partition) addPause(r *run, j *job) {
	p.waits.add(j.event, waitRef{r.id, j.id}, j.expr)
	p.names.add(j.event, p.id)
	e := encoder{b: p.enc.b[:0]}
	e.byte(recordVersion)
	e.str(j.event)
	e.str(j.expr)
	p.enc.b = e.b
	p.batch.Put(TablePause, jobKey(p.key[:0], r.id, j.id), e.b)
}

func (p *partition) removePause(r *run, j *job) {
	p.waits.remove(j.event, waitRef{r.id, j.id}, j.expr)
	p.names.remove(j.event, p.id)
	p.batch.Delete(TablePause, jobKey(p.key[:0], r.id, j.id))
}

// event takes one event: it resumes and cancels runs that wait for it, then
// starts the functions it triggers. Waits come first, so an event never matches
// a wait or cancellation of a run that it starts itself.
func (p *partition) event(ev *routedEvent) {
	if p.waits.has(ev.Name) {
		var refs []waitRef
		p.at = blame{}
		p.waits.candidates(ev.Name, ev.json, func(ref waitRef) { refs = append(refs, ref) })
		for _, ref := range refs {
			p.at = blame{run: ref.run}
			p.match(ref, ev)
		}
	}
	if f := ev.refused; f != nil {
		p.at = blame{run: f.run}
		p.invokeDone(&message{run: f.run, step: f.step, body: f.memo})
	}
	for _, fn := range ev.fns {
		p.at = blame{fn: fn.ID, event: ev.InternalID}
		if reason, ok := p.condemned(p.at); ok {
			p.buryEvents(fn.ID, ev.InternalID, []ulid.ULID{ev.InternalID}, [][]byte{ev.json}, reason)
			continue
		}
		p.trigger(fn, ev)
	}
}

// match evaluates a candidate's condition in full and acts on it.
func (p *partition) match(ref waitRef, ev *routedEvent) {
	r := p.load(ref.run)
	if r == nil {
		return
	}
	j := r.job(ref.job)
	if j == nil || j.event != string(ev.Name) || j.due <= p.now {
		return // expired: its timer is about to say so
	}
	if j.expr != "" {
		ok, err := p.evaluate(j.expr, ev)
		if err != nil {
			p.log.Debug("a wait's condition could not be evaluated; taken as false", "run", r.id.String(), "condition", j.expr, "error", err)
		}
		if !ok {
			return
		}
	}
	if j.kind == jobCancelOn {
		r.trace = ev.TraceRoot() // what follows is the event's doing
		p.end(r, &Lifecycle{Kind: RunCancelled, Child: ev.InternalID, Expr: j.expr}, nil, nil)
		return
	}
	p.resume(r, j, ev.json, StepCompleted, ev.InternalID)
}

func (p *partition) evaluate(cond string, ev *routedEvent) (bool, error) {
	e, err := expr.Compile(cond)
	if err != nil {
		return false, err
	}
	return e.BoolJSON(expr.JSON{Async: ev.json, Canonical: true, Now: time.UnixMilli(p.now)})
}

// eventRecord is the body of a msgEvent.
func eventRecord(ev *event.Event) []byte { return ev.AppendRecord(nil) }
