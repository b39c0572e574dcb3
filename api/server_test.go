package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"
)

func testLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	s, _ := newIngestServer(Options{Version: "1.2.3"})
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/", 200, "Ingot 1.2.3 is running. This build has no web UI.\n"},
		{"GET", "/runs", 200, "Ingot 1.2.3 is running. This build has no web UI.\n"},
		{"GET", "/nope/", 303, "<a href=\"/nope\">See Other</a>.\n\n"},
		{"GET", "http://h//evil.example/", 303, "<a href=\"/evil.example\">See Other</a>.\n\n"},
		{"GET", "/favicon.ico", 200, ""},
		{"GET", "/robots.txt", 404, notFoundText},
		{"GET", "/assets/nope.js", 404, notFoundText},
		{"GET", "/v1/nope", 404, notFoundText},
		{"GET", "/v0/nope", 404, notFoundText},
		{"POST", "/nope", 404, notFoundText},
		{"POST", "/e", 404, notFoundText},
		{"POST", "/e/", 404, notFoundText},
		{"POST", "/e/key/more", 404, notFoundText},
		{"POST", "/health", 405, ""},
		{"OPTIONS", "/health", 405, ""},
	} {
		res := call(s, c.method, c.path, "")
		if res.StatusCode() != c.status || string(res.Body()) != c.body {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, res.StatusCode(), res.Body(), c.status, c.body)
		}
		if string(res.Header.Peek("X-Inngest-Server-Kind")) != "dev" || string(res.Header.Peek("Vary")) != "Origin" {
			t.Errorf("%s %s: headers %q", c.method, c.path, res.Header.String())
		}
	}
	res := call(s, "GET", "http://h//evil.example/", "")
	if to := string(res.Header.Peek("Location")); to != "/evil.example" {
		t.Errorf("redirect to %q", to)
	}
}

func TestPanicBecomes500(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	s, _ := newIngestServer(Options{Logger: testLogger(&lines)})
	s.routes.handle("GET", "/panic", func(ctx *fasthttp.RequestCtx, _ params) {
		ctx.SetBodyString("half an answer")
		panic("a bug")
	})
	res := call(s, "GET", "/panic", "")
	if res.StatusCode() != 500 || string(res.Body()) != `{"error":"Internal server error","data":null,"status":500}`+"\n" {
		t.Errorf("%d %q", res.StatusCode(), res.Body())
	}
	if !strings.Contains(lines.String(), "a bug") {
		t.Errorf("the log has no panic: %s", &lines)
	}
}

func TestDev(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/dev.json")
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]any
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	s := NewServer(Options{Version: "dev-", Catalog: testCatalog(t), Dev: DevOptions{PollInterval: 5 * time.Second, Workers: 100}})
	res := call(s, "GET", "/dev", "")
	if err := json.Unmarshal(res.Body(), &got); err != nil {
		t.Fatal(err)
	}
	// The recorded server used other ports, and had functions.
	opts := want["startOpts"].(map[string]any)
	opts["connectGatewayPort"] = 8289.0
	opts["connectGRPCConfig"] = map[string]any{
		"Gateway": map[string]any{"IP": "127.0.0.1", "Port": 50052.0}, "Executor": map[string]any{"IP": "127.0.0.1", "Port": 50053.0},
	}
	want["functions"] = []any{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if !bytes.HasPrefix(res.Body(), []byte("{\n  \"version\": \"dev-\",\n  \"authed\": false,\n")) {
		t.Errorf("form of the body: %.80q", res.Body())
	}
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	s, log := newIngestServer(Options{})
	for _, c := range []struct {
		path, body string
		status     int
		answer     string // part of it
	}{
		{"/invoke/app-fn", `{"name":"ignored","data":{"a":1,"_inngest":{"x":1}},"user":{"u":1},"id":"mine","v":"2"}`, 200, `,"status":200}`},
		{"/invoke/a%2Fb+c", `{}`, 200, `,"status":200}`},
		{"/invoke/%zz", `{}`, 400, "Unable to decode function slug"},
		{"/invoke/f", ``, 400, "Unable to read post data request"},
		{"/invoke/f", `[]`, 400, "Unable to read post data request"},
		{"/invoke/f", `{"data":5}`, 400, "Unable to read post data request"},
		{"/invoke/f", `{"ts":5}`, 400, "Invalid invocation event"},
	} {
		res := call(s, "POST", c.path, c.body)
		if res.StatusCode() != c.status || !strings.Contains(string(res.Body()), c.answer) {
			t.Errorf("%s %s: %d %q", c.path, c.body, res.StatusCode(), res.Body())
		}
	}
	sent := log.events(t)
	if len(sent) != 2 {
		t.Fatalf("%d events", len(sent))
	}
	m := eventMap(t, &sent[0])
	delete(m, "ts")
	want := map[string]any{
		"name": event.NameFunctionInvoked, "id": "mine", "v": "2", "user": map[string]any{"u": 1.0},
		"data": map[string]any{"a": 1.0, "_inngest": map[string]any{
			"fn_id": "app-fn", "source_app_id": "", "source_fn_id": "", "source_fn_v": 0.0, "expire": 0.0, "gid": "", "name": "",
		}},
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got  %v\nwant %v", m, want)
	}
	m = eventMap(t, &sent[1])
	if fn := m["data"].(map[string]any)["_inngest"].(map[string]any)["fn_id"]; fn != "a/b c" {
		t.Errorf("slug %q", fn)
	}
	if id := string(sent[1].ID); id == sent[1].InternalID.String() || len(id) != 26 {
		t.Errorf("the event's id %q must be a ULID of its own", id)
	}
	res := call(s, "POST", "/invoke/f", `{}`, headerSeed, "1700000000000,MDEyMzQ1Njc4OQ==")
	if !strings.Contains(string(res.Body()), `"01HF7YAT0060RK4CSM6MV3EE1S"`) {
		t.Errorf("seeded: %q", res.Body())
	}
}

type failingEngine struct {
	engine.API
	err error
}

func (e failingEngine) Send(context.Context, ...*event.Event) error { return e.err }

func TestInvokeFails(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int{engine.ErrBusy: 503, context.DeadlineExceeded: 503, io.ErrUnexpectedEOF: 500} {
		s := NewServer(Options{Engine: failingEngine{err: err}})
		if res := call(s, "POST", "/invoke/f", `{}`); res.StatusCode() != want {
			t.Errorf("%v: status %d, want %d", err, res.StatusCode(), want)
		}
	}
}

// TestShutdown checks that a request in flight gets its answer, and that /ready
// says no from the beginning of the shutdown on.
func TestShutdown(t *testing.T) {
	t.Parallel()
	s, _ := newIngestServer(Options{})
	started, release := make(chan struct{}), make(chan struct{})
	s.routes.handle("GET", "/slow", func(ctx *fasthttp.RequestCtx, _ params) {
		close(started)
		<-release
		ctx.SetBodyString("done")
	})
	ln := fasthttputil.NewInmemoryListener()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	client := http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return ln.Dial() },
	}}
	answer := make(chan string, 1)
	go func() {
		res, err := client.Get("http://ingot/slow")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		answer <- string(b)
	}()
	<-started
	if res := call(s, "GET", "/ready", ""); res.StatusCode() != 200 {
		t.Errorf("ready before: %d", res.StatusCode())
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	for call(s, "GET", "/ready", "").StatusCode() != 503 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	if got := <-answer; got != "done" {
		t.Errorf("the request in flight got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestRawRequests sends bytes that HTTP clients do not send.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	s, _ := newIngestServer(Options{MaxBody: 1000})
	ln := fasthttputil.NewInmemoryListener()
	go s.Serve(ln) //nolint:errcheck // ends with the listener
	t.Cleanup(func() { ln.Close() })
	for _, c := range []struct{ name, request, status string }{
		{"garbage", "\x00\x01\r\n\r\n", "400 Bad Request"},
		{"body too large", "POST /e/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n" + strings.Repeat("x", 1001), "413 Request Entity Too Large"},
		{"chunked body too large", "POST /e/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + strings.Repeat("x", 2000) + "\r\n0\r\n\r\n", "413 Request Entity Too Large"},
		{"headers too large", "GET /health HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", "431 Request Header Fields Too Large"},
		{"HTTP/1.0", "GET /health HTTP/1.0\r\n\r\n", "200 OK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, err := ln.Dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go io.WriteString(conn, c.request) //nolint:errcheck // the server may close early
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.Contains(line, c.status) {
				t.Errorf("%q, error %v; want %s", line, err, c.status)
			}
		})
	}
}
