package loadgen

import (
	"fmt"
	"io"
	"time"
)

// Bounds of a plan. They keep a mistyped number from filling a machine.
const (
	MaxClients   = 4096
	MaxBatch     = 10_000
	MaxFunctions = 100_000
	MaxDuration  = 24 * time.Hour
	MaxSize      = 3 << 20
	MaxSteps     = 10_000
)

// Plan is one measurement: what is done, how fast, for how long, and with what in
// the background. It is plain data; a copy with another Rate is another plan.
type Plan struct {
	Command string // command line, for the result
	// Workload names a preset of Workloads. Shape replaces what is not zero in it.
	Workload string
	Shape    Shape
	File     string // of the workloads mix (YAML) and replay (NDJSON)

	// Rate is the mean of events per second of an open loop. Zero without a Pacing
	// that names rates is a closed loop: each of the Clients sends its next request
	// when the last one was answered.
	Rate    float64
	Pacing  string // for pacing.Parse; "" is constant
	Clients int    // connections of the event sender
	Batch   int    // events per request
	Gzip    bool   // compress the bodies of requests with events
	// Count ends the window after that many events; 0 is no limit but MaxEvents.
	Count   int64
	EventID bool // give events ids, so that the server has to look for duplicates
	Seed    uint64

	WarmUp   time.Duration
	Duration time.Duration // of the window; of a flood (Count without a rate) it is a bound
	Drain    time.Duration // bound of the time in which accepted runs may complete
	Timeout  time.Duration // of one request
	// Late is when a run that completes is called late, from its intended send time.
	Late      time.Duration
	MaxEvents int64 // bound of the events in one measurement, and so of memory (32 bytes each)

	Hold Hold

	EventKey   string // of POST /e/{key}
	SigningKey string // for servers that ask for it
	// AppURL is a real app, called instead of the built-in one. Events of the name
	// Event are sent to it, and only requests are measured.
	AppURL string
	Event  string
	// AllowRemote permits an app on another machine.
	AllowRemote bool
	Redis       string // URL of a Redis whose commands are counted

	// Progress gets one line a second; nil is none.
	Progress io.Writer
}

// Hold is what the server has to carry while it is measured.
type Hold struct {
	Sleeping  int // runs asleep for a day
	Waiting   int // runs that wait for an event that never comes
	Queued    int // runs behind a function with limit 1, whose one call is held open
	Functions int // further functions that nothing triggers
}

// DefaultPlan is what flags start from.
func DefaultPlan() Plan {
	return Plan{
		Workload: "steps", Clients: 64, Batch: 1, Seed: 1,
		WarmUp: 2 * time.Second, Duration: 10 * time.Second, Drain: 30 * time.Second,
		Timeout: 30 * time.Second, Late: 10 * time.Second, MaxEvents: 20_000_000,
		EventKey: "loadgen",
	}
}

// Validate says which field is out of its bounds.
func (p Plan) Validate() error {
	type bound struct {
		name       string
		value      int64
		min, limit int64
	}
	for _, b := range []bound{
		{"clients", int64(p.Clients), 1, MaxClients},
		{"batch", int64(p.Batch), 1, MaxBatch},
		{"count", p.Count, 0, p.MaxEvents},
		{"max-events", p.MaxEvents, 1, 200_000_000},
		{"warm-up", int64(p.WarmUp), 0, int64(MaxDuration)},
		{"duration", int64(p.Duration), int64(time.Millisecond), int64(MaxDuration)},
		{"drain", int64(p.Drain), 0, int64(MaxDuration)},
		{"timeout", int64(p.Timeout), int64(time.Millisecond), int64(time.Hour)},
		{"late", int64(p.Late), 1, int64(MaxDuration)},
		{"hold sleeping", int64(p.Hold.Sleeping), 0, p.MaxEvents},
		{"hold waiting", int64(p.Hold.Waiting), 0, p.MaxEvents},
		{"hold queued", int64(p.Hold.Queued), 0, p.MaxEvents},
		{"hold functions", int64(p.Hold.Functions), 0, MaxFunctions},
	} {
		if b.value < b.min || b.value > b.limit {
			return fmt.Errorf("%s is %d, it must be from %d to %d", b.name, b.value, b.min, b.limit)
		}
	}
	if p.Rate < 0 || p.Rate > 10_000_000 {
		return fmt.Errorf("rate is %g, it must be from 0 (closed loop) to 10,000,000 events per second", p.Rate)
	}
	if p.AppURL != "" && p.Event == "" {
		return fmt.Errorf("a real app (app-url) needs the name of the event that it listens to (event)")
	}
	if p.AppURL != "" {
		if err := p.checkAppURL(); err != nil {
			return err
		}
	}
	return p.Shape.validate()
}
