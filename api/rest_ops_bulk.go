package api

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
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
	// bulkTime bounds one operation, restarts included. It is as long as the engine
	// remembers what an operation has done, so none is done twice.
	bulkTime = 24 * time.Hour
	// bulkRetryMin and bulkRetryMax bound the pause after a failure that passes.
	bulkRetryMin, bulkRetryMax = time.Second, 10 * time.Second
)

// bulkDesk runs operations on many runs beside the requests that ask for them. They are
// durable (rest_ops_bulk_store.go): what a restart interrupts goes on where it was.
type bulkDesk struct {
	s             *Server
	cancellations bulkList[cancellationJSON]
	replays       bulkList[replayJSON]
}

func newBulkDesk(s *Server) *bulkDesk {
	d := &bulkDesk{s: s}
	d.cancellations = bulkList[cancellationJSON]{s: s, kind: "cancellation", work: d.runCancellation}
	d.replays = bulkList[replayJSON]{s: s, kind: "replay", work: d.runReplay}
	return d
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

// bulkPlace is what an operation needs besides its view to begin or to go on.
type bulkPlace struct {
	Fn ids.UUID `json:"fn"`
	// Before bounds the time of runs to cancel, unix ms.
	Before int64 `json:"before,omitempty"`
	// Run is the last run that a replay has dealt with, At the time by which it is listed.
	Run ulid.ULID `json:"run,omitzero"`
	At  int64     `json:"at,omitempty"`
}

// bulkJob is one operation. What follows mu is guarded by it.
type bulkJob[T any] struct {
	id     ulid.ULID
	cancel context.CancelFunc
	done   chan struct{} // closed when its goroutine has ended
	// count is the engine's progress.
	count atomic.Int64

	mu sync.Mutex
	// ended says that it will not go on, stopped that an operator wants it to end.
	ended, stopped bool
	head           bulkHead
	view           T
	place          bulkPlace
}

// update changes view and place together.
func (j *bulkJob[T]) update(change func(*T, *bulkPlace)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.view, &j.place)
}

// show returns a copy of head and view.
func (j *bulkJob[T]) show() (bulkHead, T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.head, j.view
}

// bulkList holds the operations of one kind, oldest first.
type bulkList[T any] struct {
	s    *Server
	kind string
	work func(context.Context, *bulkJob[T]) error

	mu   sync.Mutex
	jobs []*bulkJob[T]
}

// start accepts an operation: it will be done, whatever happens to the process. A
// *restError says that too many run already.
func (l *bulkList[T]) start(view T, place bulkPlace) (*bulkJob[T], error) {
	now := time.Now().UTC()
	j := &bulkJob[T]{id: ids.New(now.UnixMilli()), done: make(chan struct{}), view: view, place: place}
	j.head = bulkHead{ID: j.id, Status: bulkRunning, CreatedAt: now}
	ctx := l.bound(j)
	if err := l.add(j); err != nil {
		j.cancel()
		return nil, err
	}
	if err := l.save(j); err != nil {
		j.cancel()
		l.remove(j)
		return nil, err
	}
	l.run(ctx, j)
	return j, nil
}

// bound gives an operation its time. It comes before others see the operation.
func (l *bulkList[T]) bound(j *bulkJob[T]) (ctx context.Context) {
	ctx, j.cancel = context.WithDeadline(l.s.closing, j.head.CreatedAt.Add(bulkTime))
	return ctx
}

// run works in a goroutine that ends with the operation, or at the latest with the server.
func (l *bulkList[T]) run(ctx context.Context, j *bulkJob[T]) {
	l.s.streams.Go(func() {
		defer close(j.done)
		defer j.cancel()
		err := ctx.Err() // its time may have passed while there was no server
		if err == nil {
			err = l.work(ctx, j)
		}
		if j.finish(ctx, err, l.s.closing.Err() != nil) {
			l.saveLater(j)
		}
	})
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
		l.drop(l.jobs[oldest])
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

// finish notes how the operation has ended; it reports false if it has not, because the
// server closes: then it goes on after the next start.
func (j *bulkJob[T]) finish(ctx context.Context, err error, closing bool) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil && closing && !j.stopped {
		return false
	}
	now := time.Now().UTC()
	j.ended, j.head.EndedAt, j.head.Status = true, &now, bulkCompleted
	switch {
	case err == nil:
	case j.stopped:
		j.head.Status = bulkCancelled
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		j.head.Status, j.head.Error = bulkFailed, "it has not ended within "+bulkTime.String()
	default:
		j.head.Status, j.head.Error = bulkFailed, err.Error()
	}
	return true
}

// stop ends an operation that runs, for good.
func (j *bulkJob[T]) stop() {
	j.mu.Lock()
	j.stopped = true
	j.mu.Unlock()
	j.cancel()
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

// find returns an operation by the id of a path.
func (l *bulkList[T]) find(p params) (*bulkJob[T], error) {
	id, err := ulid.ParseStrict(p.get("id"))
	if err != nil {
		return nil, badRequestf("Invalid " + l.kind + " ID")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.jobs {
		if j.id == id {
			return j, nil
		}
	}
	return nil, &restError{fasthttp.StatusNotFound, l.kind + " not found"}
}

// remove forgets an operation that does not run.
func (l *bulkList[T]) remove(j *bulkJob[T]) {
	l.drop(j)
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

// insist repeats what fails for the moment, until it succeeds or ctx ends.
func (s *Server) insist(ctx context.Context, f func() error) error {
	for pause := bulkRetryMin; ; pause = min(2*pause, bulkRetryMax) {
		err := f()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if _, passing := unavailable(err); !passing {
			return err
		}
		s.log.Warn("a bulk operation waits", "error", err, "in", pause)
		if err := sleep(ctx, pause); err != nil {
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
