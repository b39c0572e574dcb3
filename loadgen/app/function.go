package app

import (
	"fmt"
	"time"

	"ingot/loadgen/flow"
)

// Kind is what a function does.
type Kind uint8

// Kinds. The held ones are for runs that stay in the server: they are counted, but
// their events are no part of a ledger.
const (
	Return     Kind = iota // answers with its result at once
	Sequential             // Steps steps, one per call
	Checkpoint             // Steps steps in one call, posted as they are done
	Parallel               // plans Steps steps, each of which is called for
	Sleeps                 // Steps sleeps, one after the other
	Waits                  // waits for an event, Steps times
	Invokes                // invokes Child and returns when that has ended
	HeldSleep              // sleeps for a day
	HeldWait               // waits a day for an event
	HeldOpen               // the call is not answered before the app closes
)

// Behaviour is a kind with its numbers.
type Behaviour struct {
	Kind       Kind
	Steps      int
	Output     int           // bytes that each step returns
	Think      time.Duration // before each step's answer
	Sleep      time.Duration
	Failures   int           // times that each step fails before it succeeds
	RetryAfter time.Duration // whole seconds
	WaitEvent  string        // name of the event that ends a wait; its data.key is the run's own
	Child      string        // slug of the function to invoke
	Depth      int           // of an invoked function; 0 is one that an event starts
}

// Function is one function of the app.
type Function struct {
	ID        string // without the app's name
	Event     string // that triggers it; "" is none
	Flow      flow.Config
	Alone     bool // every event of the session is for this function
	Behaviour Behaviour
}

// Slug is the function's id for the server.
func Slug(appName, id string) string { return appName + "-" + id }

// Positions is how many steps a run of this function has of its own.
func (b Behaviour) Positions() int {
	switch b.Kind {
	case Return, HeldOpen:
		return 0
	case Invokes, HeldSleep, HeldWait:
		return 1
	default:
		return b.Steps
	}
}

// config is the function as it is registered (spec 01 §6).
func (f Function) config(appName, appURL string, index int) map[string]any {
	slug := Slug(appName, f.ID)
	c := map[string]any{
		"id": slug, "name": f.ID, "triggers": []any{},
		"steps": map[string]any{"step": map[string]any{
			"id": "step", "name": "step",
			"runtime": map[string]any{"type": "http", "url": fmt.Sprintf("%s/%d?fnId=%s&stepId=step", appURL, index, slug)},
			"retries": map[string]any{"attempts": max(3, min(20, f.Behaviour.Failures))},
		}},
	}
	if f.Event != "" {
		c["triggers"] = []any{map[string]any{"event": f.Event}}
	}
	f.Flow.Register(c)
	return c
}
