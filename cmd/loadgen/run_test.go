package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ingot/loadgen/report"
	"ingot/loadgen/result"
)

// build compiles this command.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "loadgen")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "ingot/cmd/loadgen").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return bin
}

// started is told when the first progress line comes.
type started struct {
	all  bytes.Buffer
	line chan struct{}
}

func (s *started) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("events/s")) {
		select {
		case s.line <- struct{}{}:
		default:
		}
	}
	return s.all.Write(b)
}

// TestInterrupt ends a measurement of an hour with a signal: the report is complete.
func TestInterrupt(t *testing.T) {
	bin, out := build(t), filepath.Join(t.TempDir(), "report")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, "run", "--target", "empty="+bin+" empty-server --port {port}",
		"--workload", "ingest", "--rate", "200", "--duration", "1h", "--warm-up", "0", "--out", out)
	var stdout bytes.Buffer
	stderr := &started{line: make(chan struct{}, 1)}
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-stderr.line:
	case <-ctx.Done():
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout.String(), stderr.all.String())
	}
	if !strings.Contains(stdout.String(), "200 events/s") {
		t.Errorf("no table:\n%s", stdout.String())
	}
	results, _, err := report.Read(out)
	if err != nil || len(results) != 1 {
		t.Fatal(len(results), err)
	}
	r := results[0]
	if !r.Interrupted || r.Counts.Events == 0 || r.Counts.Accepted != r.Counts.Events || r.Counts.Unsent != 0 || len(r.Series) == 0 {
		t.Errorf("counts %+v, interrupted %v", r.Counts, r.Interrupted)
	}
}

// TestExitCodes are what scripts rely on.
func TestExitCodes(t *testing.T) {
	bin := build(t)
	empty := "empty=" + bin + " empty-server --port {port}"
	quick := []string{"run", "--quiet", "--workload", "ingest", "--count", "100", "--warm-up", "0", "--clients", "2"}
	for name, tc := range map[string]struct {
		args []string
		code int
		say  string
	}{
		"good":           {append(quick, "--target", empty, "--objective", "request p99 < 1m"), 0, "100 sent"},
		"not good":       {append(quick, "--target", empty, "--objective", "request p50 < 1us"), exitObjective, "the objective was not met"},
		"no target":      {quick, exitError, "--url"},
		"remote":         {append(quick, "--url", "http://192.0.2.1:1"), exitError, "192.0.2.1"},
		"bad workload":   {[]string{"run", "--target", empty, "--workload", "x"}, exitError, "it must be one of"},
		"bad number":     {append(quick, "--target", empty, "--batch", "0"), exitError, "batch is 0"},
		"bad throttle":   {append(quick, "--target", empty, "--throttle", "100"), exitError, "LIMIT/PERIOD"},
		"bad period":     {append(quick, "--target", empty, "--debounce", "1ms"), exitError, "debounce: its period"},
		"bad background": {append(quick, "--target", empty, "--hold", "naps=3"), exitError, "sleeping=N"},
		"workloads":      {[]string{"workloads"}, 0, "planned in one call"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), bin, tc.args...).CombinedOutput()
			code := 0
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				code = exit.ExitCode()
			}
			if code != tc.code || !strings.Contains(string(out), tc.say) {
				t.Errorf("exit code %d, want %d, and %q in\n%s", code, tc.code, tc.say, out)
			}
		})
	}
}

// TestBroken: a server that breaks its flow control makes the program fail.
func TestBroken(t *testing.T) {
	good, bad := &result.Result{Flow: &result.Flow{Runs: 1}}, &result.Result{Flow: &result.Flow{Broken: 3}}
	if err := broken(new(result.Result), good); err != nil {
		t.Error(err)
	}
	if err := broken(good, bad); err == nil || !strings.Contains(err.Error(), "3 times") {
		t.Errorf("got %v", err)
	}
}
