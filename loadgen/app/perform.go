package app

import (
	"strconv"
	"time"

	"ingot/loadgen/sender"

	"github.com/valyala/fasthttp"
)

// perform does what the call asks for and answers. It reports whether that was the
// last answer of the run.
func (a *App) perform(ctx *fasthttp.RequestCtx, p *program, c *call, fails bool) (final bool) {
	if p.Think > 0 && (c.branch >= 0 || c.memos < len(p.steps)) && p.Kind != Checkpoint {
		time.Sleep(p.Think)
	}
	switch {
	case fails:
		ctx.Response.Header.SetCanonical(retryAfterName, p.retry)
		step := c.memos
		if c.branch >= 0 {
			step = c.branch
		}
		a.answer(ctx, p.failed[step])
		return false
	case p.Kind == Checkpoint && c.memos < p.Steps:
		return a.checkpoint(ctx, p, c)
	case p.Kind == Invokes && c.memos == 0:
		a.invoke(ctx, p, c)
		return false
	case c.branch >= 0:
		a.answer(ctx, p.steps[c.branch])
		return false
	case p.Kind == Parallel && c.memos == 0:
		a.answer(ctx, p.plan)
		return false
	case p.Kind == Parallel && c.memos < p.Steps:
		a.answer(ctx, p.pending)
		return false
	case c.memos < len(p.steps):
		a.answer(ctx, p.steps[c.memos])
		return false
	}
	a.answer(ctx, p.result)
	return true
}

// invoke answers with an invocation whose event carries the run's mark on.
func (a *App) invoke(ctx *fasthttp.RequestCtx, p *program, c *call) {
	a.answer(ctx, reply{status: fasthttp.StatusPartialContent})
	ctx.Response.ResetBody()
	var buf [64]byte
	ctx.Response.AppendBody(p.invoke)
	ctx.Response.AppendBody(appendMark(buf[:0], c.mark.session, c.mark.seq))
	ctx.Response.AppendBodyString(`}}}}]`)
}

// checkpoint runs the steps that are left, posting each (spec 01 §13.1), and ends
// the run. If a post fails it answers with that step, as SDKs do.
func (a *App) checkpoint(ctx *fasthttp.RequestCtx, p *program, c *call) (final bool) {
	conn := a.posts.take()
	defer a.posts.give(conn)
	for i := c.memos; i < p.Steps; i++ {
		if p.Think > 0 {
			time.Sleep(p.Think)
		}
		b := conn.Body()
		b = append(b, `{"run_id":"`...)
		b = append(b, c.run...)
		b = append(b, `","fn_id":"`...)
		b = append(b, c.function...)
		b = append(b, `","qi_id":"`...)
		b = append(b, c.item...)
		b = append(b, `","ts":`...)
		b = strconv.AppendInt(b, time.Now().UnixMilli(), 10)
		b = append(b, `,"steps":[`...)
		b = append(b, p.ops[i]...)
		b = append(b, `]}`...)
		status, err := conn.Do(b)
		if err != nil || status != fasthttp.StatusOK {
			a.fail("checkpoint: " + kind(status, err))
			a.answer(ctx, p.steps[i])
			return false
		}
	}
	a.answer(ctx, p.result)
	return true
}

func kind(status int, err error) string {
	if err != nil {
		return sender.ErrorKind(err)
	}
	return sender.StatusKind(status)
}

// serveHeld answers a call of a function whose runs stay in the server.
func (a *App) serveHeld(ctx *fasthttp.RequestCtx, p *program) {
	a.held[p.Kind].Add(1)
	if p.Kind != HeldOpen {
		a.answer(ctx, p.steps[0])
		return
	}
	<-a.closing
	a.answer(ctx, p.result)
}
