package e2e

import (
	"slices"
	"testing"
	"time"

	"ingot/internal/e2e/rawapp"
)

// restartCase has work that waits while the server is killed. A call that was
// under way is made again, so what happened is counted by runs.
type restartCase struct {
	fn     string // its name is the key of the case
	before func(t *testing.T, a *nodeApp, fn string)
	// soon is done right after the restart, if there is such a thing.
	soon  func(t *testing.T, a *nodeApp, fn string, sent time.Time)
	after func(t *testing.T, a *nodeApp, fn string, sent time.Time)
}

// TestFlowRestart kills the server twice while flow control holds events and
// runs back: each goes on as if nothing had happened.
func TestFlowRestart(t *testing.T) {
	t.Parallel()
	needNode(t)
	bin := serverBinary(t)
	port, err := rawapp.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	start := func() *rawapp.Process {
		p, err := rawapp.StartProcess(bin, port, "--data-dir", dir, "--retry-interval", "1", "--log-level", "warn")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := start()
	defer func() { p.Kill() }()
	app := startNode(t, p.URL, "--sdk", "4")
	app.sync(t)

	sent := make([]time.Time, len(restartCases))
	for i, c := range restartCases {
		sent[i] = time.Now()
		c.before(t, app, c.fn)
	}
	for range 2 {
		time.Sleep(quiet) // something goes on between the kills
		p.Kill()
		for _, c := range restartCases {
			app.open(t, c.fn)
		}
		// Calls of the dead server end before the next one makes them again.
		time.Sleep(quiet)
		for _, c := range restartCases {
			for app.count(t, c.fn, "in") > app.count(t, c.fn, "out") {
				time.Sleep(10 * time.Millisecond)
			}
		}
		p = start()
	}
	for i, c := range restartCases {
		if c.soon != nil {
			c.soon(t, app, c.fn, sent[i])
		}
	}
	t.Run("after", func(t *testing.T) {
		for i, c := range restartCases {
			t.Run(c.fn, func(t *testing.T) {
				t.Parallel()
				c.after(t, app, c.fn, sent[i])
			})
		}
	})
	if t.Failed() {
		t.Logf("server's log:\n%s", p.Log())
	}
	if err := p.Stop(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
}

// awaitRuns waits until `what` has happened in n runs, a moment longer for one
// too many, and returns them in the order of their first time.
func awaitRuns(t *testing.T, a *nodeApp, key, what string, n int) []about {
	t.Helper()
	var out []about
	for deadline := time.Now().Add(caseLimit); len(out) < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q happened in %d runs, want %d: %+v", what, len(out), n, out)
		}
		out = distinct(each[about](t, a, key, what), runOf)
	}
	time.Sleep(quiet)
	if out = distinct(each[about](t, a, key, what), runOf); len(out) != n {
		t.Errorf("%q happened in %d runs, want %d: %+v", what, len(out), n, out)
	}
	return out
}

// distinct leaves the first of each run.
func distinct[T any](all []T, run func(T) string) []T {
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(v T) bool {
		again := seen[run(v)]
		seen[run(v)] = true
		return again
	})
}

func runOf(v about) string { return v.Run }

// ended waits until n runs of the function have ended.
func (a *nodeApp) ended(t *testing.T, key, fn string, n int) {
	t.Helper()
	for deadline := time.Now().Add(caseLimit); ; time.Sleep(20 * time.Millisecond) {
		runs := distinct(each[end](t, a, key, "finished "+fn), func(e end) string { return e.RunID })
		if len(runs) == n {
			return
		}
		if len(runs) > n || time.Now().After(deadline) {
			t.Fatalf("%d runs of %s ended, want %d", len(runs), fn, n)
		}
	}
}
