package api

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// Page sizes of /v1/events (spec 02 §14).
const (
	v1DefaultEvents = 20
	v1MaxEvents     = 51
	// v1EventWindow is how far the list goes back without received_after.
	v1EventWindow = time.Hour
)

// v1EventJSON is an event of the REST API v1 (spec 02 §6.2). Ids of tenants are zero in
// the reference too.
type v1EventJSON struct {
	InternalID    ulid.ULID       `json:"internal_id"`
	AccountID     ids.UUID        `json:"account_id"`
	EnvironmentID ids.UUID        `json:"environment_id"`
	Source        string          `json:"source"`
	SourceID      *ids.UUID       `json:"source_id"`
	ReceivedAt    time.Time       `json:"received_at"`
	ID            string          `json:"id"`
	Name          string          `json:"name"`
	Data          json.RawMessage `json:"data"`
	User          json.RawMessage `json:"user,omitempty"`
	TS            int64           `json:"ts"`
	V             string          `json:"v,omitempty"`
}

func v1EventOf(e *history.Event) v1EventJSON {
	out := v1EventJSON{
		InternalID: e.ID, ReceivedAt: time.UnixMilli(e.ReceivedAt).UTC(), ID: e.IDText(), Name: e.Name,
		Data: e.Data, TS: e.TS, V: e.V,
	}
	if string(e.User) != "{}" && string(e.User) != "null" {
		out.User = e.User
	}
	return out
}

// v1Events lists events, the newest first.
func (s *Server) v1Events(ctx context.Context, req *fasthttp.RequestCtx, _ params) (any, error) {
	q, err := v1EventQuery(req.QueryArgs(), time.Now())
	if err != nil {
		return nil, err
	}
	r, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	events, err := r.Events(ctx, q)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller logs it with the path
	}
	out := make([]v1EventJSON, len(events))
	for i := range events {
		out[i] = v1EventOf(&events[i])
	}
	return out, nil
}

func v1EventQuery(args *fasthttp.Args, now time.Time) (*history.EventQuery, error) {
	q := &history.EventQuery{Limit: v1DefaultEvents, From: now.Add(-v1EventWindow).UnixMilli()}
	if n, err := strconv.Atoi(string(args.Peek("limit"))); err == nil && n != 0 {
		q.Limit = min(max(n, 1), v1MaxEvents)
	}
	if text := args.Peek("cursor"); len(text) > 0 {
		var err error
		if q.Before, err = ulid.ParseStrict(string(text)); err != nil {
			return nil, badRequestf("Invalid cursor query parameter")
		}
	}
	if name := args.Peek("name"); len(name) > 0 {
		q.Names = []string{string(name)}
	}
	// The reference names received_after for either.
	for _, bound := range []struct {
		name string
		to   *int64
	}{{"received_after", &q.From}, {"received_before", &q.Until}} {
		text := args.Peek(bound.name)
		if len(text) == 0 {
			continue
		}
		at, ok := parseAnyTime(string(text))
		if !ok {
			return nil, badRequestf("Invalid received_after query parameter")
		}
		*bound.to = unixMS(at)
	}
	return q, nil
}

// timeLayouts are the forms of times that the reference takes (spec 02 §6.2).
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05", time.DateOnly, time.RFC1123, time.RFC1123Z, time.RFC822, time.RFC822Z,
	time.RFC850, time.ANSIC, time.UnixDate, time.RubyDate, "2006-01-02 15:04:05.999999999 -0700 MST",
}

func parseAnyTime(text string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// v1Event answers with one event, also one that the server made.
func (s *Server) v1Event(ctx context.Context, _ *fasthttp.RequestCtx, p params) (any, error) {
	_, e, err := s.eventOf(ctx, p)
	if err != nil {
		return nil, err
	}
	return v1EventOf(e), nil
}

// eventOf reads the event that a path names, from a history that is current.
func (s *Server) eventOf(ctx context.Context, p params) (history.Reader, *history.Event, error) {
	id, err := v1ID(p, "eventID", "event")
	if err != nil {
		return nil, nil, err
	}
	r, err := s.current(ctx)
	if err != nil {
		return nil, nil, err
	}
	e, err := r.Event(ctx, id)
	if errors.Is(err, history.ErrNotFound) {
		return nil, nil, &restError{fasthttp.StatusNotFound, "Event not found"}
	}
	return r, e, err //nolint:wrapcheck // the caller logs it with the path
}

// v1EventRuns lists the runs that an event has started, alone or in a batch.
func (s *Server) v1EventRuns(ctx context.Context, _ *fasthttp.RequestCtx, p params) (any, error) {
	id, err := v1ID(p, "eventID", "event")
	if err != nil {
		return nil, err
	}
	r, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	runs, err := r.RunsOfEvents(ctx, []ulid.ULID{id}, true)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller logs it with the path
	}
	out := make([]v1RunJSON, 0, len(runs[id]))
	for i := range runs[id] {
		out = append(out, v1RunOf(&runs[id][i], ids.UUID{}))
	}
	return out, nil
}
