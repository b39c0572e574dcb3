// Command limits measures what limits by key cost that are configured and not reached, closer
// than the suite does: it floods one server over and over, with and without the limit in
// random order, and gives the ratios with their intervals.
//
//	go run ./benchmarks/limits                 # 20 minutes
//	go run ./benchmarks/limits -minutes 5
//
// Single floods differ by some percent whatever they are: by when memtables are flushed,
// garbage is collected, and others use the machine. What is left of 50 pairs is below 1 %.
//
// What does not live here: load (package loadgen), and the cost of the other features
// (package suite, group flow).
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"ingot/benchmarks/record"
	"ingot/loadgen"
	"ingot/loadgen/flow"
	"ingot/loadgen/result"
	"ingot/loadgen/stats"
	"ingot/loadgen/target"
)

// flood is one kind of flood, of which limited ones are held against those of the same keys
// without a limit.
type flood struct {
	title      string
	flow       flow.Config
	runs, cost []float64 // runs/s, and ms of CPU per run
}

// The floods come in pairs, without the limit and with it: the limits are those that the
// number of keys leaves unreached.
const (
	fewPlain = iota
	fewLimited
	manyPlain
	manyLimited
)

func floods() []flood {
	return []flood{
		fewPlain:    {title: "10 keys, no limit", flow: flow.Config{Keys: 10}},
		fewLimited:  {title: "10 keys, each limited to 1,000 calls", flow: flow.Config{Keys: 10, Limit: 1000}},
		manyPlain:   {title: "100,000 keys, no limit", flow: flow.Config{Keys: 100_000}},
		manyLimited: {title: "100,000 keys, each limited to 10 calls", flow: flow.Config{Keys: 100_000, Limit: 10}},
	}
}

// rounds of a server before it is started anew: its history grows.
const roundsPerServer = 8

func main() {
	minutes := flag.Float64("minutes", 20, "how long to measure")
	count := flag.Int64("count", 20_000, "runs of a flood")
	root := flag.String("results", record.Root, "directory of the results; empty records nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *minutes, *count, *root, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "limits:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, minutes float64, count int64, root string, out io.Writer) error {
	dir, err := os.MkdirTemp("", "ingot-limits-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "ingot")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", bin, "./cmd/ingot")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the server: %w\n%s", err, text)
	}
	spec, err := target.Parse("ingot=" + bin + " dev --no-discovery --no-poll --log-level warn --port {port} --data-dir {dir}")
	if err != nil {
		return err
	}
	h := record.NewHeader(ctx, fmt.Sprintf("go run ./benchmarks/limits -minutes %g -count %d", minutes, count))
	list := floods()
	for end := time.Now().Add(time.Duration(minutes * float64(time.Minute))); time.Now().Before(end); {
		if err := rounds(ctx, spec, count, list, end, out); err != nil {
			return err
		}
	}
	text, err := table(list)
	if err != nil {
		return err
	}
	text = h.Lines() + text
	if _, err := io.WriteString(out, text); err != nil || root == "" {
		return err
	}
	path, err := h.Write(root, "", "limits.txt", []byte(text))
	if err == nil {
		_, err = fmt.Fprintln(out, path)
	}
	return err
}

// rounds floods one server. Its first round is not counted.
func rounds(ctx context.Context, spec target.Spec, count int64, list []flood, end time.Time, out io.Writer) error {
	t, err := spec.Open(ctx, target.Options{Log: os.Stderr})
	if err != nil {
		return err
	}
	defer t.Close()
	for round := range 1 + roundsPerServer {
		if round > 0 && time.Now().After(end) {
			return nil
		}
		for _, i := range rand.Perm(len(list)) {
			f := &list[i]
			r, err := once(ctx, t, f.flow, count)
			if err != nil {
				return fmt.Errorf("%s: %w", f.title, err)
			}
			if round > 0 {
				f.runs = append(f.runs, r.Throughput.Runs)
				f.cost = append(f.cost, r.Server.CPUPerRun)
			}
			fmt.Fprintf(out, "%s  %-42s %6.0f runs/s  %.3f ms of CPU per run\n", time.Now().Format(time.TimeOnly), f.title, r.Throughput.Runs, r.Server.CPUPerRun)
		}
	}
	return nil
}

// once is one flood, of which no run may be missing.
func once(ctx context.Context, t *target.Target, config flow.Config, count int64) (*result.Result, error) {
	p := loadgen.DefaultPlan()
	p.Shape.Flow, p.Count, p.Batch, p.Clients, p.WarmUp, p.Drain = config, count, 100, 8, 300*time.Millisecond, 5*time.Minute
	r, err := loadgen.Run(ctx, p, t)
	switch {
	case err != nil:
		return nil, err
	case r.Interrupted:
		return nil, context.Canceled
	case r.Counts.Lost > 0 || r.Counts.Completed != count:
		return nil, fmt.Errorf("of %d runs %d completed, %d are lost", count, r.Counts.Completed, r.Counts.Lost)
	}
	return r, nil
}

// table is the medians of the floods, and the ratios between them.
func table(list []flood) (string, error) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 2, 0, 3, ' ', 0)
	fmt.Fprintf(w, "\n%d floods each, medians\truns/s\tCPU per run\n", len(list[0].runs))
	for i := range list {
		fmt.Fprintf(w, "%s\t%.0f\t%.3f ms\n", list[i].title, stats.Median(list[i].runs), stats.Median(list[i].cost))
	}
	fmt.Fprintf(w, "\nratios, with 95 %% intervals\truns/s\tCPU per run\n")
	for _, c := range []struct {
		title       string
		base, other int
	}{
		{"a limit of each of 10 keys, against none", fewPlain, fewLimited},
		{"a limit of each of 100,000 keys, against none", manyPlain, manyLimited},
		{"a limit of each of 100,000 keys, against 10", fewLimited, manyLimited},
	} {
		runs, err := stats.PairedRatio(list[c.base].runs, list[c.other].runs)
		if err != nil {
			return "", err
		}
		cost, err := stats.PairedRatio(list[c.base].cost, list[c.other].cost)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.title, ratio(runs), ratio(cost))
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	return text.String(), nil
}

func ratio(r stats.Ratio) string {
	return fmt.Sprintf("%.3f (%.3f to %.3f)", r.Estimate, r.Low, r.High)
}
