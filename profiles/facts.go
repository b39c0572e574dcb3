package main

import (
	"fmt"
	"strings"
	"time"

	"ingot/loadgen/result"
	"ingot/profiles/summary"
)

// unitOf says what costs are divided by, and how many accepted events make one:
// a run if the load has runs, else an event. Events that end waits were sent by
// the app, and the load does not count them as its own.
func unitOf(r *result.Result) (unit string, events float64) {
	c := r.Counts
	if c.Expected == 0 || c.Completed == 0 {
		return "event", 1
	}
	events = float64(c.Accepted) / float64(c.Completed)
	if r.Workload.Name == "wait" {
		events += r.Workload.StepsPerRun
	}
	return "run", events
}

func facts(r *recording, unit string) []summary.Fact {
	m, before, after := r.load.Machine, r.before, r.after
	seconds := r.cpu.length.Seconds()
	out := []summary.Fact{
		{Name: "when", Value: r.load.Started.Format(time.DateTime) + " UTC"},
		{Name: "server", Value: fmt.Sprintf("%s, %s, GOMAXPROCS %d", before.Process.Version, before.Process.Go, before.Process.Procs)},
		{Name: "machine", Value: fmt.Sprintf("%s, %d cores, %s; server, load and app on it", m.CPU, m.Cores, m.OS)},
		{Name: "load", Value: fmt.Sprintf("`loadgen run --workload %s %s`", r.workload, strings.Join(r.flags, " "))},
		{Name: "fsyncs", Value: fmt.Sprintf("%.0f per second", float64(after.Store.Syncs-before.Store.Syncs)/seconds)},
		{Name: "garbage collector", Value: fmt.Sprintf("%.1f cycles per second, %.3f cores; %.1f MiB live",
			float64(after.Runtime.GCCycles-before.Runtime.GCCycles)/seconds, (after.Runtime.GCCPU-before.Runtime.GCCPU)/seconds, float64(after.Runtime.HeapLive)/(1<<20))},
		{Name: "goroutines", Value: fmt.Sprint(after.Runtime.Goroutines)},
	}
	if u := r.load.Server; unit == "run" && u.CPUPerRun > 0 {
		out = append(out, summary.Fact{Name: "CPU per run by the system's count", Value: fmt.Sprintf("%.0f µs, over all of the load with its profiles and its end", u.CPUPerRun*1e3)})
	}
	return out
}

// warnings are reasons to distrust the session.
func warnings(r *recording) []string {
	out := append([]string(nil), r.load.Warnings...)
	if r.loadEnded {
		out = append(out, "The load ended before the last profile was taken: give it more time or a larger count.")
	}
	if c := r.load.Counts; c.Lost > 0 {
		out = append(out, fmt.Sprintf("%d runs did not end within %s after the load: the server did not keep up, so that costs per run lack what was put off.", c.Lost, drain))
	}
	return out
}
