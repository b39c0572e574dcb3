package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// Bounds of bulk operations.
const (
	// maxBulkJobs is the number of bulk operations that are remembered, of each kind.
	maxBulkJobs = 1000
	// maxBulkRunning bounds those that run at once, of each kind.
	maxBulkRunning = 8
	// bulkPatience is how long a request waits for its operation to end.
	bulkPatience = time.Second
	// bulkTime bounds one operation.
	bulkTime = 24 * time.Hour
)

// bulkDesk runs operations on many runs beside the requests that ask for them. It
// remembers them until the process ends: what they did is in the history.
type bulkDesk struct {
	s             *Server
	cancellations bulkList[cancellationJSON]
	replays       bulkList[replayJSON]
}

// States of bulk operations.
const (
	bulkRunning   = "running"
	bulkCompleted = "completed"
	bulkFailed    = "failed"
	bulkCancelled = "cancelled"
)

// bulkHead is what all bulk operations show.
type bulkHead struct {
	ID        ulid.ULID  `json:"id"`
	Status    string     `json:"status"`
	CreatedAt time.Time  `json:"created_at"`
	EndedAt   *time.Time `json:"ended_at"`
	Error     string     `json:"error,omitempty"`
}

// bulkJob is one operation. Its view is guarded by mu.
type bulkJob[T any] struct {
	id     ulid.ULID
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	ended bool
	head  bulkHead
	view  T
}

// update changes the view.
func (j *bulkJob[T]) update(change func(*T)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.view)
}

// show returns a copy of head and view.
func (j *bulkJob[T]) show() (bulkHead, T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.head, j.view
}

// bulkList holds the operations of one kind, oldest first.
type bulkList[T any] struct {
	mu   sync.Mutex
	jobs []*bulkJob[T]
}

// start runs work in a goroutine that ends with it, or at the latest with the server.
// A *restError says that too many run already.
func (l *bulkList[T]) start(s *Server, view T, work func(context.Context, *bulkJob[T]) error) (*bulkJob[T], error) {
	now := time.Now().UTC()
	j := &bulkJob[T]{id: ids.New(now.UnixMilli()), done: make(chan struct{}), view: view}
	j.head = bulkHead{ID: j.id, Status: bulkRunning, CreatedAt: now}
	var ctx context.Context
	ctx, j.cancel = context.WithTimeout(s.closing, bulkTime)
	if err := l.add(j); err != nil {
		j.cancel()
		return nil, err
	}
	s.streams.Go(func() {
		defer j.cancel()
		err := work(ctx, j)
		j.finish(ctx, err)
		close(j.done)
	})
	return j, nil
}

func (l *bulkList[T]) add(j *bulkJob[T]) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	running := 0
	for _, other := range l.jobs {
		if !other.over() {
			running++
		}
	}
	if running >= maxBulkRunning {
		return &restError{fasthttp.StatusTooManyRequests, "too many bulk operations run at once; wait until one has ended"}
	}
	if len(l.jobs) >= maxBulkJobs {
		oldest := slices.IndexFunc(l.jobs, (*bulkJob[T]).over)
		l.jobs = slices.Delete(l.jobs, oldest, oldest+1)
	}
	l.jobs = append(l.jobs, j)
	return nil
}

func (j *bulkJob[T]) over() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ended
}

func (j *bulkJob[T]) finish(ctx context.Context, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now().UTC()
	j.ended, j.head.EndedAt, j.head.Status = true, &now, bulkCompleted
	switch {
	case err != nil && ctx.Err() != nil:
		j.head.Status = bulkCancelled
	case err != nil:
		j.head.Status, j.head.Error = bulkFailed, err.Error()
	}
}

// wait waits for a while for the end.
func (j *bulkJob[T]) wait(ctx context.Context) {
	t := time.NewTimer(bulkPatience)
	defer t.Stop()
	select {
	case <-j.done:
	case <-t.C:
	case <-ctx.Done():
	}
}

// find returns an operation by the id of a path; kind names it in refusals.
func (l *bulkList[T]) find(p params, kind string) (*bulkJob[T], error) {
	id, err := ulid.ParseStrict(p.get("id"))
	if err != nil {
		return nil, badRequestf("Invalid " + kind + " ID")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.jobs {
		if j.id == id {
			return j, nil
		}
	}
	return nil, &restError{fasthttp.StatusNotFound, kind + " not found"}
}

func (l *bulkList[T]) remove(j *bulkJob[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs = slices.DeleteFunc(l.jobs, func(other *bulkJob[T]) bool { return other == j })
}

// list returns all, the newest first.
func (l *bulkList[T]) list() []*bulkJob[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.jobs)
	slices.Reverse(out)
	return out
}
