package api

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// restV1Routes adds the readings of the REST API v1 (spec 02 §6).
func (s *Server) restV1Routes(r *router) {
	get := func(path string, ttl time.Duration, read v1Read) {
		r.signed(fasthttp.MethodGet, path, s.v1Get(ttl, read))
	}
	get("/v1/events", 0, s.v1Events)
	get("/v1/events/{eventID}", 5*time.Second, s.v1Event)
	get("/v1/events/{eventID}/runs", 15*time.Second, s.v1EventRuns)
	get("/v1/runs/{runID}", 3*time.Second, s.v1Run)
	get("/v1/runs/{runID}/jobs", 5*time.Second, s.v1Jobs)
	get("/v1/prom/{env}", 0, func(context.Context, *fasthttp.RequestCtx, params) (any, error) {
		return nil, &restError{fasthttp.StatusNotImplemented, "not implemented"}
	})
	r.signed(fasthttp.MethodGet, "/v1/apps/{appName}/functions", s.v1AppFunctions)
	for _, method := range v2Methods {
		r.handle(method, "/v1", func(req *fasthttp.RequestCtx, _ params) { notFound(req) }) // no page of the web UI
	}
}

// v1Read returns what a GET answers with in the envelope.
type v1Read func(ctx context.Context, req *fasthttp.RequestCtx, p params) (any, error)

// cachedBody is successBody of the answers that the reference keeps for a while.
type cachedBody struct {
	Data     any            `json:"data"`
	Metadata cachedMetadata `json:"metadata"`
}

type cachedMetadata struct {
	FetchedAt   time.Time `json:"fetched_at"`
	CachedUntil time.Time `json:"cached_until"`
}

// v1Get answers a GET. Like the reference it answers errors with HTTP 200 and the status
// in the body (spec 02 §6.1), but for what the reference has no answer for: 503 and 500.
//
// Answers are always fresh. Those that the reference keeps for ttl have its field
// cached_until, already past, and tell caches on the way not to keep them either: a client
// that cancels a run must not then read that it is running.
func (s *Server) v1Get(ttl time.Duration, read v1Read) handler {
	return func(req *fasthttp.RequestCtx, p params) {
		ctx, cancel := context.WithTimeout(context.Background(), restTimeout)
		defer cancel()
		data, err := read(ctx, req, p)
		var refused *restError
		switch {
		case errors.As(err, &refused):
			publicErr(req, refused.status, "", refused.text)
			req.SetStatusCode(fasthttp.StatusOK)
		case err != nil:
			s.restFailed(req, err)
		case ttl > 0:
			now := time.Now().UTC()
			req.Response.Header.Set(fasthttp.HeaderCacheControl, "private, max-age=0")
			writeJSON(req, fasthttp.StatusOK, cachedBody{data, cachedMetadata{FetchedAt: now, CachedUntil: now}})
		default:
			success(req, data)
		}
	}
}

// restFailed answers what is nobody's fault but the server's.
func (s *Server) restFailed(req *fasthttp.RequestCtx, err error) {
	if reason, ok := unavailable(err); ok {
		s.log.Warn("a request was put off", "path", string(req.Path()), "error", err)
		req.Response.Header.Set(headerRetryAfter, retryAfterSeconds)
		publicErr(req, fasthttp.StatusServiceUnavailable, "", reason)
		return
	}
	s.internalErr(req, "Internal server error", err)
}

// v1ID reads the ULID of a path's parameter; what names it in the refusal.
func v1ID(p params, name, what string) (ulid.ULID, error) {
	text := p.get(name)
	id, err := ulid.ParseStrict(text)
	if err != nil {
		return id, badRequestf("Invalid " + what + " ID: " + text)
	}
	return id, nil
}

// v1FunctionJSON is a function of /v1/apps/{app}/functions (spec 02 §6.6).
type v1FunctionJSON struct {
	InternalID ids.UUID  `json:"internal_id"`
	EnvID      ids.UUID  `json:"env_id"` // zero in the reference
	AppID      ids.UUID  `json:"app_id"`
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Config     any       `json:"config"`
	CreatedAt  time.Time `json:"created_at"`
	ArchivedAt time.Time `json:"archived_at"` // functions listed here are active
}

// v1AppFunctions lists the functions of an app, without an envelope.
func (s *Server) v1AppFunctions(req *fasthttp.RequestCtx, p params) {
	snapshot := s.opts.Catalog.Snapshot()
	name := p.get("appName")
	out := []v1FunctionJSON{}
	for _, f := range snapshot.Active {
		if f.AppName != name {
			continue
		}
		j := v1FunctionJSON{InternalID: f.ID, AppID: f.AppID, ID: f.Slug, Name: f.Name, Config: f.Config}
		if a := snapshot.Apps[f.AppID]; a != nil {
			j.CreatedAt = a.CreatedAt.UTC() // the catalog has no time of its own for functions
		}
		out = append(out, j)
	}
	slices.SortFunc(out, func(a, b v1FunctionJSON) int { return bytes.Compare(a.InternalID[:], b.InternalID[:]) })
	writeJSON(req, fasthttp.StatusOK, out)
}
