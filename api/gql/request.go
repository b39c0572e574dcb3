package gql

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"ingot/engine"
	"ingot/storage/history"
)

// request is what the resolvers of one request share.
type request struct {
	s *Server
	// readOnly refuses mutations: the request came as a GET, which a link on any page makes.
	readOnly bool
	now      time.Time
	stage    stage
	snapshot atomic.Pointer[engine.Snapshot]
	nodes    atomic.Int64
	history  lazy[history.Reader]

	mu sync.Mutex
	// search is what a search has to tell about itself; nil if there was none.
	search *searchReport
}

type requestKey struct{}

// of returns the request of a resolver's context.
func of(ctx context.Context) *request { return ctx.Value(requestKey{}).(*request) }

// read returns the read model once it has everything that was durable when it was first
// asked for.
func (r *request) read(ctx context.Context) (history.Reader, error) {
	return r.history.get(func() (history.Reader, error) {
		h := r.s.opts.History
		if h == nil {
			return nil, errNoHistory
		}
		return h, h.Sync(ctx)
	})
}

// catalog is the state of apps and functions: the same for the whole of a query.
func (r *request) catalog() *engine.Snapshot { return r.snapshot.Load() }

// refresh takes a new state of the catalog, after a mutation.
func (r *request) refresh() *engine.Snapshot {
	s := r.s.opts.Catalog.Snapshot()
	r.snapshot.Store(s)
	return s
}

// charge counts n nodes of the answer before they are made.
func (r *request) charge(n int) error {
	if r.nodes.Add(int64(n)) > MaxNodes {
		return errTooLarge
	}
	return nil
}

// exceeded reports whether the answer became too large.
func (r *request) exceeded() bool { return r.nodes.Load() > MaxNodes }

// lazy is a value that is made when it is first asked for, for all who ask.
type lazy[T any] struct {
	once  sync.Once
	value T
	err   error
}

func (l *lazy[T]) get(load func() (T, error)) (T, error) {
	l.once.Do(func() { l.value, l.err = load() })
	return l.value, l.err
}
