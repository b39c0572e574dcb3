// Command profiles runs a profiling session: it starts a server, loads it with
// loadgen, takes its profiles meanwhile, and writes them with a summary and a
// flame graph. README.md tells how to use it.
//
//	make profile WORKLOAD=steps
//	make pgo
//
// What does not live here: the load (cmd/loadgen), the endpoints (internal/admin).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// longest bounds each part of a session; the admin port takes no more either.
const longest = 5 * time.Minute

// options are the command line.
type options struct {
	workload, load, pgo       string
	server, serverFlags       string
	loadgen, out              string
	warmUp, cpu, waits, trace time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.workload, "workload", "steps", "`name` of loadgen's workload")
	flag.StringVar(&o.load, "load", "", "`flags` of loadgen run, instead of this workload's own")
	flag.StringVar(&o.server, "server", filepath.Join("bin", "ingot"), "server `binary`")
	flag.StringVar(&o.serverFlags, "server-flags", "", "further `flags` of the server")
	flag.StringVar(&o.loadgen, "loadgen", filepath.Join("bin", "loadgen"), "loadgen `binary`")
	flag.StringVar(&o.out, "out", filepath.Join("profiles", "out"), "parent `directory` of the session's")
	flag.DurationVar(&o.warmUp, "warm-up", 3*time.Second, "load before the first profile")
	flag.DurationVar(&o.cpu, "cpu", 10*time.Second, "length of the CPU profile")
	flag.DurationVar(&o.waits, "waits", 5*time.Second, "length of the profiles of allocations, mutexes and blocking")
	flag.DurationVar(&o.trace, "trace", 2*time.Second, "length of the execution trace")
	flag.StringVar(&o.pgo, "pgo", "", "record the standard mix for the compiler instead, to this `file`")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "profiles:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if flag.NArg() > 0 {
		return fmt.Errorf("what is %q? Flags of loadgen go into -load", strings.Join(flag.Args(), " "))
	}
	for name, d := range map[string]time.Duration{"cpu": o.cpu, "waits": o.waits, "trace": o.trace} {
		if d < time.Second || d > longest {
			return fmt.Errorf("%s is %s, it must be from 1s to %s", name, d, longest)
		}
	}
	if o.warmUp < 0 || o.warmUp > longest {
		return fmt.Errorf("warm-up is %s, it must be from 0s to %s", o.warmUp, longest)
	}
	if o.pgo != "" {
		return recordPGO(ctx, o)
	}
	dir := filepath.Join(o.out, o.workload+"-"+time.Now().Format("20060102-150405"))
	s, err := start(ctx, o, o.workload, filepath.Join(dir, "load"))
	if err != nil {
		return err
	}
	r, err := s.record(ctx)
	if err = errors.Join(err, s.close()); err != nil {
		return err
	}
	if err := write(dir, r); err != nil {
		return err
	}
	fmt.Printf("%s\n%s\n", filepath.Join(dir, "summary.md"), filepath.Join(dir, "flame.html"))
	return nil
}
