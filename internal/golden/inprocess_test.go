package golden

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"ingot/internal/config"
	"ingot/internal/e2e/rawapp"
	"ingot/internal/server"
)

var inProcess = flag.Bool("inprocess", false, "run the servers in the test's process, for the race detector and coverage")

// startServer starts a server process, or a server in this process.
func (h *harness) startServer(mode string, flags ...string) (*Server, error) {
	if !*inProcess || mode != "dev" {
		return Start(h.ctx, h.bin, h.t.TempDir(), mode, flags...)
	}
	given := map[string][]string{"host": {"127.0.0.1"}, "port": {"0"}, "data-dir": {h.t.TempDir()}}
	for i := 0; i < len(flags); i++ {
		switch name := strings.TrimLeft(flags[i], "-"); name {
		case "no-discovery", "no-poll":
			given[name] = []string{"true"}
		case "u":
			given["sdk-url"] = []string{flags[i+1]}
			i++
		default:
			given[name] = []string{flags[i+1]}
			i++
		}
	}
	cfg, err := config.Load(config.ModeDev, config.Sources{Flags: given, Getenv: func(string) string { return "" }})
	if err != nil {
		return nil, err
	}
	s, err := server.Start(h.ctx, server.Config{Config: cfg.Config, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return &Server{Addr: s.Addr(), stop: func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			h.t.Errorf("closing a server: %v", err)
		}
	}}, nil
}

// TestServerEnds checks what Start says of a server that cannot start.
func TestServerEnds(t *testing.T) {
	t.Parallel()
	bin, err := rawapp.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), bin, t.TempDir(), "dev", "--no-such-flag"); err == nil || !strings.Contains(err.Error(), "no-such-flag") {
		t.Errorf("error %v does not say why", err)
	}
	s, err := Start(t.Context(), bin, t.TempDir(), "dev", "--no-discovery", "--no-poll")
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if _, err := http.Get(fmt.Sprintf("http://%s/health", s.Addr)); err == nil {
		t.Error("the server answers after its end")
	}
}
