package budget

import (
	"regexp"
	"strings"

	"ingot/profiles/stacks"
)

// Stage is a part of the way of an event; it indexes the rows of a table.
type Stage int

// Stages, in the order of the way.
const (
	HTTPServer Stage = iota
	API
	Parse
	EventLog
	Router
	Partition
	Expressions
	StoreCommit
	StoreWAL
	StoreCompaction
	CallBody
	CallHTTP
	CallAnswer
	CallPool
	Scheduler
	GC
	Measuring
	Other
)

var stageNames = [...]string{
	HTTPServer:      "requests: HTTP server",
	API:             "requests: API",
	Parse:           "events: parsing",
	EventLog:        "events: log",
	Router:          "engine: router",
	Partition:       "engine: partitions",
	Expressions:     "engine: expressions",
	StoreCommit:     "store: commits and reads",
	StoreWAL:        "store: WAL and its fsyncs",
	StoreCompaction: "store: flushes and compactions",
	CallBody:        "calls: body",
	CallHTTP:        "calls: HTTP exchange",
	CallAnswer:      "calls: answer parsed",
	CallPool:        "calls: worker pool",
	Scheduler:       "runtime: scheduler, netpoll",
	GC:              "runtime: garbage collector",
	Measuring:       "the profiling itself",
	Other:           "other",
}

// String names a row.
func (s Stage) String() string { return stageNames[s] }

// anywhere are stages that a function anywhere in the stack decides, whatever it
// calls; the first that matches does.
var anywhere = []struct {
	stage    Stage
	function *regexp.Regexp
}{
	{Measuring, regexp.MustCompile(`^(ingot/internal/admin|net/http/pprof)\.|^runtime/pprof\.(profileWriter|write|\(\*profileBuilder\))`)},
	{GC, regexp.MustCompile(`^runtime\.(gcBgMarkWorker|gcStart|bgsweep|bgscavenge|_GC$)|^runtime/debug\.FreeOSMemory`)},
	{EventLog, regexp.MustCompile(`^ingot/storage/pebble\.\(\*eventLog\)`)},
	{StoreWAL, regexp.MustCompile(`^github\.com/cockroachdb/pebble/v2/record\.\(\*LogWriter\)\.flush`)},
	{StoreCompaction, regexp.MustCompile(`^github\.com/cockroachdb/pebble/v2\.\(\*DB\)\.(compact|flush|runCompaction)|^github\.com/cockroachdb/pebble/v2\.\(\*cleanupManager\)`)},
}

// nearest are stages that the package of the function nearest to the leaf
// decides. What is not listed (the standard library, small packages of ours, a
// driver's helpers) belongs to its caller.
var nearest = []struct {
	stage Stage
	pkg   string
	// file restricts the rule to files with this prefix, function to functions.
	file, function string
}{
	{stage: API, pkg: "ingot/api"},
	{stage: Parse, pkg: "ingot/engine/event"},
	{stage: Expressions, pkg: "ingot/engine/expr"},
	{stage: EventLog, pkg: "ingot/storage/pebble", file: "log"},
	{stage: StoreCommit, pkg: "ingot/storage/pebble"},
	{stage: StoreCommit, pkg: "github.com/cockroachdb/pebble/v2"},
	{stage: Router, pkg: "ingot/engine", file: "route"},
	{stage: Router, pkg: "ingot/engine", file: "delivery"},
	{stage: Partition, pkg: "ingot/engine"},
	{stage: CallBody, pkg: "ingot/transport/wire", file: "body"},
	{stage: CallBody, pkg: "ingot/transport/wire", file: "sign"},
	{stage: CallBody, pkg: "ingot/transport/wire", file: "trace"},
	{stage: CallAnswer, pkg: "ingot/transport/wire"},
	{stage: CallHTTP, pkg: "ingot/transport"},
	{stage: CallPool, pkg: "github.com/panjf2000/ants/v2"},
	{stage: HTTPServer, pkg: "github.com/valyala/fasthttp", function: "(*Server)"},
	{stage: HTTPServer, pkg: "github.com/valyala/fasthttp", function: "(*workerPool)"},
}

// schedulerRoots are where the stacks of threads begin that look for work.
var schedulerRoots = map[string]bool{
	"runtime.mcall": true, "runtime.mstart": true, "runtime.mstart0": true, "runtime.mstart1": true,
	"runtime.park_m": true, "runtime.sysmon": true, "runtime.schedule": true,
}

// StageOf says which stage a stack belongs to.
func StageOf(s stacks.Stack) Stage {
	for _, rule := range anywhere {
		for _, f := range s.Frames {
			if rule.function.MatchString(f.Function) {
				return rule.stage
			}
		}
	}
	for i := len(s.Frames) - 1; i >= 0; i-- {
		if stage, ok := nearestStage(s.Frames[i]); ok {
			return stage
		}
	}
	if len(s.Frames) > 0 && schedulerRoots[s.Frames[0].Function] {
		return Scheduler
	}
	return Other
}

func nearestStage(f stacks.Frame) (Stage, bool) {
	pkg := stacks.Package(f.Function)
	for _, rule := range nearest {
		if pkg != rule.pkg && !strings.HasPrefix(pkg, rule.pkg+"/") {
			continue
		}
		if strings.HasPrefix(f.File, rule.file) && strings.HasPrefix(strings.TrimPrefix(f.Function, pkg+"."), rule.function) {
			return rule.stage, true
		}
	}
	return 0, false
}
