package api

import (
	"context"

	"ingot/engine"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Operator is what operators do to functions and runs; *engine.Engine implements it.
type Operator interface {
	// Replay starts a run as another one of a former run.
	Replay(ctx context.Context, r *engine.Replay) error
	// SetMode pauses, drains or activates a function; Mode reads it.
	SetMode(ctx context.Context, fn ids.UUID, m engine.FunctionMode) error
	Mode(ctx context.Context, fn ids.UUID) (engine.FunctionMode, error)
	// Backlog is the number of runs of a function that are ready or being called.
	Backlog(fn ids.UUID) int64
	// CancelBulk cancels the runs that b selects, and returns how many there were.
	CancelBulk(ctx context.Context, b *engine.BulkCancel) (int, error)
	// DeadLetters lists dead letters from one on; Redrive and Discard take one out.
	DeadLetters(ctx context.Context, at int64, id ulid.ULID, limit int) ([]engine.DeadLetter, error)
	Redrive(ctx context.Context, d *engine.DeadLetter) error
	Discard(ctx context.Context, d *engine.DeadLetter) error
	// Stats are counts of what the engine holds.
	Stats() engine.Stats
}

var _ Operator = (*engine.Engine)(nil)

// restOpsRoutes adds what operators need beyond the reference (docs/operating.md).
func (s *Server) restOpsRoutes(*router) {}
