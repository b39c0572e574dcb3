package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// pageSize is what the dashboard asks for.
const pageSize = 50

// measure prints how long queries take, n of each kind with random parameters.
func measure(ctx context.Context, db *history.DB, g *generator, n int) error {
	fmt.Printf("%-44s %8s %8s %8s  rows\n", "query", "p50 ms", "p99 ms", "max ms")
	for _, k := range kinds(db, g) {
		took := make([]time.Duration, 0, n)
		rows := 0
		for range n {
			f := k.prepare(ctx)
			begun := time.Now()
			got, err := f()
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			took = append(took, time.Since(begun))
			rows += got
		}
		slices.Sort(took)
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		fmt.Printf("%-44s %8.2f %8.2f %8.2f  %d\n", k.name, ms(took[n/2]), ms(took[n*99/100]), ms(took[n-1]), rows/n)
	}
	return nil
}

// kind is a kind of query. prepare chooses parameters and is not measured.
type kind struct {
	name    string
	prepare func(context.Context) func() (rows int, err error)
}

func kinds(db *history.DB, g *generator) []kind {
	runs := func(name string, q func() history.RunQuery) kind {
		return kind{"runs: " + name, func(ctx context.Context) func() (int, error) {
			query := q()
			query.Limit = pageSize
			return func() (int, error) {
				page, err := db.Runs(ctx, &query)
				return len(page), err
			}
		}}
	}
	count := func(name string, q func() history.RunQuery) kind {
		return kind{"count: " + name, func(ctx context.Context) func() (int, error) {
			query := q()
			return func() (int, error) { return db.CountRuns(ctx, &query) }
		}}
	}
	events := func(name string, q func() history.EventQuery) kind {
		return kind{"events: " + name, func(ctx context.Context) func() (int, error) {
			query := q()
			query.Limit = pageSize
			return func() (int, error) {
				page, err := db.Events(ctx, &query)
				return len(page), err
			}
		}}
	}
	type rq = history.RunQuery
	type eq = history.EventQuery
	failed := []history.Status{history.Failed, history.Cancelled}
	return []kind{
		runs("newest", func() rq { return rq{} }),
		runs("newest with outputs", func() rq { return rq{Outputs: true} }),
		runs("from anywhere", func() rq { return rq{Until: g.time()} }),
		runs("of a function", func() rq { return rq{Functions: g.function()} }),
		runs("of a rare function, oldest first", func() rq { return rq{Functions: g.fns[len(g.fns)-1:], Ascending: true} }),
		runs("of an app, from anywhere", func() rq { return rq{Functions: g.app(), Until: g.time()} }),
		runs("failed", func() rq { return rq{Statuses: failed} }),
		runs("running, from anywhere", func() rq { return rq{Statuses: []history.Status{history.Running}, Until: g.time()} }),
		runs("of an app, failed, a day, oldest first", func() rq {
			at := g.time()
			return rq{Functions: g.app(), Statuses: failed, From: at, Until: at + 24*time.Hour.Milliseconds(), Ascending: true}
		}),
		runs("completed, all functions, from anywhere", func() rq { return rq{Statuses: []history.Status{history.Completed}, Until: g.time()} }),
		runs("last ended", func() rq { return rq{Field: history.ByEnded} }),
		runs("ended anywhere, of an app", func() rq { return rq{Field: history.ByEnded, Functions: g.app(), Until: g.time()} }),
		runs("ended anywhere, of a function, oldest first", func() rq {
			return rq{Field: history.ByEnded, Functions: g.function(), From: g.time(), Ascending: true}
		}),
		count("all", func() rq { return rq{} }),
		count("of an app, failed, some days", func() rq { return rq{Functions: g.app(), Statuses: failed, From: g.time()} }),
		count("some days", func() rq { return rq{From: g.time()} }),
		events("newest", func() eq { return eq{} }),
		events("of a name, from anywhere", func() eq { return eq{Names: g.names[:1], Until: g.time()} }),
		events("of a rare name", func() eq { return eq{Names: g.names[len(g.names)-1:]} }),
		detail(db, g), ofEvents(db, g),
	}
}

// detail is a run with its trace and its events.
func detail(db *history.DB, g *generator) kind {
	return kind{"run: detail", func(ctx context.Context) func() (int, error) {
		id := some(ctx, db, g, 1)
		return func() (int, error) {
			traces, err := db.Traces(ctx, id)
			if err != nil || len(traces) == 0 {
				return 0, err
			}
			events, err := db.EventsByID(ctx, traces[0].Run.Events)
			return len(traces[0].Records) + len(events), err
		}
	}}
}

// ofEvents is a page of events with the runs that they started.
func ofEvents(db *history.DB, g *generator) kind {
	return kind{"runs of a page of events", func(ctx context.Context) func() (int, error) {
		page, _ := db.Events(ctx, &history.EventQuery{Until: g.time(), Limit: pageSize}) // none if it fails
		var list []ulid.ULID
		for i := range page {
			list = append(list, page[i].ID)
		}
		return func() (int, error) {
			runs, err := db.RunsOfEvents(ctx, list, false)
			return len(runs), err
		}
	}}
}

// some are runs from anywhere; none if they cannot be read.
func some(ctx context.Context, db *history.DB, g *generator, n int) (list []ulid.ULID) {
	page, _ := db.Runs(ctx, &history.RunQuery{Until: g.time(), Limit: n})
	for i := range page {
		list = append(list, page[i].ID)
	}
	return list
}

func (g *generator) time() int64 { return g.begin + g.r.Int64N(g.end-g.begin) }

func (g *generator) function() []ids.UUID {
	i := g.r.IntN(len(g.fns))
	return g.fns[i : i+1]
}

// app is half of the functions.
func (g *generator) app() []ids.UUID {
	var fns []ids.UUID
	for i := g.r.IntN(2); i < len(g.fns); i += 2 {
		fns = append(fns, g.fns[i])
	}
	return fns
}
