package transport

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/internal/ids"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, leakOptions()...) }

// leakOptions leave out what packages start when they are loaded, and what
// fasthttp's server, the app of some tests, leaves behind for a while.
func leakOptions() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
	}
}

// newDriver returns a driver that is closed at the test's end.
func newDriver(t testing.TB, o Options) *HTTP {
	t.Helper()
	h := NewHTTP(o)
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// call makes a call and waits for its result.
func call(t testing.TB, h *HTTP, c *engine.Call) engine.Result {
	t.Helper()
	done := make(chan engine.Result, 2)
	h.Call(c, func(r engine.Result) { done <- r })
	select {
	case r := <-done:
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("the call is not answered")
		return engine.Result{}
	}
}

func testCall(url string) *engine.Call {
	return &engine.Call{
		Ref:   engine.CallRef{RunID: ids.Derive(1754300000000, []byte("run")), Job: 3, Generation: 2},
		Fn:    &function.Function{ID: ids.UUIDv5([]byte("fn")), AppID: ids.UUIDv5([]byte("app")), Slug: "app-fn"},
		URL:   url,
		JobID: "1579084326", RequestID: ids.Derive(1754300000000, []byte("request")),
		StepID: "step", MaxAttempts: 5, RequestVersion: -1,
		Events: [][]byte{[]byte(`{"data":{"n":1},"id":"e","name":"demo/hi","ts":1754300000000,"user":{}}`)},
	}
}

// serve starts an app.
func serve(t testing.TB, f http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s
}

// sdk answers as an SDK.
func sdk(w http.ResponseWriter, status int, body string) {
	w.Header().Set("X-Inngest-Sdk", "inngest-js:v4.24.0")
	w.Header().Set("X-Inngest-Req-Version", "2")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// rawApp accepts connections and hands each to f; it closes them afterwards.
func rawApp(t testing.TB, f func(n int, c net.Conn, br *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Add(1)
			go func() {
				defer wg.Done()
				defer c.Close() //nolint:errcheck // a test app
				f(n, c, bufio.NewReader(c))
			}()
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	return "http://" + ln.Addr().String() + "/api/inngest"
}

// readRequest consumes one request.
func readRequest(br *bufio.Reader) (*http.Request, error) {
	req, err := http.ReadRequest(br)
	if err == nil {
		_, err = io.Copy(io.Discard, req.Body)
	}
	return req, err
}

func TestCallRequest(t *testing.T) {
	t.Parallel()
	type seen struct {
		uri    string
		header http.Header
		body   string
	}
	got := make(chan seen, 1)
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- seen{r.RequestURI, r.Header, string(body)}
		sdk(w, 206, `[{"op":"StepRun","id":"a","data":1}]`)
	})
	h := newDriver(t, Options{SigningKey: "signkey-test-0123456789abcdef"})
	c := testCall(app.URL + "/api/inngest?stepId=step&z=1&fnId=app-fn&a=b+c")
	c.StepID = "b78f576611ec06f96af3ca654c22172a5d746c40"
	res := call(t, h, c)
	if res.Error != "" || len(res.Ops) != 1 || res.Status != 206 || res.SDK != "inngest-js:v4.24.0" || res.RequestVersion != 2 ||
		res.Ref != c.Ref || res.StartedAt == 0 || res.Duration <= 0 {
		t.Fatalf("result %+v", res)
	}
	s := <-got
	if want := "/api/inngest?a=b+c&fnId=app-fn&stepId=" + c.StepID + "&z=1"; s.uri != want {
		t.Errorf("URI %s, want %s", s.uri, want)
	}
	for name, want := range map[string]string{
		"Account-Id": ids.AccountID, "Content-Type": "application/json", "User-Agent": "Inngest", "Accept-Encoding": "gzip",
		"X-Run-Id": c.Ref.RunID.String(), "X-Request-Id": c.RequestID.String(), "X-Inngest-Generation-Id": "2",
		"X-Inngest-Job-Id": c.JobID, "X-Inngest-Req-Version": "-1", "X-Inngest-Step-Id": c.StepID,
		"X-Inngest-Server-Kind": "", "X-Inngest-Force-Step-Plan": "",
	} {
		if have := s.header.Get(name); have != want {
			t.Errorf("%s: %q, want %q", name, have, want)
		}
	}
	for _, name := range []string{"Traceparent", "Tracestate", "X-Inngest-Signature"} {
		if s.header.Get(name) == "" {
			t.Errorf("%s is missing", name)
		}
	}
	if !strings.HasPrefix(s.body, `{"ctx":{"attempt":0,`) {
		t.Errorf("body %s", s.body)
	}
}

// The set of headers and their order are the reference's, except for Connection.
func TestHeadersAsRecorded(t *testing.T) {
	t.Parallel()
	head := make(chan string, 1)
	url := rawApp(t, func(_ int, c net.Conn, br *bufio.Reader) {
		var lines []string
		for {
			line, err := br.ReadString('\n')
			if err != nil || line == "\r\n" {
				break
			}
			name, _, _ := strings.Cut(strings.TrimSpace(line), ": ")
			lines = append(lines, name)
		}
		head <- strings.Join(lines[1:], " ")
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		_, _ = io.Copy(io.Discard, br)
	})
	h := newDriver(t, Options{SigningKey: "0123456789abcdef"})
	call(t, h, testCall(url))
	const want = "Host User-Agent Content-Length Account-Id Content-Type Traceparent Tracestate X-Inngest-Generation-Id " +
		"X-Inngest-Job-Id X-Inngest-Req-Version X-Inngest-Signature X-Inngest-Step-Id X-Request-Id X-Run-Id Accept-Encoding"
	if got := <-head; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { sdk(w, 200, `{}`) }))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	h := newDriver(t, Options{})
	for range 20 {
		if res := call(t, h, testCall(s.URL)); res.Error != "" {
			t.Fatal(res.Error)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("20 calls used %d connections", n)
	}
}

func TestQueueAndWorkers(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var now, most atomic.Int32
	app := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-release
		now.Add(-1)
		sdk(w, 200, `{}`)
	})
	h := newDriver(t, Options{Workers: 3, Queue: 5})
	results := make(chan engine.Result, 16)
	for range 9 { // 3 run, 5 wait, 1 is too many
		h.Call(testCall(app.URL), func(r engine.Result) { results <- r })
	}
	if r := <-results; r.Error != "the transport's queue is at its limit of 5 calls" {
		t.Errorf("the call above the limit got %q", r.Error)
	}
	close(release)
	for range 8 {
		if r := <-results; r.Error != "" {
			t.Error(r.Error)
		}
	}
	if most.Load() > 3 {
		t.Errorf("%d calls at the same time with 3 workers", most.Load())
	}
}

func TestCloseEndsCalls(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 8)
	stop := make(chan struct{})
	app := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(stop) })
	h := NewHTTP(Options{Workers: 1})
	results := make(chan engine.Result, 4)
	gateway := make(chan engine.GatewayResult, 1)
	c := testCall(app.URL)
	h.Call(c, func(r engine.Result) { results <- r })
	h.Call(c, func(r engine.Result) { results <- r })
	h.Gateway(&engine.GatewayCall{Ref: c.Ref, Opts: []byte(`{}`)}, func(r engine.GatewayResult) { gateway <- r })
	<-arrived
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h.Call(c, func(r engine.Result) { results <- r })
	for range 3 {
		if r := <-results; r.ErrorCode != "shutdown" || r.Ref != c.Ref {
			t.Errorf("got %+v", r)
		}
	}
	if r := <-gateway; len(r.Error) == 0 || r.Ref != c.Ref {
		t.Errorf("got %+v", r)
	}
	if err := h.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	url := rawApp(t, func(_ int, _ net.Conn, br *bufio.Reader) { _, _ = io.Copy(io.Discard, br) })
	h := newDriver(t, Options{Timeout: 50 * time.Millisecond})
	want := fmt.Sprintf("error performing request: Post %q: context deadline exceeded", url+"?stepId=step")
	if res := call(t, h, testCall(url)); res.Error != want || res.NoRetry {
		t.Errorf("got %q, want %q", res.Error, want)
	}
}

// echoApp is a fast app for benchmarks.
func echoApp(b testing.TB) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.Response.Header.Set("X-Inngest-Sdk", "inngest-js:v4.24.0")
		ctx.Response.Header.Set("X-Inngest-Req-Version", "2")
		ctx.SetStatusCode(206)
		ctx.SetBodyString(`[{"id":"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8","op":"StepRun","name":"a","data":{"n":1}}]`)
	}}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(ln) }()
	b.Cleanup(func() { _ = s.Shutdown(); <-served })
	return "http://" + ln.Addr().String() + "/api/inngest?fnId=app-fn"
}

func TestCallAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector changes the number of allocations")
	}
	url := echoApp(t)
	h := newDriver(t, Options{SigningKey: "0123456789abcdef"})
	c := testCall(url)
	done := make(chan engine.Result, 1)
	answer := func(r engine.Result) { done <- r }
	one := func() { h.Call(c, answer); <-done }
	for range 10 {
		one()
	}
	// Two for the operations, one for the SDK's name; the app shares the count and
	// has none of its own.
	if n := testing.AllocsPerRun(200, one); n > 5 {
		t.Errorf("%v allocations per call", n)
	}
}

func BenchmarkCall(b *testing.B) {
	for _, parallel := range []int{1, 64} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			url := echoApp(b)
			h := newDriver(b, Options{SigningKey: "0123456789abcdef"})
			c := testCall(url)
			slots := make(chan struct{}, parallel)
			var failures atomic.Int64
			answer := func(r engine.Result) {
				if r.Error != "" {
					failures.Add(1)
				}
				<-slots
			}
			b.ReportAllocs()
			for b.Loop() {
				slots <- struct{}{}
				h.Call(c, answer)
			}
			for range parallel {
				slots <- struct{}{}
			}
			if n := failures.Load(); n > 0 {
				b.Errorf("%d calls failed", n)
			}
		})
	}
}
