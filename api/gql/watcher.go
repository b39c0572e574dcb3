package gql

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	gqlerrors "github.com/graph-gophers/graphql-go/errors"
	"github.com/graph-gophers/graphql-go/introspection"
)

// stage is how far a request came. The library does not say of an error where it arose.
type stage struct {
	parsed, valid, executed atomic.Bool
	// written is set when a mutation was asked for in a request that may only read.
	written atomic.Bool
	fields  atomic.Int64
}

// watcher follows requests as the library's tracer.
type watcher struct{}

// TraceValidation is called for what could be parsed.
func (watcher) TraceValidation(ctx context.Context) func([]*gqlerrors.QueryError) {
	st := &of(ctx).stage
	st.parsed.Store(true)
	return func(errs []*gqlerrors.QueryError) { st.valid.Store(len(errs) == 0) }
}

// TraceQuery is called for what will be executed.
func (watcher) TraceQuery(ctx context.Context, _, _ string, _ map[string]any, _ map[string]*introspection.Type) (context.Context, func([]*gqlerrors.QueryError)) {
	of(ctx).stage.executed.Store(true)
	return ctx, func([]*gqlerrors.QueryError) {}
}

// TraceField is called before each field of the answer is resolved. With a context that
// has ended it is not: once the answer is too large, and for changes by a request that
// may only read.
func (watcher) TraceField(ctx context.Context, _, typeName, _ string, _ bool, _ map[string]any) (context.Context, func(*gqlerrors.QueryError)) {
	r := of(ctx)
	if typeName == "Mutation" && r.readOnly {
		r.stage.written.Store(true)
		return ended, nothing
	}
	if r.stage.fields.Add(1) > maxFields || r.exceeded() {
		return ended, nothing
	}
	return ctx, nothing
}

func nothing(*gqlerrors.QueryError) {}

// ended is a context that has ended.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// panics logs panics of resolvers and answers them as the reference does.
type panics struct{ s *Server }

// LogPanic implements log.Logger.
func (p panics) LogPanic(_ context.Context, value any) {
	p.s.log.Error("a GraphQL resolver panicked", "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
}

// MakePanicError implements errors.PanicHandler.
func (panics) MakePanicError(context.Context, any) *gqlerrors.QueryError {
	return gqlerrors.Errorf("%s", textInternal)
}
