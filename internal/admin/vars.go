package admin

import (
	"encoding/json"
	"net/http"
	"os"
	"runtime"
	"runtime/metrics"
	"time"
)

// runtimeVars are the figures of the Go runtime that are shown, with the names
// that runtime/metrics has for them. Counts and seconds are since the start.
var runtimeVars = map[string]string{
	"goroutines":           "/sched/goroutines:goroutines",
	"heap_live_bytes":      "/gc/heap/live:bytes",
	"heap_goal_bytes":      "/gc/heap/goal:bytes",
	"heap_objects_bytes":   "/memory/classes/heap/objects:bytes",
	"heap_objects":         "/gc/heap/objects:objects",
	"heap_released_bytes":  "/memory/classes/heap/released:bytes",
	"memory_total_bytes":   "/memory/classes/total:bytes",
	"stacks_bytes":         "/memory/classes/heap/stacks:bytes",
	"alloc_bytes":          "/gc/heap/allocs:bytes",
	"alloc_objects":        "/gc/heap/allocs:objects",
	"gc_cycles":            "/gc/cycles/total:gc-cycles",
	"gc_cpu_seconds":       "/cpu/classes/gc/total:cpu-seconds",
	"user_cpu_seconds":     "/cpu/classes/user:cpu-seconds",
	"scavenge_cpu_seconds": "/cpu/classes/scavenge/total:cpu-seconds",
	"total_cpu_seconds":    "/cpu/classes/total:cpu-seconds",
	"idle_cpu_seconds":     "/cpu/classes/idle:cpu-seconds",
	"mutex_wait_seconds":   "/sync/mutex/wait/total:seconds",
	"os_threads":           "/sched/threads/total:threads",
}

// vars serves /debug/vars.
type vars struct {
	own     map[string]func() (any, error)
	version string
	start   time.Time
}

func newVars(o Options) *vars {
	return &vars{own: o.Vars, version: o.Version, start: time.Now()}
}

// ServeHTTP implements http.Handler. A figure that cannot be had is answered with
// {"error": …} in its place, so that the others are still seen.
func (v *vars) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	out := map[string]any{"process": v.process(), "runtime": readRuntime()}
	for name, get := range v.own {
		value, err := get()
		if err != nil {
			value = map[string]string{"error": err.Error()}
		}
		out[name] = value
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(text, '\n')) // a client that went away needs no answer
}

func (v *vars) process() map[string]any {
	return map[string]any{
		"pid":            os.Getpid(),
		"version":        v.version,
		"go":             runtime.Version(),
		"gomaxprocs":     runtime.GOMAXPROCS(0),
		"uptime_seconds": time.Since(v.start).Seconds(),
	}
}

func readRuntime() map[string]any {
	names := make([]string, 0, len(runtimeVars))
	samples := make([]metrics.Sample, 0, len(runtimeVars))
	for name, metric := range runtimeVars {
		names = append(names, name)
		samples = append(samples, metrics.Sample{Name: metric})
	}
	metrics.Read(samples)
	out := make(map[string]any, len(samples))
	for i, s := range samples {
		switch s.Value.Kind() {
		case metrics.KindUint64:
			out[names[i]] = s.Value.Uint64()
		case metrics.KindFloat64:
			out[names[i]] = s.Value.Float64()
		}
	}
	return out
}
