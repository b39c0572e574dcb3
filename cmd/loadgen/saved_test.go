package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot/loadgen/report"
	"ingot/loadgen/result"
)

// save writes one result with the given number of clients.
func save(t *testing.T, dir string, clients int, rate float64) {
	t.Helper()
	h := result.NewHistogram()
	if err := h.RecordValues(1000, 100); err != nil {
		t.Fatal(err)
	}
	n := int64(10 * rate)
	r := &result.Result{Schema: result.Schema, Window: 10, Target: result.Target{Name: "ingot"}, Workload: result.Workload{Name: "steps"},
		Machine: result.Machine{Cores: 4}, Pacing: result.Pacing{Kind: "closed", Clients: clients, Batch: 1},
		Counts:     result.Counts{Events: n, Accepted: n, Expected: n, Completed: n},
		Throughput: result.Throughput{Events: rate, Runs: rate}, Latency: map[string]*result.Histogram{result.Complete: h}, Server: result.NoUsage()}
	if err := report.Write(dir, []*result.Result{r}); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestReportAndCapacityOfSavedResults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var dirs []string
	for i, rate := range []float64{1000, 1900, 3400} {
		d := filepath.Join(dir, string(rune('a'+i)))
		save(t, d, 1<<i, rate)
		dirs = append(dirs, d)
	}
	page := filepath.Join(dir, "page.html")
	if code := run(t.Context(), append([]string{"loadgen", "report", "--out", page}, dirs...)); code != 0 {
		t.Fatalf("report: exit code %d", code)
	}
	if text := read(t, page); !strings.Contains(text, "ingot: 3 runs") {
		t.Error("the page does not show the runs")
	}
	out := filepath.Join(dir, "plan")
	if code := run(t.Context(), append([]string{"loadgen", "capacity", "--expect", "500", "--out", out}, dirs...)); code != 0 {
		t.Fatalf("capacity: exit code %d", code)
	}
	if text := read(t, filepath.Join(out, "capacity.md")); !strings.Contains(text, "What more clients would give") || !strings.Contains(text, "6.8x") {
		t.Errorf("the plan is\n%s", text)
	}
	if text := read(t, filepath.Join(out, "capacity.html")); !strings.Contains(text, "<svg") {
		t.Error("the plan's page has no chart")
	}
}

func TestCapacityTakesNumbersBeforePaths(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "x=y")
	save(t, dir, 1, 1000)
	inputs, err := capacityInputs([]string{"2=" + dir, dir})
	if err != nil || len(inputs) != 2 || inputs[0].N != 2 || inputs[1].N != 0 {
		t.Errorf("got %v, %v", inputs, err)
	}
	for _, bad := range [][]string{nil, {"-1=" + dir}, {"0=" + dir}, {filepath.Join(dir, "missing")}} {
		if _, err := capacityInputs(bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

func TestSavedCommandsRefuse(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"report"}, {"capacity"}, {"compare", "--target", "a=http://127.0.0.1:1"}} {
		if code := run(t.Context(), append([]string{"loadgen"}, args...)); code != exitError {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}
