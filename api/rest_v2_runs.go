package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

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
		out.Output = v2Object(run.Output)
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

func (s *Server) v2Runs(ctx context.Context, req *fasthttp.RequestCtx, _ params) (v2Answer, error) {
	q := v2Query{req.QueryArgs()}
	apps, functions := q.all("app_id"), q.all("function_id")
	if len(functions) > 0 && len(apps) == 0 {
		return v2Answer{}, v2Invalid("appId is required when filtering by functionId")
	}
	return s.v2ListRuns(ctx, q, apps, functions)
}

func (s *Server) v2FunctionRuns(ctx context.Context, req *fasthttp.RequestCtx, p params) (v2Answer, error) {
	return s.v2ListRuns(ctx, v2Query{req.QueryArgs()}, []string{p.get("app_id")}, []string{p.get("function_id")})
}

// v2ListRuns answers with a page of runs, of some apps and of some of their functions if
// any are named.
func (s *Server) v2ListRuns(ctx context.Context, args v2Query, apps, functions []string) (v2Answer, error) {
	list, err := v2RunListOf(args)
	if err != nil {
		return v2Answer{}, err
	}
	snapshot := s.opts.Catalog.Snapshot()
	page := &v2Page{Limit: list.limit}
	answer := v2Answer{page: page, from: list.from, until: list.until}
	if len(apps) > 0 {
		list.Functions = nil
		for id, f := range snapshot.ByID {
			if slices.Contains(apps, f.AppName) &&
				(len(functions) == 0 || slices.Contains(functions, v2Slug(f)) || slices.Contains(functions, f.Slug)) {
				list.Functions = append(list.Functions, id)
			}
		}
		if list.Functions == nil {
			return answer, nil // nothing has these names
		}
	}
	r, err := s.current(ctx)
	if err != nil {
		return v2Answer{}, err
	}
	list.Limit = list.limit + 1 // one more tells whether there is more
	runs, err := r.Runs(ctx, &list.RunQuery)
	if err != nil {
		return v2Answer{}, err //nolint:wrapcheck // the caller logs it with the path
	}
	if len(runs) > list.limit {
		runs = runs[:list.limit]
		page.HasMore, page.Cursor = true, runCursor(&runs[len(runs)-1], list.Field)
	}
	out := make([]v2RunJSON, len(runs))
	for i := range runs {
		out[i] = v2RunOf(snapshot, &runs[i], list.Outputs)
	}
	answer.data = v2List(out)
	return answer, nil
}

// v2RunList is what the parameters of a list of runs ask for.
type v2RunList struct {
	history.RunQuery
	limit       int
	from, until string
}

func v2RunListOf(q v2Query) (l v2RunList, err error) {
	if l.limit, err = q.limit(v2DefaultPage, 0, v2MaxPage); err != nil {
		return l, err
	}
	if l.From, l.from, err = q.time("from"); err != nil {
		return l, err
	}
	if l.Until, l.until, err = q.time("until"); err != nil {
		return l, err
	}
	if l.From != 0 && l.Until != 0 && l.From >= l.Until {
		return l, v2Invalid("from must be before until")
	}
	for _, name := range q.all("status") {
		i := slices.Index(v2StatusNames, strings.ToUpper(name))
		if i < 0 {
			return l, v2Invalid("Status is invalid")
		}
		l.Statuses = append(l.Statuses, history.Status(i+1))
	}
	if name := q.text("time_field"); name != "" {
		field, ok := v2TimeFields[name]
		if !ok {
			return l, v2Invalid("timeField is invalid")
		}
		l.Field = field
	}
	switch strings.ToUpper(q.text("order")) {
	case "", "DESC":
	case "ASC":
		l.Ascending = true
	default:
		return l, v2Invalid("order is invalid")
	}
	if l.Outputs, _, err = q.boolean("include_output"); err != nil {
		return l, err
	}
	if deferred, given, err := q.boolean("is_deferred"); err != nil {
		return l, err
	} else if given {
		l.Deferred = &deferred
	}
	if text := q.text("cursor"); text != "" {
		if l.After, err = parseRunCursor(text, l.Field); err != nil {
			return l, v2Invalid("Cursor is invalid")
		}
	}
	return l, nil
}

var v2TimeFields = map[string]history.TimeField{
	"queuedAt": history.ByQueued, "startedAt": history.ByStarted, "endedAt": history.ByEnded,
	"QUEUED_AT": history.ByQueued, "STARTED_AT": history.ByStarted, "ENDED_AT": history.ByEnded,
}

// v2StatusNames are the states by which lists are filtered, in the order of
// history.Status from 1.
var v2StatusNames = []string{v2Queued, "RUNNING", "COMPLETED", "FAILED", "CANCELLED"}

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
