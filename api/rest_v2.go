package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// v2Call answers one method of the REST API v2: its answer, or a *v2Error.
type v2Call func(ctx context.Context, req *fasthttp.RequestCtx, p params) (v2Answer, error)

// v2Prefixes are the places of the REST API v2, which are the same.
var v2Prefixes = []string{"/api/v2", "/v2"}

// v2Methods are all methods that anybody sends: what is no route gets its own answers.
var v2Methods = []string{
	fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodPost, fasthttp.MethodPut, fasthttp.MethodPatch,
	fasthttp.MethodDelete, fasthttp.MethodOptions, fasthttp.MethodConnect, fasthttp.MethodTrace,
}

// restV2Routes adds the REST API v2 (spec 02 §8). It has a router of its own, since
// what is not found there is answered in its own form.
func (s *Server) restV2Routes(r *router) {
	v2 := s.v2Router()
	for _, prefix := range v2Prefixes {
		serve := func(req *fasthttp.RequestCtx, _ params) { v2Route(v2, prefix, req) }
		for _, method := range v2Methods {
			r.signed(method, prefix, serve)
			r.signed(method, prefix+"/{path...}", serve)
		}
		r.handle(fasthttp.MethodGet, prefix+"/operations", v2Operations)
	}
}

// v2Router has what is below the prefixes.
func (s *Server) v2Router() *router {
	v2 := newRouter()
	add := func(method, path string, call v2Call) { v2.handle(method, path, s.v2Handler(call)) }
	s.v2AccountMethods(add)
	s.v2AppMethods(add)
	s.v2RunMethods(add)
	s.v2ActionMethods(add)
	v2MissingMethods(add)
	return v2
}

// v2Route finds and calls the handler below a prefix.
func v2Route(v2 *router, prefix string, req *fasthttp.RequestCtx) {
	path := req.URI().PathOriginal()[len(prefix):]
	if len(path) == 0 {
		v2Write(req, v2Fault(fasthttp.StatusBadRequest, v2APIError, "Bad Request"))
		return
	}
	n, p := v2.find(path)
	if n == nil {
		v2Write(req, v2Fault(fasthttp.StatusNotFound, v2APIError, "Not Found"))
		return
	}
	h := n.handler(req.Method())
	if h == nil {
		v2Write(req, v2Fault(fasthttp.StatusNotImplemented, v2APIError, "Method Not Allowed"))
		return
	}
	h(req, p)
}

// v2Handler bounds a call and writes what comes of it.
func (s *Server) v2Handler(call v2Call) handler {
	return func(req *fasthttp.RequestCtx, p params) {
		ctx, cancel := context.WithTimeout(context.Background(), restTimeout)
		defer cancel()
		answer, err := call(ctx, req, p)
		var refused *v2Error
		switch {
		case errors.As(err, &refused):
			v2Write(req, refused)
		case err != nil:
			s.v2Failed(req, err)
		default:
			answer.write(req)
		}
	}
}

// v2Failed answers what is nobody's fault but the server's.
func (s *Server) v2Failed(req *fasthttp.RequestCtx, err error) {
	if reason, ok := unavailable(err); ok {
		s.log.Warn("a request was put off", "path", string(req.Path()), "error", err)
		req.Response.Header.Set(headerRetryAfter, retryAfterSeconds)
		v2Write(req, v2Fault(fasthttp.StatusServiceUnavailable, "internal_error", reason))
		return
	}
	s.log.Error("a request failed", "method", string(req.Method()), "path", string(req.Path()), "error", err)
	v2Write(req, v2Fault(fasthttp.StatusInternalServerError, "internal_error", "Internal server error"))
}

// v2Answer is a success. Status is 200 if it is 0.
type v2Answer struct {
	status int
	// data is left out if it is nil.
	data any
	page *v2Page
	// from and until are the bounds of a list, if the request had both.
	from, until string
}

// v2Page tells where a list goes on (spec 02 §8.1).
type v2Page struct {
	Cursor  string `json:"cursor,omitempty"`
	HasMore bool   `json:"hasMore,omitempty"`
	Limit   int    `json:"limit,omitempty"`
}

type v2TimeRange struct {
	From  string `json:"from"`
	Until string `json:"until"`
}

func (a *v2Answer) write(req *fasthttp.RequestCtx) {
	var body struct {
		Data     any `json:"data,omitempty"`
		Metadata struct {
			FetchedAt string       `json:"fetchedAt"`
			TimeRange *v2TimeRange `json:"timeRange,omitempty"`
		} `json:"metadata"`
		Page *v2Page `json:"page,omitempty"`
	}
	body.Data, body.Page = a.data, a.page
	body.Metadata.FetchedAt = v2TimeText(time.Now())
	if a.from != "" && a.until != "" {
		body.Metadata.TimeRange = &v2TimeRange{a.from, a.until}
	}
	if a.status == 0 {
		a.status = fasthttp.StatusOK
	}
	v2JSON(req, a.status, &body)
}

// v2List is data for a list: an empty one is left out.
func v2List[T any](list []T) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

// v2Fault, v2Missing and v2Invalid make refusals.
func v2Fault(status int, code, text string) *v2Error {
	return &v2Error{status: status, Errors: []v2ErrorItem{{code, text}}}
}

func v2NotFound(what string) error {
	return v2Fault(fasthttp.StatusNotFound, "not_found", what+" not found")
}

func v2Missing(text string) error {
	return v2Fault(fasthttp.StatusBadRequest, "missing_field", text)
}

func v2Invalid(text string) error {
	return v2Fault(fasthttp.StatusBadRequest, "invalid_field_format", text)
}

// v2APIError is the code of what the gateway of the reference refuses by itself.
const v2APIError = "api_error"

// v2Error is a refusal (spec 02 §8.2).
type v2Error struct {
	status int
	Errors []v2ErrorItem `json:"errors"`
}

type v2ErrorItem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *v2Error) Error() string {
	var texts []string
	for _, item := range e.Errors {
		texts = append(texts, item.Message)
	}
	return strings.Join(texts, "; ")
}

func v2Write(req *fasthttp.RequestCtx, e *v2Error) { v2JSON(req, e.status, e) }
