package api

import (
	"context"
	"slices"
	"sync"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// fakeHistory is a read model in memory. Methods that no test needs are those of the nil
// interface.
type fakeHistory struct {
	history.Reader
	// err is what every call answers.
	err    error
	runs   []history.Run
	traces []history.Trace
	events []history.Event
	skips  []history.Skip

	mu       sync.Mutex
	appended []engine.Lifecycle
	query    history.RunQuery // the last one
	events1  history.EventQuery
}

func (h *fakeHistory) Sync(context.Context) error { return h.err }

func (h *fakeHistory) Run(_ context.Context, id ulid.ULID) (*history.Run, error) {
	for i := range h.runs {
		if h.runs[i].ID == id {
			return &h.runs[i], h.err
		}
	}
	return nil, history.ErrNotFound
}

func (h *fakeHistory) Runs(_ context.Context, q *history.RunQuery) ([]history.Run, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.query = *q
	var out []history.Run
	for _, r := range h.runs {
		passed := q.After != nil && (r.ID == q.After.ID || r.ID.Compare(q.After.ID) < 0 == q.Ascending)
		if passed || len(q.Statuses) > 0 && !slices.Contains(q.Statuses, r.Status) {
			continue
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b history.Run) int {
		if q.Ascending {
			return a.ID.Compare(b.ID)
		}
		return b.ID.Compare(a.ID)
	})
	return out[:min(len(out), q.Limit)], h.err
}

func (h *fakeHistory) RunsOfEvents(_ context.Context, events []ulid.ULID, _ bool) (map[ulid.ULID][]history.Run, error) {
	out := map[ulid.ULID][]history.Run{}
	for _, r := range h.runs {
		for _, e := range r.Events {
			if slices.Contains(events, e) {
				out[e] = append(out[e], r)
			}
		}
	}
	return out, h.err
}

func (h *fakeHistory) Traces(_ context.Context, list []ulid.ULID) (out []history.Trace, err error) {
	for _, t := range h.traces {
		if slices.Contains(list, t.Run.ID) {
			out = append(out, t)
		}
	}
	return out, h.err
}

func (h *fakeHistory) Event(_ context.Context, id ulid.ULID) (*history.Event, error) {
	for i := range h.events {
		if h.events[i].ID == id {
			return &h.events[i], h.err
		}
	}
	return nil, history.ErrNotFound
}

func (h *fakeHistory) Events(_ context.Context, q *history.EventQuery) ([]history.Event, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events1 = *q
	return h.events, h.err
}

func (h *fakeHistory) EventsByID(_ context.Context, list []ulid.ULID) (out []history.Event, err error) {
	for _, e := range h.events {
		if slices.Contains(list, e.ID) {
			out = append(out, e)
		}
	}
	return out, h.err
}

func (h *fakeHistory) Skips(context.Context, []ulid.ULID) ([]history.Skip, error) {
	return h.skips, h.err
}

func (h *fakeHistory) Append(_ context.Context, records ...engine.Lifecycle) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.appended = append(h.appended, records...)
	return h.err
}

// fakeOperator is an engine as operators see it.
type fakeOperator struct {
	err error // of every call
	// block makes CancelBulk and Replay wait until their context ends.
	block bool

	mu      sync.Mutex
	modes   map[ids.UUID]engine.FunctionMode
	bulks   []engine.BulkCancel
	replays []engine.Replay
	dead    []engine.DeadLetter
}

func (o *fakeOperator) Replay(ctx context.Context, r *engine.Replay) error {
	if o.block {
		<-ctx.Done()
		return ctx.Err()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.replays = append(o.replays, *r)
	return o.err
}

func (o *fakeOperator) SetMode(_ context.Context, fn ids.UUID, m engine.FunctionMode) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.modes == nil {
		o.modes = map[ids.UUID]engine.FunctionMode{}
	}
	o.modes[fn] = m
	return o.err
}

func (o *fakeOperator) Mode(_ context.Context, fn ids.UUID) (engine.FunctionMode, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.modes[fn], o.err
}

func (o *fakeOperator) Backlog(ids.UUID) int64 { return 7 }

func (o *fakeOperator) CancelBulk(ctx context.Context, b *engine.BulkCancel) (int, error) {
	if o.block {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bulks = append(o.bulks, *b)
	return 3, o.err
}

// DeadLetters is inclusive, as the engine's.
func (o *fakeOperator) DeadLetters(_ context.Context, at int64, id ulid.ULID, limit int) ([]engine.DeadLetter, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []engine.DeadLetter
	for _, d := range o.dead {
		if d.At > at || d.At == at && d.ID.Compare(id) >= 0 {
			out = append(out, d)
		}
	}
	return out[:min(limit, len(out))], o.err
}

func (o *fakeOperator) Redrive(_ context.Context, d *engine.DeadLetter) error {
	return o.takeDead(d, true)
}

func (o *fakeOperator) Discard(_ context.Context, d *engine.DeadLetter) error {
	return o.takeDead(d, false)
}

// takeDead takes one out; those whose reason is "stays" cannot be re-driven.
func (o *fakeOperator) takeDead(d *engine.DeadLetter, redrive bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.dead, func(x engine.DeadLetter) bool { return x.Partition == d.Partition && x.At == d.At && x.ID == d.ID })
	if i < 0 {
		return engine.ErrNoDeadLetter
	}
	if redrive && o.dead[i].Reason == "stays" {
		return engine.ErrStillDead
	}
	o.dead = slices.Delete(o.dead, i, i+1)
	return o.err
}

func (o *fakeOperator) Stats() engine.Stats { return engine.Stats{} }
