package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ingot/engine"
	"ingot/engine/expr"
	"ingot/internal/ids"
	"ingot/internal/rerun"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

const (
	// replayPage is the number of runs that are read at once.
	replayPage = 100
	// replaySaveEvery is the time between two records of how far a replay is.
	replaySaveEvery = time.Second
)

// replayer goes over the runs of one bulk replay.
type replayer struct {
	s       *Server
	list    *bulkList[replayJSON]
	job     *bulkJob[replayJSON]
	history history.Reader
	query   history.RunQuery
	cond    *expr.Expr // nil is all
	limit   int
	pause   time.Duration
	dry     bool
	matched int
	saved   time.Time
}

// runReplay does what is left of a replay.
func (d *bulkDesk) runReplay(ctx context.Context, j *bulkJob[replayJSON]) error {
	r, err := d.newReplayer(j)
	if err != nil {
		return err
	}
	err = d.s.insist(ctx, func() (err error) {
		r.history, err = d.s.current(ctx)
		return err
	})
	if err != nil {
		return err
	}
	return r.run(ctx)
}

func (d *bulkDesk) newReplayer(j *bulkJob[replayJSON]) (*replayer, error) {
	_, v := j.show()
	r := &replayer{
		s: d.s, list: &d.replays, job: j, saved: time.Now(),
		limit: v.Limit, pause: time.Second / time.Duration(v.PerSecond), dry: v.DryRun, matched: v.Matched,
	}
	r.query = history.RunQuery{
		Functions: []ids.UUID{j.place.Fn}, From: v.From.UnixMilli(), Until: unixMS(v.Until), Ascending: true, Limit: replayPage,
	}
	for _, name := range v.Statuses {
		r.query.Statuses = append(r.query.Statuses, history.Status(slices.Index(v2StatusNames, name)+1))
	}
	if j.place.Run != (ulid.ULID{}) {
		r.query.After = &history.RunPosition{ID: j.place.Run, At: j.place.At}
	}
	if v.If == "" {
		return r, nil
	}
	var err error
	if r.cond, err = expr.Compile(v.If); err != nil {
		return nil, fmt.Errorf("if is not a valid condition: %w", err)
	}
	return r, nil
}

func (r *replayer) run(ctx context.Context) error {
	for {
		runs, events, err := r.page(ctx)
		if err != nil || len(runs) == 0 {
			return err
		}
		for i := range runs {
			if r.matched == r.limit {
				return nil
			}
			if err := r.one(ctx, &runs[i], events); err != nil {
				return err
			}
			if time.Since(r.saved) >= replaySaveEvery {
				r.list.saveLater(r.job)
				r.saved = time.Now()
			}
		}
		last := &runs[len(runs)-1]
		r.query.After = &history.RunPosition{ID: last.ID, At: last.QueuedAt}
	}
}

// page reads the next runs and the events of all of them.
func (r *replayer) page(ctx context.Context) (runs []history.Run, events []history.Event, err error) {
	err = r.s.insist(ctx, func() error {
		if runs, err = r.history.Runs(ctx, &r.query); err != nil {
			return err //nolint:wrapcheck // it is shown with the replay
		}
		var ids []ulid.ULID
		for i := range runs {
			ids = append(ids, runs[i].Events...)
		}
		events, err = r.history.EventsByID(ctx, ids)
		return err //nolint:wrapcheck // it is shown with the replay
	})
	return runs, events, err
}

// one replays a run if it meets the condition.
func (r *replayer) one(ctx context.Context, run *history.Run, events []history.Event) error {
	matches := r.matches(run, events)
	var err error
	if matches && !r.dry {
		err = r.s.insist(ctx, func() error {
			return rerun.Once(ctx, r.s.opts.Catalog, r.s.opts.Operator, run, events, r.name(run))
		})
		if ctx.Err() != nil {
			return ctx.Err() // it may have been done or not
		}
	}
	r.job.update(func(v *replayJSON, place *bulkPlace) {
		place.Run, place.At = run.ID, run.QueuedAt
		if matches {
			v.count(err)
		}
	})
	if !matches || r.dry {
		return nil
	}
	return sleep(ctx, r.pause)
}

// matches reports whether the run meets the condition, and counts it.
func (r *replayer) matches(run *history.Run, events []history.Event) bool {
	if r.cond != nil {
		triggers, err := rerun.Triggers(run, events)
		if err != nil {
			return false // without its events the condition cannot hold
		}
		if ok, err := r.cond.BoolJSON(expr.JSON{Event: triggers[0], Now: time.Now()}); !ok || err != nil {
			return false
		}
	}
	r.matched++
	return true
}

// name is by what the engine knows the replay of a run again.
func (r *replayer) name(run *history.Run) ulid.ULID {
	return ids.Derive(int64(r.job.id.Time()), r.job.id[:], run.ID[:])
}

// count counts a run that was matched, and what came of its replay.
func (v *replayJSON) count(err error) {
	v.Matched++
	switch {
	case v.DryRun:
	case err == nil, errors.Is(err, engine.ErrRunExists): // made before a crash
		v.Replayed++
	case errors.Is(err, engine.ErrSkipped):
		v.Skipped++
	default:
		v.Failed++
		v.LastError = err.Error()
	}
}
