package api

import (
	"bytes"
	"html"

	"github.com/valyala/fasthttp"
)

// opsRoutes adds what operators and SDKs ask about the server itself (spec 02 §11).
func (s *Server) opsRoutes(r *router) {
	r.handle(fasthttp.MethodGet, "/health", s.health)
	r.handle(fasthttp.MethodGet, "/ready", s.ready)
	r.signed(fasthttp.MethodGet, "/dev", s.dev)
	// What web UIs tell about their use (spec 02 §7) goes nowhere.
	r.signed(fasthttp.MethodPost, "/v0/telemetry", func(*fasthttp.RequestCtx, params) {})
}

const healthBody = `{"status":200,"message":"OK"}` + "\n"

// health tells that the process answers.
func (s *Server) health(ctx *fasthttp.RequestCtx, _ params) {
	ctx.SetContentType(contentTypeJSON)
	ctx.SetBodyString(healthBody)
}

// ready tells load balancers whether to send requests here.
func (s *Server) ready(ctx *fasthttp.RequestCtx, _ params) {
	if s.draining.Load() {
		ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
	}
}

// unknown answers paths without a route (spec 02 §1.4). Below the API prefixes
// that is a 404. Elsewhere it is the place of the web UI, where any path is a
// page; this build has none, and says so. Unlike the reference, only GET and HEAD
// get a page: a 200 for a POST would look like an accepted event that is lost.
func (s *Server) unknown(ctx *fasthttp.RequestCtx, path []byte) {
	get := ctx.IsGet() || ctx.IsHead()
	switch {
	case !get || apiPath(path) || staticPath(path):
		notFound(ctx)
	case len(path) > 1 && path[len(path)-1] == '/':
		// One leading slash: "//host/" must not become a redirect to another host.
		to := "/" + string(bytes.Trim(path, "/"))
		ctx.Response.Header.Set(fasthttp.HeaderLocation, to)
		ctx.SetStatusCode(fasthttp.StatusSeeOther)
		ctx.SetContentType(contentTypeHTML)
		ctx.SetBodyString(`<a href="` + html.EscapeString(to) + `">See Other</a>.` + "\n\n")
	case bytes.IndexByte(path[bytes.LastIndexByte(path, '/')+1:], '.') >= 0:
		// A file that does not exist: the reference answers 200 and nothing.
	default:
		ctx.SetContentType(contentTypeText)
		ctx.SetBodyString("Ingot " + s.opts.Version + " is running. This build has no web UI.\n")
	}
}

func apiPath(path []byte) bool {
	for _, prefix := range []string{"/v0/", "/v1/", "/v2/", "/api/v2/"} {
		if bytes.HasPrefix(path, []byte(prefix)) {
			return true
		}
	}
	return false
}

// staticPath reports whether the reference looks path up among its files.
func staticPath(path []byte) bool {
	if bytes.HasPrefix(path, []byte("/assets/")) || bytes.HasPrefix(path, []byte("/images/")) {
		return true
	}
	if bytes.LastIndexByte(path, '/') > 0 {
		return false
	}
	for _, ext := range []string{".txt", ".svg", ".jpg", ".png"} {
		if bytes.HasSuffix(path, []byte(ext)) {
			return true
		}
	}
	return false
}
