package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"ingot/loadgen/report"
	"ingot/loadgen/result"
)

// runner runs loadgen once and returns what it measured. dir is a name for its
// reports, unique in this suite.
type runner func(ctx context.Context, dir string, args []string) ([]*result.Result, error)

// measure runs the measurements in interleaved rounds, so that what changes on the
// machine meanwhile meets all of them. A failure does not end it.
func measure(ctx context.Context, ms []measurement, p params, rounds int, run runner, out io.Writer) *results {
	seen := &results{}
	for round := range rounds {
		for _, m := range ms {
			if ctx.Err() != nil {
				return seen
			}
			if m.once && round > 0 {
				continue
			}
			o := one(ctx, m, p, seen, fmt.Sprintf("%s-round%d", m.name, round+1), run)
			seen.add(round, m.name, o)
			fmt.Fprintf(out, "%s  round %d of %d  %-15s %s\n", time.Now().Format(time.TimeOnly), round+1, rounds, m.name, brief(o))
		}
	}
	return seen
}

func one(ctx context.Context, m measurement, p params, seen *results, dir string, run runner) outcome {
	args, err := m.args(p, seen)
	if err != nil {
		return outcome{err: err}
	}
	o := outcome{command: commandLine(args)}
	o.results, o.err = run(ctx, dir, args)
	return o
}

// brief is one line about an outcome.
func brief(o outcome) string {
	if o.err != nil {
		return "failed: " + o.err.Error()
	}
	if len(o.results) == 0 {
		return "no result"
	}
	r := o.results[len(o.results)-1]
	return fmt.Sprintf("%.0f requests/s, %.0f runs/s", r.Throughput.Requests, r.Throughput.Runs)
}

// build compiles the server and loadgen.
func build(ctx context.Context) error {
	for _, name := range []string{"ingot", "loadgen"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", filepath.Join("bin", name), "./cmd/"+name)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
	}
	return nil
}

// limit bounds one loadgen command; putting a million runs in place takes minutes.
const limit = 20 * time.Minute

// grace is how long loadgen may take to write its report once it was interrupted.
const grace = 30 * time.Second

// loadgen runs the program that build has made, with its reports below raw.
func loadgen(raw string) runner {
	return func(ctx context.Context, dir string, args []string) ([]*result.Result, error) {
		dir = filepath.Join(raw, dir)
		if err := os.RemoveAll(dir); err != nil { // of an earlier suite
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		cmd := exec.CommandContext(ctx, filepath.Join("bin", "loadgen"), append(args, "--quiet", "--out", dir)...)
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = grace
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("loadgen: %w: %s", err, lastLines(string(out), 3))
		}
		results, _, err := report.Read(dir)
		return results, err
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " / ")
}

// commandLine is what a reader types to get the same.
func commandLine(args []string) string {
	line := "bin/loadgen"
	for _, a := range args {
		line += " " + quote(a)
	}
	return line
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=,%+-]+$`)

// quote puts a word in quotes if a shell would read it otherwise.
func quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
