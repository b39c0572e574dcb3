// Command micro runs the benchmarks of every stage that an event passes through,
// together with the ceilings of the machine, records what they print, and compares
// it with the newest earlier record of the same machine.
//
//	make microbench                    # all, recorded under benchmarks/results
//	make microbench BENCH=AppendBody   # some: compared, not recorded
//
// What does not live here: the benchmarks, which are beside the packages that they
// measure, and in package benchmarks where they span several.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ingot/benchmarks/record"
)

// stage is a set of benchmarks in one package.
type stage struct{ name, pkg, bench string }

// stages are the benchmarks in the order of an event's way, without those that take
// long to prepare and are no stage.
var stages = []stage{
	{"ceiling", "./benchmarks", "^BenchmarkCeiling"},
	{"parse", "./engine/event", "^Benchmark(Parser|Record)$"},
	{"ingest", "./api", "^BenchmarkIngest$"},
	{"ingest, HTTP and disk", "./benchmarks", "^BenchmarkIngestHTTP$"},
	{"WAL append", "./storage/pebble", "^BenchmarkAppend$"},
	{"condition", "./engine/expr", "^BenchmarkBoolJSON$"},
	{"route and apply", "./engine", "^Benchmark(Route|Apply|ThreeStepRun|ManySteps)$"},
	{"commit", "./storage/pebble", "^BenchmarkCommit"},
	{"body assembly, response parse", "./transport/wire", "^Benchmark(AppendBody|Sign|ParseOps|Classify)$"},
	{"dispatch", "./transport", "^BenchmarkCall$"},
	{"checkpoint", "./api", "^BenchmarkCheckpointAsync$"},
	{"full loop", "./benchmarks", "^BenchmarkLoop$"},
}

const resultFile = "micro.txt"

type settings struct {
	bench, benchtime string
	count            int
	root, machine    string
	benchstat        string
}

func main() {
	var s settings
	flag.StringVar(&s.bench, "bench", "", "regular expression of the benchmarks to run; they are compared but not recorded")
	flag.StringVar(&s.benchtime, "benchtime", "100ms", "time, or Nx, for each")
	flag.IntVar(&s.count, "count", 6, "how often each is run; benchstat needs six to tell noise from change")
	flag.StringVar(&s.root, "results", record.Root, "directory of the results")
	flag.StringVar(&s.machine, "machine", "", "short name of this machine in the name of the result (default: made from its CPU)")
	flag.StringVar(&s.benchstat, "benchstat", "benchstat", "program that compares")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "micro:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, out io.Writer) error {
	if _, err := regexp.Compile(s.bench); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	h := record.NewHeader(ctx, s.command())
	earlier, err := h.Newest(s.root, s.machine, resultFile)
	if err != nil {
		return err
	}
	text := bytes.NewBufferString(h.Lines())
	if err := measure(ctx, s, io.MultiWriter(out, text)); err != nil {
		return err
	}
	// Until it has been compared, the new result must not take the place of an older
	// one of the same day.
	fresh, err := keep(text.Bytes())
	if err != nil {
		return err
	}
	defer os.Remove(fresh)
	if earlier != "" {
		fmt.Fprintf(out, "\nCompared with %s:\n\n", filepath.ToSlash(earlier))
		if err := compare(ctx, s, out, earlier, fresh); err != nil {
			return err
		}
	}
	if s.bench != "" {
		return nil
	}
	path, err := h.Write(s.root, s.machine, resultFile, text.Bytes())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nRecorded in %s\n", filepath.ToSlash(path))
	return nil
}

// command is what a reader types to run the same.
func (s settings) command() string {
	c := fmt.Sprintf("go run ./benchmarks/micro -count %d -benchtime %s", s.count, s.benchtime)
	if s.bench != "" {
		c += " -bench " + strconv.Quote(s.bench)
	}
	return c
}

// measure runs the benchmarks of all stages and writes what they print to out.
func measure(ctx context.Context, s settings, out io.Writer) error {
	for _, st := range selected(s.bench) {
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", st.bench, "-benchmem",
			"-count", strconv.Itoa(s.count), "-benchtime", s.benchtime, "-timeout", "20m", st.pkg)
		cmd.Stdout, cmd.Stderr = out, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s (%s): %w", st.name, strings.Join(cmd.Args, " "), err)
		}
	}
	return nil
}

// selected are the stages to run; with a pattern, what it matches in their packages.
func selected(pattern string) []stage {
	if pattern == "" {
		return stages
	}
	var some []stage
	for _, st := range stages {
		if !slices.ContainsFunc(some, func(o stage) bool { return o.pkg == st.pkg }) {
			some = append(some, stage{"selection", st.pkg, pattern})
		}
	}
	return some
}

// keep writes a result to a temporary file.
func keep(b []byte) (path string, err error) {
	f, err := os.CreateTemp("", "micro-*.txt")
	if err != nil {
		return "", fmt.Errorf("keeping the result: %w", err)
	}
	if _, err := f.Write(b); err != nil {
		_ = f.Close()
		return "", fmt.Errorf("keeping the result: %w", err)
	}
	return f.Name(), f.Close()
}

func compare(ctx context.Context, s settings, out io.Writer, earlier, fresh string) error {
	cmd := exec.CommandContext(ctx, s.benchstat, "earlier="+earlier, "now="+fresh)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("comparing by %s: %w", filepath.Base(s.benchstat), err)
	}
	return nil
}
