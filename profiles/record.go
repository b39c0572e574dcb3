package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"ingot/loadgen/result"
	"ingot/profiles/capture"
	"ingot/profiles/summary"
)

// recording is what a session took.
type recording struct {
	workload string
	flags    []string
	// profiles are by name: cpu, allocs, heap, mutex, block, goroutine, trace.
	profiles map[string][]byte
	// before and after are the server's figures around the CPU profile.
	before, after capture.Vars
	cpu, waits    stretch
	load          *result.Result
	// loadEnded says that the load ended before the last profile.
	loadEnded bool
}

// stretch is a time and the events that came in it.
type stretch struct {
	length time.Duration
	events uint64
}

// window converts events to units, of which each takes so many events.
func (s stretch) window(eventsPerUnit float64) summary.Window {
	w := summary.Window{Seconds: s.length.Seconds()}
	if eventsPerUnit > 0 {
		w.Units = float64(s.events) / eventsPerUnit
	}
	return w
}

// record takes all profiles while the load lasts. The CPU profile is taken alone,
// since the others cost CPU time themselves.
func (s *session) record(ctx context.Context) (*recording, error) {
	r := &recording{workload: s.workload, flags: s.flags, profiles: map[string][]byte{}}
	if err := s.takeCPU(ctx, r); err != nil {
		return nil, err
	}
	if err := s.takeRest(ctx, r); err != nil {
		return nil, err
	}
	select {
	case <-s.loadDone:
		r.loadEnded = true
	default:
		progress("waiting for the load to end")
	}
	var err error
	r.load, err = s.result(ctx)
	return r, err
}

// takeCPU takes the CPU profile after the warm-up.
func (s *session) takeCPU(ctx context.Context, r *recording) error {
	select {
	case <-time.After(s.o.warmUp):
	case <-ctx.Done():
		return ctx.Err()
	}
	progress("CPU, %s", s.o.cpu)
	var err error
	if r.before, err = s.admin.Vars(ctx); err != nil {
		return err
	}
	if err := s.stretch(ctx, &r.cpu, func() error { return s.take(ctx, r, s.o.cpu, "profile") }); err != nil {
		return err
	}
	r.after, err = s.admin.Vars(ctx)
	return err
}

// takeRest takes all but the CPU profile.
func (s *session) takeRest(ctx context.Context, r *recording) error {
	progress("allocations, mutexes and blocking, %s", s.o.waits)
	err := s.stretch(ctx, &r.waits, func() error { return s.take(ctx, r, s.o.waits, "allocs", "mutex", "block") })
	if err != nil {
		return err
	}
	progress("execution trace, %s", s.o.trace)
	if err := s.take(ctx, r, s.o.trace, "trace"); err != nil {
		return err
	}
	return s.take(ctx, r, 0, "heap", "goroutine")
}

// stretch counts what happens meanwhile.
func (s *session) stretch(ctx context.Context, to *stretch, meanwhile func() error) error {
	before, err := s.admin.Vars(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := meanwhile(); err != nil {
		return err
	}
	to.length = time.Since(begin)
	after, err := s.admin.Vars(ctx)
	to.events = after.Store.LogHead - before.Store.LogHead
	return err
}

// take takes profiles at the same time.
func (s *session) take(ctx context.Context, r *recording, d time.Duration, names ...string) error {
	bodies, errs := make([][]byte, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { bodies[i], errs[i] = s.admin.Profile(ctx, name, d) })
	}
	wg.Wait()
	for i, name := range names {
		if errs[i] != nil {
			return errs[i]
		}
		r.profiles[name] = bodies[i]
	}
	return nil
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
