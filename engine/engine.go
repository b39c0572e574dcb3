// Package engine holds the rules: which functions an event starts, what a run
// does with each answer of user code, when something is due, how much may run at
// once. The rules are deterministic state machines (partitions) without I/O,
// clocks or randomness of their own; [Engine] is the thin runtime around them
// that owns the goroutines.
//
// What does not live here: HTTP surfaces (package api), reaching user code
// (package transport), disks and databases (package storage). The interfaces to
// those are declared here, in store.go and wire.go.
package engine

import (
	"context"
	"encoding/json"
	"errors"

	"ingot/engine/event"

	"github.com/oklog/ulid/v2"
)

// Errors that callers of Engine tell apart.
var (
	// ErrRunNotFound says that no active run has the id: it never existed, or it has ended.
	ErrRunNotFound = errors.New("run not found")
	// ErrRunEnded says that the run is known to have ended. Which ended runs are known,
	// and for how long, is the engine's choice; the others are ErrRunNotFound.
	ErrRunEnded = errors.New("run has ended")
	// ErrRunExists says that a sync run's id is taken.
	ErrRunExists = errors.New("run already exists")
	// ErrStateTooLarge says that a checkpoint would exceed the run's state limit.
	ErrStateTooLarge = errors.New("the run's state would exceed its size limit")
	// ErrBusy says that a queue is at its limit; come back later.
	ErrBusy = errors.New("the engine is overloaded")
)

// CheckpointError is a checkpoint's refusal, with the HTTP status it means.
type CheckpointError struct {
	Status  int
	Message string
}

func (e *CheckpointError) Error() string { return e.Message }

// Checkpoint carries steps that an SDK completed while its call is still running
// (spec 01 §13) or outside of any call (a sync run, §14.3).
type Checkpoint struct {
	RunID ulid.ULID
	// JobID is the decoded job id of ctx.qi_id; empty if undecodable.
	JobID      string
	Generation int
	Ops        []Op
	// Sync marks the `/steps` form of durable endpoints, in which every op may occur.
	Sync bool
}

// SyncRun asks for a run that began inside the user's own HTTP endpoint (spec 01 §14.1).
type SyncRun struct {
	RunID ulid.ULID
	// FnID is the sync function, already in the catalog.
	FnID           [16]byte
	Event          event.Event
	RequestVersion int
	MaxAttempts    int
	Ops            []Op
}

// RunState is what a run has memoised, for SDKs that fetch it (spec 01 §7.6).
type RunState struct {
	Events [][]byte // canonical JSON
	Steps  []Step   // stack order
	Inputs []Step
}

// RunOutput is the end of a sync run.
type RunOutput struct {
	// Output is the raw JSON output.
	Output json.RawMessage
	Failed bool
}

// API is what the HTTP surfaces use of the engine; *Engine implements it. Every
// method waits until its effect is durable, or ctx ends.
type API interface {
	// Send accepts internal or invocation events, as the event API does for users'.
	Send(ctx context.Context, events ...*event.Event) error
	// Cancel ends a run as cancelled. ErrRunEnded or ErrRunNotFound if it is not active.
	Cancel(ctx context.Context, run ulid.ULID) error
	// Signal resumes the run that waits for the signal; ok is false if none does.
	Signal(ctx context.Context, signal string, data []byte) (run ulid.ULID, ok bool, err error)
	// Checkpoint saves steps. A *CheckpointError is the caller's fault.
	Checkpoint(ctx context.Context, c *Checkpoint) error
	// StartSync creates a sync run.
	StartSync(ctx context.Context, r *SyncRun) error
	// State reads an active run's memos. ErrRunNotFound once it has ended.
	State(ctx context.Context, run ulid.ULID) (*RunState, error)
	// Output waits for the end of a sync run until ctx ends.
	Output(ctx context.Context, run ulid.ULID) (*RunOutput, error)
	// SetStepLimit and SetStateLimit override limits of one function (0 removes; spec 01 §16.2).
	SetStepLimit(ctx context.Context, fn [16]byte, limit int) error
	SetStateLimit(ctx context.Context, fn [16]byte, limit int) error
}
