package engine

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"ingot/engine/function"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Dispatching jobs and taking their answers.

// JobID is a job's opaque id on the wire (the reference's queue item id).
func JobID(run ulid.ULID, job uint32) string {
	var b [20]byte
	return ids.Hash36(jobKey(b[:0], run, job))
}

// QueueRef is a job's id as SDKs echo it in checkpoints: base64 of
// "<job id>::<shard>" (spec 01 §7.3).
func QueueRef(jobID string) string {
	return base64.StdEncoding.EncodeToString([]byte(jobID + "::default"))
}

// mayRun checks the limits that end a run before a call (spec 03 §10.6).
func (p *partition) mayRun(r *run) bool {
	fn := p.fn(r)
	if fn == nil {
		p.buryRun(r, "its function is not registered")
		return false
	}
	limit := maxSteps
	if l := p.limits[r.fn]; l != nil && l.steps > 0 {
		limit = l.steps
	}
	if len(r.steps) >= limit {
		p.failLimit(r, stepLimitError(limit))
		return false
	}
	t := fn.Timeouts
	if (t.Start > 0 && r.startedAt == 0 && p.now-int64(r.id.Time()) > t.Start.Milliseconds()) ||
		(t.Finish > 0 && r.startedAt != 0 && p.now-r.startedAt > t.Finish.Milliseconds()) {
		p.finish(r, RunCancelled, nil, nil)
		return false
	}
	return true
}

// start notes a run's first call.
func (p *partition) start(r *run, fn *function.Function) {
	r.startedAt = p.now
	p.touch(r)
	if j := r.jobFor(jobStartTimeout, ""); j != nil {
		p.removeJob(r, j.id)
	}
	if fn.Timeouts.Finish > 0 {
		p.addJob(r, job{kind: jobFinishTimeout, state: jobTimed, due: p.now + fn.Timeouts.Finish.Milliseconds()})
	}
	r.leaveStarts()
	p.outbox.add(&Lifecycle{Kind: RunStarted, At: p.now, Run: r.id, Fn: r.fn})
}

// call dispatches a ready job of a lane's run, or of a single one in the zero lane; its effect
// leaves with the commit.
func (p *partition) call(l *lane, s singleID, r *run, id uint32) {
	fn := p.fn(r)
	for _, g := range l.gates {
		p.take(g, r)
	}
	if !l.start && p.starts(fn, r) {
		for _, g := range p.firstGates(l) {
			p.take(g, r)
		}
	}
	switch lim := r.limits; {
	case r.startedAt == 0:
		p.start(r, fn)
	case lim != nil && lim.displaced:
		lim.displaced = false
		r.leaveStarts()
		p.touch(r)
	}
	j := r.job(id)
	j.state = jobInFlight
	if j.kind != jobGateway {
		j.gen++
	}
	ref := CallRef{Partition: p.id, RunID: r.id, Job: j.id, Generation: j.gen}
	started := Lifecycle{Kind: CallStarted, At: p.now, Run: r.id, Fn: r.fn, Job: j.id, Attempt: j.attempt, Step: j.step}
	if j.kind == jobDiscovery {
		started.Flags = FlagDiscovery
	}
	info := callInfo{fn: r.fn, bytes: r.stateSize, lane: l, gates: l.gates, single: s}
	for _, ev := range r.events {
		info.bytes += int64(len(ev))
	}
	p.calls[ref] = info
	p.callBytes += info.bytes
	l.q.inFlight++
	l.calls++
	if s != 0 {
		p.singles.get(s).state = singleCalled
	}
	if j.kind == jobGateway {
		started.Op, started.Name, started.Input = OpGateway, j.name, j.opts
		if j.ai {
			started.Op = OpAIGateway
		}
		p.outbox.add(&started)
		p.out.gateways = append(p.out.gateways, &GatewayCall{Ref: ref, FnID: r.fn, AI: j.ai, StepID: j.step, Opts: j.opts})
		return
	}
	p.outbox.add(&started)
	var seed [24]byte
	c := &Call{
		Ref: ref, Fn: fn, URL: fn.URL,
		JobID:            JobID(r.id, j.id),
		Trace:            r.trace,
		RequestID:        ids.Derive(p.now, appendUint32(jobKey(seed[:0], r.id, j.id), j.gen)),
		StepID:           "step",
		Attempt:          j.attempt,
		MaxAttempts:      p.maxAttempts(r),
		RequestVersion:   r.reqVersion,
		DisableImmediate: r.forcePlan,
		Events:           r.events,
		Steps:            r.steps[:len(r.steps):len(r.steps)],
		Order:            slices.Clone(r.order),
		Stack:            r.stack[:len(r.stack):len(r.stack)],
		StateSize:        r.stateSize,
		Inputs:           r.inputs,
	}
	if j.kind == jobPlanned {
		// The position stays that of the call that planned the step.
		c.StepID = j.step
		c.Current = r.position(j.originStep)
	} else {
		c.Current = r.position(j.step)
	}
	for i := range r.defers {
		d := &r.defers[i]
		c.Defers = append(c.Defers, DeferRef{ID: d.id, Abortable: d.state == deferAfterRun})
	}
	if s := r.sync; s != nil {
		c.Sync = &SyncCall{Method: s.method, URL: s.url, ContentType: s.contentType, Body: s.body}
	}
	p.out.calls = append(p.out.calls, c)
}

// answered gives a call's slot back and finds its job. A stale answer (the run
// has ended, or the job was cancelled meanwhile) gives nil.
func (p *partition) answered(ref CallRef) (*run, *job) {
	info, ok := p.calls[ref]
	if !ok {
		return nil, nil
	}
	delete(p.calls, ref)
	p.callBytes -= info.bytes
	q := p.queue(info.fn)
	q.inFlight--
	if info.lane.calls--; info.lane.calls == 0 {
		p.idle = append(p.idle, info.lane)
	}
	if info.single != 0 {
		p.restSingle(info.single)
	}
	p.look()
	for _, g := range info.gates {
		if g.kind == flowConcurrency {
			p.give(g)
		}
	}
	p.turn(q)
	r := p.runs[ref.RunID]
	if r == nil || r.ended {
		return nil, nil
	}
	j := r.job(ref.Job)
	if j == nil || j.state != jobInFlight || j.gen != ref.Generation {
		return nil, nil
	}
	j.state = jobIdle
	p.touch(r)
	return r, j
}

// result takes the answer of user code (spec 01 §8.1, §11).
func (p *partition) result(res *Result) {
	r, j := p.answered(res.Ref)
	if r == nil {
		return
	}
	switch {
	case res.ErrorCode == CodeShutdown:
		j.state = jobReady // no attempt: this server gave it up
		p.enqueue(r)
	case res.ErrorCode == CodeFault && j.kind != jobGateway:
		p.callFaulted(r, j, res)
	case res.Error != "":
		p.attemptFailed(r, j, res)
	case res.Ops != nil:
		l := p.callEnded(r, j, res)
		for i := range res.Ops {
			switch op := &res.Ops[i]; {
			case op.Code == OpRunComplete:
				l.Flags = FlagOutput
			case op.Code == OpNone && op.ID == "":
				l.Count--
			}
		}
		p.outbox.add(l)
		p.ops(r, j.id, res)
	default:
		l := p.callEnded(r, j, res)
		l.Flags = FlagOutput
		p.outbox.add(l)
		p.end(r, &Lifecycle{Kind: RunCompleted, Flags: textFlag(res)}, res.Output, nil)
	}
}

// callFaulted makes a call again that this server has failed at, or puts its run aside.
func (p *partition) callFaulted(r *run, j *job, res *Result) {
	l := p.callEnded(r, j, res)
	l.Name = res.Error
	p.outbox.add(l)
	p.faulted(r, j, "a call: "+res.Error)
}

// faulted does a job again that this server has failed at, or puts its run aside.
func (p *partition) faulted(r *run, j *job, what string) {
	if j.faults++; j.faults >= maxFaults {
		j.state, j.faults = jobReady, 0 // what it is when it is redriven
		p.buryRun(r, fmt.Sprintf("the server failed %d times at %s", maxFaults, what))
		return
	}
	j.state = jobTimed
	j.due = p.now + retryDelay(p.set.retryInterval, j.attempt, r.id, j.id).Milliseconds()
	p.schedule(r.id, j.due, j.id)
}

// attemptFailed retries a job, or fails the run once its attempts are used up.
func (p *partition) attemptFailed(r *run, j *job, res *Result) {
	l := p.callEnded(r, j, res)
	l.Name = res.Error
	if !res.NoRetry && j.attempt+1 < p.maxAttempts(r) {
		p.retry(r, j, res.RetryAt)
		l.Due, l.Payload, l.Flags = j.due, res.Output, textFlag(res)
		if len(l.Payload) == 0 {
			l.Payload = attemptError(res).json()
		}
		p.outbox.add(l)
		return
	}
	l.Flags = FlagOutput
	p.outbox.add(l)
	p.end(r, &Lifecycle{Kind: RunFailed, Flags: textFlag(res)}, res.Output, attemptError(res))
}

// textFlag marks an output that was no JSON.
func textFlag(res *Result) LifecycleFlags {
	if res.Text {
		return FlagText
	}
	return 0
}

// callEnded is what history keeps of an answer.
func (p *partition) callEnded(r *run, j *job, res *Result) *Lifecycle {
	return &Lifecycle{
		Kind: CallEnded, At: p.now, Run: r.id, Fn: r.fn, Job: j.id, Attempt: j.attempt, Count: len(res.Ops),
		Started: res.StartedAt, Duration: res.Duration, Status: res.Status, Header: res.Header, Size: res.Size,
	}
}

// retry puts a job back for its next attempt, at the given unix ms or after the back-off.
func (p *partition) retry(r *run, j *job, at int64) {
	if at == 0 {
		at = p.now + retryDelay(p.set.retryInterval, j.attempt, r.id, j.id).Milliseconds()
	}
	j.attempt++
	j.faults = 0
	j.state = jobTimed
	j.due = at
	p.touch(r)
	p.schedule(r.id, at, j.id)
}

// gatewayResult takes the outcome of an HTTP request made for a step: the memo,
// or another attempt of the call that asked for it (spec 01 §9.12). What this server has
// failed at is requested again.
func (p *partition) gatewayResult(res *GatewayResult) {
	r, j := p.answered(res.Ref)
	if r == nil {
		return
	}
	switch {
	case res.ErrorCode == CodeShutdown:
		j.state = jobReady
		p.enqueue(r)
	case res.ErrorCode == CodeFault:
		l := requestErrored(p.now, r, j, res)
		p.faulted(r, j, "a request: "+errorMessage(res.Error))
		if j.state == jobTimed {
			l.Due = j.due
		}
		p.outbox.add(&l)
	case res.Error == nil:
		p.resume(r, j, wrap("data", res.Data), StepCompleted, ulid.ULID{})
	case j.attempt+1 < p.maxAttempts(r):
		l := requestErrored(p.now, r, j, res)
		j.kind, j.step, j.opts = j.origin, j.originStep, nil
		p.retry(r, j, 0)
		l.Due = j.due
		p.outbox.add(&l)
	default:
		p.resume(r, j, wrap("error", res.Error), StepFailed, ulid.ULID{})
	}
}

// requestErrored is what history keeps of a request that will be made again.
func requestErrored(now int64, r *run, j *job, res *GatewayResult) Lifecycle {
	return Lifecycle{Kind: StepErrored, At: now, Run: r.id, Fn: r.fn, Job: j.id, Step: j.step, Name: j.name, Attempt: j.attempt, Payload: res.Error}
}

// errorMessage is the message of an error object.
func errorMessage(raw []byte) string {
	var e struct{ Message string }
	_ = json.Unmarshal(raw, &e) // without one there is none
	return e.Message
}

// wrap returns {"<key>":<value>}; a missing value is null.
func wrap(key string, value []byte) []byte {
	if len(value) == 0 {
		value = jsonNull
	}
	b := make([]byte, 0, len(key)+len(value)+5)
	b = append(b, '{', '"')
	b = append(b, key...)
	b = append(b, '"', ':')
	b = append(b, value...)
	return append(b, '}')
}
