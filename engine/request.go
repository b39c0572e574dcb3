package engine

import (
	"encoding/base64"
	"encoding/json"

	"ingot/engine/function"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Requests of the API to a partition, answered when their effect is durable.

type requestKind uint8

const (
	reqCancel requestKind = iota + 1
	reqSignal
	reqCheckpoint
	reqStartSync
	reqState
	reqOutput
	reqForget // the caller of reqOutput has gone
	reqStepLimit
	reqStateLimit
	reqSetMode
	reqMode
	reqCancelBulk
	reqReplay
	reqListDead
	reqActOnDead
	reqLoads
)

type request struct {
	kind       requestKind
	run        ulid.ULID
	name       string // of a signal
	data       []byte
	checkpoint *Checkpoint
	sync       *SyncRun
	event      []byte // canonical JSON of a sync run's event
	fn         ids.UUID
	limit      int
	target     *request // of reqForget
	mode       FunctionMode
	bulk       *BulkCancel
	replay     *Replay
	dead       deadRequest

	done chan answer // has room for the one answer
}

type answer struct {
	val any
	err error
}

// answer queues a request's reply behind this round's commit.
func (p *partition) answer(req *request, val any, err error) {
	p.out.replies = append(p.out.replies, reply{req, val, err})
}

func (p *partition) request(req *request) {
	switch req.kind {
	case reqCancel:
		r := p.load(req.run)
		if r == nil {
			p.answer(req, nil, p.missing(req.run))
			return
		}
		p.finish(r, RunCancelled, nil, nil)
		p.answer(req, nil, nil)
	case reqSignal:
		p.signal(req)
	case reqCheckpoint:
		p.answer(req, nil, p.checkpoint(req.checkpoint))
	case reqStartSync:
		p.answer(req, nil, p.startSync(req))
	case reqState:
		r := p.load(req.run)
		if r == nil {
			p.answer(req, nil, ErrRunNotFound)
			return
		}
		p.answer(req, &RunState{Events: r.events, Steps: r.steps[:len(r.steps):len(r.steps)], Inputs: r.inputs}, nil)
	case reqOutput:
		p.output(req)
	case reqForget:
		p.forget(req.target)
	case reqStepLimit, reqStateLimit:
		p.setLimit(req)
		p.answer(req, nil, nil)
	case reqSetMode:
		p.setMode(req)
	case reqMode:
		p.answer(req, p.queue(req.fn).mode(), nil)
	case reqCancelBulk:
		p.beginBulk(req)
	case reqReplay:
		p.answer(req, nil, p.replay(req.replay))
	case reqListDead:
		p.listDead(req)
	case reqActOnDead:
		p.actOnDead(req)
	case reqLoads:
		p.answer(req, p.loads(), nil)
	}
}

// forget drops a caller that no longer waits for a run's end.
func (p *partition) forget(target *request) {
	waiting := p.outputs[target.run]
	for i, w := range waiting {
		if w == target {
			waiting = append(waiting[:i], waiting[i+1:]...)
			break
		}
	}
	if len(waiting) == 0 {
		delete(p.outputs, target.run)
		return
	}
	p.outputs[target.run] = waiting
}

// setLimit overrides a function's limits, for tests of users (spec 01 §16.2).
// Overrides last until the server stops, as in the reference.
func (p *partition) setLimit(req *request) {
	l := p.limits[req.fn]
	if l == nil {
		l = &limits{}
		p.limits[req.fn] = l
	}
	if req.kind == reqStepLimit {
		l.steps = min(max(req.limit, 0), maxStepLimit)
	} else {
		l.state = int64(max(req.limit, 0))
	}
}

// maxStepLimit is the highest step limit that an override may set (spec 03 §29).
const maxStepLimit = 10_000

// checkpoint saves steps that an SDK reports outside of an answer (spec 01 §13.3, §14.3).
func (p *partition) checkpoint(c *Checkpoint) error {
	r := p.load(c.RunID)
	if r == nil {
		return ErrRunNotFound
	}
	if c.Sync {
		p.syncSteps(r, c.Ops)
		return nil
	}
	if c.JobID != "" && !r.hasJob(c.JobID) {
		return &CheckpointError{400, "queue item not found: the call that reports these steps has ended"}
	}
	size := 0
	for i := range c.Ops {
		if !c.Ops[i].Code.Sync() {
			return &CheckpointError{400, "cannot checkpoint async steps"}
		}
		size += len(c.Ops[i].Data)
	}
	if r.stateSize+int64(size) > p.stateLimit(r) {
		return ErrStateTooLarge
	}
	for i := range c.Ops {
		op := &c.Ops[i]
		switch op.Code {
		case OpStep, OpStepRun:
			p.saveCheckpointed(r, op)
		case OpStepPlanned:
		case OpDeferAdd:
			p.deferAdd(r, op)
		case OpDeferAbort:
			p.deferAbort(r, op)
		default:
			return &CheckpointError{400, "cannot checkpoint opcode: " + op.Code.String()}
		}
	}
	return nil
}

// saveCheckpointed memoises a step whose call goes on: no discovery follows.
func (p *partition) saveCheckpointed(r *run, op *Op) {
	if r.find(op.ID) >= 0 {
		return
	}
	memo := stepMemo(op)
	p.recordStep(r, &Lifecycle{Kind: StepCompleted, Flags: FlagCheckpoint, Payload: memo}, op)
	p.memoise(r, op.ID, memo, op.Race, false)
}

func (r *run) hasJob(jobID string) bool {
	for i := range r.jobs {
		if JobID(r.id, r.jobs[i].id) == jobID {
			return true
		}
	}
	return false
}

// startSync creates the run of a durable endpoint. It has no job until the
// endpoint reports something that must go on without it (spec 01 §14.2).
func (p *partition) startSync(req *request) error {
	s := req.sync
	if p.load(s.RunID) != nil {
		return ErrRunExists
	}
	if _, dead := p.condemned(blame{run: s.RunID}); dead {
		return ErrInternal
	}
	if out, _ := p.storedOutput(s.RunID); out != nil {
		return ErrRunExists
	}
	fn := p.snapshot.ByID[ids.UUID(s.FnID)]
	if fn == nil {
		return ErrRunNotFound
	}
	r := p.createRun(fn, &newRun{id: s.RunID, events: [][]byte{req.event}, ids: []ulid.ULID{s.Event.InternalID}, flags: FlagSync})
	r.startedAt = p.now
	if s.RequestVersion != 0 {
		r.reqVersion = s.RequestVersion
	}
	r.maxAttempts = s.MaxAttempts
	r.sync = syncRequest(fn, req.event)
	p.outbox.add(&Lifecycle{Kind: RunStarted, At: p.now, Run: r.id, Fn: r.fn})
	p.syncSteps(r, s.Ops)
	return nil
}

// syncRequest rebuilds the endpoint's original request from the run's event.
func syncRequest(fn *function.Function, ev []byte) *syncInfo {
	var e struct {
		Data struct {
			Domain, Method, Path string
			ContentType          string `json:"content_type"`
			QueryParams          string `json:"query_params"`
			Body                 string
		}
	}
	_ = json.Unmarshal(ev, &e)
	d := &e.Data
	s := &syncInfo{method: d.Method, url: d.Domain + d.Path, contentType: d.ContentType, body: decodeBody(d.Body)}
	if s.method == "" {
		s.method = fn.Method
	}
	if d.Domain == "" {
		s.url = fn.URL + d.Path
	}
	if d.QueryParams != "" {
		s.url += "?" + d.QueryParams
	}
	return s
}

// syncSteps applies what a durable endpoint reports (spec 01 §14.3).
func (p *partition) syncSteps(r *run, ops []Op) {
	working, complete := 0, false
	for i := range ops {
		if !ops[i].Code.Lazy() {
			working++
		}
		complete = complete || ops[i].Code == OpRunComplete
	}
	if working == 0 {
		for i := range ops {
			p.syncOp(r, &ops[i], false)
		}
		return
	}
	// The ops are those of an answer to a job that does not exist: give them one,
	// so that retries and gateways have something to hold on to.
	p.addJob(r, job{kind: jobDiscovery, state: jobIdle, step: r.lastStep()})
	jobID := r.nextJob
	res := &Result{Ops: ops}
	h := opHandler{partition: p, r: r, jobID: jobID, res: res}
	h.group()
	for _, first := range [...]bool{true, false} {
		for i := range ops {
			op := &ops[i]
			if r.ended || (op.Code == OpWaitForEvent || op.Code.Lazy()) != first {
				continue
			}
			switch op.Code {
			case OpStep, OpStepRun, OpRunComplete, OpDeferAdd, OpDeferAbort:
				p.syncOp(r, op, complete)
			default:
				h.op(op)
			}
		}
	}
	if !r.ended && !h.kept {
		p.removeJob(r, jobID)
	}
}

// syncOp applies an op after which the endpoint itself goes on.
func (p *partition) syncOp(r *run, op *Op, complete bool) {
	switch op.Code {
	case OpStep, OpStepRun:
		if complete { // only traced: the run ends with this request
			p.recordStep(r, &Lifecycle{Kind: StepCompleted, Flags: FlagCheckpoint, Payload: stepMemo(op)}, op)
			return
		}
		if !p.tooLarge(r, len(op.Data)) {
			p.saveCheckpointed(r, op)
		}
	case OpRunComplete:
		p.finishSync(r, op.Data)
	case OpDeferAdd:
		p.deferAdd(r, op)
	case OpDeferAbort:
		p.deferAbort(r, op)
	}
}

// decodeBody reads the body of an http.request event: base64 if it is, else as it stands.
func decodeBody(s string) []byte {
	if b, err := base64.StdEncoding.DecodeString(s); err == nil {
		return b
	}
	return []byte(s)
}
