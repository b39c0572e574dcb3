package app

import (
	"bytes"
	"strconv"
	"time"

	"ingot/loadgen/ledger"
	"ingot/loadgen/record"

	"github.com/cespare/xxhash/v2"
	"github.com/valyala/fasthttp"
)

var (
	contentType    = []byte("application/json")
	stepIDQuery    = []byte("stepId=")
	sdkHeader      = []byte("X-Inngest-Sdk")
	sdkValue       = []byte(SDK)
	versionHeader  = []byte("X-Inngest-Req-Version")
	versionValue   = []byte("2")
	retryAfterName = []byte("Retry-After")
)

// serve answers one call. It allocates nothing.
func (a *App) serve(ctx *fasthttp.RequestCtx) {
	now := a.opts.Clock.Now()
	if !ctx.IsPost() {
		a.answer(ctx, reply{status: fasthttp.StatusOK, body: []byte(result)})
		return
	}
	uri := ctx.RequestURI()
	p := a.program(uri)
	if p == nil {
		a.fail("call of an unknown function")
		a.answer(ctx, reply{status: fasthttp.StatusInternalServerError})
		return
	}
	c := scan(ctx.PostBody())
	if len(c.run) == 0 {
		a.fail("call that is not understood")
		a.answer(ctx, reply{status: fasthttp.StatusInternalServerError})
		return
	}
	if p.Kind >= HeldSleep {
		a.serveHeld(ctx, p)
		return
	}
	if p.flow != nil && a.ours(c.mark) {
		p.flow.Enter(c.mark.seq)
		defer p.flow.Leave(c.mark.seq)
	}
	c.branch = p.targeted(uri)
	a.run(ctx, p, &c, now)
}

// ours reports whether an event is of this session.
func (a *App) ours(m mark) bool { return m.found && m.session == a.opts.Session }

// program finds the function of a request's target: /<index>?...
func (a *App) program(uri []byte) *program {
	path, _, _ := bytes.Cut(uri, []byte{'?'})
	if len(path) < 2 || len(path) > 8 {
		return nil
	}
	n := 0
	for _, b := range path[1:] {
		if b < '0' || b > '9' {
			return nil
		}
		n = n*10 + int(b-'0')
	}
	if n >= len(a.programs) {
		return nil
	}
	return a.programs[n]
}

// run handles a call of a measured function.
func (a *App) run(ctx *fasthttp.RequestCtx, p *program, c *call, now time.Duration) {
	key := ctx.ConnID()
	rec := a.opts.Recorder
	rec.Add(key, record.Calls, 1)
	fails := p.fails(c)
	var v ledger.Verdict
	if a.ours(c.mark) {
		v = a.opts.Ledger.Call(entry(p, c, fails, now))
	}
	if !v.Known {
		rec.Add(key, record.Stray, 1)
	}
	known := v.Known && !v.OtherRun
	tracked := known && a.measured(c.mark.seq)
	if known && p.flow != nil {
		a.enter(key, ctx.PostBody(), p, c, v, now)
	}
	if tracked {
		a.judge(key, p, c, v, now)
	}
	final := a.perform(ctx, p, c, fails)
	if n := p.stepsDone(c, fails, final); n > 0 && !v.Again && tracked {
		rec.Add(key, record.Steps, n)
	}
	if !known || p.Depth > 0 {
		return // the end of an invoked run is no end of the event's
	}
	end := a.opts.Clock.Now()
	if a.opts.Ledger.Answered(c.mark.seq, end, final) {
		a.completed(ctx, p, c, end, end-v.Intended)
	}
	if tracked && p.Kind == Waits && !final && a.opts.Waiting != nil {
		a.opts.Waiting(c.mark.seq, c.memos)
	}
}

// completed records that the last answer for a run was given.
func (a *App) completed(ctx *fasthttp.RequestCtx, p *program, c *call, end, took time.Duration) {
	if a.measured(c.mark.seq) {
		a.opts.Recorder.Add(ctx.ConnID(), record.Completed, 1)
		a.opts.Recorder.Time(ctx.ConnID(), record.Complete, took)
	}
	if p.flow != nil {
		a.leave(ctx.ConnID(), ctx.PostBody(), p, c, end)
	}
}

// measured reports whether an event is of the window.
func (a *App) measured(seq int64) bool { return seq >= a.first.Load() }

// stepsDone is how many steps an answer reports.
func (p *program) stepsDone(c *call, fails, final bool) int64 {
	switch {
	case fails:
		return 0
	case c.branch >= 0:
		return 1
	case p.Kind == Checkpoint && final:
		return int64(p.Steps - c.memos)
	case p.Kind == Parallel || final:
		return 0
	}
	return 1
}

// entry is the call as the ledger wants it.
func entry(p *program, c *call, fails bool, now time.Duration) ledger.Call {
	e := ledger.Call{Seq: c.mark.seq, Run: xxhash.Sum64(c.run) | 1, Now: now, Attempt: c.attempt,
		Position: c.memos, Branch: c.branch, Fails: fails}
	switch {
	case p.Depth > 0: // calls of invoked runs: two each, in the order of depth
		e.Branch = 2*(p.Depth-1) + min(c.memos, 1)
	case p.Kind == Parallel:
		// Servers may ask again while branches are under way (spec 01 §10.4).
		e.Observe = c.branch < 0 && c.memos > 0 && c.memos < p.Steps
	}
	return e
}

// judge records what a call's arrival says.
func (a *App) judge(key uint64, p *program, c *call, v ledger.Verdict, now time.Duration) {
	rec := a.opts.Recorder
	if v.Again {
		rec.Add(key, record.DoubledSteps, 1)
		return
	}
	switch {
	case v.First:
		rec.Add(key, record.Started, 1)
		rec.Time(key, record.FirstCall, now-v.Intended)
	case v.Answered == 0 || p.Depth > 0:
	case p.Kind == Sleeps:
		rec.Time(key, record.Wake, now-v.Answered-p.Sleep)
	case p.Kind == Waits:
		rec.Time(key, record.Wake, now-v.Answered)
	case c.attempt > 0:
		rec.Time(key, record.Wake, now-v.Answered-p.RetryAfter)
	case p.Kind != Invokes:
		rec.Time(key, record.Step, now-v.Answered)
	}
}

// targeted is the branch that a request's target asks for; -1 for a discovery.
func (p *program) targeted(uri []byte) int {
	if p.Kind != Parallel {
		return -1
	}
	i := bytes.Index(uri, stepIDQuery)
	if i < 0 {
		return -1
	}
	id, _, _ := bytes.Cut(uri[i+len(stepIDQuery):], []byte{'&'})
	if n, ok := p.branch[string(id)]; ok {
		return n
	}
	return -1
}

// fails reports whether the step that this call executes is to fail.
func (p *program) fails(c *call) bool {
	if c.attempt >= p.Failures {
		return false
	}
	return c.branch >= 0 || p.Kind == Sequential && c.memos < p.Steps
}

// answer writes a reply; its body is not copied and must not change.
func (a *App) answer(ctx *fasthttp.RequestCtx, r reply) {
	h := &ctx.Response.Header
	ctx.SetStatusCode(r.status)
	h.SetContentTypeBytes(contentType)
	h.SetCanonical(sdkHeader, sdkValue)
	h.SetCanonical(versionHeader, versionValue)
	ctx.Response.SetBodyRaw(r.body)
}

// appendMark appends an event's mark, after its "s": key.
func appendMark(b []byte, session, seq int64) []byte {
	b = strconv.AppendInt(b, session, 10)
	b = append(b, `,"i":`...)
	b = strconv.AppendInt(b, seq, 10)
	return append(b, '}')
}
