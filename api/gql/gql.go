// Package gql answers GraphQL: the reference's schema of /v0/gql with what this server adds
// (spec 02 §9), over the catalog of apps and functions, the read model and the engine.
//
// The way of a request: Post or Get decode it (transport.go), execute runs it within its
// limits and turns the library's errors into the reference's (execute.go, complaints.go).
// Resolvers are methods of the nodes: query and mutation are the roots. What several nodes
// of a list need from the read model is read once for all of them, by the set that they
// belong to (run_set.go, event_set.go), so that a page costs a constant number of queries.
//
// What does not live here: HTTP and authentication (package api), what a trace looks like
// (package trace), why an event did not start a function (package why), and the search
// language (package search).
package gql

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/graph-gophers/graphql-go"
	"github.com/oklog/ulid/v2"
)

// Limits of one request. What exceeds them is refused with a text that names the limit.
const (
	// MaxBody bounds a request's body in bytes.
	MaxBody = 1 << 20
	// maxQuery bounds the text of the operations in bytes.
	maxQuery = 64 << 10
	// maxDepth bounds how deep fields nest. The longest of the web UI has 14.
	maxDepth = 20
	// maxSelections bounds the fields of an operation after its fragments are put in.
	maxSelections = 5_000
	// maxOverlaps bounds the pairs of fields that are compared while an operation is checked.
	maxOverlaps = 200_000
	// MaxNodes bounds the elements of all lists of an answer: events, runs, spans, and so on.
	MaxNodes = 10_000
	// maxFields bounds the fields of an answer.
	maxFields = 200_000
	// maxParallel bounds the fields of a request that are worked on at the same time.
	maxParallel = 8
	// Timeout bounds the time of a request.
	Timeout = 15 * time.Second
)

// Engine is what mutations need of the engine; engine.API has it.
type Engine interface {
	Cancel(ctx context.Context, run ulid.ULID) error
}

// Operator is what operators do to functions and runs; *engine.Engine implements it.
type Operator interface {
	Replay(ctx context.Context, r *engine.Replay) error
	SetMode(ctx context.Context, fn ids.UUID, m engine.FunctionMode) error
	Mode(ctx context.Context, fn ids.UUID) (engine.FunctionMode, error)
}

// Options are the parts that a Server works on.
type Options struct {
	Catalog *engine.Catalog
	Engine  Engine
	// History is the read model; without one, fields that read it are errors.
	History history.Reader
	// Operator may be nil; fields that need it are then errors.
	Operator Operator
	// Send accepts an event of an invocation, or refuses it while too much waits.
	Send func(ctx context.Context, e *event.Event) error
	// SyncApp asks the app at a URL to register, and returns what went wrong as the code
	// that is stored with the app (spec 01 §5.2); empty if nothing did. nil if apps
	// cannot be reached.
	SyncApp func(ctx context.Context, url string) (problem string)
	// Output is what a run ended with as the APIs show it; nil if there is nothing. Without
	// it results are shown as they are stored.
	Output func(run *history.Run) json.RawMessage
	Logger *slog.Logger
}

// Server answers requests. It is safe for concurrent use.
type Server struct {
	opts   Options
	log    *slog.Logger
	schema *graphql.Schema
	texts  texts
}

// New returns a server.
func New(o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Output == nil {
		o.Output = func(run *history.Run) json.RawMessage { return run.Output }
	}
	s := &Server{opts: o, log: o.Logger}
	schema, err := graphql.ParseSchema(schemaText(), s,
		graphql.UseStringDescriptions(), graphql.UseFieldResolvers(),
		graphql.MaxDepth(maxDepth), graphql.MaxSelections(maxSelections), graphql.OverlapValidationLimit(maxOverlaps),
		graphql.MaxParallelism(maxParallel), graphql.Tracer(watcher{}), graphql.Logger(panics{s}), graphql.PanicHandler(panics{s}),
	)
	if err != nil {
		return nil, fmt.Errorf("gql: %w", err)
	}
	s.schema = schema
	return s, nil
}

// Query is the root of queries.
func (s *Server) Query() *query { return &query{} }

// Mutation is the root of mutations.
func (s *Server) Mutation() *mutation { return &mutation{} }

type (
	query    struct{}
	mutation struct{}
)
