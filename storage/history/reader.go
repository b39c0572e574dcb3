package history

import (
	"context"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// Reader answers questions about the past; *DB implements it. Errors are ErrNotFound,
// ErrUnavailable, or those of ctx. Every method does a constant number of queries.
type Reader interface {
	// Sync waits until everything that was durable before the call can be read, but not
	// longer than a few seconds: then it returns how far behind reads are, as an error
	// that wraps ErrUnavailable if the database is away, else nil.
	Sync(ctx context.Context) error

	// Run returns one run with its output. ErrNotFound.
	Run(ctx context.Context, id ulid.ULID) (*Run, error)
	// Runs returns a page in the query's order; it is the last one if it is not full.
	Runs(ctx context.Context, q *RunQuery) ([]Run, error)
	// CountRuns counts what Runs would return without After and Limit.
	CountRuns(ctx context.Context, q *RunQuery) (int, error)
	// RunsByID returns those of the runs that exist, in any order.
	RunsByID(ctx context.Context, ids []ulid.ULID, outputs bool) ([]Run, error)
	// RunsOfEvents returns the runs that events started, oldest first per event; batches too.
	RunsOfEvents(ctx context.Context, events []ulid.ULID, outputs bool) (map[ulid.ULID][]Run, error)
	// Traces returns those of the runs that exist with their records.
	Traces(ctx context.Context, ids []ulid.ULID) ([]Trace, error)

	// Event returns one event. ErrNotFound.
	Event(ctx context.Context, id ulid.ULID) (*Event, error)
	// Events returns a page, the newest first.
	Events(ctx context.Context, q *EventQuery) ([]Event, error)
	// CountEvents counts what Events would return without Before, After and Limit.
	CountEvents(ctx context.Context, q *EventQuery) (int, error)
	// EventsByID returns those of the events that exist, in any order.
	EventsByID(ctx context.Context, ids []ulid.ULID) ([]Event, error)
	// Skips returns why events did not start runs.
	Skips(ctx context.Context, events []ulid.ULID) ([]Skip, error)

	// Append adds records to runs that the API was told of (StepMetadata, UserSpan). It
	// returns when they are durable; records of unknown runs are dropped.
	Append(ctx context.Context, records ...engine.Lifecycle) error
}
