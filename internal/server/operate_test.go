package server

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestCallsAreSignedWithTheFirstKey: an app that is named is asked to sync by a server of
// the kind "cloud", which signs with the new key while callers may use both.
func TestCallsAreSignedWithTheFirstKey(t *testing.T) {
	type ping struct{ kind, signature string }
	pings := make(chan ping, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case pings <- ping{r.Header.Get("X-Inngest-Server-Kind"), r.Header.Get("X-Inngest-Signature")}:
		default:
		}
	}))
	defer app.Close()
	cfg := startConfig(t)
	cfg.SDKURLs = []string{app.URL + "/api/inngest"}
	s := start(t, cfg)
	defer stop(t, s)
	select {
	case p := <-pings:
		if p.kind != "cloud" || !strings.HasPrefix(p.signature, "t=") {
			t.Errorf("got %+v", p)
		}
	case <-time.After(30 * time.Second):
		t.Error("the app was not asked to sync")
	}
}

func TestTokenSecret(t *testing.T) {
	t.Parallel()
	cfg := testConfig("")
	if tokenSecret(cfg) != nil {
		t.Error("a secret without a key")
	}
	cfg.SigningKey = "aa"
	a := tokenSecret(cfg)
	cfg.SigningKey = "bb"
	if b := tokenSecret(cfg); len(a) < 32 || bytes.Equal(a, b) {
		t.Errorf("secrets %x and %x", a, b)
	}
}

func TestNotReady(t *testing.T) {
	s := start(t, testConfig(t.TempDir()))
	ready := func() (int, string) { return request(t, http.MethodGet, "http://"+s.Addr()+"/ready", "") }
	if status, body := ready(); status != http.StatusOK || body != "" {
		t.Errorf("%d %q", status, body)
	}
	s.draining.Store(true)
	if status, body := ready(); status != http.StatusServiceUnavailable || !strings.Contains(body, `"message":"draining`) {
		t.Errorf("draining: %d %q", status, body)
	}
	s.draining.Store(false)
	s.fail(errors.New("no space left on device"))
	if status, body := ready(); status != http.StatusServiceUnavailable || !strings.Contains(body, "its log says why") || strings.Contains(body, "no space") {
		t.Errorf("failed: %d %q", status, body)
	}
	stop(t, s)
}

func TestHistoryBehind(t *testing.T) {
	t.Parallel()
	s := &Server{}
	var behind time.Duration
	var failed error
	var waiting int64
	s.watchHistory(func() (time.Duration, error) { return behind, failed }, func() int64 { return waiting })
	const minute = "the history database has been away for 1m0s: reads of history answer 503; events are accepted, runs go on, and their history waits on disk"
	five := strings.Replace(minute, "1m", "5m", 1)
	for _, c := range []struct {
		behind        time.Duration
		err           error
		waiting       int64
		want, trouble string
	}{
		{0, nil, 0, "", ""},
		{time.Minute, errors.New("away"), 1, "", minute},
		{time.Minute, errors.New("away"), maxOutboxBytes, "events are refused: 8589934592 bytes of history wait for the database", minute},
		{maxHistoryLag, nil, 1, "", "the history database is 5m0s behind: what waits is on disk"},
		{maxHistoryLag, errors.New("dial postgres://u:secret@x"), 1, "", five},
	} {
		behind, failed, waiting = c.behind, c.err, c.waiting
		if got := s.checks[0](); got != c.want {
			t.Errorf("%v, %v: %q, want %q", c.behind, c.err, got, c.want)
		}
		if got := s.hitch(); got != c.trouble {
			t.Errorf("%v, %v: %q, want %q", c.behind, c.err, got, c.trouble)
		}
	}
	if got := string(s.metrics.Append(nil)); !strings.Contains(got, "\ningot_history_lag_seconds 300\n") || !strings.Contains(got, "\ningot_history_away 1\n") {
		t.Errorf("metrics\n%s", got)
	}
}

// TestDevShowsNoPassword: /dev tells where the history is.
func TestDevShowsNoPassword(t *testing.T) {
	t.Parallel()
	cfg := testConfig("")
	cfg.Database.PostgresURI = "postgres://u:hunter2@db/x"
	if got := devOptions(cfg).PostgresURI; got != "postgres://u:xxxxx@db/x" {
		t.Errorf("got %s", got)
	}
}
