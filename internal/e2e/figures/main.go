// Command figures measures a server on this machine, with sender and app beside
// it, and prints a table: latencies at a steady rate, throughput of one
// function, memory of sleeping runs, restart, idle CPU. It is for tuning; the
// load generator proper is another program.
//
//	go run ./internal/e2e/figures            # all, about a minute
//	go run ./internal/e2e/figures -only flood -runs 200000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"ingot/internal/e2e/rawapp"
)

type settings struct {
	bin, dir, sync string
	only           string
	rate           int
	period         time.Duration
	runs           int
	batch, conns   int
	sleeping       int
}

func main() {
	var s settings
	flag.StringVar(&s.bin, "server", "", "server binary (default: built from the source)")
	flag.StringVar(&s.dir, "dir", "", "parent of the data directories (default: the system's temporary directory)")
	flag.StringVar(&s.sync, "sync", "always", "the server's --sync")
	flag.StringVar(&s.only, "only", "latency,flood,single,sleep", "what to measure")
	flag.IntVar(&s.rate, "rate", 100, "events per second for latencies")
	flag.DurationVar(&s.period, "period", 10*time.Second, "how long to measure latencies and idle CPU")
	flag.IntVar(&s.runs, "runs", 50_000, "three-step runs of the flood")
	flag.IntVar(&s.batch, "batch", 100, "events per request of the flood")
	flag.IntVar(&s.conns, "conns", 8, "connections of the flood")
	flag.IntVar(&s.sleeping, "sleeping", 100_000, "sleeping runs")
	flag.Parse()
	if err := run(context.Background(), s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	scratch, err := os.MkdirTemp(s.dir, "ingot-figures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if s.bin == "" {
		if s.bin, err = rawapp.Build(ctx, scratch); err != nil {
			return err
		}
	}
	table := tabwriter.NewWriter(os.Stdout, 2, 0, 3, ' ', 0)
	for _, part := range []struct {
		name string
		run  func(context.Context, *bench) error
	}{
		{"latency", latency}, {"flood", flood}, {"single", single}, {"sleep", sleep},
	} {
		if !strings.Contains(s.only, part.name) {
			continue
		}
		b, err := newBench(ctx, s, scratch, part.name, table)
		if err != nil {
			return err
		}
		err = part.run(ctx, b)
		b.close()
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		_ = table.Flush()
	}
	return nil
}

// bench is one server and the app beside it.
type bench struct {
	settings
	table *tabwriter.Writer
	port  int
	data  string
	proc  *rawapp.Process
	app   *rawapp.App
	seen  *recorder
}

func newBench(ctx context.Context, s settings, scratch, name string, table *tabwriter.Writer) (*bench, error) {
	b := &bench{settings: s, table: table, data: scratch + "/" + name, seen: newRecorder()}
	var err error
	if b.port, err = rawapp.FreePort(); err != nil {
		return nil, err
	}
	if err = b.start(); err != nil {
		return nil, err
	}
	if b.app, err = rawapp.Start("figures", b.seen.handle); err != nil {
		return nil, err
	}
	return b, b.app.Register(ctx, b.proc.URL,
		rawapp.Function{ID: "three", Event: "figures/three"}, rawapp.Function{ID: "nap", Event: "figures/nap"})
}

func (b *bench) start() (err error) {
	b.proc, err = rawapp.StartProcess(b.bin, b.port, "--data-dir", b.data, "--sync", b.sync, "--log-level", "warn")
	return err
}

func (b *bench) close() {
	if err := b.proc.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the server:", err)
	}
	if log := strings.TrimSpace(b.proc.Log()); log != "" {
		fmt.Fprintln(os.Stderr, log)
	}
	if err := b.app.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the app:", err)
	}
}

func (b *bench) row(name string, format string, args ...any) {
	fmt.Fprintf(b.table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
}

func (b *bench) quantiles(name string, d []time.Duration) {
	r := func(q float64) string { return fmt.Sprintf("%.3f", float64(rawapp.Quantile(d, q))/1e6) }
	b.row(name, "p50 %s ms, p90 %s ms, p99 %s ms, max %s ms (%d)", r(0.5), r(0.9), r(0.99), r(1), len(d))
}
