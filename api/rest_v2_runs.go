package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"ingot/engine"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// v2MaxEventRuns bounds a page of the runs of an event.
const v2MaxEventRuns = 40

// v2RunMethods adds what is read of runs (spec 02 §8.6).
func (s *Server) v2RunMethods(add func(method, path string, call v2Call)) {
	add(fasthttp.MethodGet, "/runs", s.v2Runs)
	add(fasthttp.MethodGet, "/apps/{app_id}/functions/{function_id}/runs", s.v2FunctionRuns)
	add(fasthttp.MethodGet, "/runs/{run_id}", s.v2Run)
	add(fasthttp.MethodGet, "/runs/{run_id}/trace", s.v2Trace)
	add(fasthttp.MethodGet, "/events/{event_id}/runs", s.v2EventRuns)
}

type v2RunJSON struct {
	App        v2Ref           `json:"app"`
	DurationMs *int64          `json:"durationMs,omitempty,string"`
	EndedAt    string          `json:"endedAt,omitempty"`
	Function   v2RunFunction   `json:"function"`
	ID         ulid.ULID       `json:"id"`
	Output     json.RawMessage `json:"output,omitempty"`
	QueuedAt   string          `json:"queuedAt"`
	StartedAt  string          `json:"startedAt,omitempty"`
	Status     string          `json:"status"`
	Trigger    v2RunTrigger    `json:"trigger"`
}

type v2RunFunction struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

type v2RunTrigger struct {
	BatchID      string      `json:"batchId,omitempty"`
	CronSchedule string      `json:"cronSchedule,omitempty"`
	EventIDs     []ulid.ULID `json:"eventIds,omitempty"`
	IsBatch      bool        `json:"isBatch,omitempty"`
}

// v2Statuses are the names of states; what has none is queued.
var v2Statuses = map[history.Status]string{
	history.Running: "RUNNING", history.Completed: "COMPLETED", history.Failed: "FAILED", history.Cancelled: "CANCELLED",
}

const v2Queued = "QUEUED"

func v2RunOf(s *engine.Snapshot, run *history.Run, output bool) v2RunJSON {
	out := v2RunJSON{
		ID: run.ID, QueuedAt: v2Time(run.QueuedAt), StartedAt: v2Time(run.StartedAt), EndedAt: v2Time(run.EndedAt),
		Status:     v2Statuses[run.Status],
		DurationMs: v2Duration(run.StartedAt, run.EndedAt),
		Trigger:    v2RunTrigger{CronSchedule: run.Cron, EventIDs: run.Events},
	}
	if out.Status == "" {
		out.Status = v2Queued
	}
	if run.StartedAt == 0 {
		out.DurationMs = v2Duration(run.QueuedAt, run.EndedAt)
	}
	if fn := s.ByID[run.Function]; fn != nil {
		out.App.ID, out.Function = fn.AppName, v2RunFunction{ID: v2Slug(fn), Name: fn.Name}
	}
	if id, ok := run.BatchID(); ok {
		out.Trigger.IsBatch, out.Trigger.BatchID = true, id.String()
	}
	if output {
		out.Output = v2Object(shownOutput(run))
	}
	return out
}

func v2ID(p params, name, what string) (ulid.ULID, error) {
	id, err := ulid.ParseStrict(p.get(name))
	if err != nil {
		return id, v2Invalid(what + " ID must be a valid ULID")
	}
	return id, nil
}

// v2LoadRun reads the run of the path.
func (s *Server) v2LoadRun(ctx context.Context, p params) (*history.Run, history.Reader, error) {
	id, err := v2ID(p, "run_id", "Run")
	if err != nil {
		return nil, nil, err
	}
	r, err := s.current(ctx)
	if err != nil {
		return nil, nil, err
	}
	run, err := r.Run(ctx, id)
	if errors.Is(err, history.ErrNotFound) {
		return nil, nil, v2NotFound("Run")
	}
	return run, r, err //nolint:wrapcheck // the caller logs it with the path
}

func (s *Server) v2Run(ctx context.Context, req *fasthttp.RequestCtx, p params) (v2Answer, error) {
	output, _, err := v2Query{req.QueryArgs()}.boolean("include_output")
	if err != nil {
		return v2Answer{}, err
	}
	run, _, err := s.v2LoadRun(ctx, p)
	if err != nil {
		return v2Answer{}, err
	}
	return v2Answer{data: v2RunOf(s.opts.Catalog.Snapshot(), run, output)}, nil
}

func (s *Server) v2EventRuns(ctx context.Context, req *fasthttp.RequestCtx, p params) (v2Answer, error) {
	q := v2Query{req.QueryArgs()}
	id, err := v2ID(p, "event_id", "Event")
	if err != nil {
		return v2Answer{}, err
	}
	limit, err := q.limit(v2DefaultPage, 0, v2MaxEventRuns)
	if err != nil {
		return v2Answer{}, err
	}
	output, _, err := q.boolean("include_output")
	if err != nil {
		return v2Answer{}, err
	}
	var after *history.RunPosition
	if text := q.text("cursor"); text != "" {
		if after, err = parseRunCursor(text, history.ByQueued); err != nil {
			return v2Answer{}, v2Invalid("Cursor is invalid")
		}
	}
	r, err := s.current(ctx)
	if err != nil {
		return v2Answer{}, err
	}
	found, err := r.RunsOfEvents(ctx, []ulid.ULID{id}, output)
	if err != nil {
		return v2Answer{}, err //nolint:wrapcheck // the caller logs it with the path
	}
	runs := found[id]
	if after != nil {
		runs = runs[slices.IndexFunc(runs, func(r history.Run) bool { return r.ID == after.ID })+1:]
	}
	page := &v2Page{Limit: limit}
	if len(runs) > limit {
		runs = runs[:limit]
		page.HasMore, page.Cursor = true, runCursor(&runs[limit-1], history.ByQueued)
	}
	snapshot := s.opts.Catalog.Snapshot()
	out := make([]v2RunJSON, len(runs))
	for i := range runs {
		out[i] = v2RunOf(snapshot, &runs[i], output)
	}
	return v2Answer{data: v2List(out), page: page}, nil
}
