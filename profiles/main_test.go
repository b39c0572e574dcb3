package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot/internal/admin"
	"ingot/loadgen/result"
	"ingot/profiles/capture"
)

func TestUnitOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		workload result.Workload
		counts   result.Counts
		unit     string
		events   float64
	}{
		{"ingest", result.Workload{Name: "ingest"}, result.Counts{Accepted: 100}, "event", 1},
		{"steps", result.Workload{Name: "steps", StepsPerRun: 3}, result.Counts{Accepted: 100, Expected: 100, Completed: 100}, "run", 1},
		{"two runs per event", result.Workload{Name: "mix"}, result.Counts{Accepted: 100, Expected: 200, Completed: 200}, "run", 0.5},
		{"wait", result.Workload{Name: "wait", StepsPerRun: 1}, result.Counts{Accepted: 100, Expected: 100, Completed: 100}, "run", 2},
		{"nothing completed", result.Workload{Name: "steps"}, result.Counts{Accepted: 100, Expected: 100}, "event", 1},
	} {
		if unit, events := unitOf(&result.Result{Workload: tc.workload, Counts: tc.counts}); unit != tc.unit || events != tc.events {
			t.Errorf("%s: %s of %v events, want %s of %v", tc.name, unit, events, tc.unit, tc.events)
		}
	}
}

func TestLoadFlags(t *testing.T) {
	t.Parallel()
	if got := strings.Join(loadFlags(options{load: " --rate  7 "}, "steps"), ","); got != "--rate,7" {
		t.Errorf("given flags: %s", got)
	}
	if got := loadFlags(options{}, "unheard-of"); strings.Join(got, " ") != otherLoad {
		t.Errorf("a workload without its own: %v", got)
	}
	for _, w := range mix {
		if loads[w] == "" {
			t.Errorf("the mix has %s, which has no load of its own", w)
		}
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	good := options{cpu: time.Second, waits: time.Second, trace: time.Second}
	for want, change := range map[string]func(*options){
		"cpu is 0s":       func(o *options) { o.cpu = 0 },
		"waits is 1h0m0s": func(o *options) { o.waits = time.Hour },
		"trace is 10ms":   func(o *options) { o.trace = 10 * time.Millisecond },
		"warm-up is -1s":  func(o *options) { o.warmUp = -time.Second },
		"no-such-binary":  func(o *options) { o.server, o.out = "no-such-binary", t.TempDir() },
	} {
		o := good
		change(&o)
		if err := run(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestRecordAndWrite takes profiles of this process.
func TestRecordAndWrite(t *testing.T) {
	var head uint64
	port, err := admin.Start(admin.Options{Addr: "127.0.0.1:0", Version: "v1", Logger: slog.New(slog.DiscardHandler),
		Vars: map[string]func() (any, error){"store": func() (any, error) {
			head += 1000
			return map[string]uint64{"LogHead": head, "Syncs": head / 10}, nil
		}}})
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	busy, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		spin(busy)
	}()
	defer func() { close(busy); <-done }()

	s := &session{o: options{cpu: time.Second, waits: time.Second, trace: time.Second}, workload: "steps", admin: capture.New(port.Addr())}
	defer s.admin.Close()
	r := &recording{workload: "steps", flags: []string{"--rate", "5"}, profiles: map[string][]byte{}, loadEnded: true, load: &result.Result{
		Counts: result.Counts{Accepted: 10, Expected: 10, Completed: 10, Lost: 3}, Server: result.NoUsage()}}
	ctx := context.Background()
	if err := s.takeCPU(ctx, r); err != nil {
		t.Fatal(err)
	}
	if err := s.takeRest(ctx, r); err != nil {
		t.Fatal(err)
	}
	if r.cpu.events != 1000 || r.cpu.length < time.Second {
		t.Errorf("the CPU profile's stretch: %+v", r.cpu)
	}
	dir := t.TempDir()
	if err := write(dir, r); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cpu.pb.gz", "allocs.pb.gz", "heap.pb.gz", "mutex.pb.gz", "block.pb.gz", "goroutine.pb.gz", "trace.out", "flame.html"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "summary.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ingot/profiles.spin", "in which 1000 runs were done", "The load ended before", "3 runs did not end", "- server: v1", "`loadgen run --workload steps --rate 5`"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the summary lacks %q:\n%s", want, text)
		}
	}
}

var sink int

// spin uses CPU time until it is told to stop.
//
//go:noinline
func spin(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
			for i := range 10_000 {
				sink += i * i
			}
		}
	}
}
