package capture

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func client(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	c := New(strings.TrimPrefix(srv.URL, "http://"))
	t.Cleanup(func() { c.Close(); srv.Close() })
	return c
}

func TestProfile(t *testing.T) {
	t.Parallel()
	c := client(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.URL.String())) })
	for _, tc := range []struct {
		d    time.Duration
		want string
	}{
		{0, "/debug/pprof/heap"}, {time.Second, "/debug/pprof/heap?seconds=1"}, {1600 * time.Millisecond, "/debug/pprof/heap?seconds=2"},
		{time.Millisecond, "/debug/pprof/heap?seconds=1"},
	} {
		if got, err := c.Profile(context.Background(), "heap", tc.d); err != nil || string(got) != tc.want {
			t.Errorf("%s: %q, %v, want %q", tc.d, got, err, tc.want)
		}
	}
}

func TestVars(t *testing.T) {
	t.Parallel()
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"process":{"version":"v"},"runtime":{"gc_cpu_seconds":0.5},"store":{"LogHead":7,"Syncs":9,"Other":1}}`))
	})
	v, err := c.Vars(context.Background())
	if err != nil || v.Process.Version != "v" || v.Runtime.GCCPU != 0.5 || v.Store.LogHead != 7 || v.Store.Syncs != 9 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "a profile is being taken", http.StatusConflict)
	})
	if _, err := c.Profile(context.Background(), "mutex", time.Second); err == nil || !strings.Contains(err.Error(), "mutex profile: status 409: a profile is being taken") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Vars(context.Background()); err == nil || !strings.Contains(err.Error(), "figures") {
		t.Errorf("got %v", err)
	}
}
