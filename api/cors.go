package api

import (
	"net/textproto"
	"strings"

	"github.com/valyala/fasthttp"
)

// Headers of cross-origin requests (spec 02 §2.1). Any origin may call, without
// credentials: browsers send events, and the event key is not a secret of theirs.
const (
	headerVary         = "Vary"
	headerOrigin       = "Origin"
	headerAllowOrigin  = "Access-Control-Allow-Origin"
	headerExpose       = "Access-Control-Expose-Headers"
	headerAskMethod    = "Access-Control-Request-Method"
	headerAskHeaders   = "Access-Control-Request-Headers"
	headerAllowMethods = "Access-Control-Allow-Methods"
	headerAllowHeaders = "Access-Control-Allow-Headers"
	headerMaxAge       = "Access-Control-Max-Age"

	corsExposed = "Link, Mcp-Session-Id"
	corsMaxAge  = "3600"
)

// cors sets the CORS headers of the response. It reports whether the request was
// a pre-flight and is answered by that.
func (s *Server) cors(ctx *fasthttp.RequestCtx) (done bool) {
	h := &ctx.Response.Header
	h.Set(headerVary, headerOrigin)
	origin := ctx.Request.Header.Peek(headerOrigin)
	if ctx.IsOptions() {
		if method := ctx.Request.Header.Peek(headerAskMethod); len(method) > 0 {
			preflight(ctx, origin, method)
			return true
		}
	}
	if len(origin) > 0 {
		h.SetBytesV(headerAllowOrigin, origin)
		h.Set(headerExpose, corsExposed)
	}
	return false
}

func preflight(ctx *fasthttp.RequestCtx, origin, method []byte) {
	h := &ctx.Response.Header
	h.Add(headerVary, headerAskMethod)
	h.Add(headerVary, headerAskHeaders)
	if len(origin) == 0 || !corsMethod(string(method)) {
		return
	}
	h.SetBytesV(headerAllowOrigin, origin)
	h.SetBytesV(headerAllowMethods, method)
	if ask := string(ctx.Request.Header.Peek(headerAskHeaders)); ask != "" {
		names := strings.Split(ask, ",")
		for i, n := range names {
			names[i] = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(n))
		}
		h.Set(headerAllowHeaders, strings.Join(names, ", "))
	}
	h.Set(headerMaxAge, corsMaxAge)
}

func corsMethod(m string) bool {
	switch m {
	case fasthttp.MethodGet, fasthttp.MethodPost, fasthttp.MethodPut, fasthttp.MethodDelete, fasthttp.MethodOptions:
		return true
	}
	return false
}
