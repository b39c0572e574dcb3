//go:build unix

package server

import (
	"net/http"
	"runtime/debug"
	"syscall"
	"testing"
	"time"
)

// restWindow is how long a server is watched, restWakes how often its threads may wake in
// that time: it is some 20 times, and was 150 with tickers that had nothing to do.
const (
	restWindow = 2 * time.Second
	restWakes  = 50
)

// TestRestsWhenIdle: a server without work sleeps. The bound has to hold in one of some
// windows, since the test's own process may have something to do as well.
func TestRestsWhenIdle(t *testing.T) {
	s := start(t, testConfig(t.TempDir()))
	defer stop(t, s)
	if status, body := request(t, http.MethodGet, "http://"+s.Addr()+"/health", ""); status != http.StatusOK {
		t.Fatalf("health: %d %s", status, body)
	}
	http.DefaultClient.CloseIdleConnections()
	debug.FreeOSMemory() // else it is done in the background
	var wakes int64
	for range 10 {
		before := switches(t)
		time.Sleep(restWindow)
		if wakes = switches(t) - before; wakes <= restWakes {
			t.Logf("%d wakes in %s", wakes, restWindow)
			return
		}
	}
	t.Errorf("an idle server wakes %d times in %s, at most %d are expected", wakes, restWindow, restWakes)
}

// switches counts how often threads of this process had nothing to do and went to sleep.
func switches(t *testing.T) int64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return int64(u.Nvcsw)
}
