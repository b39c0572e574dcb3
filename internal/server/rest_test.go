package server

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"testing"
)

// Bounds of an empty server that has answered a request, a few times what it needs: what
// is there beside the program's file.
const (
	restHeap       = 4 << 20 // live; it is 0.8 MB
	restGoroutines = 60      // it is 30
)

// TestEmptyIsSmall: a server without work holds next to nothing in memory. What large
// buffers, caches and pools need comes with the work.
func TestEmptyIsSmall(t *testing.T) {
	debug.FreeOSMemory()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()
	s := start(t, testConfig(t.TempDir()))
	defer stop(t, s)
	if status, body := request(t, http.MethodGet, "http://"+s.Addr()+"/health", ""); status != http.StatusOK {
		t.Fatalf("health: %d %s", status, body)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := int64(after.HeapAlloc) - int64(before.HeapAlloc); n > restHeap {
		t.Errorf("an empty server holds %d bytes of heap, at most %d are expected", n, restHeap)
	}
	if n := runtime.NumGoroutine() - goroutines; n > restGoroutines {
		t.Errorf("an empty server has %d goroutines, at most %d are expected", n, restGoroutines)
	}
}
