// Package history is the read model: what happened to events and runs, in SQLite or
// PostgreSQL. It consumes the engine's outbox and its log of events, in batches and off
// the path of a run, and answers questions about them.
//
// What does not live here: the meaning of records (engine.Lifecycle), the trees that are
// shown of a run (package trace), HTTP and GraphQL (package api), apps and functions
// (engine.Catalog).
package history

import (
	"errors"

	"ingot/engine"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Errors that callers tell apart.
var (
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable says that the database cannot be reached, or does not answer in time.
	// Runs go on, and history catches up.
	ErrUnavailable = errors.New("history is not available: the database does not answer")
)

// Status is where a run is. Values are stored.
type Status uint8

const (
	Scheduled Status = 1
	Running   Status = 2
	Completed Status = 3
	Failed    Status = 4
	Cancelled Status = 5
	Skipped   Status = 6
)

// Ended reports whether nothing will happen to the run any more.
func (s Status) Ended() bool { return s >= Completed }

// Run is what is known of a run without its trace.
type Run struct {
	ID       ulid.ULID
	Function ids.UUID
	Status   Status
	// QueuedAt is the time of ID; StartedAt and EndedAt are 0 until then. Unix ms.
	QueuedAt, StartedAt, EndedAt int64
	// Events are the internal ids of the triggering events, in order; at least one.
	Events []ulid.ULID
	// Batch, Deferred and Sync say how it began.
	Batch, Deferred, Sync bool
	// Cron is the schedule that started it; empty if none did.
	Cron string
	// Original is the run that it replays; zero if none.
	Original ulid.ULID
	// Output is the raw JSON result or error object, if it was asked for; nil if there is none.
	// Text says that it is a JSON string because the answer was text and no JSON.
	Output []byte
	Text   bool
}

// BatchID is the id of a batch's collection of events; ok is false if the run has none.
func (r *Run) BatchID() (id ulid.ULID, ok bool) {
	if !r.Batch {
		return id, false
	}
	return ids.Derive(int64(r.ID.Time()), []byte("batch"), r.ID[:]), true
}

// TimeField is the time by which runs are selected and ordered.
type TimeField uint8

const (
	ByQueued TimeField = iota
	// ByStarted is ByQueued, as in the reference: a run's id has the time of both.
	ByStarted
	// ByEnded leaves out runs that have not ended.
	ByEnded
)

// RunQuery selects runs. Zero fields select everything.
type RunQuery struct {
	Functions []ids.UUID // nil is all; empty and not nil is none
	Statuses  []Status
	Field     TimeField
	// From and Until bound the time, unix ms, both included; 0 is open.
	From, Until int64
	Deferred    *bool
	// Ascending is oldest first.
	Ascending bool
	// After is the last run of the page before: its id, and its time by Field.
	After *RunPosition
	Limit int
	// Outputs asks for the runs' outputs too.
	Outputs bool
}

// RunPosition is a place in a list of runs.
type RunPosition struct {
	ID ulid.ULID
	At int64 // unix ms by the query's Field
}

// Event is an event as it was accepted.
type Event struct {
	ID         ulid.ULID // internal
	ReceivedAt int64     // unix ms
	TS         int64     // unix ms
	Name       string
	// ExternalID is the id that the sender gave; empty if none, then it is ID.
	ExternalID string
	// Data, User and Sessions are raw JSON objects; nil if absent. V is empty if absent.
	Data, User, Sessions []byte
	V                    string
}

// IDText is the id that functions see.
func (e *Event) IDText() string {
	if e.ExternalID != "" {
		return e.ExternalID
	}
	return e.ID.String()
}

// EventQuery selects events, the newest id first.
type EventQuery struct {
	Names []string // nil is all
	// From and Until bound the time of receipt, unix ms, both included; 0 is open.
	From, Until int64
	// Internal includes the server's own events (inngest/…).
	Internal bool
	// After and Before bound the id, exclusive: After is newer than the page.
	Before, After ulid.ULID
	Limit         int
}

// Skip says why an event started no run of a function, or none yet.
type Skip struct {
	Event    ulid.ULID
	Function ids.UUID
	Reason   string // engine.Skip…
	At       int64  // unix ms
	// Pending says that the event waits: a debounce or a batch collects it.
	Pending bool
}

// Trace is a run with everything that was recorded of it, in order.
type Trace struct {
	Run     Run
	Records []engine.Lifecycle
}
