package budget

import (
	"strings"
	"testing"

	"ingot/profiles/stacks"
)

// stack reads "function@file function …" from the root.
func stack(value int64, text string) stacks.Stack {
	s := stacks.Stack{Value: value}
	for _, word := range strings.Fields(text) {
		name, file, _ := strings.Cut(word, "@")
		s.Frames = append(s.Frames, stacks.Frame{Function: name, File: file})
	}
	return s
}

func TestStageAndKind(t *testing.T) {
	t.Parallel()
	const server = "github.com/valyala/fasthttp.(*workerPool).workerFunc github.com/valyala/fasthttp.(*Server).serveConn "
	const call = "github.com/panjf2000/ants/v2.(*goWorker).run ingot/transport.(*HTTP).work@http.go "
	for _, tc := range []struct {
		text  string
		stage Stage
		kind  Kind
	}{
		{server + "bufio.(*Writer).Flush syscall.Write internal/runtime/syscall/linux.Syscall6", HTTPServer, Kernel},
		{server + "github.com/valyala/fasthttp.(*RequestHeader).parse", HTTPServer, Code},
		{server + "ingot/api.(*Server).ingest@ingest.go", API, Code},
		{server + "ingot/api.(*Server).ingest@ingest.go github.com/valyala/fasthttp.(*ResponseHeader).Set runtime.memmove", API, Copying},
		{server + "ingot/api.(*Server).ingest@ingest.go ingot/engine/event.Parse@parser.go ingot/internal/ids.New runtime.growslice runtime.memmove", Parse, Memory},
		{"ingot/storage/pebble.(*eventLog).commit@log.go ingot/storage/pebble.(*diskFile).sync@diskfile.go golang.org/x/sys/unix.Fdatasync syscall.Syscall internal/runtime/syscall/linux.Syscall6", EventLog, Kernel},
		{"ingot/engine.(*router).run@route.go ingot/engine/expr.(*Program).Eval@node.go", Expressions, Code},
		{"ingot/engine.(*router).run@route.go runtime.chansend runtime.goready runtime.futex", Router, Waking},
		{"runtime/pprof.Do ingot/engine.(*worker).run@worker.go ingot/engine.(*partition).apply@partition.go", Partition, Code},
		{"ingot/engine.(*worker).round@worker.go ingot/storage/pebble.(*partition).Commit@partition.go github.com/cockroachdb/pebble/v2/internal/arenaskl.(*Skiplist).Add", StoreCommit, Code},
		{"github.com/cockroachdb/pebble/v2/record.(*LogWriter).flushLoop ingot/storage/pebble.(*diskFile).SyncData@diskfile.go", StoreWAL, Code},
		{"runtime/pprof.Do github.com/cockroachdb/pebble/v2.(*DB).compact1 github.com/cockroachdb/pebble/v2/sstable.(*Writer).Add", StoreCompaction, Code},
		{call + "ingot/transport/wire.appendBody@body.go", CallBody, Code},
		{call + "ingot/transport/wire.parseOps@ops.go runtime.mallocgc", CallAnswer, Memory},
		{call + "ingot/transport.(*conn).exchange@exchange.go net.(*conn).Write sync.(*Mutex).Lock", CallHTTP, Waking},
		{"github.com/panjf2000/ants/v2.(*goWorker).run runtime.chanrecv", CallPool, Waking},
		{"runtime.mcall runtime.park_m runtime.schedule runtime.findRunnable runtime.netpoll internal/runtime/syscall/linux.EpollWait internal/runtime/syscall/linux.Syscall6", Scheduler, Kernel},
		{"runtime.gcBgMarkWorker runtime.systemstack runtime.scanobject", GC, Code},
		{"net/http.(*conn).serve ingot/internal/admin.(*vars).ServeHTTP encoding/json.Marshal", Measuring, Code},
		{"main.main time.Sleep", Other, Code},
		{"", Other, Code},
	} {
		s := stack(1, tc.text)
		if got := StageOf(s); got != tc.stage {
			t.Errorf("%s:\nstage %q, want %q", tc.text, got, tc.stage)
		}
		if got := KindOf(s); got != tc.kind {
			t.Errorf("%s:\nkind %q, want %q", tc.text, got, tc.kind)
		}
	}
}

func TestTableAddsUp(t *testing.T) {
	t.Parallel()
	ss := []stacks.Stack{
		stack(5, "ingot/engine.f@worker.go"),
		stack(7, "ingot/engine.f@worker.go runtime.mallocgc"),
		stack(11, "runtime.gcBgMarkWorker"),
		stack(2, "ingot/internal/admin.f"),
	}
	got := Of(ss)
	if got.Total != 25 || len(got.Rows) != 3 {
		t.Fatalf("got %+v", got)
	}
	r := got.Rows[0]
	if r.Stage != Partition.String() || r.Total != 12 || r.ByKind[Code] != 5 || r.ByKind[Memory] != 7 {
		t.Errorf("the first stage: %+v", r)
	}
	if got.Rows[1].Stage != GC.String() || got.Rows[2].Stage != Measuring.String() {
		t.Errorf("order: %+v", got.Rows)
	}
	if n := stacks.Total(WithoutMeasuring(ss)); n != 23 || len(ss) != 4 {
		t.Errorf("without the measuring: %d of %d stacks", n, len(ss))
	}
}

func TestEveryStageAndKindHasAName(t *testing.T) {
	t.Parallel()
	for s := range Other + 1 {
		if s.String() == "" {
			t.Errorf("stage %d", int(s))
		}
	}
	for k := range Kinds {
		if k.String() == "" {
			t.Errorf("kind %d", int(k))
		}
	}
}
