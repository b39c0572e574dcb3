package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startTest(t *testing.T, vars map[string]func() (any, error)) *Server {
	t.Helper()
	s, err := Start(Options{Addr: "127.0.0.1:0", Version: "test", Vars: vars, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func get(t *testing.T, s *Server, path string) (int, []byte) {
	t.Helper()
	res, err := http.Get("http://" + s.Addr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}

func TestRefusedAddresses(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"0.0.0.0:0":    "no authentication",
		":0":           "no authentication",
		"[::]:0":       "no authentication",
		"192.0.2.1:80": "no authentication",
		"127.0.0.1":    "must be HOST:PORT",
		"127.0.0.1:x":  "must be HOST:PORT",
	} {
		if s, err := Start(Options{Addr: addr, Logger: slog.New(slog.DiscardHandler)}); err == nil {
			_ = s.Close()
			t.Errorf("%q was accepted", addr)
		} else if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "admin-addr") {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

func TestVars(t *testing.T) {
	s := startTest(t, map[string]func() (any, error){
		"store":  func() (any, error) { return struct{ Syncs int }{7}, nil },
		"broken": func() (any, error) { return nil, errors.New("closed") },
	})
	status, body := get(t, s, "/debug/vars")
	var got struct {
		Process struct{ Version string }
		Runtime map[string]float64
		Store   struct{ Syncs int }
		Broken  struct{ Error string }
	}
	if err := json.Unmarshal(body, &got); status != http.StatusOK || err != nil {
		t.Fatalf("%d %v: %s", status, err, body)
	}
	if got.Process.Version != "test" || got.Store.Syncs != 7 || got.Broken.Error != "closed" {
		t.Errorf("got %+v", got)
	}
	for name := range runtimeVars {
		if _, ok := got.Runtime[name]; !ok {
			t.Errorf("the runtime has no %s (%s)", name, runtimeVars[name])
		}
	}
	if got.Runtime["goroutines"] < 2 || got.Runtime["memory_total_bytes"] <= 0 {
		t.Errorf("runtime: %v", got.Runtime)
	}
}

func TestProfiles(t *testing.T) {
	s := startTest(t, nil)
	for _, path := range []string{"heap", "allocs", "goroutine", "threadcreate", "profile?seconds=1", "heap?seconds=1"} {
		status, body := get(t, s, "/debug/pprof/"+path)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		if _, err := profile.ParseData(body); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if status, body := get(t, s, "/debug/pprof/trace?seconds=0.1"); status != http.StatusOK || !bytes.HasPrefix(body, []byte("go 1.")) {
		t.Errorf("trace: %d, %d bytes", status, len(body))
	}
	if status, body := get(t, s, "/debug/pprof/"); status != http.StatusOK || !bytes.Contains(body, []byte("mutex")) {
		t.Errorf("index: %d %s", status, body)
	}
}

// contend makes two goroutines wait for each other, for a mutex and a channel.
// The mutex has no waiter in between: the runtime misses the contention of a queue
// that never empties, if it began before the sampling.
func contend(t *testing.T) (stop func()) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	done, turns := make(chan struct{}), make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				case turns <- struct{}{}:
				case <-turns:
				}
				mu.Lock()
				time.Sleep(100 * time.Microsecond)
				mu.Unlock()
			}
		})
	}
	return func() { close(done); wg.Wait() }
}

func TestContentionIsSampledOnlyMeanwhile(t *testing.T) {
	s := startTest(t, nil)
	defer contend(t)()
	for _, name := range []string{"mutex", "block"} {
		status, body := get(t, s, "/debug/pprof/"+name+"?seconds=1&rate=1")
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, status, body)
		}
		p, err := profile.ParseData(body)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(p.String(), "admin.contend") {
			t.Errorf("the %s profile does not show who waits: %s", name, p)
		}
		if f := runtime.SetMutexProfileFraction(-1); f != 0 {
			t.Errorf("after the %s profile the mutex fraction is %d", name, f)
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	s := startTest(t, nil)
	for path, want := range map[string]int{
		"/":                                       http.StatusNotFound,
		"/debug/pprof/nothing":                    http.StatusNotFound,
		"/debug/pprof/heap?seconds=-1":            http.StatusBadRequest,
		"/debug/pprof/profile?seconds=301":        http.StatusBadRequest,
		"/debug/pprof/mutex?seconds=NaN":          http.StatusBadRequest,
		"/debug/pprof/mutex?seconds=1&rate=0":     http.StatusBadRequest,
		"/debug/pprof/block?seconds=1&rate=often": http.StatusBadRequest,
	} {
		if status, body := get(t, s, path); status != want {
			t.Errorf("%s: %d %s, want %d", path, status, body, want)
		}
	}
	req, err := http.NewRequest(http.MethodGet, "http://"+s.Addr()+"/debug/vars", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "rebound.example"
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("another host's name: %d", res.StatusCode)
	}
}

func TestOneContentionProfileAtATime(t *testing.T) {
	t.Parallel()
	c := newContention("mutex", setMutexFraction, mutexFraction)
	c.busy.Lock()
	s := startTest(t, nil)
	s.http.Handler = guard(c)
	if status, body := get(t, s, "/?seconds=1"); status != http.StatusConflict {
		t.Errorf("%d %s", status, body)
	}
}

func TestCloseEndsAProfile(t *testing.T) {
	s := startTest(t, nil)
	type answer struct {
		body []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		res, err := http.Get("http://" + s.Addr() + "/debug/pprof/profile?seconds=200")
		if err != nil {
			got <- answer{err: err}
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		got <- answer{body, err}
	}()
	for begun := false; !begun; {
		_, goroutines := get(t, s, "/debug/pprof/goroutine?debug=1")
		begun = bytes.Contains(goroutines, []byte("pprof.profileWriter"))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	a := <-got
	if a.err != nil {
		t.Fatal(a.err)
	}
	if _, err := profile.ParseData(a.body); err != nil {
		t.Errorf("what was captured until then: %v", err)
	}
}
