package otlp

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipes is a listener in memory, so that virtual time passes while a connection is idle.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), ended: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.ended) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4318} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.ended:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// request is an export as the collector got it.
type request struct {
	path   string
	header http.Header
	body   []byte // plain
	spans  []wireSpan
}

// collector is a fake collector. Its answers come one per request, the last for all others.
type collector struct {
	*httptest.Server
	pipes *pipes

	mu       sync.Mutex
	requests []request
}

func newCollector(t *testing.T, answers ...http.HandlerFunc) *collector {
	t.Helper()
	c := &collector{pipes: newPipes()}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := readRequest(t, r)
		c.mu.Lock()
		c.requests = append(c.requests, req)
		answer := answers[min(len(c.requests), len(answers))-1]
		c.mu.Unlock()
		answer(w, r)
	}))
	c.Listener.Close()
	c.Listener = c.pipes
	c.Start()
	return c
}

func (c *collector) got() []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]request(nil), c.requests...)
}

// readRequest fails the test unless the request is well formed.
func readRequest(t *testing.T, r *http.Request) request {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Errorf("gzip: %v", err)
			return request{}
		}
		body = z
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Errorf("body: %v", err)
	}
	var in struct {
		ResourceSpans []struct {
			ScopeSpans []struct {
				Scope struct{ Name string }
				Spans []wireSpan
			}
		}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&in); err != nil || len(in.ResourceSpans) != 1 || len(in.ResourceSpans[0].ScopeSpans) != 1 {
		t.Errorf("%v in %s", err, text)
		return request{}
	}
	return request{path: r.URL.Path, header: r.Header, body: text, spans: in.ResourceSpans[0].ScopeSpans[0].Spans}
}

// status answers with a status and headers given as name, value.
func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// hang answers only when the client has gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// past is a history in which each run has one call; its errors come one per read.
type past struct {
	mu     sync.Mutex
	errs   []error // the last for all others, unless it is nil
	reads  int
	absent map[ulid.ULID]bool
}

const spansPerRun = 3 // the run, its only call, and what that answered

// What waits in tests.
const testRuns, testSpans = 1024, 2048

func (p *past) Traces(ctx context.Context, runs []ulid.ULID) ([]history.Trace, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reads++
	if n := len(p.errs); n > 0 {
		if err := p.errs[min(p.reads, n)-1]; err != nil {
			return nil, err
		}
	}
	var out []history.Trace
	for _, id := range runs {
		if !p.absent[id] {
			out = append(out, oneCall(id))
		}
	}
	return out, ctx.Err()
}

var testFunction = &function.Function{ID: ids.UUID{1}, Slug: "shop-pay", AppName: "shop"}

// oneCall is a run that one call completed.
func oneCall(id ulid.ULID) history.Trace {
	at := int64(id.Time())
	fn := testFunction.ID
	return history.Trace{
		Run: history.Run{
			ID: id, Function: fn, Status: history.Completed, QueuedAt: at, StartedAt: at + 5, EndedAt: at + 30,
			Events: []ulid.ULID{{1}},
		},
		Records: []engine.Lifecycle{
			{Kind: engine.RunScheduled, At: at, Run: id, Fn: fn, Events: []ulid.ULID{{1}}},
			{Kind: engine.RunStarted, At: at + 5, Run: id, Fn: fn},
			{Kind: engine.CallStarted, Flags: engine.FlagDiscovery, At: at + 5, Run: id, Fn: fn, Job: 1},
			{
				Kind: engine.CallEnded, Flags: engine.FlagOutput, At: at + 30, Run: id, Fn: fn, Job: 1,
				Started: at + 5, Duration: 25e6, Status: 200,
			},
			{Kind: engine.RunCompleted, At: at + 30, Run: id, Fn: fn, Payload: []byte(`"secret"`)},
		},
	}
}

// runID is the nth run.
func runID(n int) (id ulid.ULID) {
	_ = id.SetTime(1_700_000_000_000) // fits
	id[14], id[15] = byte(n>>8), byte(n)
	id[13] = byte(n >> 16)
	return id
}

// logged are the lines of a log.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// lines counts those that contain a text.
func (l *logged) lines(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

// open starts an exporter whose collector and history are given; zero fields of cfg are set.
func open(t *testing.T, c *collector, p Traces, cfg Config) (*Exporter, *logged) {
	t.Helper()
	l := &logged{}
	cfg.Endpoint = cmp.Or(cfg.Endpoint, "http://127.0.0.1:4318")
	cfg.History = p
	cfg.Logger = loggerTo(l)
	cfg.Function = func(id ids.UUID) *function.Function {
		if id == testFunction.ID {
			return testFunction
		}
		return nil
	}
	e, err := start(cfg, c.pipes.dial, testRuns, testSpans)
	if err != nil {
		t.Fatal(err)
	}
	return e, l
}

func loggerTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func testLogger(t *testing.T) *slog.Logger { return loggerTo(t.Output()) }
