package inngestdb

import (
	"context"
	"log/slog"
	"time"

	"ingot/storage/history"
)

// Bounds of one step of the import.
const (
	// pageRows is how many rows are looked at together.
	pageRows = 200
	// batchBytes ends a batch, and so bounds memory together with the largest row.
	batchBytes = 4 << 20
	// retryMin and retryMax bound the wait after an error.
	retryMin = time.Second
	retryMax = time.Minute
	// restMax bounds the rest between pages, which is as long as the page took: half of the
	// time belongs to the history of what happens now.
	restMax = time.Second
)

// Parts of the import, as in our table.
const (
	partCatalog  = "catalog"
	partRuns     = "runs"
	partEvents   = "events"
	partTraces   = "traces"
	partFinishes = "finishes"
	partAll      = "all"
)

// importer is one import under way.
type importer struct {
	src    Source
	dst    Target
	log    *slog.Logger
	faults *faults
	places positions

	functionRuns, finishes, traceRuns, batches, spans, eventRows *table

	batch history.Batch
	size  int // bytes that the batch holds
	rows  int // of a page
	// pause waits, and reports false if ctx ends before.
	pause func(ctx context.Context, d time.Duration) bool
}

// part is one table on its way to history. read takes the rows of a page before a place,
// and returns the place that it came to and whether there may be more.
type part struct {
	name string
	read func(ctx context.Context, before string) (place string, more bool, err error)
}

// ImportHistory brings all events and runs into dst, the newest first, and notes in the
// database when it has. It takes little memory and may take hours; stopped by ctx at any
// time, it goes on from there when it is called again. What dst has already remains as it
// is. Errors of the databases are logged, and what failed is tried again until ctx ends,
// whose error is then returned. Without the reference's tables it returns at once.
func ImportHistory(ctx context.Context, src Source, dst Target, log *slog.Logger) error {
	return newImporter(src, dst, log).run(ctx)
}

func newImporter(src Source, dst Target, log *slog.Logger) *importer {
	return &importer{src: src, dst: dst, log: log, faults: newFaults(log), rows: pageRows, pause: pause}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (im *importer) run(ctx context.Context) error {
	defer im.faults.report()
	todo := true
	if err := im.insist(ctx, func() (err error) {
		todo, err = im.open(ctx)
		return err
	}); err != nil || !todo {
		return err
	}
	begun := time.Now()
	im.log.Info("the runs and events of a reference server's database are imported in the background")
	// Events and runs come side by side, so that the newest runs are whole. The others add
	// to what these have left out.
	for _, group := range [][]part{
		{{partRuns, im.readRuns}, {partEvents, im.readEvents}},
		{{partTraces, im.readTraces}},
		{{partFinishes, im.readFinishes}},
	} {
		for len(group) > 0 {
			var open []part
			for _, p := range group {
				more, err := im.step(ctx, p)
				if err != nil {
					return err
				}
				if more {
					open = append(open, p)
				}
			}
			group = open
		}
	}
	err := im.insist(ctx, func() error { return im.places.set(ctx, partAll, "", true) })
	if err == nil {
		im.log.Info("the import of a reference server's database is complete", "took", time.Since(begun).Round(time.Second))
	}
	return err
}

// insist calls f until it succeeds or ctx ends.
func (im *importer) insist(ctx context.Context, f func() error) error {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		err := f()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			return nil
		}
		im.log.Error("the import of a reference server's database is tried again", "error", err, "in", wait)
		if !im.pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

// open looks at the tables; it reports false if there is nothing to do.
func (im *importer) open(ctx context.Context) (bool, error) {
	if there, err := Present(ctx, im.src.DB, im.src.Dialect); err != nil || !there {
		return false, err
	}
	var err error
	if im.places, err = openPositions(ctx, im.src.DB); err != nil {
		return false, err
	}
	if _, done, err := im.places.get(ctx, partAll); err != nil || done {
		return false, err
	}
	for name, t := range map[string]**table{
		"function_runs": &im.functionRuns, "function_finishes": &im.finishes, "trace_runs": &im.traceRuns,
		"event_batches": &im.batches, "spans": &im.spans, "events": &im.eventRows,
	} {
		if *t, err = openTable(ctx, im.src, name); err != nil {
			return false, err
		}
	}
	return true, nil
}

// step imports the next page of a part; more says that there may be another.
func (im *importer) step(ctx context.Context, p part) (more bool, err error) {
	begun := time.Now()
	err = im.insist(ctx, func() error {
		place, done, err := im.places.get(ctx, p.name)
		if err != nil || done {
			more = false
			return err
		}
		im.batch, im.size = history.Batch{}, 0
		if place, more, err = p.read(ctx, place); err != nil {
			return err
		}
		if err := im.store(ctx); err != nil {
			return err
		}
		return im.places.set(ctx, p.name, place, !more)
	})
	if err == nil && more && !im.pause(ctx, min(time.Since(begun), restMax)) {
		return false, ctx.Err()
	}
	return more, err
}

// store hands the batch on.
func (im *importer) store(ctx context.Context) error {
	if len(im.batch.Events) == 0 && len(im.batch.Records) == 0 {
		return nil
	}
	if err := im.dst.Store(ctx, &im.batch); err != nil {
		return failed("history", err)
	}
	return nil
}

// full reports whether the batch is as large as it may get.
func (im *importer) full() bool { return im.size >= batchBytes }
