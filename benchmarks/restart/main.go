// Command restart measures what a server costs that holds very many sleeping runs,
// and how soon it is back after it was killed with them:
//
//	go run ./benchmarks/restart                       # a million runs, two minutes
//	go run ./benchmarks/restart -sleeping 100000
//
// What does not live here: load (package loadgen), and the suite of figures that
// need no restart (package suite).
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"ingot/benchmarks/record"
	"ingot/internal/e2e/rawapp"
	"ingot/loadgen"
	"ingot/loadgen/proc"
	"ingot/loadgen/result"
	"ingot/loadgen/target"
)

// idleFor is how long an idle server's CPU time is watched. Before that it gets
// settle to come to rest.
const (
	settle  = 5 * time.Second
	idleFor = 10 * time.Second
)

func main() {
	sleeping := flag.Int("sleeping", 1_000_000, "sleeping runs")
	root := flag.String("results", record.Root, "directory of the results")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *sleeping, *root, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "restart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, sleeping int, root string, out io.Writer) error {
	scratch, err := os.MkdirTemp("", "ingot-restart-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	b := &bench{dir: filepath.Join(scratch, "data")}
	if b.bin, err = rawapp.Build(ctx, scratch); err != nil {
		return err
	}
	if b.port, err = rawapp.FreePort(); err != nil {
		return err
	}
	defer b.stop()
	if err := b.measure(ctx, sleeping); err != nil {
		return err
	}
	var text strings.Builder
	h := record.NewHeader(ctx, fmt.Sprintf("go run ./benchmarks/restart -sleeping %d", sleeping))
	text.WriteString(h.Lines())
	table := tabwriter.NewWriter(&text, 2, 0, 3, ' ', 0)
	for _, r := range b.rows {
		fmt.Fprintf(table, "%s\t%s\n", r[0], r[1])
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if _, err := io.WriteString(out, text.String()); err != nil {
		return err
	}
	path, err := h.Write(root, "", "restart.txt", []byte(text.String()))
	if err == nil {
		_, err = fmt.Fprintln(out, path)
	}
	return err
}

// bench is a server that is restarted on the same data.
type bench struct {
	bin, dir string
	port     int
	proc     *rawapp.Process
	rows     [][2]string
}

func (b *bench) measure(ctx context.Context, sleeping int) error {
	took, err := b.start()
	if err != nil {
		return err
	}
	b.row("start, empty, to the first answer", "%.3f s", took.Seconds())
	if err := b.idle("empty"); err != nil {
		return err
	}
	begin := time.Now()
	if err := b.load(ctx, sleeping); err != nil {
		return err
	}
	b.row(fmt.Sprintf("%d runs put to sleep", sleeping), "%.1f s", time.Since(begin).Seconds())
	if err := b.idle(fmt.Sprintf("%d sleeping runs", sleeping)); err != nil {
		return err
	}
	b.proc.Kill()
	if took, err = b.start(); err != nil {
		return err
	}
	b.row("kill -9, then start with them, to the first answer", "%.3f s", took.Seconds())
	begin = time.Now()
	if err := rawapp.Send(ctx, b.proc.URL, []byte(`{"name":"restart/first","data":{}}`)); err != nil {
		return err
	}
	b.row("to the first event accepted after that", "%.3f s", took.Seconds()+time.Since(begin).Seconds())
	if err := b.idle("after the restart"); err != nil {
		return err
	}
	return b.load(ctx, 0) // it works
}

// start starts the server and returns after how long it answered.
func (b *bench) start() (took time.Duration, err error) {
	begin := time.Now()
	b.proc, err = rawapp.StartProcess(b.bin, b.port, "--data-dir", b.dir, "--log-level", "warn")
	return time.Since(begin), err
}

func (b *bench) stop() {
	if b.proc != nil {
		b.proc.Kill()
	}
}

// load puts runs to sleep, and has some other runs complete.
func (b *bench) load(ctx context.Context, sleeping int) error {
	spec, err := target.Parse(b.proc.URL)
	if err != nil {
		return err
	}
	t, err := spec.Open(ctx, target.Options{})
	if err != nil {
		return err
	}
	defer t.Close()
	p := loadgen.DefaultPlan()
	p.Count, p.WarmUp, p.Hold.Sleeping = 1000, 0, sleeping
	var r *result.Result
	if r, err = loadgen.Run(ctx, p, t); err != nil {
		return err
	}
	if r.Interrupted || r.Counts.Lost > 0 || r.Counts.Completed != p.Count {
		return fmt.Errorf("of %d runs %d completed, %d are lost", p.Count, r.Counts.Completed, r.Counts.Lost)
	}
	return nil
}

// idle notes the memory of a server at rest, and its CPU time.
func (b *bench) idle(when string) error {
	time.Sleep(settle)
	meter, err := proc.Attach(b.proc.PID())
	if err != nil {
		return err
	}
	defer meter.Close()
	before, err := meter.Sample()
	if err != nil {
		return err
	}
	time.Sleep(idleFor)
	after, err := meter.Sample()
	if err != nil {
		return err
	}
	b.row("memory, "+when, "%.0f MB resident", float64(after.RSS)/1e6)
	b.row("idle CPU, "+when, "%.2f %%", 100*(after.CPU-before.CPU).Seconds()/idleFor.Seconds())
	return nil
}

func (b *bench) row(name, format string, args ...any) {
	b.rows = append(b.rows, [2]string{name, fmt.Sprintf(format, args...)})
}
