package engine

import (
	"encoding/json"
	"strings"

	"ingot/engine/event"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Invoking other functions, and signals (spec 01 §9.10, §9.11; spec 03 §14).

var invokeTimeoutMemo = []byte(`{"error":{"error":"InngestInvokeTimeoutError: Timed out waiting for invoked function to complete","message":"Timed out waiting for invoked function to complete","name":"InngestInvokeTimeoutError"}}`)

// invocation is `data._inngest` of an inngest/function.invoked event, in the
// canonical order of its keys.
type invocation struct {
	CorrelationID string        `json:"correlation_id,omitempty"`
	Expire        int64         `json:"expire"`
	FnID          string        `json:"fn_id"`
	GroupID       string        `json:"gid"`
	SpanRef       *spanRef      `json:"isr,omitempty"`
	Name          string        `json:"name"`
	SourceAppID   string        `json:"source_app_id"`
	SourceFnID    string        `json:"source_fn_id"`
	SourceFnV     int           `json:"source_fn_v"`
	Trace         *traceCarrier `json:"tc,omitempty"`
}

// invoke publishes the event that starts another function and waits for its end.
func (h *opHandler) invoke(op *Op) {
	var opts struct {
		FunctionID string `json:"function_id"`
		Payload    struct {
			ID, V string
			Data  map[string]json.RawMessage
			User  json.RawMessage
			TS    int64
			Meta  struct {
				Sessions json.RawMessage `json:"sessions"`
			}
		} `json:"payload"`
		Timeout string `json:"timeout"`
	}
	if len(op.Opts) > 0 {
		if err := json.Unmarshal(op.Opts, &opts); err != nil {
			h.fail("error reading invoke options: " + err.Error())
			return
		}
	}
	due := h.now + defaultWait.Milliseconds()
	if opts.Timeout != "" {
		var ok bool
		if due, ok = h.timeout(opts.Timeout); !ok {
			return
		}
	}
	if !h.fresh(op) {
		return
	}
	r := h.r
	id := ids.Derive(h.now, r.id[:], []byte(op.ID))
	inv := invocation{
		CorrelationID: r.id.String() + "." + op.ID,
		Expire:        due,
		FnID:          opts.FunctionID,
		GroupID:       h.historyGroup(op).String(),
		Name:          op.label(),
		SpanRef:       newSpanRef(r.id, op.ID, true),
		Trace:         newTraceCarrier(r, op.ID, h.now),
	}
	if fn := h.fn(r); fn != nil {
		inv.SourceAppID, inv.SourceFnID, inv.SourceFnV = fn.AppID.String(), fn.ID.String(), fn.Version
	}
	data := opts.Payload.Data
	if data == nil {
		data = map[string]json.RawMessage{}
	}
	data["_inngest"], _ = json.Marshal(inv)
	raw, err := json.Marshal(data)
	if err != nil {
		h.fail("error building the invocation: " + err.Error())
		return
	}
	ev := event.NewInternal(id, event.NameFunctionInvoked, opts.Payload.ID, raw, h.now)
	ev.Trace = r.trace
	ev.V = []byte(opts.Payload.V)
	if opts.Payload.TS > 0 {
		ev.TS = opts.Payload.TS
	}
	if u := opts.Payload.User; len(u) > 0 && u[0] == '{' {
		ev.User = u
	}
	if s := opts.Payload.Meta.Sessions; len(s) > 2 && s[0] == '{' {
		ev.Sessions = s
	}
	h.addJob(r, job{kind: jobInvoke, state: jobTimed, due: max(due, h.now), step: op.ID, name: op.label(), race: op.Race})
	h.record(&Lifecycle{Kind: StepInvoking, Target: opts.FunctionID, Due: max(due, h.now), Child: id}, op)
	h.publish(ev)
}

// historyGroup is the group of an operation in the run's history: its call's, unless
// that brought several.
func (h *opHandler) historyGroup(op *Op) ids.UUID {
	if len(h.res.Ops) > 1 {
		return ids.StepGroup(h.r.id, op.ID)
	}
	return ids.CallGroup(h.r.id, h.jobID)
}

// publish sends an internal event to everything that it concerns.
func (p *partition) publish(ev *event.Event) {
	rec := eventRecord(ev)
	p.outbox.add(&Lifecycle{Kind: InternalEvent, At: p.now, Payload: rec})
	p.send(message{kind: msgEvent, to: -1, body: rec})
}

// splitCorrelation reads "<run id>.<step id>".
func splitCorrelation(c string) (run ulid.ULID, step string, ok bool) {
	head, step, found := strings.Cut(c, ".")
	if !found {
		return run, "", false
	}
	run, err := ulid.ParseStrict(head)
	return run, step, err == nil
}

// invokeDone resumes the invoke step that waited for another run.
func (p *partition) invokeDone(m *message) {
	r := p.load(m.run)
	if r == nil {
		return
	}
	if j := r.jobFor(jobInvoke, m.step); j != nil {
		p.resume(r, j, m.body, StepCompleted, ulid.ULID{})
	}
}

// claim is who holds a signal.
type claim struct {
	run ulid.ULID
	job uint32
}

func signalPartition(signal string, n int) int {
	h := ids.UUIDv5([]byte(signal))
	return int(h[15]) % n
}

// waitSignal makes a run wait for a signal. The signal's owner decides whether
// it may: one run at a time waits for a signal.
func (h *opHandler) waitSignal(op *Op) {
	var opts struct{ Signal, Timeout, Conflict string }
	_ = json.Unmarshal(op.Opts, &opts)
	if opts.Signal == "" {
		h.fail("signal name is empty")
		return
	}
	due := h.now + defaultWait.Milliseconds()
	if opts.Timeout != "" {
		var ok bool
		if due, ok = h.timeout(opts.Timeout); !ok {
			return
		}
	}
	if !h.fresh(op) {
		return
	}
	h.addJob(h.r, job{kind: jobSignal, state: jobTimed, due: max(due, h.now), step: op.ID, name: op.label(), race: op.Race, signal: opts.Signal})
	h.record(&Lifecycle{Kind: StepWaiting, Target: opts.Signal, Due: max(due, h.now)}, op)
	h.send(message{kind: msgSignalClaim, flag: opts.Conflict == "replace", to: signalPartition(opts.Signal, h.set.partitions),
		run: h.r.id, job: h.r.nextJob, step: opts.Signal})
}

// holder reads who holds a signal; nil if nobody.
func (p *partition) holder(signal string) *claim {
	if c, ok := p.claims[signal]; ok {
		return c
	}
	var c *claim
	p.check(p.store.Get(TableSignal, [][]byte{[]byte(signal)}, func(_ int, v []byte) {
		if v == nil {
			return
		}
		if got, err := decodeClaim(v); err == nil {
			c = &got
		}
	}))
	return c
}

func decodeClaim(b []byte) (claim, error) {
	d := decoder{b: b}
	d.version()
	c := claim{run: d.id(), job: uint32(d.uint())}
	return c, d.err
}

func (p *partition) setHolder(signal string, c *claim) {
	p.claims[signal] = c
	if c == nil {
		p.batch.Delete(TableSignal, []byte(signal))
		return
	}
	e := encoder{b: p.enc.b[:0]}
	e.byte(recordVersion)
	e.id(c.run)
	e.uint(uint64(c.job))
	p.enc.b = e.b
	p.batch.Put(TableSignal, []byte(signal), e.b)
}

// receive takes a message of another partition, or of this one.
func (p *partition) receive(m *message) {
	switch m.kind {
	case msgInvokeDone:
		p.invokeDone(m)
	case msgSignalClaim:
		c := claim{m.run, m.job}
		if h := p.holder(m.step); h != nil && *h != c && !m.flag {
			p.send(message{kind: msgSignalRefused, to: runPartition(m.run, p.set.partitions), run: m.run, job: m.job})
			return
		}
		p.setHolder(m.step, &c)
	case msgSignalRelease:
		if m.job == 0 {
			p.releaseSignals(m.run)
			return
		}
		if h := p.holder(m.step); h != nil && *h == (claim{m.run, m.job}) {
			p.setHolder(m.step, nil)
		}
	case msgSignalRecheck:
		p.recheckSignal(m)
	case msgSignalRefused:
		if r := p.load(m.run); r != nil && r.job(m.job) != nil {
			p.failEarly(r, &runError{name: "Error", message: "Signal conflict; signal wait already exists for another run"})
		}
	case msgSignalDeliver:
		if r := p.load(m.run); r != nil {
			if j := r.job(m.job); j != nil && j.kind == jobSignal {
				p.resume(r, j, m.body, StepCompleted, ulid.ULID{})
			}
		}
	}
}

// signal delivers a signal to the run that waits for it.
func (p *partition) signal(req *request) {
	h := p.holder(req.name)
	if h == nil {
		p.answer(req, ulid.ULID{}, ErrRunNotFound)
		return
	}
	p.setHolder(req.name, nil)
	name, _ := json.Marshal(req.name)
	memo := make([]byte, 0, len(req.data)+len(name)+32)
	memo = append(memo, `{"data":{"data":`...)
	memo = append(memo, req.data...)
	memo = append(memo, `,"signal":`...)
	memo = append(memo, name...)
	memo = append(memo, `}}`...)
	p.send(message{kind: msgSignalDeliver, to: runPartition(h.run, p.set.partitions), run: h.run, job: h.job, step: req.name, body: memo})
	p.answer(req, h.run, nil)
}
