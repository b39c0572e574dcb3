package api

import (
	"net"

	"github.com/valyala/fasthttp"
)

// Operations are what a server offers to those who run it, and what it keeps from
// others. The zero value changes nothing.
type Operations struct {
	// FallbackKey is a second signing key that callers may use, while keys are
	// changed. It signs nothing.
	FallbackKey string
	// NoUI leaves nothing where the web UI would be: paths without a route answer 404.
	NoUI bool
	// Metrics appends what /metrics answers, in Prometheus' text format; nil is no /metrics.
	Metrics func(dst []byte) []byte
	// NotReady is why load balancers should send requests elsewhere; empty if they need not.
	// Everybody may read it.
	NotReady func() string
	// Trouble is what does not work although the server is ready, for /ready to tell; nil or
	// empty if all works.
	Trouble func() string
}

// Operate sets o up. It is called once, before Serve.
func (s *Server) Operate(o Operations) {
	s.auth = newKeyCheck(s.opts.SigningKey, o.FallbackKey)
	if o.Metrics != nil {
		s.routes.handle(fasthttp.MethodGet, "/metrics", s.metrics(o.Metrics))
	}
	if o.NotReady != nil {
		s.routes.replace(fasthttp.MethodGet, "/ready", s.readiness(o.NotReady, o.Trouble))
	}
	if o.NoUI {
		for _, method := range []string{
			fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodPost, fasthttp.MethodPut, fasthttp.MethodPatch,
			fasthttp.MethodDelete, fasthttp.MethodOptions,
		} {
			s.routes.handle(method, "/{path...}", func(ctx *fasthttp.RequestCtx, _ params) { notFound(ctx) })
		}
	}
}

// replace gives a route another handler; it panics if there is no such route.
func (r *router) replace(method, path string, h handler) {
	n, _ := r.find([]byte(path))
	for i := range n.methods {
		if n.methods[i].method == method {
			n.methods[i].h = h
			return
		}
	}
	panic("api: no route " + method + " " + path)
}

const contentTypeMetrics = "text/plain; version=0.0.4; charset=utf-8"

// metrics answers scrapes (spec 02 §11.9). The reference shows its figures to everybody.
// Here they need the key if the server has one, as slugs and rates are nobody's
// business; but a scraper on the same host or in the same pod may do without.
func (s *Server) metrics(write func([]byte) []byte) handler {
	return func(ctx *fasthttp.RequestCtx, _ params) {
		if !direct(ctx) && !s.auth.ok(ctx) {
			unauthorized(ctx)
			return
		}
		ctx.SetContentType(contentTypeMetrics)
		ctx.SetBody(write(nil))
	}
}

// forwarded are headers that proxies add. What a proxy on this host passes on comes
// from somewhere else.
var forwarded = []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"}

// direct reports whether the request was made on this host.
func direct(ctx *fasthttp.RequestCtx) bool {
	addr, ok := ctx.RemoteAddr().(*net.TCPAddr)
	if !ok || !addr.IP.IsLoopback() {
		return false
	}
	for _, h := range forwarded {
		if len(ctx.Request.Header.Peek(h)) > 0 {
			return false
		}
	}
	return true
}

// readiness answers /ready: 200 and nothing, or what does not work; or 503 and the reason.
func (s *Server) readiness(reason, trouble func() string) handler {
	return func(ctx *fasthttp.RequestCtx, _ params) {
		status, text := fasthttp.StatusServiceUnavailable, reason()
		if text == "" && s.draining.Load() {
			text = "draining"
		}
		if text == "" && trouble != nil {
			status, text = fasthttp.StatusOK, trouble()
		}
		if text == "" {
			return
		}
		writeJSON(ctx, status, struct {
			Status  int    `json:"status"`
			Message string `json:"message"`
		}{status, text})
	}
}
