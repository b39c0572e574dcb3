package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot/internal/config"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's janitors sleep up to 10 s before they see that their server ended.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

func testConfig(dir string) Config {
	return Config{
		Config:  config.Config{Host: "127.0.0.1", DataDir: dir, Workers: 10, Sync: config.SyncAlways, PollInterval: time.Minute},
		Version: "test", Logger: slog.New(slog.DiscardHandler),
	}
}

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func request(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestServesAndGoesOnAfterARestart(t *testing.T) {
	for _, sync := range []config.Sync{config.SyncAlways, config.SyncInterval} {
		cfg := testConfig(filepath.Join(t.TempDir(), "data"))
		cfg.Sync = sync
		s := start(t, cfg)
		register := `{"url":"http://127.0.0.1:1/x","appName":"app","deployType":"ping","sdk":"go:v0.15.1","v":"1","functions":[
			{"id":"app-f","name":"f","triggers":[{"event":"a"}],"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"http://127.0.0.1:1/x"}}}}]}`
		if status, body := request(t, http.MethodPost, "http://"+s.Addr()+"/fn/register", register); status != 200 {
			t.Fatalf("register: %d %s", status, body)
		}
		if status, body := request(t, http.MethodPost, "http://"+s.Addr()+"/e/k", `{"name":"nobody/listens"}`); status != 200 || !strings.Contains(body, `"ids"`) {
			t.Fatalf("event: %d %s", status, body)
		}
		if s.DataDir() != cfg.DataDir || s.Err() != nil {
			t.Errorf("data in %s, error %v", s.DataDir(), s.Err())
		}
		stop(t, s)

		s = start(t, cfg)
		if _, body := request(t, http.MethodGet, "http://"+s.Addr()+"/dev", ""); !strings.Contains(body, "app-f") {
			t.Errorf("the function is gone after the restart: %s", body)
		}
		stop(t, s)
	}
}

func TestEphemeralLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	cfg := testConfig("unused")
	cfg.Ephemeral = true
	s := start(t, cfg)
	dir := s.DataDir()
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("no data while it runs: %v", err)
	}
	stop(t, s)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("data left in %s: %v", dir, err)
	}
	if _, err := os.Stat("unused"); !errors.Is(err, os.ErrNotExist) {
		t.Error("the data directory was made as well")
	}
}

func TestDirectoryInUse(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := start(t, cfg)
	defer stop(t, s)
	if _, err := Start(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), cfg.DataDir) {
		t.Errorf("a second server on the same directory: %v", err)
	}
}

func TestPortInUse(t *testing.T) {
	first := start(t, testConfig(t.TempDir()))
	defer stop(t, first)
	var log bytes.Buffer
	cfg := testConfig(t.TempDir())
	cfg.Port = first.ln.Addr().(*net.TCPAddr).Port
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	second := start(t, cfg)
	defer stop(t, second)
	if first.Addr() == second.Addr() || !strings.Contains(log.String(), "Port conflict") {
		t.Errorf("%s and %s; log: %s", first.Addr(), second.Addr(), &log)
	}
}

func TestAdminPort(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := start(t, cfg)
	if s.AdminAddr() != "" {
		t.Errorf("an admin port that nobody asked for, at %s", s.AdminAddr())
	}
	stop(t, s)

	cfg.AdminAddr = "127.0.0.1:0"
	s = start(t, cfg)
	status, body := request(t, http.MethodGet, "http://"+s.AdminAddr()+"/debug/vars", "")
	if status != http.StatusOK || !strings.Contains(body, `"Syncs"`) || !strings.Contains(body, `"goroutines"`) {
		t.Errorf("vars: %d %s", status, body)
	}
	// The main port answers them as it does any path that is not its own.
	_, other := request(t, http.MethodGet, "http://"+s.Addr()+"/debug/nothing", "")
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/vars"} {
		if _, body := request(t, http.MethodGet, "http://"+s.Addr()+path, ""); body != other {
			t.Errorf("%s on the main port: %s", path, body)
		}
	}
	addr := s.AdminAddr()
	stop(t, s)
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("the admin port outlived the server")
	}

	cfg.AdminAddr = "0.0.0.0:0"
	if _, err := Start(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "no authentication") {
		t.Errorf("an admin port for everybody: %v", err)
	}
}

func TestStartErrors(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Host = "256.0.0.1"
	if _, err := Start(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "could not find open port") {
		t.Errorf("a host that does not exist: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(context.Background(), testConfig(file)); err == nil {
		t.Error("a file as data directory was accepted")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Start(ctx, testConfig(t.TempDir())); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled start: %v", err)
	}
}

func TestFailStopsOnce(t *testing.T) {
	t.Parallel()
	s := &Server{failed: make(chan struct{})}
	s.fail(io.ErrUnexpectedEOF)
	s.fail(io.EOF)
	<-s.Failed()
	if !errors.Is(s.Err(), io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want the first failure", s.Err())
	}
}
