package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ingot/benchmarks/record"
	"ingot/loadgen/result"
)

var testHeader = record.Header{Date: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Commit: "abc", Command: "suite",
	Machine: result.Machine{CPU: "C", Cores: 2, OS: "linux/amd64", Go: "go1.26"}}

// fast is a server for which every figure is within its budget: half a ceiling of
// 100,000 requests/s is lost, and nothing costs more when much is held.
func fast(_ context.Context, dir string, args []string) ([]*result.Result, error) {
	r := &result.Result{Server: result.Usage{CPUPerRun: 0.1, RSSMax: 500e6},
		Workload:   result.Workload{CallsPerRun: 4},
		Throughput: result.Throughput{Requests: 70_000, Runs: 12_000},
		Latency:    map[string]*result.Histogram{result.Request: hist(900), result.FirstCall: hist(600), result.Step: hist(200)}}
	switch {
	case strings.HasPrefix(dir, "ceiling"):
		r.Throughput.Requests = 100_000
	case strings.HasPrefix(dir, "flat-long"):
		r.Workload.CallsPerRun, r.Server.CPUPerRun = 501, 14
	}
	if args[0] != "find-max" {
		return []*result.Result{r}, nil
	}
	var probes []*result.Result
	for _, rate := range []float64{4000, 8000, 6000} {
		probes = append(probes, &result.Result{Pacing: result.Pacing{Rate: rate}, Objective: &result.Objective{Met: rate < 7000}})
	}
	return probes, nil
}

// hist has one value, in µs.
func hist(us int64) *result.Histogram {
	h := result.NewHistogram()
	_ = h.RecordValue(us)
	return h
}

// suite measures everything by a runner in two rounds.
func suite(t *testing.T, run runner) (*summary, *results) {
	t.Helper()
	seen := measure(t.Context(), planned(groups()), full(""), 2, run, io.Discard)
	return summarise(testHeader, 2, groups(), full(""), seen), seen
}

func find(t *testing.T, s *summary, title string) line {
	t.Helper()
	for _, l := range s.Lines {
		if strings.HasPrefix(l.Title, title) {
			return l
		}
	}
	t.Fatalf("no figure begins with %q", title)
	return line{}
}

func TestEverythingMet(t *testing.T) {
	t.Parallel()
	s, seen := suite(t, fast)
	if err := seen.failures(); err != nil {
		t.Fatal(err)
	}
	if len(s.Lines) != len(figures) || len(s.Remarks) > 0 {
		t.Errorf("%d lines of %d figures, remarks %q", len(s.Lines), len(figures), s.Remarks)
	}
	for _, l := range s.Lines {
		if l.Verdict != met || len(l.Values) != 2 {
			t.Errorf("%s: %s %v %s", l.Title, l.Verdict, l.Values, l.Reason)
		}
	}
	if l := find(t, s, "single events"); l.Median != 70 || l.Budget != "≥ 60 %" {
		t.Errorf("share %v of %s", l.Median, l.Budget)
	}
	if l := find(t, s, "CPU per call of 500-step"); l.Median < 1.11 || l.Median > 1.12 {
		t.Errorf("cost of a late call %v", l.Median)
	}
	if l := find(t, s, "event to first call at 100 events/s, p50"); l.Median != 0.6 {
		t.Errorf("latency %v", l.Median)
	}
}

// TestRates: what is sent at a part of the highest rate depends on what was found.
func TestRates(t *testing.T) {
	t.Parallel()
	rates := map[string]string{}
	probes := 0
	_, _ = suite(t, func(ctx context.Context, dir string, args []string) ([]*result.Result, error) {
		name, _, _ := strings.Cut(dir, "-round")
		if i := slices.Index(args, "--rate"); i > 0 {
			rates[name] = args[i+1]
		}
		if args[0] == "find-max" {
			probes++
		}
		return fast(ctx, dir, args)
	})
	if rates["ingest-half"] != "35000" || rates["latency-70"] != "4200" || rates["latency-100"] != "100" {
		t.Errorf("rates %v", rates)
	}
	if probes != 1 {
		t.Errorf("the highest rate was searched %d times", probes)
	}
}

func TestMissedAndUnsure(t *testing.T) {
	t.Parallel()
	s, _ := suite(t, func(ctx context.Context, dir string, args []string) ([]*result.Result, error) {
		rs, err := fast(ctx, dir, args)
		switch {
		case dir == "flood-one-round1":
			rs[0].Throughput.Runs = 9_000
		case strings.HasPrefix(dir, "flat-queued"):
			rs[0].Server.CPUPerRun = 0.2
			rs[0].Counts.Lost = 3
		}
		return rs, err
	})
	if l := find(t, s, "three-step runs of one function"); l.Verdict != unsure || l.Median != 10_500 {
		t.Errorf("%s %v", l.Verdict, l.Median)
	}
	if l := find(t, s, "CPU per run with 1,000,000 queued"); l.Verdict != missed || l.Median != 2 {
		t.Errorf("%s %v", l.Verdict, l.Median)
	}
	if !slices.Contains(s.Remarks, "flat-queued, round 2: 3 runs were lost") {
		t.Errorf("remarks %q", s.Remarks)
	}
}

// TestFailures: what fails is not measured, and neither is what depends on it; the
// rest is.
func TestFailures(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	s, seen := suite(t, func(ctx context.Context, dir string, args []string) ([]*result.Result, error) {
		rs, err := fast(ctx, dir, args)
		switch {
		case strings.HasPrefix(dir, "steps-max"):
			return nil, broken
		case strings.HasPrefix(dir, "ceiling-arrays"):
			rs[0].Interrupted = true
		case strings.HasPrefix(dir, "flood-one"):
			rs[0].Server = result.NoUsage()
		}
		return rs, err
	})
	if !errors.Is(seen.failures(), broken) {
		t.Errorf("got %v", seen.failures())
	}
	for title, reason := range map[string]string{
		"event to first call at 70 %":     "broken",
		"100 events per request":          "interrupted",
		"server CPU of a three-step run":  "CPU time is unknown",
		"three-step runs of one function": "",
		"single events":                   "",
	} {
		l := find(t, s, title)
		if (reason == "") != (l.Verdict == met) || !strings.Contains(l.Reason, reason) {
			t.Errorf("%s: %s, %q", title, l.Verdict, l.Reason)
		}
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	some := []string{groupFlood}
	seen := measure(ctx, planned(some), quick(""), 3, fast, io.Discard)
	for _, l := range summarise(testHeader, 3, some, quick(""), seen).Lines {
		if l.Verdict != notMeasured || l.Reason == "" {
			t.Errorf("%+v", l)
		}
	}
}

func TestMarkdownAndJSON(t *testing.T) {
	t.Parallel()
	s, _ := suite(t, fast)
	text := s.Markdown()
	for _, want := range []string{
		"| three-step runs of one function | ≥ 10000 runs/s | 12000 runs/s | 12000 … 12000 | met | flood-one |",
		"| ceiling-single | 100000 | 0 | 12000 | 0.9 | 0.9 | 0.6 | 0.6 | 0.2 | 0.2 | 0 | 0.1 | 500 | – | 0 |",
		"median of 2 rounds", "C, 2 cores", "| resident memory with 1,000,000 sleeping runs |", "--hold sleeping=1000000", "commit abc",
		"    bin/loadgen run --command 'bin/ingot dev --host 127.0.0.1 --port {port}",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	b, err := s.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var back summary
	if err := json.Unmarshal(b, &back); err != nil || len(back.Lines) != len(s.Lines) || back.Commit != "abc" {
		t.Errorf("%v: %s", err, b)
	}
}

// TestBudgetsAreOfKnownMeasurements: a figure must have something that measures it
// in its own group.
func TestBudgetsAreOfKnownMeasurements(t *testing.T) {
	t.Parallel()
	for _, f := range figures {
		for _, name := range f.from {
			if !slices.ContainsFunc(measurements, func(m measurement) bool { return m.name == name && m.group == f.group }) {
				t.Errorf("%s: nothing measures %s", f.title, name)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	if all, err := choose(""); err != nil || len(all) != len(groups()) {
		t.Errorf("%v %v", all, err)
	}
	if some, err := choose("flat, ingest"); err != nil || !slices.Equal(some, []string{"flat", "ingest"}) {
		t.Errorf("%v %v", some, err)
	}
	if _, err := choose("flot"); err == nil || !strings.Contains(err.Error(), `"flot"`) {
		t.Errorf("got %v", err)
	}
	if err := run(t.Context(), settings{rounds: 0}, io.Discard); err == nil || !strings.Contains(err.Error(), "rounds is 0") {
		t.Errorf("got %v", err)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 0.3: "0.3", 0.1234: "0.123", 1: "1", 12.34: "12.3", 99.96: "100", 12345.6: "12346"} {
		if got := number(v); got != want {
			t.Errorf("%s: %q, want %q", strconv.FormatFloat(v, 'g', -1, 64), got, want)
		}
	}
}

func TestSave(t *testing.T) {
	t.Parallel()
	s, _ := suite(t, fast)
	root := t.TempDir()
	for only, file := range map[string]string{"": "summary", "flood,flat": "summary-flood-flat"} {
		chosen, err := choose(only)
		if err != nil {
			t.Fatal(err)
		}
		if err := save(s, testHeader, settings{only: only, root: root, machine: "m"}, chosen, io.Discard); err != nil {
			t.Fatal(err)
		}
		for _, suffix := range []string{".md", ".json"} {
			if _, err := os.Stat(filepath.Join(root, "2026-03-02-m", file+suffix)); err != nil {
				t.Error(err)
			}
		}
	}
}
