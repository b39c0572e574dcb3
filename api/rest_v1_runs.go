package api

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"ingot/internal/ids"
	"ingot/internal/trace"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// v1RunJSON is a run of the REST API v1 (spec 02 §6.3).
type v1RunJSON struct {
	RunID           ulid.ULID       `json:"run_id"`
	RunStartedAt    time.Time       `json:"run_started_at"`
	FunctionID      ids.UUID        `json:"function_id"`
	FunctionVersion int             `json:"function_version"` // always 0
	EnvironmentID   ids.UUID        `json:"environment_id"`
	EventID         ulid.ULID       `json:"event_id"`
	BatchID         *ulid.ULID      `json:"batch_id,omitempty"`
	OriginalRunID   *ulid.ULID      `json:"original_run_id,omitempty"`
	Cron            string          `json:"cron,omitempty"`
	Status          string          `json:"status"`
	EndedAt         *time.Time      `json:"ended_at"`
	Output          json.RawMessage `json:"output,omitempty"`
}

// v1Statuses are the names of history.Status.
var v1Statuses = map[history.Status]string{
	history.Scheduled: "Scheduled", history.Running: "Running", history.Completed: "Completed",
	history.Failed: "Failed", history.Cancelled: "Cancelled", history.Skipped: "Skipped",
}

// envID is the only environment.
var envID = mustUUID(ids.EnvID)

func mustUUID(text string) ids.UUID {
	u, ok := ids.ParseUUID(text)
	if !ok {
		panic("api: " + text + " is not a UUID")
	}
	return u
}

func v1RunOf(run *history.Run, env ids.UUID) v1RunJSON {
	out := v1RunJSON{
		RunID: run.ID, RunStartedAt: time.UnixMilli(run.QueuedAt).UTC(), FunctionID: run.Function,
		EnvironmentID: env, Cron: run.Cron, Status: v1Statuses[run.Status],
	}
	if out.Status == "" {
		out.Status = "Unknown"
	}
	if run.StartedAt > 0 {
		out.RunStartedAt = time.UnixMilli(run.StartedAt).UTC()
	}
	if len(run.Events) > 0 {
		out.EventID = run.Events[0]
	}
	if id, ok := run.BatchID(); ok {
		out.BatchID = &id
	}
	if run.Original != (ulid.ULID{}) {
		out.OriginalRunID = &run.Original
	}
	if run.Status.Ended() {
		out.EndedAt, out.Output = utcTime(run.EndedAt), v1Output(run)
	}
	return out
}

// v1Output is what an ended run shows, as recorded: an empty object for a cancelled one,
// null for a function that returned nothing.
func v1Output(run *history.Run) json.RawMessage {
	out := shownOutput(run)
	switch {
	case len(out) > 0:
		return out
	case run.Status == history.Cancelled:
		return json.RawMessage("{}")
	}
	return json.RawMessage("null")
}

// utcTime is a unix ms time; nil if it is 0.
func utcTime(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := time.UnixMilli(ms).UTC()
	return &t
}

// v1NoRun is what the reference answers for runs that it does not know.
func v1NoRun(id ulid.ULID) error {
	return &restError{fasthttp.StatusInternalServerError, "Unable to load function run: " + id.String()}
}

// v1Run answers with one run.
func (s *Server) v1Run(ctx context.Context, _ *fasthttp.RequestCtx, p params) (any, error) {
	id, err := v1ID(p, "runID", "run")
	if err != nil {
		return nil, err
	}
	r, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	run, err := r.Run(ctx, id)
	if errors.Is(err, history.ErrNotFound) {
		return nil, v1NoRun(id)
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller logs it with the path
	}
	return v1RunOf(run, envID), nil
}

// v1MaxJobs bounds the list of outstanding jobs.
const v1MaxJobs = 10

// v1Jobs lists what a run has outstanding.
func (s *Server) v1Jobs(ctx context.Context, _ *fasthttp.RequestCtx, p params) (any, error) {
	id, err := v1ID(p, "runID", "run")
	if err != nil {
		return nil, err
	}
	r, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	traces, err := r.Traces(ctx, []ulid.ULID{id})
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller logs it with the path
	}
	if len(traces) == 0 {
		return nil, v1NoRun(id)
	}
	t := &traces[0]
	jobs := trace.Jobs(t)
	jobs = jobs[:min(len(jobs), v1MaxJobs)]
	out := make([]v1JobJSON, 0, len(jobs))
	fn := s.opts.Catalog.Snapshot().ByID[t.Run.Function]
	for i := range jobs {
		out = append(out, v1JobOf(&jobs[i], &t.Run, fn))
	}
	return out, nil
}
