package inngestdb

import (
	"context"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// endKinds are the statuses of function_finishes and of spans that end a run.
var endKinds = map[string]engine.LifecycleKind{
	"Completed": engine.RunCompleted, "Failed": engine.RunFailed, "Cancelled": engine.RunCancelled,
	"Overflowed": engine.RunFailed,
}

// readFinishes takes a page of function_finishes, for the runs that no other table says
// the end of. It comes when all runs are in history, because SQLite has no index by run.
func (im *importer) readFinishes(ctx context.Context, before string) (place string, more bool, err error) {
	place = before
	var ends []*engine.Lifecycle
	n, size := 0, 0
	err = im.finishes.page(ctx, "run_id", "run_id status output created_at", before, im.rows, func(r row, at string) bool {
		n, place = n+1, at
		if l := im.finish(r); l != nil {
			ends = append(ends, l)
			size += len(l.Payload)
		}
		return size < batchBytes
	})
	if err != nil {
		return before, false, err
	}
	page := make([]oldRun, len(ends))
	for i, l := range ends {
		page[i].id = l.Run
	}
	known, err := im.knownRuns(ctx, page)
	if err != nil {
		return before, false, err
	}
	for _, l := range ends {
		if run := known[l.Run]; run != nil && !run.Status.Ended() {
			delete(known, l.Run) // the newest row counts
			l.Fn, l.At = run.Function, max(l.At, run.QueuedAt)
			if run.StartedAt == 0 && l.Kind != engine.RunCancelled {
				started := &engine.Lifecycle{Kind: engine.RunStarted, At: run.QueuedAt, Run: l.Run, Fn: l.Fn} // all that is known
				im.batch.Records = append(im.batch.Records, started)
			}
			im.batch.Records = append(im.batch.Records, l)
		}
	}
	return place, n > 0, nil
}

// finish reads a row; nil if there is no use of it.
func (im *importer) finish(r row) *engine.Lifecycle {
	l := &engine.Lifecycle{Kind: endKinds[r["status"].text()], Run: r["run_id"].ulid(), At: millis(r["created_at"].time())}
	output, ok := r["output"].json()
	if l.Kind == 0 || l.Run == (ulid.ULID{}) || !ok {
		im.faults.add("rows of function_finishes", l.Run.String())
		return nil
	}
	l.Payload = endPayload(l.Kind, output)
	return l
}

// endPayload is what a run ends with, of what the tables have as its output.
func endPayload(kind engine.LifecycleKind, output []byte) []byte {
	switch kind {
	case engine.RunCompleted:
		return output
	case engine.RunFailed:
		if inner := member(output, "error"); inner != nil && member(output, "message") == nil {
			return inner
		}
	}
	if string(output) == "{}" { // stands for nothing
		return nil
	}
	return output
}
