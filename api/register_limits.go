package api

import (
	"context"
	"strconv"
	"sync"
	"time"

	"ingot/internal/ids"

	"github.com/valyala/fasthttp"
)

// limitTimeout bounds how long a change of a limit may take.
const limitTimeout = 10 * time.Second

// limitOverride serves one of the limits that tests and tools set per function
// (spec 01 §16.2, 02 §11.4). As in the reference, a restart forgets them.
type limitOverride struct {
	server *Server
	// name is how error texts call the limit.
	name  string
	apply func(ctx context.Context, fn [16]byte, limit int) error

	mu  sync.Mutex
	set map[ids.UUID]struct{}
}

func (s *Server) limitRoutes(r *router) {
	if s.opts.Engine == nil {
		return // a server that only syncs apps
	}
	for path, l := range map[string]*limitOverride{
		"/fn/step-limit":       {name: "step limit", apply: s.opts.Engine.SetStepLimit},
		"/fn/state-size-limit": {name: "state size limit", apply: s.opts.Engine.SetStateLimit},
	} {
		l.server, l.set = s, map[ids.UUID]struct{}{}
		r.signed(fasthttp.MethodPost, path, l.put)
		r.signed(fasthttp.MethodDelete, path, l.remove)
	}
}

// function reads the function that the request names, in the form or the query.
func (l *limitOverride) function(ctx *fasthttp.RequestCtx) (ids.UUID, bool) {
	raw := string(ctx.FormValue("functionId"))
	id, ok := ids.ParseUUID(raw)
	if !ok {
		publicErr(ctx, fasthttp.StatusBadRequest, "", "Invalid function ID: "+raw)
		return id, false
	}
	return id, true
}

func (l *limitOverride) put(ctx *fasthttp.RequestCtx, _ params) {
	raw := string(ctx.FormValue("limit"))
	limit, err := strconv.Atoi(raw)
	if err != nil || limit <= 0 {
		publicErr(ctx, fasthttp.StatusBadRequest, "", "Invalid limit: "+raw)
		return
	}
	id, ok := l.function(ctx)
	if !ok {
		return
	}
	// Limits are kept for functions only, which bounds how many there can be.
	if l.server.opts.Catalog.Snapshot().ByID[id] == nil {
		publicErr(ctx, fasthttp.StatusNotFound, "", "Function not found: "+id.String())
		return
	}
	if l.call(ctx, id, limit) {
		l.mu.Lock()
		l.set[id] = struct{}{}
		l.mu.Unlock()
	}
}

func (l *limitOverride) remove(ctx *fasthttp.RequestCtx, _ params) {
	id, ok := l.function(ctx)
	if !ok {
		return
	}
	l.mu.Lock()
	_, known := l.set[id]
	delete(l.set, id)
	l.mu.Unlock()
	if !known {
		text := "No " + l.name + " set for function: " + id.String()
		publicErr(ctx, fasthttp.StatusNotFound, "", text)
		return
	}
	l.call(ctx, id, 0)
}

func (l *limitOverride) call(ctx *fasthttp.RequestCtx, id ids.UUID, limit int) bool {
	wait, cancel := context.WithTimeout(context.Background(), limitTimeout)
	defer cancel()
	if err := l.apply(wait, id, limit); err != nil {
		l.server.internalErr(ctx, "Error setting the limit", err)
		return false
	}
	return true
}
