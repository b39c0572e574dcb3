package gql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// fakeHistory is a read model in memory that counts what is asked of it.
type fakeHistory struct {
	mu     sync.Mutex
	calls  map[string]int
	runs   []history.Run // ascending by id
	traces map[ulid.ULID][]engine.Lifecycle
	events []history.Event // ascending by id
	skips  []history.Skip
	err    error // of every call
	// memo keeps lists that have been selected, if it is not nil.
	memo map[string][]history.Run
}

func newFake() *fakeHistory {
	return &fakeHistory{calls: map[string]int{}, traces: map[ulid.ULID][]engine.Lifecycle{}}
}

func (f *fakeHistory) called(ctx context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[name]++
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.err
}

// total is the number of calls since the last one.
func (f *fakeHistory) total() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		n += c
	}
	f.calls = map[string]int{}
	return n
}

func (f *fakeHistory) Sync(ctx context.Context) error { return f.called(ctx, "Sync") }

func (f *fakeHistory) Run(ctx context.Context, id ulid.ULID) (*history.Run, error) {
	if err := f.called(ctx, "Run"); err != nil {
		return nil, err
	}
	for i := range f.runs {
		if f.runs[i].ID == id {
			return &f.runs[i], nil
		}
	}
	return nil, history.ErrNotFound
}

func (f *fakeHistory) selected(q *history.RunQuery) (out []history.Run) {
	all := *q
	all.After, all.Limit = nil, 0
	key := fmt.Sprintf("%+v", all)
	if known, ok := f.memo[key]; ok {
		return known
	}
	defer func() {
		if f.memo != nil {
			f.memo[key] = out
		}
	}()
	for _, r := range f.runs {
		at := r.QueuedAt
		if q.Field == history.ByEnded {
			at = r.EndedAt
		}
		if q.Field == history.ByEnded && at == 0 || at < q.From || q.Until > 0 && at > q.Until ||
			len(q.Statuses) > 0 && !slices.Contains(q.Statuses, r.Status) ||
			q.Functions != nil && !slices.Contains(q.Functions, r.Function) ||
			q.Deferred != nil && *q.Deferred != r.Deferred {
			continue
		}
		out = append(out, r)
	}
	if q.Field == history.ByEnded {
		slices.SortStableFunc(out, func(a, b history.Run) int { return int(a.EndedAt - b.EndedAt) })
	}
	if !q.Ascending {
		slices.Reverse(out)
	}
	return out
}

func (f *fakeHistory) Runs(ctx context.Context, q *history.RunQuery) ([]history.Run, error) {
	if err := f.called(ctx, "Runs"); err != nil {
		return nil, err
	}
	out := f.selected(q)
	if q.After != nil {
		out = out[slices.IndexFunc(out, func(r history.Run) bool { return r.ID == q.After.ID })+1:]
	}
	return out[:min(len(out), q.Limit)], nil
}

func (f *fakeHistory) CountRuns(ctx context.Context, q *history.RunQuery) (int, error) {
	return len(f.selected(q)), f.called(ctx, "CountRuns")
}

func (f *fakeHistory) RunsByID(ctx context.Context, ids []ulid.ULID, _ bool) (out []history.Run, err error) {
	for _, r := range f.runs {
		if slices.Contains(ids, r.ID) {
			out = append(out, r)
		}
	}
	return out, f.called(ctx, "RunsByID")
}

func (f *fakeHistory) RunsOfEvents(ctx context.Context, events []ulid.ULID, _ bool) (map[ulid.ULID][]history.Run, error) {
	out := map[ulid.ULID][]history.Run{}
	for _, r := range f.runs {
		for _, id := range r.Events {
			if slices.Contains(events, id) {
				out[id] = append(out[id], r)
			}
		}
	}
	return out, f.called(ctx, "RunsOfEvents")
}

func (f *fakeHistory) Traces(ctx context.Context, ids []ulid.ULID) (out []history.Trace, err error) {
	for _, r := range f.runs {
		if slices.Contains(ids, r.ID) {
			out = append(out, history.Trace{Run: r, Records: f.traces[r.ID]})
		}
	}
	return out, f.called(ctx, "Traces")
}

func (f *fakeHistory) Event(ctx context.Context, id ulid.ULID) (*history.Event, error) {
	if err := f.called(ctx, "Event"); err != nil {
		return nil, err
	}
	for i := range f.events {
		if f.events[i].ID == id {
			return &f.events[i], nil
		}
	}
	return nil, history.ErrNotFound
}

func (f *fakeHistory) Events(ctx context.Context, q *history.EventQuery) (out []history.Event, err error) {
	for _, e := range slices.Backward(f.events) {
		if strings.HasPrefix(e.Name, "inngest/") && !q.Internal || q.Names != nil && !slices.Contains(q.Names, e.Name) ||
			e.ReceivedAt < q.From || q.Until > 0 && e.ReceivedAt > q.Until ||
			q.Before != (ulid.ULID{}) && e.ID.Compare(q.Before) >= 0 || q.After != (ulid.ULID{}) && e.ID.Compare(q.After) <= 0 {
			continue
		}
		if len(out) < q.Limit {
			out = append(out, e)
		}
	}
	return out, f.called(ctx, "Events")
}

func (f *fakeHistory) CountEvents(ctx context.Context, q *history.EventQuery) (int, error) {
	all := *q
	all.Before, all.After, all.Limit = ulid.ULID{}, ulid.ULID{}, len(f.events)
	events, err := f.Events(ctx, &all)
	return len(events), err
}

func (f *fakeHistory) EventsByID(ctx context.Context, ids []ulid.ULID) (out []history.Event, err error) {
	for _, e := range f.events {
		if slices.Contains(ids, e.ID) {
			out = append(out, e)
		}
	}
	return out, f.called(ctx, "EventsByID")
}

func (f *fakeHistory) Skips(ctx context.Context, events []ulid.ULID) (out []history.Skip, err error) {
	for _, s := range f.skips {
		if slices.Contains(events, s.Event) {
			out = append(out, s)
		}
	}
	return out, f.called(ctx, "Skips")
}

func (f *fakeHistory) Append(context.Context, ...engine.Lifecycle) error { return nil }

// fakeEngine keeps what it is told.
type fakeEngine struct {
	history *fakeHistory
	replays []engine.Replay
	modes   map[ids.UUID]engine.FunctionMode
	err     error
}

func (e *fakeEngine) Cancel(_ context.Context, run ulid.ULID) error {
	for i := range e.history.runs {
		if r := &e.history.runs[i]; r.ID == run {
			r.Status, r.EndedAt = history.Cancelled, r.QueuedAt+1
		}
	}
	return e.err
}

func (e *fakeEngine) Replay(_ context.Context, r *engine.Replay) error {
	e.replays = append(e.replays, *r)
	return e.err
}

func (e *fakeEngine) SetMode(_ context.Context, fn ids.UUID, m engine.FunctionMode) error {
	e.modes[fn] = m
	return e.err
}

func (e *fakeEngine) Mode(_ context.Context, fn ids.UUID) (engine.FunctionMode, error) {
	return e.modes[fn], e.err
}
