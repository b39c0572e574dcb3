package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/transport/wire"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// maxEndpointText bounds the domain, path, slug and query of a durable endpoint, each.
const maxEndpointText = 8 << 10

// newRunJSON is the body of POST /v1/checkpoint (spec 01 §14.1).
type newRunJSON struct {
	RunID ulid.ULID `json:"run_id"`
	Event struct {
		ID   string          `json:"id"`
		TS   int64           `json:"ts"`
		V    string          `json:"v"`
		Data json.RawMessage `json:"data"`
	} `json:"event"`
	Steps          json.RawMessage `json:"steps"`
	RequestVersion int             `json:"request_version"`
	Retries        int             `json:"retries"`
}

// endpointJSON is the `data` of an inngest/http.request event.
type endpointJSON struct {
	Domain      string `json:"domain"`
	Method      string `json:"method"`
	Path        string `json:"path"`
	Fn          string `json:"fn"`
	QueryParams string `json:"query_params"`
}

// newRunData is what the SDK needs to go on: RealtimeToken always, Token once it
// may hand its client over to the run's output.
type newRunData struct {
	FnID          string `json:"fn_id"`
	AppID         string `json:"app_id"`
	RunID         string `json:"run_id"`
	Token         string `json:"token,omitempty"`
	RealtimeToken string `json:"realtime_token"`
}

// checkpointNew makes a run of a request that the user's own endpoint is serving
// (spec 01 §14.1). Sending the same run again gives the same answer, since SDKs
// repeat a request whose answer was lost.
func (s *Server) checkpointNew(ctx *fasthttp.RequestCtx, _ params) {
	run, endpoint, err := parseNewRun(ctx.PostBody())
	if err != nil {
		publicErr(ctx, fasthttp.StatusBadRequest, "", err.Error())
		return
	}
	now := time.Now()
	run.Event.InternalID, run.Event.ReceivedAt = ids.New(now.UnixMilli()), now.UnixMilli()
	if run.Event.TS == 0 {
		run.Event.TS = run.Event.ReceivedAt
	}
	fn, err := s.opts.Catalog.UpsertSync(endpoint, now)
	if err != nil {
		s.engineErr(ctx, "Failed to schedule run", err)
		return
	}
	run.FnID = fn.ID
	wait, cancel := context.WithTimeout(context.Background(), engineTimeout)
	defer cancel()
	if err := s.opts.Engine.StartSync(wait, run); err != nil && !errors.Is(err, engine.ErrRunExists) {
		s.engineErr(ctx, "Failed to schedule run", err)
		return
	}
	s.newRunReply(ctx, run, fn, now)
}

func (s *Server) newRunReply(ctx *fasthttp.RequestCtx, run *engine.SyncRun, fn *function.Function, now time.Time) {
	data := newRunData{FnID: fn.ID.String(), AppID: fn.AppID.String(), RunID: run.RunID.String()}
	var err error
	if data.RealtimeToken, err = s.streamToken(data.RunID, now); err != nil {
		s.internalErr(ctx, "Failed to schedule run", err)
		return
	}
	if len(run.Ops) > 0 {
		if data.Token, err = s.runToken(data.RunID, now); err != nil {
			s.internalErr(ctx, "Failed to schedule run", err)
			return
		}
	}
	success(ctx, data)
}

// parseNewRun reads and checks the body. Its errors are for the sender.
func parseNewRun(body []byte) (*engine.SyncRun, engine.SyncEndpoint, error) {
	bad := func(what string) (*engine.SyncRun, engine.SyncEndpoint, error) {
		return nil, engine.SyncEndpoint{}, errors.New("Invalid request body" + what) //nolint:staticcheck // the reference's text
	}
	if len(body) > maxNewRunBody {
		return bad(fmt.Sprintf(": more than %d bytes", maxNewRunBody))
	}
	var in newRunJSON
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&in); err != nil {
		return bad("")
	}
	if in.RunID.IsZero() {
		return bad(": run_id is missing")
	}
	var data endpointJSON
	if !isJSONObject(in.Event.Data) || json.Unmarshal(in.Event.Data, &data) != nil {
		return bad(": event.data is not an http request")
	}
	if err := data.check(); err != nil {
		return bad(": event.data." + err.Error())
	}
	ops, err := wire.ParseOpArray(in.Steps)
	if err != nil {
		return bad(": steps: " + err.Error())
	}
	retries := in.Retries
	if retries < 0 {
		retries = function.DefaultRetries
	}
	run := &engine.SyncRun{
		RunID: in.RunID,
		Event: event.Event{
			ID: []byte(in.Event.ID), Name: []byte(event.NameHTTPRequest), Data: in.Event.Data,
			V: []byte(in.Event.V), TS: in.Event.TS,
		},
		RequestVersion: in.RequestVersion,
		MaxAttempts:    min(retries, function.MaxRetries) + 1,
		Ops:            ops,
	}
	return run, engine.SyncEndpoint{Domain: data.Domain, Method: data.Method, Path: data.Path, Slug: data.Fn}, nil
}

// check refuses endpoints that the server could not enter again. The reference
// takes them and fails later.
func (d *endpointJSON) check() error {
	for _, f := range []struct{ name, value string }{
		{"domain", d.Domain}, {"method", d.Method}, {"path", d.Path}, {"fn", d.Fn}, {"query_params", d.QueryParams},
	} {
		if len(f.value) > maxEndpointText {
			return fmt.Errorf("%s has more than %d bytes", f.name, maxEndpointText)
		}
	}
	u, err := url.Parse(d.Domain)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("domain is not an http or https URL")
	}
	if d.Method == "" || strings.ContainsFunc(d.Method, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return errors.New("method is not an HTTP method in capitals")
	}
	if d.Path != "" && d.Path[0] != '/' {
		return errors.New("path does not begin with /")
	}
	return nil
}

func isJSONObject(v []byte) bool {
	v = bytes.TrimLeft(v, " \t\r\n")
	return len(v) > 0 && v[0] == '{'
}
