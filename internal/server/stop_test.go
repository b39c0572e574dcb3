package server

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ingot/internal/config"
)

// TestCallsEndBeforeTheServer: a server that stops waits for the calls to apps that are
// under way, but no longer than it may.
func TestCallsEndBeforeTheServer(t *testing.T) {
	for name, c := range map[string]struct {
		grace time.Duration
		waits bool
	}{
		"unbounded": {config.Unbounded, true},
		"no time":   {time.Nanosecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			called, release := make(chan struct{}, 10), make(chan struct{})
			var answered atomic.Bool
			app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				called <- struct{}{}
				<-release
				answered.Store(true)
				fmt.Fprint(w, `"done"`)
			}))
			defer app.Close()
			cfg := testConfig(t.TempDir())
			cfg.ShutdownGrace, cfg.FunctionMetrics = c.grace, true
			s := start(t, cfg)
			base := "http://" + s.Addr()
			register := fmt.Sprintf(`{"url":%[1]q,"appName":"app","deployType":"ping","sdk":"go:v0.15.1","v":"1","functions":[
				{"id":"app-f","name":"f","triggers":[{"event":"a"}],"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":%[1]q}}}}]}`, app.URL)
			if status, body := request(t, http.MethodPost, base+"/fn/register", register); status != 200 {
				t.Fatalf("register: %d %s", status, body)
			}
			if status, body := request(t, http.MethodPost, base+"/e/k", `{"name":"a"}`); status != 200 {
				t.Fatalf("event: %d %s", status, body)
			}
			<-called
			if _, page := request(t, http.MethodGet, base+"/metrics", ""); !strings.Contains(page, "\ningot_function_backlog_runs{fn=\"app-f\"} 1\n") ||
				!strings.Contains(page, "inngest_queue_depth 1\n") || !strings.Contains(page, "\n# TYPE inngest_sdk_req_started_total counter\n") {
				t.Errorf("metrics while a call is under way:\n%s", page)
			}
			closed := make(chan error, 1)
			go func() { closed <- s.Close(context.Background()) }()
			if c.waits {
				for !s.draining.Load() {
					time.Sleep(time.Millisecond)
				}
				if status, _ := request(t, http.MethodGet, base+"/ready", ""); status != http.StatusServiceUnavailable {
					t.Errorf("a server that stops is ready: %d", status)
				}
				close(release)
			}
			if err := <-closed; err != nil {
				t.Error(err)
			}
			if answered.Load() != c.waits {
				t.Errorf("the call has ended: %v, want %v", answered.Load(), c.waits)
			}
			if !c.waits {
				close(release)
			}
			http.DefaultClient.CloseIdleConnections()
		})
	}
}
