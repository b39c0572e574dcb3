package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"ingot/engine"
	"ingot/engine/expr"
	"ingot/engine/function"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// Operator is what operators do to functions and runs; *engine.Engine implements it.
type Operator interface {
	// Replay starts a run as another one of a former run.
	Replay(ctx context.Context, r *engine.Replay) error
	// SetMode pauses, drains or activates a function; Mode reads it.
	SetMode(ctx context.Context, fn ids.UUID, m engine.FunctionMode) error
	Mode(ctx context.Context, fn ids.UUID) (engine.FunctionMode, error)
	// Backlog is the number of runs of a function that are ready or being called.
	Backlog(fn ids.UUID) int64
	// CancelBulk cancels the runs that b selects, and returns how many there were.
	CancelBulk(ctx context.Context, b *engine.BulkCancel) (int, error)
	// DeadLetters lists dead letters from one on; Redrive and Discard take one out.
	DeadLetters(ctx context.Context, at int64, id ulid.ULID, limit int) ([]engine.DeadLetter, error)
	Redrive(ctx context.Context, d *engine.DeadLetter) error
	Discard(ctx context.Context, d *engine.DeadLetter) error
	// Stats are counts of what the engine holds.
	Stats() engine.Stats
}

var _ Operator = (*engine.Engine)(nil)

// restOpsRoutes adds what operators need beyond the reference (docs/operating.md). These
// routes answer errors with their HTTP status, unlike the readings of v1.
func (s *Server) restOpsRoutes(r *router) {
	bulk := newBulkDesk(s)
	if s.opts.Operator != nil && s.opts.Catalog != nil {
		bulk.resume()
	}
	for _, route := range []struct {
		method, path string
		call         opsCall
	}{
		{fasthttp.MethodGet, "/v1/events/{eventID}/decisions", s.opsDecisions},
		{fasthttp.MethodGet, "/v1/functions", s.opsFunctions},
		{fasthttp.MethodPost, "/v1/functions/{function}/pause", s.opsSetMode(engine.ModePaused)},
		{fasthttp.MethodPost, "/v1/functions/{function}/unpause", s.opsSetMode(engine.ModeActive)},
		{fasthttp.MethodPost, "/v1/functions/{function}/drain", s.opsSetMode(engine.ModeDraining)},
		{fasthttp.MethodGet, "/v1/cancellations", bulk.listCancellations},
		{fasthttp.MethodPost, "/v1/cancellations", bulk.cancel},
		{fasthttp.MethodGet, "/v1/cancellations/{id}", bulk.oneCancellation},
		{fasthttp.MethodDelete, "/v1/cancellations/{id}", bulk.forgetCancellation},
		{fasthttp.MethodGet, "/v1/replays", bulk.listReplays},
		{fasthttp.MethodPost, "/v1/replays", bulk.replay},
		{fasthttp.MethodGet, "/v1/replays/{id}", bulk.oneReplay},
		{fasthttp.MethodDelete, "/v1/replays/{id}", bulk.endReplay},
		{fasthttp.MethodGet, "/v1/dead-letters", s.opsDeadLetters},
		{fasthttp.MethodPost, "/v1/dead-letters/redrive", s.opsRedriveAll},
		{fasthttp.MethodPost, "/v1/dead-letters/{id}/redrive", s.opsRedrive},
		{fasthttp.MethodDelete, "/v1/dead-letters/{id}", s.opsDiscard},
	} {
		r.signed(route.method, route.path, s.opsHandler(route.call))
	}
}

// opsCall answers one request: data for the envelope of v1, or nil for 204.
type opsCall func(ctx context.Context, req *fasthttp.RequestCtx, p params) (any, error)

func (s *Server) opsHandler(call opsCall) handler {
	return func(req *fasthttp.RequestCtx, p params) {
		ctx, cancel := context.WithTimeout(context.Background(), restTimeout)
		defer cancel()
		if s.opts.Operator == nil {
			s.restFailed(req, errNoOperator)
			return
		}
		data, err := call(ctx, req, p)
		switch {
		case err != nil:
			s.restRefused(req, err)
		case data == nil:
			req.SetStatusCode(fasthttp.StatusNoContent)
		default:
			success(req, data)
		}
	}
}

// errFunctionNotFound has the reference's text.
var errFunctionNotFound = &restError{fasthttp.StatusNotFound, "function not found"}

// findFunction returns the active function with the slug, or that with the UUID.
func findFunction(s *engine.Snapshot, id string) (*function.Function, error) {
	if f := s.BySlug[id]; f != nil {
		return f, nil
	}
	if u, ok := ids.ParseUUID(id); ok && s.ByID[u] != nil {
		return s.ByID[u], nil
	}
	return nil, errFunctionNotFound
}

// decodeStrict reads a body into to. A field that it does not have is refused: it may be
// a bound that is misspelled, without which more is done than was meant.
func decodeStrict(req *fasthttp.RequestCtx, to any, fault string) error {
	body := req.PostBody()
	if len(body) > maxRESTBody {
		return &restError{fasthttp.StatusRequestEntityTooLarge, fmt.Sprintf("Request body exceeds %d bytes", maxRESTBody)}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if err == nil {
		if _, after := d.Token(); !errors.Is(after, io.EOF) {
			err = errors.New("more follows the object")
		}
	}
	if err == nil {
		return nil
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if strings.HasPrefix(text, "unknown field") {
		return badRequestf(fault + ": " + text)
	}
	return badRequestf(fault)
}

// bulkScope selects runs of one function; many requests have it.
type bulkScope struct {
	AppID      string `json:"app_id"`
	FunctionID string `json:"function_id"`
	// If is a condition on a run's first event; empty is all.
	If string `json:"if,omitempty"`
}

// resolve returns the function and the compiled condition, which is nil without one.
func (b *bulkScope) resolve(s *engine.Snapshot) (*function.Function, *expr.Expr, error) {
	f, err := findFunction(s, b.FunctionID)
	if err != nil {
		return nil, nil, err
	}
	if f.AppName != b.AppID && f.AppID.String() != b.AppID {
		return nil, nil, errFunctionNotFound
	}
	if b.If == "" {
		return f, nil, nil
	}
	cond, err := expr.Compile(b.If)
	if err != nil {
		return nil, nil, badRequestf("if is not a valid condition: " + err.Error())
	}
	return f, cond, nil
}

// missing lists what a body lacks, in the reference's form.
func missing(fields ...[2]string) error {
	var texts []string
	for _, f := range fields {
		if f[1] == "" {
			texts = append(texts, f[0]+" is required")
		}
	}
	if texts == nil {
		return nil
	}
	return badRequestf(strings.Join(texts, "\n"))
}

// optionalTime reads an RFC 3339 time; the zero time if text is empty.
func optionalTime(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, badRequestf(name + " is not an RFC 3339 time: " + text)
	}
	return t, nil
}
