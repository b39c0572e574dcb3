package api

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"

	"github.com/valyala/fasthttp"
)

// sendTimeout bounds the wait for the engine to make a request's effect durable.
const sendTimeout = 30 * time.Second

// invokeRoutes adds the invoke API (spec 02 §4). Like the reference it asks for
// no key in any mode.
func (s *Server) invokeRoutes(r *router) {
	r.handle(fasthttp.MethodPost, "/invoke/{slug}", s.invoke)
}

// invoke starts one run of a function by its slug or id, with the body's event.
// Whether there is such a function turns out later, as in the reference.
func (s *Server) invoke(ctx *fasthttp.RequestCtx, p params) {
	slug, err := url.QueryUnescape(p.raw("slug"))
	if err != nil {
		publicErr(ctx, fasthttp.StatusBadRequest, "", "Unable to decode function slug")
		return
	}
	var e event.Event
	now := time.Now().UnixMilli()
	// The engine may still hold the event when the wait for it has ended.
	body := bytes.Clone(ctx.Request.Body())
	switch err := event.ParseInvocation(body, slug, now, &e); {
	case errors.Is(err, event.ErrInvocation):
		publicErr(ctx, fasthttp.StatusBadRequest, "", "Unable to read post data request")
		return
	case err != nil:
		publicErr(ctx, fasthttp.StatusBadRequest, "", "Invalid invocation event")
		return
	}
	if seed, ok := parseSeed(ctx.Request.Header.Peek(headerSeed)); ok {
		e.InternalID, e.Seeded = seed.id(0), true
	} else {
		e.InternalID = ids.New(now)
	}
	if len(e.ID) == 0 && !e.Seeded {
		e.ID = []byte(ids.New(now).String())
	}
	if s.opts.Admit != nil {
		if err := s.opts.Admit(&e); err != nil {
			s.invokeErr(ctx, err)
			return
		}
	}
	wait, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	if err := s.opts.Engine.Send(wait, &e); err != nil {
		s.invokeErr(ctx, err)
		return
	}
	writeJSON(ctx, fasthttp.StatusOK, struct {
		ID     string `json:"id"`
		Status int    `json:"status"`
	}{e.InternalID.String(), fasthttp.StatusOK})
}

func (s *Server) invokeErr(ctx *fasthttp.RequestCtx, err error) {
	if status := refusalStatus(err); status != 0 {
		s.logOverload(err)
		ctx.Response.Header.Set(headerRetryAfter, retryAfterSeconds)
		publicErr(ctx, status, "", err.Error())
		return
	}
	s.internalErr(ctx, "Unable to create invocation event", err)
}

// refusalStatus is the HTTP status of an error that asks the caller to come back later; 0
// for others.
func refusalStatus(err error) int {
	var full *engine.BacklogError
	switch {
	case errors.As(err, &full) && full.Function != "":
		return fasthttp.StatusTooManyRequests
	case full != nil || retryable(err):
		return fasthttp.StatusServiceUnavailable
	}
	return 0
}

// retryable reports whether err asks the caller to come back later.
func retryable(err error) bool {
	for _, e := range []error{engine.ErrLogFull, engine.ErrDisk, engine.ErrClosed, engine.ErrBusy, context.DeadlineExceeded} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
