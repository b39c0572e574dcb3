package inngestdb

import (
	"cmp"
	"context"

	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// oldRun is what the tables besides spans say of a run.
type oldRun struct {
	id       ulid.ULID
	fn       ids.UUID
	events   []ulid.ULID
	batch    ulid.ULID // the row of event_batches; zero if there is none
	cron     string
	original ulid.ULID
	// status is that of trace_runs (spec 02 §12.4); times are unix ms, 0 if absent.
	status         int64
	started, ended int64
	output         []byte // raw JSON of trace_runs; nil if there is none
}

// Statuses of trace_runs.
const (
	codeOverflowed = 50
	codeRunning    = 200
	codeCompleted  = 300
	codeFailed     = 400
	codeCancelled  = 500
	codeSkipped    = 600
)

// readRuns takes a page of function_runs: of all runs but those that were skipped.
func (im *importer) readRuns(ctx context.Context, before string) (place string, more bool, err error) {
	var page []oldRun
	var places []string
	const columns = "run_id function_id event_id batch_id original_run_id cron"
	err = im.functionRuns.page(ctx, "run_id", columns, before, im.rows, func(r row, at string) bool {
		run := oldRun{
			id: r["run_id"].ulid(), fn: r["function_id"].uuid(), cron: r["cron"].text(),
			batch: r["batch_id"].ulid(), original: r["original_run_id"].ulid(),
		}
		if ev := r["event_id"].ulid(); ev != (ulid.ULID{}) {
			run.events = []ulid.ULID{ev}
		}
		page, places = append(page, run), append(places, at)
		return true
	})
	if err != nil {
		return before, false, err
	}
	return im.takeRuns(ctx, page, places, before)
}

// readTraces takes a page of trace_runs, for the runs that have no row in function_runs:
// skipped ones.
func (im *importer) readTraces(ctx context.Context, before string) (place string, more bool, err error) {
	var page []oldRun
	var places []string
	err = im.traceRuns.page(ctx, "run_id", "run_id function_id", before, im.rows, func(r row, at string) bool {
		page, places = append(page, oldRun{id: r["run_id"].ulid(), fn: r["function_id"].uuid()}), append(places, at)
		return true
	})
	if err != nil {
		return before, false, err
	}
	return im.takeRuns(ctx, page, places, before)
}

// takeRuns adds the runs of a page that history does not have to the batch, until that is
// full.
func (im *importer) takeRuns(ctx context.Context, page []oldRun, places []string, before string) (place string, more bool, err error) {
	known, err := im.knownRuns(ctx, page)
	if err != nil {
		return before, false, err
	}
	place = before
	for i := range page {
		if im.full() {
			break
		}
		run := &page[i]
		switch {
		case run.id == (ulid.ULID{}) || run.fn.IsZero():
			im.faults.add("runs without an id or a function", run.id.String())
		case known[run.id] == nil:
			known[run.id] = &history.Run{} // a second row is the same run
			if err := im.takeRun(ctx, run); err != nil {
				return before, false, err
			}
		}
		place = places[i]
	}
	return place, len(page) > 0, nil
}

// knownRuns are those of a page that history has.
func (im *importer) knownRuns(ctx context.Context, page []oldRun) (map[ulid.ULID]*history.Run, error) {
	known := make(map[ulid.ULID]*history.Run, len(page))
	list := make([]ulid.ULID, 0, len(page))
	for i := range page {
		if page[i].id != (ulid.ULID{}) {
			list = append(list, page[i].id)
		}
	}
	if len(list) == 0 {
		return known, nil
	}
	found, err := im.dst.RunsByID(ctx, list, false)
	if err != nil {
		return nil, failed("history", err)
	}
	for i := range found {
		known[found[i].ID] = &found[i]
	}
	return known, nil
}

// recordBytes is about what a record takes besides its payload.
const recordBytes = 256

// takeRun adds one run, or why there was none, to the batch.
func (im *importer) takeRun(ctx context.Context, run *oldRun) error {
	if err := im.readTraceRun(ctx, run); err != nil {
		return err
	}
	if err := im.readBatch(ctx, run); err != nil {
		return err
	}
	spans, err := im.readSpans(ctx, run.id)
	if err != nil {
		return err
	}
	for _, l := range recordsOf(run, spans, im.faults) {
		im.batch.Records = append(im.batch.Records, l)
		im.size += recordBytes + len(l.Payload) + len(l.Input) + len(l.Header)
	}
	return nil
}

// readTraceRun adds what trace_runs says. A run of an old release has no row there.
func (im *importer) readTraceRun(ctx context.Context, run *oldRun) error {
	const columns = "started_at ended_at status trigger_ids output batch_id cron_schedule"
	return im.traceRuns.query(ctx, columns, "WHERE run_id = $1", []any{im.src.id(im.traceRuns.name, run.id)}, func(r row) bool {
		run.status = r["status"].number()
		run.started, run.ended = max(r["started_at"].number(), 0), max(r["ended_at"].number(), 0) // absent ones are of the year 1
		if list := r["trigger_ids"].ulids(); list != nil {
			run.events = list
		}
		run.cron = cmp.Or(run.cron, r["cron_schedule"].text())
		run.batch = cmp.Or(run.batch, r["batch_id"].ulid())
		var ok bool
		if run.output, ok = r["output"].json(); !ok {
			im.faults.add("outputs in trace_runs that are no JSON", run.id.String())
		}
		return false
	})
}

// readBatch reads the events of a run that has several; the other tables may have the
// first only.
func (im *importer) readBatch(ctx context.Context, run *oldRun) error {
	if run.batch == (ulid.ULID{}) {
		return nil
	}
	return im.batches.query(ctx, "event_ids", "WHERE id = $1", []any{im.src.id(im.batches.name, run.batch)}, func(r row) bool {
		if list := r["event_ids"].ulids(); list != nil {
			run.events = list
		}
		return false
	})
}
