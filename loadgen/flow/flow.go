// Package flow is the flow control of the functions that a measurement drives: what
// they ask a server for when they are registered, and a watch that holds the calls
// and runs which the app sees against it.
//
// The watch sees what the server does from outside, a little later and in another
// order than it was decided. It counts as broken only what no order of decisions
// could explain, or what comes too early by more than slack.
//
// What does not live here: which event becomes which run (package ledger), and what
// a server is to do with an event (package loadgen draws the conclusions).
package flow

import (
	"fmt"
	"time"
)

// Scopes of a limit of calls at once.
const (
	ScopeFunction = "fn" // also ""
	ScopeEnv      = "env"
	ScopeAccount  = "account"
)

// Modes of a singleton.
const (
	Skip   = "skip"   // an event is skipped while a run of its key goes on
	Cancel = "cancel" // a run ends the one that its key had before
)

// Config is the flow control of a function. The zero value is none.
type Config struct {
	// Keys is how many keys the events have, in turn; every feature is by key then.
	// With 0 there is no key.
	Keys int `yaml:"keys"`
	// Limit is of calls at once. In the scopes env and account it is counted over all
	// functions with that scope.
	Limit int    `yaml:"limit"`
	Scope string `yaml:"scope"`
	// RunLimit is of runs between their first call and their end.
	RunLimit  int      `yaml:"run_limit"`
	Throttle  Rate     `yaml:"throttle"`
	RateLimit Rate     `yaml:"rate_limit"` // without burst: the server takes a tenth of the limit
	Debounce  Debounce `yaml:"debounce"`
	Batch     Batch    `yaml:"batch_events"`
	Singleton string   `yaml:"singleton"` // Skip or Cancel
	// Priority puts each tenth event so many seconds ahead of the others.
	Priority int `yaml:"priority"`
}

// Bounds of a configuration. MaxKeys bounds the memory of a watch: 100 bytes a key.
const (
	MaxKeys     = 1_000_000
	maxLimit    = 1_000_000
	maxRate     = 100_000_000
	maxBatch    = 10_000
	maxPriority = 12 * 60 * 60 // the server's own (spec 01 §6.9)
)

// Periods that servers accept (spec 01 §6.5 to §6.8).
const (
	minPeriod    = time.Second
	maxPeriod    = 24 * time.Hour
	maxBatchWait = 10 * time.Minute
)

// Or returns c with the zero fields taken from preset.
func (c Config) Or(preset Config) Config {
	return Config{
		Keys: pick(c.Keys, preset.Keys), Limit: pick(c.Limit, preset.Limit), Scope: pick(c.Scope, preset.Scope),
		RunLimit: pick(c.RunLimit, preset.RunLimit), Throttle: pick(c.Throttle, preset.Throttle),
		RateLimit: pick(c.RateLimit, preset.RateLimit), Debounce: pick(c.Debounce, preset.Debounce),
		Batch: pick(c.Batch, preset.Batch), Singleton: pick(c.Singleton, preset.Singleton), Priority: pick(c.Priority, preset.Priority),
	}
}

func pick[T comparable](given, preset T) T {
	var zero T
	if given != zero {
		return given
	}
	return preset
}

// Skips reports whether an event may be accepted and start no run.
func (c Config) Skips() bool {
	return c.RateLimit.Limit > 0 || c.Debounce.Period > 0 || c.Singleton != ""
}

// Batched reports whether runs have several events.
func (c Config) Batched() bool { return c.Batch.Size > 0 }

// NewestWins reports whether the newest event of a key is never the one that is skipped.
func (c Config) NewestWins() bool {
	return c.RateLimit.Limit == 0 && (c.Singleton == Cancel || c.Debounce.Period > 0 && c.Singleton == "")
}

// settling is how long a server may take for what it does at once.
const settling = time.Second

// Settle is how long nothing has to happen until no accepted event can start a run
// any more, if the server has no other work.
func (c Config) Settle() time.Duration {
	return settling + c.Debounce.Period + c.Throttle.emission()
}

// Validate says which field is out of its bounds, by the name of its flag.
func (c Config) Validate() error {
	for _, b := range []struct {
		name       string
		value      int64
		min, limit int64
		given      bool
	}{
		{"keys", int64(c.Keys), 0, MaxKeys, true},
		{"limit", int64(c.Limit), 0, maxLimit, true},
		{"run-limit", int64(c.RunLimit), 0, maxLimit, true},
		{"priority", int64(c.Priority), 0, maxPriority, true},
		{"throttle: its limit", int64(c.Throttle.Limit), 1, maxRate, c.Throttle != Rate{}},
		{"throttle: its burst", int64(c.Throttle.Burst), 0, maxRate, true},
		{"throttle: its period", int64(c.Throttle.Period), int64(minPeriod), int64(maxPeriod), c.Throttle != Rate{}},
		{"rate-limit: its limit", int64(c.RateLimit.Limit), 1, maxRate, c.RateLimit != Rate{}},
		{"rate-limit: its burst", int64(c.RateLimit.Burst), 0, 0, true},
		{"rate-limit: its period", int64(c.RateLimit.Period), int64(minPeriod), int64(maxPeriod), c.RateLimit != Rate{}},
		{"debounce: its period", int64(c.Debounce.Period), int64(minPeriod), int64(maxPeriod), c.Debounce != Debounce{}},
		{"debounce: its timeout", int64(c.Debounce.Timeout), int64(minPeriod), int64(maxPeriod), c.Debounce.Timeout != 0},
		{"batch-events: its size", int64(c.Batch.Size), 2, maxBatch, c.Batch != Batch{}},
		{"batch-events: its timeout", int64(c.Batch.Timeout), int64(minPeriod), int64(maxBatchWait), c.Batch != Batch{}},
	} {
		if b.given && (b.value < b.min || b.value > b.limit) {
			return fmt.Errorf("%s is %d, it must be from %d to %d", b.name, b.value, b.min, b.limit)
		}
	}
	return c.validateWords()
}

func (c Config) validateWords() error {
	switch c.Scope {
	case "", ScopeFunction, ScopeEnv, ScopeAccount:
	default:
		return fmt.Errorf("scope %q: it must be %s, %s or %s", c.Scope, ScopeFunction, ScopeEnv, ScopeAccount)
	}
	switch c.Singleton {
	case "", Skip, Cancel:
	default:
		return fmt.Errorf("singleton %q: it must be %s or %s", c.Singleton, Skip, Cancel)
	}
	if c.Batch.Size > 0 && (c.Debounce.Period > 0 || c.Singleton != "" || c.Priority > 0) {
		return fmt.Errorf("batch-events cannot be combined with debounce, singleton or priority: servers refuse that")
	}
	return nil
}
