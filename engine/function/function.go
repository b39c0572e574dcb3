// Package function holds function definitions: the typed form that the engine
// works with, and the parsing, normalisation and validation of what SDKs send
// at registration (spec 01 §6, spec 03 §6), with the reference's error texts.
//
// What does not live here: storing apps (engine.Catalog) and HTTP (package api).
package function

import (
	"encoding/json"
	"time"

	"ingot/engine/expr"
	"ingot/internal/cron"
	"ingot/internal/ids"
)

// Limits of a definition (spec 01 §16).
const (
	MaxTriggers     = 10
	MaxCancels      = 5
	MaxConcurrency  = 2
	MaxRetries      = 20
	DefaultRetries  = 4
	MaxEventNameLen = 255
	MaxCronLen      = 255
)

// Driver says how a function is reached.
type Driver uint8

const (
	// DriverHTTP posts a call request to URL.
	DriverHTTP Driver = iota
	// DriverConnect sends the call to a worker connected by WebSocket.
	DriverConnect
	// DriverSync re-enters a durable endpoint (spec 01 §14.5).
	DriverSync
)

// Function is one registered function, immutable once published.
type Function struct {
	ID      ids.UUID
	AppID   ids.UUID
	AppName string
	Slug    string
	Name    string
	// Version is 1 for the first registration and rises with each change.
	Version int
	Driver  Driver
	// URL is the step's URL: what gets called. For DriverSync it is the app's domain.
	URL string
	// Method is the HTTP method of DriverSync.
	Method string
	// MaxAttempts is retries + 1.
	MaxAttempts int

	Triggers    []Trigger
	Cancel      []Cancel
	Timeouts    Timeouts
	Concurrency []Concurrency // limits on running steps, ascending by Limit
	RunLimit    *Concurrency  // `concurrency.fn`: limit on whole runs
	Throttle    *Throttle
	RateLimit   *RateLimit
	Debounce    *Debounce
	Batch       *Batch
	Priority    *expr.Expr // `priority.run`
	Singleton   *Singleton

	// Config is the normalised configuration as stored and shown by the APIs.
	Config json.RawMessage
}

// Trigger starts the function: either by event or by schedule.
type Trigger struct {
	// Event is the name or wildcard pattern; empty for a cron trigger.
	Event string
	// If is the optional condition on the event.
	If *expr.Expr
	// Cron is the schedule as written, with its TZ= prefix.
	Cron string
	// Schedule is Cron parsed; nil for an event trigger.
	Schedule *cron.Schedule
	// Jitter is the largest random delay of a cron start; 0 is none.
	Jitter time.Duration
}

// Cancel is one `cancelOn` entry.
type Cancel struct {
	Event string
	// If is the source text of the condition, interpolated per run; empty is always.
	If string
	// Timeout is the raw text: a duration or an RFC 3339 instant; empty is a year.
	Timeout string
}

// Timeouts bound a run; zero is none.
type Timeouts struct {
	Start  time.Duration
	Finish time.Duration
}

// Scope is where a concurrency limit's key is counted.
type Scope uint8

const (
	ScopeFunction Scope = iota
	ScopeEnv
	ScopeAccount
)

// Concurrency is one limit on simultaneous work. Limit <= 0 means none.
type Concurrency struct {
	Limit int
	Key   *expr.Expr
	// KeyHash is the base-36 hash of the key's source; empty without a key.
	KeyHash string
	Scope   Scope
}

// Throttle spaces run starts (GCRA).
type Throttle struct {
	Limit  int
	Burst  int
	Period time.Duration
	Key    *expr.Expr
}

// RateLimit drops run starts above the limit (GCRA).
type RateLimit struct {
	Limit  int
	Period time.Duration
	Key    *expr.Expr
}

// Debounce delays a run until events have been quiet for Period.
type Debounce struct {
	Period  time.Duration
	Timeout time.Duration // longest total delay; 0 is none
	Key     *expr.Expr
}

// Batch groups events into one run.
type Batch struct {
	MaxSize int
	Timeout time.Duration
	Key     *expr.Expr
	If      *expr.Expr
}

// SingletonMode says what a second run does while one is active.
type SingletonMode uint8

const (
	SingletonSkip SingletonMode = iota
	SingletonCancel
)

// Singleton allows one active run per key.
type Singleton struct {
	Mode SingletonMode
	Key  *expr.Expr
}
