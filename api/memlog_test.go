package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/storage/memstore"

	"github.com/valyala/fasthttp/fasthttputil"
)

// memLog is a write-ahead log in memory. Only Append and Submit work.
type memLog struct {
	engine.Log
	mu      sync.Mutex
	records []byte
	count   int
	// refuse, if set, is what Append answers.
	refuse error
	// forget keeps nothing, for benchmarks.
	forget bool
}

func (l *memLog) Append(records []byte, count int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return l.refuse
	}
	if !l.forget {
		l.records = append(l.records, records...)
	}
	l.count += count
	return nil
}

// Submit tells done before it returns.
func (l *memLog) Submit(records []byte, count int, done engine.Logged) error {
	done.Logged(l.Append(records, count))
	return nil
}

// events decodes everything appended so far.
func (l *memLog) events(t testing.TB) []event.Event {
	t.Helper()
	l.mu.Lock()
	b := bytes.Clone(l.records)
	l.mu.Unlock()
	var out []event.Event
	for len(b) > 0 {
		var e event.Event
		var err error
		if b, err = event.DecodeRecord(b, &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// eventMap decodes an event as functions see it.
func eventMap(t testing.TB, e *event.Event) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(e.AppendJSON(nil), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// logEngine is an engine that only writes sent events to a log.
type logEngine struct {
	engine.API
	log *memLog
}

func (e *logEngine) Send(_ context.Context, events ...*event.Event) error {
	for _, ev := range events {
		if err := e.log.Append(ev.AppendRecord(nil), 1); err != nil {
			return err
		}
	}
	return nil
}

// serve runs s on an in-memory listener and returns a client of it, which
// follows no redirects and asks for no compression.
func serve(t testing.TB, s *Server) *http.Client {
	t.Helper()
	ln := fasthttputil.NewInmemoryListener()
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	transport := &http.Transport{
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return ln.Dial() },
		DisableCompression: true,
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// testCatalog returns an empty catalog.
func testCatalog(t testing.TB) *engine.Catalog {
	t.Helper()
	ps, err := memstore.New(1, memstore.Options{}).Partition(engine.SystemPartition)
	if err != nil {
		t.Fatal(err)
	}
	c, err := engine.OpenCatalog(ps)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
