package loadgen

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ingot/loadgen/app"
	"ingot/loadgen/flow"
)

// Workload is a named preset.
type Workload struct {
	Name, Explanation string
	Shape             Shape
	kind              app.Kind
	noRuns            bool // nothing listens to its events
}

// Workloads returns the presets in the order in which they are listed.
func Workloads() []Workload { return slices.Clone(workloads) }

// defaultSize is that of an event in bytes, with its name and number.
const defaultSize = 200

var workloads = []Workload{
	{Name: "ingest", noRuns: true, Shape: Shape{Functions: 1, Size: defaultSize},
		Explanation: "events that no function listens to: parsing, durability, acknowledgement"},
	{Name: "function", kind: app.Return, Shape: Shape{Functions: 1, Size: defaultSize},
		Explanation: "a function without steps: one call per event"},
	{Name: "steps", kind: app.Sequential, Shape: Shape{Functions: 1, Size: defaultSize, Steps: 3, Output: 20},
		Explanation: "--steps steps one after the other, each of which is one call"},
	{Name: "parallel", kind: app.Parallel, Shape: Shape{Functions: 1, Size: defaultSize, Steps: 5, Output: 20},
		Explanation: "--steps parallel steps, planned in one call and joined in one"},
	{Name: "sleep", kind: app.Sleeps, Shape: Shape{Functions: 1, Size: defaultSize, Steps: 1, Sleep: time.Second},
		Explanation: "--steps sleeps of --sleep; wake says how late they end"},
	{Name: "wait", kind: app.Waits, Shape: Shape{Functions: 1, Size: defaultSize, Steps: 1, ResumeAfter: time.Second},
		Explanation: "waits for an event with the run's own key, which is sent --resume-after the wait was reported; wake is from that to the call"},
	{Name: "invoke", kind: app.Invokes, Shape: Shape{Functions: 1, Size: defaultSize, Steps: 2},
		Explanation: "a chain of functions, each of which invokes the next, --steps deep"},
	{Name: "retry", kind: app.Sequential, Shape: Shape{Functions: 1, Size: defaultSize, Steps: 2, Output: 20, Failures: 1, RetryAfter: time.Second},
		Explanation: "steps that fail --failures times and ask to be tried --retry-after later; wake says how late they are"},
	{Name: "concurrency", kind: app.Sequential, Shape: Shape{Functions: 1, Size: defaultSize, Steps: 3, Output: 20, Flow: flow.Config{Limit: 10}},
		Explanation: "functions whose calls at once are limited to --limit, which is checked"},
	flowing("keys", "as concurrency, but the limit is of each of --keys keys", 1, flow.Config{Limit: 1, Keys: 10}),
	flowing("shared-limit", "functions that share a limit (--scope env) of each of --keys keys", 10, flow.Config{Limit: 1, Keys: 10, Scope: flow.ScopeEnv}),
	flowing("run-concurrency", "at most --run-limit runs between their first call and their end", 1, flow.Config{RunLimit: 10}),
	flowing("throttle", "runs start no faster than --throttle; the others wait", 1, flow.Config{Throttle: flow.Rate{Limit: 100, Period: time.Second, Burst: 10}}),
	flowing("rate-limit", "events beyond --rate-limit are skipped", 1, flow.Config{RateLimit: flow.Rate{Limit: 100, Period: time.Second}}),
	flowing("debounce", "of the events of each of --keys keys the last one runs, --debounce after it", 1, flow.Config{Debounce: flow.Debounce{Period: time.Second}, Keys: 100}),
	flowing("batch", "a run gets the events of a key that come together, as --batch-events says", 1, flow.Config{Batch: flow.Batch{Size: 10, Timeout: time.Second}, Keys: 10}),
	flowing("singleton", "one run at once of each of --keys keys: --singleton skip, or cancel", 1, flow.Config{Singleton: flow.Skip, Keys: 10}),
	flowing("priority", "each tenth event is --priority seconds ahead of the others behind a limit", 1, flow.Config{Limit: 10, Priority: 60}),
	{Name: "tenants", kind: app.Sequential, Shape: Shape{Functions: 1000, Size: defaultSize, Steps: 3, Output: 20, Skew: 1.1},
		Explanation: "many functions, a few of which get most events (Zipf, --skew)"},
	{Name: "payload", kind: app.Sequential, Shape: Shape{Functions: 1, Size: 2000, Steps: 10, Output: 10_000},
		Explanation: "steps that return --output bytes each, all of which the server sends with every later call"},
	{Name: "checkpoint", kind: app.Checkpoint, Shape: Shape{Functions: 1, Size: defaultSize, Steps: 3, Output: 20},
		Explanation: "as steps, but in one call: the app posts each step as it is done"},
	{Name: mixName, Explanation: "several workloads with weights, from --file (YAML): a list of {workload: steps, weight: 3, steps: 5, …}"},
	{Name: replayName, kind: app.Sequential, Shape: Shape{Functions: 1, Steps: 1, Output: 20},
		Explanation: "recorded events from --file (NDJSON: name, data, ts), at the distances of their ts or at --rate; each name gets a function"},
}

const (
	mixName    = "mix"
	replayName = "replay"
)

// flowing is three steps under flow control.
func flowing(name, explanation string, functions int, f flow.Config) Workload {
	return Workload{Name: name, Explanation: explanation, kind: app.Sequential,
		Shape: Shape{Functions: functions, Size: defaultSize, Steps: 3, Output: 20, Flow: f}}
}

func findWorkload(name string) (Workload, error) {
	var names []string
	for _, w := range workloads {
		if w.Name == name {
			return w, nil
		}
		names = append(names, w.Name)
	}
	return Workload{}, fmt.Errorf("workload %q: it must be one of %s", name, strings.Join(names, ", "))
}

// work is how many steps and calls one run takes.
func (w Workload) work(s Shape) (steps, calls float64) {
	if w.noRuns {
		return 0, 0
	}
	n := float64(s.Steps)
	switch w.kind {
	case app.Return:
		return 0, 1
	case app.Checkpoint:
		return n, 1
	case app.Parallel:
		return n, n + 2
	case app.Invokes:
		return n, 2*n + 1
	}
	return n, n*float64(1+s.Failures) + 1
}

// branches is what the ledger has to keep beside the run's position.
func (w Workload) branches(s Shape) int {
	switch w.kind {
	case app.Parallel:
		return s.Steps
	case app.Invokes:
		return 2*s.Steps - 1 // the last one is called once
	}
	return 0
}
