package record

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot/loadgen/result"
)

func TestShortName(t *testing.T) {
	t.Parallel()
	for cpu, want := range map[string]string{
		"Intel(R) Xeon(R) Processor":               "intel-xeon-2core",
		"Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.4GHz": "intel-xeon-e5-2680-v4-2core",
		"AMD Ryzen 7 PRO with Radeon Graphics":     "amd-ryzen-7-pro-2core",
		"Apple M4":                                 "apple-m4-2core",
		"":                                         "unknown-2core",
	} {
		if got := ShortName(result.Machine{CPU: cpu, Cores: 2}); got != want {
			t.Errorf("%q: %q, want %q", cpu, got, want)
		}
	}
}

func TestNewest(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "results")
	h := Header{Date: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), Machine: result.Machine{CPU: "C", Cores: 1}}
	newest := func(file string) string {
		t.Helper()
		path, err := h.Newest(root, "", file)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	if got := newest("micro.txt"); got != "" {
		t.Fatalf("found %s where there is nothing", got)
	}
	for _, dir := range []string{"2026-02-01-c-1core", "2026-03-01-c-1core", "2026-03-03-c-1core", "2026-03-01-other-1core", "notes"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if dir != "2026-03-01-c-1core" {
			if err := os.WriteFile(filepath.Join(root, dir, "micro.txt"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := newest("micro.txt"); got != filepath.Join(root, "2026-02-01-c-1core", "micro.txt") {
		t.Errorf("found %q", got)
	}
	if got := newest("summary.json"); got != "" {
		t.Errorf("found %q", got)
	}
	// What was recorded on the same day is earlier too.
	path, err := h.Write(root, "", "micro.txt", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if got := newest("micro.txt"); got != path {
		t.Errorf("found %q, want %q", got, path)
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	h := NewHeader(t.Context(), "make microbench")
	for line := range strings.Lines(h.Lines()) {
		if !strings.HasPrefix(line, "# ") {
			t.Errorf("%q is no comment", line)
		}
	}
	if !strings.Contains(h.Lines(), "# command: make microbench\n") || h.Machine.Cores < 1 {
		t.Errorf("got %s", h.Lines())
	}
}
