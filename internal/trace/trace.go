// Package trace makes what is shown of one run out of its lifecycle records: the trace
// tree and the legacy one, the outputs of their spans, the legacy history, the run's
// steps, defers and outstanding jobs (spec 02 §9.7, §10, §12.4).
//
// What does not live here: reading the records (package history), and the JSON or
// GraphQL in which the results are written (package api). Nothing here is stored: ids
// are derived, so that every reading of a run gives the same ones.
package trace

import (
	"encoding/json"

	"ingot/engine/function"

	"github.com/oklog/ulid/v2"
)

// Env is what the records of a run do not have. Any part may be absent.
type Env struct {
	// Function is the run's function as registered now; nil if it is unknown.
	Function *function.Function
	// Event returns an event's raw JSON; nil if there is none.
	Event func(id ulid.ULID) json.RawMessage
	// Started returns the run of a function, as it was named, that an event started: an
	// invocation's or a defer's. Others may listen to such events too.
	Started func(event ulid.ULID, function string) (Child, bool)
	// Now is the time of the reading in unix ms.
	Now int64
}

// Child is a run that this one led to.
type Child struct {
	Run ulid.ULID
	// EndedAt is unix ms; 0 while it runs.
	EndedAt int64
}

// Status is where a span is, as the APIs name it.
type Status string

// The statuses of GraphQL's RunTraceSpanStatus. Empty is unknown.
const (
	Queued    Status = "QUEUED"
	Running   Status = "RUNNING"
	Waiting   Status = "WAITING"
	Completed Status = "COMPLETED"
	Failed    Status = "FAILED"
	Cancelled Status = "CANCELLED"
	Skipped   Status = "SKIPPED"
)

// Ended reports whether nothing will happen to the span any more.
func (s Status) Ended() bool {
	return s == Completed || s == Failed || s == Cancelled || s == Skipped
}

// Span is a node of a trace tree. Times are unix ms; 0 is absent, but for QueuedAt,
// which every span has.
type Span struct {
	// TraceID, SpanID and ParentID are lower-case hex, or names of groups in the legacy
	// tree. ParentID is empty for the root.
	TraceID, SpanID, ParentID                 string
	Name                                      string
	Status                                    Status
	Attempts                                  int
	QueuedAt, ScheduledAt, StartedAt, EndedAt int64
	// Duration is in ms; nil if it is not known.
	Duration *int64
	// StepOp is RUN, SLEEP, INVOKE, WAIT_FOR_EVENT, WAIT_FOR_SIGNAL or AI_GATEWAY; empty
	// if the span is no step's. StepID is the hashed id.
	StepOp, StepID string
	// StepInfo is nil, *RunInfo, *SleepInfo, *InvokeInfo, *EventInfo or *SignalInfo.
	StepInfo any
	StepType string
	GroupID  string
	// OutputID is what Output takes; empty if there is neither output nor input.
	OutputID string
	Userland *Userland
	Response *Response
	Metadata []Metadata
	Children []*Span
}

// IsRoot reports whether the span is the run's.
func (s *Span) IsRoot() bool { return s.ParentID == "" }

// RunInfo is the stepInfo of steps that run user code.
type RunInfo struct {
	Type string // the SDK's, such as step.ai.wrap; empty if none
}

// SleepInfo is the stepInfo of sleeps.
type SleepInfo struct {
	SleepUntil int64 // unix ms
}

// InvokeInfo is the stepInfo of invocations. ids are zero if they are not known.
type InvokeInfo struct {
	TriggeringEvent, ReturnEvent, Run ulid.ULID
	FunctionID                        string
	Timeout                           int64 // unix ms
	TimedOut                          *bool // nil while it waits
}

// EventInfo is the stepInfo of waits for events.
type EventInfo struct {
	EventName, Expression string
	Timeout               int64     // unix ms
	FoundEvent            ulid.ULID // zero if none
	TimedOut              *bool     // nil while it waits
}

// SignalInfo is the stepInfo of waits for signals.
type SignalInfo struct {
	Signal   string
	Timeout  int64 // unix ms
	TimedOut *bool // nil while it waits
}

// Response is what user code answered.
type Response struct {
	Status  int
	Headers map[string]string // canonical names; sensitive values are left out
}

// Metadata is what was said about a span under one kind. Values are raw JSON.
type Metadata struct {
	Scope, Kind string
	Values      map[string]json.RawMessage
	UpdatedAt   int64 // unix ms
}

// Userland describes a span of user code.
type Userland struct {
	Name, Kind, Service, Scope, ScopeVersion string
	Attributes                               json.RawMessage // an object; nil if none
}
