package otlp

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ingot/internal/metrics"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-7": 0, "1.5": 0, "soon": 0, "99999999999999999999": 0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// FuzzAnswer checks that nothing a collector answers breaks what is made of it.
func FuzzAnswer(f *testing.F) {
	f.Add(200, `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}`, "")
	f.Add(200, `{"partialSuccess":{"rejectedSpans":-1}}`, "")
	f.Add(429, "slow\r\ndown", "3")
	f.Add(503, "\xff", "Fri, 02 Jan 2026 03:05:05 GMT")
	f.Add(302, "", "")
	f.Fuzz(func(t *testing.T, code int, body, after string) {
		h := http.Header{"Retry-After": {after}}
		a := classify(&http.Response{StatusCode: code, Header: h}, []byte(body), time.Now())
		if ok := code >= 200 && code < 300; ok != (a.err == nil) || ok && a.retry || a.after < 0 {
			t.Errorf("%d: %+v", code, a)
		}
		said := a.message
		if a.err != nil {
			said = a.err.Error()
		}
		if !utf8.ValidString(said) || strings.ContainsAny(said, "\r\n\x00") || len(said) > 2*maxMessage {
			t.Errorf("it says %q", said)
		}
	})
}

// TestRealConnection sends over TCP, as New does it, and shows the figures.
func TestRealConnection(t *testing.T) {
	t.Parallel()
	got := make(chan request, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- readRequest(t, r) }))
	defer s.Close()
	cfg := Config{Endpoint: s.URL, Path: "/own", ServiceName: "mine", Plain: true, History: &past{}}
	cfg.Logger = testLogger(t)
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.Ended(runID(1))
	e.Close(t.Context())
	r := <-got
	if r.path != "/own" || len(r.spans) != spansPerRun || r.header.Get("Content-Encoding") != "" || !strings.Contains(string(r.body), `"mine"`) {
		t.Errorf("%s %v %s", r.path, r.header, r.body)
	}
	var page metrics.Registry
	page.Register(e.Metrics)
	for _, want := range []string{
		`ingot_trace_export_spans_total{outcome="sent"} 3`, `ingot_trace_export_spans_total{outcome="dropped"} 0`,
		"ingot_trace_export_runs_dropped_total 0", "ingot_trace_export_runs_waiting 0", "ingot_trace_export_spans_waiting 0",
	} {
		if text := string(page.Append(nil)); !strings.Contains(text, want+"\n") {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// TestErrorsHideTheURL checks that a key in it does not come into the log.
func TestErrorsHideTheURL(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(nil)
	cfg := Config{Endpoint: strings.Replace(s.URL, "http://", "http://user:secret@", 1) + "?key=secret", History: &past{}}
	s.Close() // nobody listens there
	l := &logged{}
	cfg.Logger = loggerTo(l)
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	a := e.post([]byte("{}"))
	if a.err == nil || !a.retry || strings.Contains(a.err.Error(), "secret") {
		t.Errorf("%+v", a)
	}
	e.Close(t.Context())
}
