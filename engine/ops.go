package engine

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"ingot/internal/timefmt"

	"github.com/oklog/ulid/v2"
)

// Handling of the operations in an SDK's answer (spec 01 §9, §10; spec 03 §12, §13).

// maxRedrives is how many answers in a row may make no progress before such an
// answer counts as a failed attempt. The reference leaves such a run running for
// ever; here every run comes to an end.
const maxRedrives = 3

// ops applies the operations of one answer to the job that was called.
func (p *partition) ops(r *run, jobID uint32, res *Result) {
	if r.reqVersion == -1 && res.RequestVersion != 0 && slices.ContainsFunc(res.Ops, func(op Op) bool { return op.Code != OpNone }) {
		r.reqVersion = res.RequestVersion
	}
	if len(res.Ops) > maxOpsPerResponse {
		p.failEarly(r, stepLimitError(maxOpsPerResponse))
		return
	}
	h := opHandler{partition: p, r: r, jobID: jobID, res: res}
	h.group()
	// Waits and defers first: they must be in place before anything that another op
	// of this answer sets off (spec 01 §9.1).
	for first := true; ; first = false {
		for i := range res.Ops {
			op := &res.Ops[i]
			if r.ended {
				return
			}
			if (op.Code == OpWaitForEvent || op.Code.Lazy()) == first {
				h.op(op)
			}
		}
		if !first {
			break
		}
	}
	h.finish()
}

// opHandler is the context of one answer.
type opHandler struct {
	*partition
	r     *run
	jobID uint32
	res   *Result
	// kept says that the job goes on (a retry or a gateway), retried that it is a retry.
	kept    bool
	retried bool
	// lone says that the answer is not a parallel group but retries an erroring
	// step: the retry replays the function, so finished steps need no discovery.
	noFollow bool
	// failure is the first error of an op that makes the answer a failed attempt.
	failure string
	lazy    int
	idle    int // ops that are None without an id
}

// group decides about plan-forcing and the parallel group (spec 01 §10.3, §10.4).
func (h *opHandler) group() {
	working, plans, erring := 0, 0, false
	for i := range h.res.Ops {
		switch op := &h.res.Ops[i]; {
		case op.Code.Lazy():
			h.lazy++
			continue
		case op.Code.Plan():
			plans++
		case op.Code == OpStepError:
			erring = true
		case op.Code == OpNone && op.ID == "":
			h.idle++
		}
		working++
	}
	h.noFollow = erring && plans == 0
	if working <= 1 {
		return
	}
	h.r.forcePlan = true
	if h.r.reqVersion < 2 || plans == 0 {
		return
	}
	h.r.pending = h.r.pending[:0]
	for i := range h.res.Ops {
		if op := &h.res.Ops[i]; !op.Code.Lazy() && op.ID != "" && h.r.find(op.ID) < 0 {
			h.r.pending = append(h.r.pending, op.ID)
		}
	}
}

func (h *opHandler) op(op *Op) {
	switch op.Code {
	case OpNone:
	case OpStep, OpStepRun:
		h.stepDone(op, stepMemo(op), StepCompleted)
	case OpStepError:
		h.stepError(op)
	case OpStepFailed:
		h.stepDone(op, wrap("error", op.Error), StepFailed)
	case OpStepPlanned:
		if h.fresh(op) {
			h.addJob(h.r, job{kind: jobPlanned, state: jobReady, step: op.ID, name: op.label(), race: op.Race, originStep: h.cause()})
			h.record(&Lifecycle{Kind: StepPlanned}, op)
		}
	case OpSleep:
		h.sleep(op)
	case OpWaitForEvent:
		h.wait(op)
	case OpInvokeFunction:
		h.invoke(op)
	case OpWaitForSignal:
		h.waitSignal(op)
	case OpGateway, OpAIGateway:
		h.gateway(op)
	case OpRunComplete:
		if h.r.sync != nil {
			h.finishSync(h.r, op.Data)
			return
		}
		h.partition.finish(h.r, RunCompleted, op.Data, nil)
	case OpSyncRunComplete:
		h.finishSync(h.r, op.Data)
	case OpDiscoveryRequest:
		h.discover(h.r, "")
	case OpDeferAdd:
		h.deferAdd(h.r, op)
	case OpDeferAbort:
		h.deferAbort(h.r, op)
	}
}

// label is the name shown to users.
func (op *Op) label() string {
	switch {
	case op.DisplayName != "":
		return op.DisplayName
	case op.Name != "":
		return op.Name
	}
	return op.ID
}

// userlandID is the id that user code gave; the hashed one if it is not known.
func (op *Op) userlandID() string {
	var u struct{ ID string }
	if len(op.Userland) > 0 && json.Unmarshal(op.Userland, &u) == nil && u.ID != "" {
		return u.ID
	}
	return op.label()
}

func stepMemo(op *Op) []byte {
	if op.Code == OpStepRun {
		return wrap("data", op.Data)
	}
	if len(op.Data) == 0 {
		return jsonNull
	}
	return op.Data
}

// fresh reports whether the step is neither done nor on its way.
func (h *opHandler) fresh(op *Op) bool {
	return h.r.find(op.ID) < 0 && !h.r.stepPending(op.ID)
}

// record tells history of an op; l has what its kind has besides.
func (h *opHandler) record(l *Lifecycle, op *Op) {
	l.Job, l.Attempt = h.jobID, h.attempt()
	h.recordStep(h.r, l, op)
}

// recordStep tells history of an op of a run.
func (p *partition) recordStep(r *run, l *Lifecycle, op *Op) {
	l.At, l.Run, l.Fn = p.now, r.id, r.fn
	l.Op, l.Step, l.Name = op.Code, op.ID, op.label()
	l.Started, l.Duration = op.TimingStart/1e6, op.TimingDuration
	l.Meta = op.Metadata
	if l.Target == "" { // which came out of the options
		l.Input = op.Opts
	}
	p.outbox.add(l)
}

// cause is the step whose completion led to the call.
func (h *opHandler) cause() string {
	switch j := h.r.job(h.jobID); {
	case j == nil:
		return ""
	case j.kind == jobPlanned:
		return j.originStep
	default:
		return j.step
	}
}

func (h *opHandler) attempt() int {
	if j := h.r.job(h.jobID); j != nil {
		return j.attempt
	}
	return 0
}

// finish settles the job that was called.
func (h *opHandler) finish() {
	r := h.r
	if r.ended {
		return
	}
	if h.failure != "" && !h.kept {
		res := *h.res
		res.Error, res.Output = h.failure, nil
		h.attemptFailed(r, r.job(h.jobID), &res)
		return
	}
	if !h.kept {
		called := r.job(h.jobID)
		attempt, kind, step := called.attempt, called.kind, called.step
		h.removeJob(r, h.jobID)
		onlyIdle := h.lazy+h.idle == len(h.res.Ops)
		if !r.alive() || (onlyIdle && h.lazy > 0) {
			h.redrive(attempt, kind, step)
		}
	}
}

// redrive calls the function again after an answer that left nothing to wait for.
func (h *opHandler) redrive(attempt int, kind jobKind, step string) {
	r := h.r
	r.redrives++
	if r.redrives <= maxRedrives || h.lazy > 0 {
		h.discover(r, r.lastStep())
		return
	}
	// No progress: count it as a failed attempt of a job like the one called.
	h.addJob(r, job{kind: kind, state: jobIdle, step: step, attempt: attempt})
	res := *h.res
	res.Error, res.Output = "the function answered without a new step, a result or an error", nil
	h.attemptFailed(r, &r.jobs[len(r.jobs)-1], &res)
}

func (r *run) lastStep() string {
	if n := len(r.steps); n > 0 {
		return r.steps[n-1].ID
	}
	return ""
}

// discover adds a discovery call whose stack position is that of step.
func (p *partition) discover(r *run, step string) {
	p.addJob(r, job{kind: jobDiscovery, state: jobReady, step: step})
}

// stepDone memoises a step's outcome and continues the run.
func (h *opHandler) stepDone(op *Op, memo []byte, kind LifecycleKind) {
	if h.tooLarge(h.r, len(memo)) {
		return
	}
	if !h.r.stepKnown(op.ID) {
		h.record(&Lifecycle{Kind: kind, Payload: memo}, op)
	}
	h.memoise(h.r, op.ID, memo, op.Race, !h.noFollow)
}

func (r *run) stepKnown(id string) bool { return r.find(id) >= 0 }

// tooLarge fails the run if n more bytes would exceed its state limit.
func (p *partition) tooLarge(r *run, n int) bool {
	limit := p.stateLimit(r)
	if r.stateSize+int64(n) <= limit {
		return false
	}
	p.failEarly(r, stateLimitError(limit))
	return true
}

func (p *partition) stateLimit(r *run) int64 {
	if l := p.limits[r.fn]; l != nil && l.state > 0 {
		return l.state
	}
	return maxStateSize
}

// memoise saves a memo, the first one of a step winning, and makes the
// discovery that follows unless siblings of a parallel group are still out.
func (p *partition) memoise(r *run, step string, memo []byte, race, follow bool) {
	if i := r.find(step); i >= 0 {
		if r.followed[i] || !follow {
			return // a repeated report
		}
		r.followed[i] = true
		if i < r.saved {
			p.saveStep(&encoder{}, r, i)
		}
		p.touch(r)
	} else {
		r.addStep(Step{ID: step, Memo: memo}, follow)
		r.stateSize += int64(len(memo))
		r.redrives = 0
		p.touch(r)
	}
	if i := slices.Index(r.pending, step); i >= 0 {
		r.pending = slices.Delete(r.pending, i, i+1)
	}
	if !follow || (len(r.pending) > 0 && !race) {
		return
	}
	if r.reqVersion >= 2 {
		r.forcePlan = false
	}
	p.discover(r, step)
}

// resume completes the step that a job stood for. by is the event that did it; zero if
// there is none.
func (p *partition) resume(r *run, j *job, memo []byte, kind LifecycleKind, by ulid.ULID) {
	step, race := j.step, j.race
	p.outbox.add(&Lifecycle{Kind: kind, At: p.now, Run: r.id, Fn: r.fn, Job: j.id, Step: step, Name: j.name, Attempt: j.attempt, Payload: memo, Child: by})
	p.removeJob(r, j.id)
	if p.tooLarge(r, len(memo)) {
		return
	}
	p.memoise(r, step, memo, race, true)
}

// stepError retries the call, or memoises the error once attempts are used up.
func (h *opHandler) stepError(op *Op) {
	j := h.r.job(h.jobID)
	if j != nil && !h.res.NoRetry && j.attempt+1 < h.maxAttempts(h.r) {
		l := Lifecycle{Kind: StepErrored, Job: j.id, Attempt: j.attempt, Payload: op.Error}
		if !h.kept {
			h.kept, h.retried = true, true
			h.retry(h.r, j, h.res.RetryAt)
		}
		l.Due = j.due
		h.recordStep(h.r, &l, op)
		return
	}
	h.noFollow = false
	h.stepDone(op, wrap("error", op.Error), StepFailed)
}

// fail makes the answer a failed attempt.
func (h *opHandler) fail(text string) {
	if h.failure == "" {
		h.failure = text
	}
}

// sleep sets a timer (spec 01 §9.8).
func (h *opHandler) sleep(op *Op) {
	var opts struct{ Duration string }
	_ = json.Unmarshal(op.Opts, &opts)
	raw := opts.Duration
	if raw == "" {
		raw = op.Name
	}
	d, err := sleepDuration(raw, h.now)
	if err != nil {
		h.fail(err.Error())
		return
	}
	if d > maxWait {
		h.failEarly(h.r, timeoutTooLong("The sleep \""+raw+"\" ends more than one year in the future; sleeps may last at most one year."))
		return
	}
	if !h.fresh(op) {
		return
	}
	due := h.now + d.Milliseconds()
	h.addJob(h.r, job{kind: jobSleep, state: jobTimed, due: due, step: op.ID, name: op.label(), race: op.Race})
	h.record(&Lifecycle{Kind: StepSleeping, Due: due}, op)
}

func sleepDuration(raw string, now int64) (time.Duration, error) {
	if raw == "" {
		return 0, nil
	}
	if len(raw) >= 10 {
		if t, err := timefmt.ParseTime(raw); err == nil {
			return max(0, t.Sub(time.UnixMilli(now)).Round(time.Second)), nil
		}
	}
	return timefmt.ParseDuration(raw)
}

// wakeSleep memoises a sleep and calls the function as the same job (spec 01 §9.8).
func (p *partition) wakeSleep(r *run, j *job) {
	step, race, id := j.step, j.race, j.id
	p.outbox.add(&Lifecycle{Kind: StepCompleted, At: p.now, Run: r.id, Fn: r.fn, Job: id, Step: step, Name: j.name, Payload: jsonNull})
	j.kind = jobDiscovery
	j.race = false
	before, forcePlan := len(r.jobs), r.forcePlan
	p.memoise(r, step, jsonNull, race, true)
	// No call is added, so this completion does not end plan-forcing.
	r.forcePlan = forcePlan
	if len(r.jobs) > before {
		// The discovery is this job, not a further one.
		last := &r.jobs[len(r.jobs)-1]
		j = r.job(id)
		j.state, j.step = jobReady, last.step
		r.jobs = r.jobs[:len(r.jobs)-1]
		return
	}
	p.removeJob(r, id)
}

// timeout resolves a wait's timeout text to unix ms (spec 01 §1.4).
func (h *opHandler) timeout(raw string) (int64, bool) {
	at, err := timefmt.ParseTimeout(raw, time.UnixMilli(h.now))
	if err != nil {
		h.fail(err.Error())
		return 0, false
	}
	return at.UnixMilli(), true
}

// gateway turns the job into an HTTP request that the server makes.
func (h *opHandler) gateway(op *Op) {
	if !h.fresh(op) {
		return
	}
	j := h.r.job(h.jobID)
	g := job{kind: jobGateway, state: jobReady, step: op.ID, name: op.label(), race: op.Race,
		opts: op.Opts, ai: op.Code == OpAIGateway, origin: j.kind, originStep: j.step, attempt: j.attempt}
	if h.kept {
		h.addJob(h.r, g)
		return
	}
	h.kept = true
	g.id, g.gen = j.id, j.gen
	*j = g
	h.touch(h.r)
	h.enqueue(h.r)
}

// deferAdd records a run to start when this one ends (spec 01 §9.18). A
// violation never fails the run: the defer is recorded as rejected.
func (p *partition) deferAdd(r *run, op *Op) {
	const maxDefers, maxInput, maxMeta = 20, 4 << 20, 32 << 10
	total := 0
	for i := range r.defers {
		if r.defers[i].id == op.ID {
			return
		}
		total += len(r.defers[i].input)
	}
	if len(r.defers) >= maxDefers {
		return
	}
	var opts struct {
		FnSlug string          `json:"fn_slug"`
		Input  json.RawMessage `json:"input"`
		Meta   json.RawMessage `json:"meta"`
	}
	d := deferred{id: op.ID}
	isObject := func(b []byte) bool { return len(b) > 0 && b[0] == '{' }
	err := json.Unmarshal(op.Opts, &opts)
	noMeta := len(opts.Meta) == 0 || string(opts.Meta) == "null"
	if err != nil || opts.FnSlug == "" || !isObject(opts.Input) || total+len(opts.Input) > maxInput ||
		len(opts.Meta) > maxMeta || !(noMeta || isObject(opts.Meta)) {
		d.state = deferRejected
	} else {
		d.slug, d.input = opts.FnSlug, opts.Input
		if !noMeta {
			d.meta = opts.Meta
		}
	}
	r.defers = append(r.defers, d)
	l := Lifecycle{Kind: DeferAdded, At: p.now, Run: r.id, Fn: r.fn, Step: op.ID, Name: op.userlandID(), Target: opts.FnSlug}
	if d.state == deferRejected {
		l.Expr = "rejected"
	}
	p.outbox.add(&l)
	p.touch(r)
}

func (p *partition) deferAbort(r *run, op *Op) {
	var opts struct {
		Target string `json:"target_hashed_id"`
	}
	_ = json.Unmarshal(op.Opts, &opts)
	for i := range r.defers {
		if r.defers[i].id == opts.Target && r.defers[i].state == deferAfterRun {
			r.defers[i].state = deferAborted
			p.outbox.add(&Lifecycle{Kind: DeferEnded, At: p.now, Run: r.id, Fn: r.fn, Step: opts.Target, Expr: "aborted"})
			p.touch(r)
		}
	}
}

// usesEvent reports whether a condition refers to the triggering event.
func usesEvent(cond string) bool { return strings.Contains(cond, "event.") }
