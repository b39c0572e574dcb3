package metrics

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// runtimeFigures are those of the Go runtime that tell whether a process is well. The
// names are what other exporters make of them.
var runtimeFigures = []struct {
	name, metric, help string
	counter            bool
}{
	{"go_goroutines", "/sched/goroutines:goroutines", "Goroutines that exist", false},
	{"go_sched_gomaxprocs_threads", "/sched/gomaxprocs:threads", "Threads that run Go code at once", false},
	{"go_gc_heap_live_bytes", "/gc/heap/live:bytes", "Heap that the last collection found in use", false},
	{"go_gc_heap_goal_bytes", "/gc/heap/goal:bytes", "Heap at which the next collection ends", false},
	{"go_memory_classes_total_bytes", "/memory/classes/total:bytes", "Memory that the runtime has mapped", false},
	{"go_memory_classes_heap_released_bytes", "/memory/classes/heap/released:bytes", "Part of it that was given back", false},
	{"go_gc_cycles_total_gc_cycles_total", "/gc/cycles/total:gc-cycles", "Collections", true},
	{"go_gc_heap_allocs_bytes_total", "/gc/heap/allocs:bytes", "Bytes allocated on the heap", true},
	{"go_sync_mutex_wait_total_seconds_total", "/sync/mutex/wait/total:seconds", "Time that goroutines waited for mutexes", true},
}

// Runtime returns the source of the process's own figures. version is the program's.
func Runtime(version string) Source {
	start := time.Now()
	return func(p *Page) {
		p.Gauges("ingot_build_info", "The version that runs", []Sample{
			{Labels: []string{"version", version, "go", runtime.Version()}, Value: 1},
		})
		p.Gauge("process_start_time_seconds", "When the process started, in unix time", float64(start.UnixMilli())/1000)
		if rss, ok := residentBytes(); ok {
			p.Gauge("process_resident_memory_bytes", "Memory of the process that is in RAM", rss)
		}
		samples := make([]metrics.Sample, len(runtimeFigures))
		for i, f := range runtimeFigures {
			samples[i].Name = f.metric
		}
		metrics.Read(samples)
		for i, f := range runtimeFigures {
			value, ok := number(samples[i].Value)
			switch {
			case !ok:
			case f.counter:
				p.Counter(f.name, f.help, value)
			default:
				p.Gauge(f.name, f.help, value)
			}
		}
	}
}

// number is false for what this version of Go does not know.
func number(v metrics.Value) (n float64, ok bool) {
	switch v.Kind() {
	case metrics.KindUint64:
		return float64(v.Uint64()), true
	case metrics.KindFloat64:
		return v.Float64(), true
	}
	return 0, false
}

// residentBytes is known on Linux only.
func residentBytes() (bytes float64, ok bool) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return float64(pages) * float64(os.Getpagesize()), err == nil
}
