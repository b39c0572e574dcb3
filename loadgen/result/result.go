// Package result is what one measurement says: the record that `loadgen run`
// writes, and that comparisons, reports and capacity plans read. It is plain
// data with a JSON form; histograms keep every digit that was recorded.
//
// What does not live here: how it is measured (package loadgen) and how it is
// shown (package report).
package result

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Schema is the version of the JSON form. A reader refuses newer ones.
const Schema = 1

// Names of latency histograms. All are in microseconds.
const (
	// Request is from the moment at which a request should have been sent to its
	// answer: what a client sees, also when the server (or the generator) was late.
	Request = "request"
	// Service is from the moment at which a request was sent to its answer.
	Service = "service"
	// FirstCall is from the intended send time of an event to the first call of the
	// function that it starts.
	FirstCall = "first_call"
	// Step is from the app's answer that ended one step to the call for the next.
	Step = "step"
	// Complete is from the intended send time of an event to the app's last answer of its run.
	Complete = "complete"
	// Wake is how late a sleep ended, or a wait was resumed after its event was sent.
	Wake = "wake"
)

// Range and precision of all histograms: 1 µs to 1 h, three digits.
const (
	HistogramMin    = 1
	HistogramMax    = int64(time.Hour / time.Microsecond)
	HistogramDigits = 3
)

// Result is one measured run of one workload against one target.
type Result struct {
	Schema  int       `json:"schema"`
	Started time.Time `json:"started"`
	// Round numbers the rounds of a comparison, from 1; 0 if there was one.
	Round   int     `json:"round,omitempty"`
	Command string  `json:"command"` // the loadgen command line that made it
	Machine Machine `json:"machine"`
	Target  Target  `json:"target"`

	Workload Workload `json:"workload"`
	Pacing   Pacing   `json:"pacing"`
	// WarmUp came before Window, the time in which everything was counted; Drain is
	// how long after Window the last run ended.
	WarmUp Seconds `json:"warm_up"`
	Window Seconds `json:"window"`
	Drain  Seconds `json:"drain"`

	Counts     Counts                `json:"counts"`
	Throughput Throughput            `json:"throughput"`
	Latency    map[string]*Histogram `json:"latency"`
	// Errors counts requests that were not acknowledged and calls that could not be
	// understood, by kind ("status 503", "timeout", "connection refused").
	Errors map[string]int64 `json:"errors,omitempty"`

	Server    Usage     `json:"server"`
	Generator Generator `json:"generator"`
	// Flow is nil if the functions have no flow control.
	Flow   *Flow    `json:"flow,omitempty"`
	Redis  *Redis   `json:"redis,omitempty"`
	Series []Sample `json:"series"`
	// Objective is what the run was held against, if anything.
	Objective *Objective `json:"objective,omitempty"`
	// Warnings are reasons to distrust the figures, as sentences.
	Warnings []string `json:"warnings,omitempty"`
	// Interrupted says that the run was ended early, by a signal or a bound.
	Interrupted bool `json:"interrupted,omitempty"`
}

// Seconds is a duration in seconds, as JSON shows it.
type Seconds float64

// Duration converts.
func (s Seconds) Duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// Machine is where the generator ran (and, on loopback, the server too).
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory_bytes"`
	OS     string `json:"os"`
	Go     string `json:"go"`
}

// Target is the server that was measured.
type Target struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	Command string `json:"command,omitempty"` // if loadgen started it
	Version string `json:"version,omitempty"`
	PID     int    `json:"pid,omitempty"` // 0 if unknown or remote
}

// Workload says what was done.
type Workload struct {
	Name string `json:"name"`
	// Parameters are the settings that matter, as text: steps=3, size=200, …
	Parameters map[string]string `json:"parameters,omitempty"`
	// StepsPerRun is how many steps one run has, CallsPerRun how many calls that takes.
	StepsPerRun float64 `json:"steps_per_run"`
	CallsPerRun float64 `json:"calls_per_run"`
}

// Pacing says when events were sent.
type Pacing struct {
	// Kind is constant, poisson, ramp, steps, spike, or closed.
	Kind string `json:"kind"`
	// Rate is the intended mean rate in events per second; 0 in a closed loop.
	Rate float64 `json:"rate,omitempty"`
	// Clients is the number of connections.
	Clients int `json:"clients"`
	// Batch is the number of events per request.
	Batch int `json:"batch"`
}

// Counts are totals of events sent within the window and what became of them.
type Counts struct {
	Requests  int64 `json:"requests"`
	Events    int64 `json:"events"`    // sent
	Accepted  int64 `json:"accepted"`  // acknowledged with 2xx
	Refused   int64 `json:"refused"`   // answered otherwise
	Unknown   int64 `json:"unknown"`   // no answer: accepted or not
	Unsent    int64 `json:"unsent"`    // intended, but the generator could not
	Expected  int64 `json:"expected"`  // runs that the accepted events start
	Started   int64 `json:"started"`   // of those, with at least one call
	Completed int64 `json:"completed"` // of those, whose last answer was given
	Steps     int64 `json:"steps"`     // steps that completed
	Calls     int64 `json:"calls"`     // calls that the app answered

	// Lost are accepted events whose runs did not complete by the end of the drain.
	Lost int64 `json:"lost"`
	// DoubledRuns are events that started a function more than once, DoubledSteps
	// steps that were executed again without a failure that asked for it.
	DoubledRuns  int64 `json:"doubled_runs"`
	DoubledSteps int64 `json:"doubled_steps"`
	// Late are runs that completed, but after the bound given for late ones.
	Late int64 `json:"late"`
	// Stray are calls for runs that this measurement did not start.
	Stray int64 `json:"stray,omitempty"`
}

// Flow says what became of the events by the flow control of the functions, and how
// well that was kept. Where an event may start no run, Counts.Expected are the runs that
// were seen. Where a run has several events, Counts are of events; Throughput and Usage
// are of runs.
type Flow struct {
	Runs      int64 `json:"runs"`      // that started
	Skipped   int64 `json:"skipped"`   // accepted events that started no run
	Cancelled int64 `json:"cancelled"` // runs that a later one of their key ended
	// CallsAtOnce and RunsAtOnce are the highest numbers under one limit, LargestBatch
	// is the highest number of events in a run; 0 if they are not limited.
	CallsAtOnce  int64 `json:"calls_at_once"`
	RunsAtOnce   int64 `json:"runs_at_once"`
	LargestBatch int64 `json:"largest_batch"`
	// Ahead is how much earlier than the throttle or the rate limit allows a run was seen
	// to start, in microseconds. A little is the way to the app.
	Ahead int64 `json:"ahead_us"`
	// Broken is how often a promise of the flow control was broken; Errors has the kinds.
	Broken int64 `json:"broken"`
}

// Throughput is per second of the time in which the work was done: from the
// first event of the window to the end of the last run, or to the end of the
// window in an open loop that keeps up.
type Throughput struct {
	Requests float64 `json:"requests_per_s"`
	Events   float64 `json:"events_per_s"`
	Runs     float64 `json:"runs_per_s"`
	Steps    float64 `json:"steps_per_s"`
	// Busy is the length of that time.
	Busy Seconds `json:"busy"`
}

// Usage is what a process used within the window and the drain. Negative values
// mean that it could not be measured.
type Usage struct {
	CPUSeconds float64 `json:"cpu_s"`
	// CPUPerRun is in milliseconds; CPUPerEvent in microseconds.
	CPUPerRun   float64 `json:"cpu_per_run_ms"`
	CPUPerEvent float64 `json:"cpu_per_event_us"`
	Cores       float64 `json:"cores"`
	RSSMax      int64   `json:"rss_max_bytes"`
	RSSEnd      int64   `json:"rss_end_bytes"`
	// WrittenBytes went to the disk (or its cache), Fsyncs are calls of fsync and fdatasync.
	WrittenBytes int64   `json:"written_bytes"`
	BytesPerRun  float64 `json:"bytes_per_run"`
	Fsyncs       int64   `json:"fsyncs"`
	FsyncsPerRun float64 `json:"fsyncs_per_run"`
}

// NoUsage is the Usage of a process that cannot be seen.
func NoUsage() Usage {
	return Usage{CPUSeconds: -1, CPUPerRun: -1, CPUPerEvent: -1, Cores: -1, RSSMax: -1, RSSEnd: -1,
		WrittenBytes: -1, BytesPerRun: -1, Fsyncs: -1, FsyncsPerRun: -1}
}

// Generator says how the generator itself did, so that a saturated generator is
// not taken for a slow server.
type Generator struct {
	CPUSeconds float64 `json:"cpu_s"`
	Cores      float64 `json:"cores"`
	// LagP99 and LagMax are how late requests were sent, in microseconds.
	LagP99 int64 `json:"lag_p99_us"`
	LagMax int64 `json:"lag_max_us"`
	// Saturated says that the generator could not keep the pace by itself.
	Saturated bool `json:"saturated,omitempty"`
}

// Redis is what the given Redis did within the window and the drain.
type Redis struct {
	Commands        int64   `json:"commands"`
	CommandsPerStep float64 `json:"commands_per_step"`
	CommandsPerRun  float64 `json:"commands_per_run"`
	CPUSeconds      float64 `json:"cpu_s"`
	UsedMemory      int64   `json:"used_memory_bytes"`
}

// Sample is one second of the time series. Latencies are in microseconds, of
// what happened within that second.
type Sample struct {
	At        Seconds `json:"at"` // since the beginning of the window; negative in the warm-up
	Events    int64   `json:"events"`
	Accepted  int64   `json:"accepted"`
	Errors    int64   `json:"errors"`
	Completed int64   `json:"completed"`
	Steps     int64   `json:"steps"`
	// Backlog is the number of accepted runs that have not completed.
	Backlog      int64   `json:"backlog"`
	RequestP50   int64   `json:"request_p50_us"`
	RequestP99   int64   `json:"request_p99_us"`
	FirstCallP50 int64   `json:"first_call_p50_us"`
	FirstCallP99 int64   `json:"first_call_p99_us"`
	StepP99      int64   `json:"step_p99_us"`
	ServerCores  float64 `json:"server_cores"`
	ServerRSS    int64   `json:"server_rss_bytes"`
}

// Objective is a bound that a run is held against: a quantile of one latency,
// no errors, no loss, no growing backlog.
type Objective struct {
	Text string `json:"text"` // as given: "request p99 < 50ms"
	Met  bool   `json:"met"`
	// Reason says why it was not met.
	Reason string `json:"reason,omitempty"`
}

// Histogram is a recorded distribution. Its JSON is the summary that people look
// at and HdrHistogram's own compressed form, which loses nothing.
type Histogram struct{ *hdrhistogram.Histogram }

// NewHistogram returns an empty one.
func NewHistogram() *Histogram {
	return &Histogram{hdrhistogram.New(HistogramMin, HistogramMax, HistogramDigits)}
}
