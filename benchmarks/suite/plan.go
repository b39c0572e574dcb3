package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Groups of figures, as -only names them.
const (
	groupIngest  = "ingest"  // accepting events, against the ceiling
	groupLatency = "latency" // at a low, and at a high rate
	groupFlood   = "flood"   // how fast runs go through
	groupFlat    = "flat"    // whether a run costs more when the server carries much
	groupFlow    = "flow"    // what flow control costs that holds nothing back
)

func groups() []string { return []string{groupIngest, groupLatency, groupFlood, groupFlat, groupFlow} }

// params are the sizes of the measurements.
type params struct {
	warmUp, window time.Duration
	connections    int
	flood          int // runs of a flood
	held           int // sleeping and queued runs in the background
	functions      int // in the background
	longRuns       int // runs with 500 steps
	server         string
}

// arrays is the number of events per request of floods and of ingest in arrays,
// floodClients the number of connections that send floods.
const (
	arrays       = 100
	floodClients = 8
	longSteps    = 500
)

func full(flags string) params {
	return params{warmUp: 3 * time.Second, window: 15 * time.Second, connections: 64,
		flood: 100_000, held: 1_000_000, functions: 10_000, longRuns: 500, server: serverCommand(flags)}
}

func quick(flags string) params {
	return params{warmUp: 500 * time.Millisecond, window: 2 * time.Second, connections: 64,
		flood: 5_000, held: 10_000, functions: 500, longRuns: 100, server: serverCommand(flags)}
}

// serverCommand starts the measured server; events and step results are synced
// before they count.
func serverCommand(flags string) string {
	c := "bin/ingot dev --host 127.0.0.1 --port {port} --no-discovery --no-poll --data-dir {dir} --sync always --log-level warn"
	if flags != "" {
		c += " " + flags
	}
	return c
}

// ceilingCommand starts a server that does nothing.
const ceilingCommand = "bin/loadgen empty-server --port {port}"

// measurement is one loadgen command, run in every round. Its results, one in most
// cases, are known by its name.
type measurement struct {
	name, group string
	// once is for what only finds a rate.
	once bool
	// args are those of loadgen; they may depend on what was seen before.
	args func(p params, seen *results) ([]string, error)
}

// planned are the measurements of the groups, in the order of a round. What is
// compared is measured side by side.
func planned(chosen []string) []measurement {
	var some []measurement
	for _, m := range measurements {
		if slices.Contains(chosen, m.group) {
			some = append(some, m)
		}
	}
	return some
}

var measurements = append([]measurement{
	{name: "ceiling-single", group: groupIngest, args: fixed(ingest(ceilingCommand, 1))},
	{name: "ingest-single", group: groupIngest, args: fixed(ingest("", 1))},
	{name: "ceiling-arrays", group: groupIngest, args: fixed(ingest(ceilingCommand, arrays))},
	{name: "ingest-arrays", group: groupIngest, args: fixed(ingest("", arrays))},
	{name: "ingest-half", group: groupIngest, args: func(p params, seen *results) ([]string, error) {
		highest, err := seen.latest("ingest-single")
		if err != nil {
			return nil, err
		}
		return append(ingest("", 1)(p), "--rate", rate(highest.Throughput.Requests/2)), nil
	}},

	{name: "latency-100", group: groupLatency, args: fixed(func(p params) []string {
		return append(timed(p), "--workload", "steps", "--rate", "100")
	})},
	{name: "steps-max", group: groupLatency, once: true, args: fixed(func(p params) []string {
		return []string{"find-max", "--command", p.server, "--workload", "steps", "--warm-up", p.warmUp.String(),
			"--duration", (p.window / 2).String(), "--clients", strconv.Itoa(p.connections),
			"--from", "1000", "--precision", "0.1", "--objective", "first_call p99 < 50ms"}
	})},
	{name: "latency-70", group: groupLatency, args: func(p params, seen *results) ([]string, error) {
		highest, err := seen.highestRate("steps-max")
		if err != nil {
			return nil, err
		}
		return append(timed(p), "--workload", "steps", "--clients", strconv.Itoa(p.connections), "--rate", rate(highest*0.7)), nil
	}},

	{name: "flood-one", group: groupFlood, args: fixed(func(p params) []string { return flood(p, p.flood, floodWarmUp) })},
	{name: "flood-hundred", group: groupFlood, args: fixed(func(p params) []string {
		return append(flood(p, p.flood, floodWarmUp), "--functions", "100")
	})},

	{name: "flat-empty", group: groupFlat, args: fixed(func(p params) []string { return flood(p, p.flood, floodWarmUp) })},
	{name: "flat-sleeping", group: groupFlat, args: fixed(func(p params) []string {
		return append(flood(p, p.flood, floodWarmUp), "--hold", fmt.Sprintf("sleeping=%d", p.held))
	})},
	{name: "flat-queued", group: groupFlat, args: fixed(func(p params) []string {
		return append(flood(p, p.flood, floodWarmUp), "--hold", fmt.Sprintf("queued=%d", p.held))
	})},
	{name: "flat-functions", group: groupFlat, args: fixed(func(p params) []string {
		return append(flood(p, p.flood, floodWarmUp), "--hold", fmt.Sprintf("functions=%d", p.functions))
	})},
	{name: "flat-long", group: groupFlat, args: fixed(func(p params) []string {
		return append(flood(p, p.longRuns, 0), "--steps", strconv.Itoa(longSteps))
	})},
}, flowMeasurements()...)

// fixed is for arguments that depend on nothing that was seen.
func fixed(args func(params) []string) func(params, *results) ([]string, error) {
	return func(p params, _ *results) ([]string, error) { return args(p), nil }
}

// timed are the arguments of a run that takes a while.
func timed(p params) []string {
	return []string{"run", "--command", p.server, "--warm-up", p.warmUp.String(), "--duration", p.window.String()}
}

// ingest are those of events that nobody listens to, from many connections; the
// target is the measured server if command is empty.
func ingest(command string, batch int) func(params) []string {
	return func(p params) []string {
		target := command
		if target == "" {
			target = p.server
		}
		return []string{"run", "--command", target, "--warm-up", p.warmUp.String(), "--duration", p.window.String(),
			"--workload", "ingest", "--clients", strconv.Itoa(p.connections), "--batch", strconv.Itoa(batch)}
	}
}

// floodWarmUp is short: it is a flood too, and has to go through before the window.
const floodWarmUp = 100 * time.Millisecond

// flood are those of three-step runs that are sent as fast as they are taken.
func flood(p params, count int, warmUp time.Duration) []string {
	return []string{"run", "--command", p.server, "--workload", "steps", "--warm-up", warmUp.String(),
		"--count", strconv.Itoa(count), "--batch", strconv.Itoa(arrays), "--clients", strconv.Itoa(floodClients), "--drain", "5m"}
}

func rate(perSecond float64) string { return strconv.FormatFloat(perSecond, 'f', 0, 64) }
