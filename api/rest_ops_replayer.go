package api

import (
	"context"
	"errors"
	"time"

	"ingot/engine"
	"ingot/engine/expr"
	"ingot/internal/rerun"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

const (
	// replayPage is the number of runs that are read at once.
	replayPage = 100
	// replayRetry is how long after a failure that passes it is tried again, and
	// maxReplayRetries how often.
	replayRetry      = time.Second
	maxReplayRetries = 60
)

// replayer goes over the runs of one bulk replay.
type replayer struct {
	s       *Server
	history history.Reader
	query   history.RunQuery
	cond    *expr.Expr // nil is all
	limit   int
	pause   time.Duration
	dry     bool
	matched int
}

func (r *replayer) run(ctx context.Context, j *bulkJob[replayJSON]) error {
	for {
		runs, events, err := r.page(ctx)
		if err != nil || len(runs) == 0 {
			return err
		}
		for i := range runs {
			if r.matched == r.limit {
				return nil
			}
			if err := r.one(ctx, j, &runs[i], events); err != nil {
				return err
			}
		}
		last := &runs[len(runs)-1]
		r.query.After = &history.RunPosition{ID: last.ID, At: last.QueuedAt}
	}
}

// page reads the next runs and the events of all of them.
func (r *replayer) page(ctx context.Context) (runs []history.Run, events []history.Event, err error) {
	err = r.persist(ctx, func() error {
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
func (r *replayer) one(ctx context.Context, j *bulkJob[replayJSON], run *history.Run, events []history.Event) error {
	if r.cond != nil {
		triggers, err := rerun.Triggers(run, events)
		if err != nil {
			return nil // without its events the condition cannot hold
		}
		if ok, err := r.cond.BoolJSON(expr.JSON{Event: triggers[0], Now: time.Now()}); !ok || err != nil {
			return nil
		}
	}
	r.matched++
	if r.dry {
		j.update(func(v *replayJSON) { v.Matched++ })
		return nil
	}
	err := r.persist(ctx, func() error {
		_, err := rerun.WithEvents(ctx, r.s.opts.Catalog, r.s.opts.Operator, run, events)
		return err //nolint:wrapcheck // it is shown with the replay
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	j.update(func(v *replayJSON) {
		v.Matched++
		switch {
		case err == nil:
			v.Replayed++
		case errors.Is(err, engine.ErrSkipped):
			v.Skipped++
		default:
			v.Failed++
			v.LastError = err.Error()
		}
	})
	return sleep(ctx, r.pause)
}

// persist repeats what fails for the moment.
func (r *replayer) persist(ctx context.Context, f func() error) error {
	for n := 0; ; n++ {
		err := f()
		if err == nil || ctx.Err() != nil || n == maxReplayRetries {
			return err
		}
		if _, passing := unavailable(err); !passing {
			return err
		}
		if err := sleep(ctx, replayRetry); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
