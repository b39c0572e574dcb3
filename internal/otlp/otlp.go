// Package otlp exports the traces of ended runs to an OpenTelemetry collector, over
// OTLP/HTTP in JSON (spec 06 §19). It is off unless an endpoint is configured.
//
// An [Exporter] is told which runs have ended, reads their records, makes spans of them
// and sends these in batches. It never holds anything up: what cannot be sent in time is
// dropped, the oldest first, and counted. Nothing is stored, so what waits when the
// process dies is not exported. Spans carry names, times and how things ended; no
// payloads, no headers of responses, and no spans of user code, which user code exports
// itself.
//
// What does not live here: the trees of runs (package trace), the reading of what SDKs
// export to this server (package api).
package otlp

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"ingot/engine"
	"ingot/internal/trace"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

const (
	// runQueue is how many ended runs wait to be read, 16 bytes each: some 40 s of
	// the highest rate at which they are read.
	runQueue = 1 << 16
	// spanQueue is how many spans wait to be sent, of less than 1 KiB as a rule.
	spanQueue = 1 << 13
	// closeWait bounds Close.
	closeWait = 5 * time.Second
)

// Exporter sends traces of ended runs. Its methods may be called by several goroutines,
// and all but Close return at once.
type Exporter struct {
	cfg    Config
	url    string
	head   []byte // of a request's body, up to the first span
	client *http.Client

	// closing is closed when only the rest is still to be sent, loaded when no more spans
	// come. ctx is over when nothing is to be waited for any more.
	closing, loaded chan struct{}
	ctx             context.Context
	cancel          context.CancelFunc
	wg              sync.WaitGroup

	// Each has room for one mark: runs or spans have come, spans have gone.
	runsCame, spansCame, spansGone chan struct{}

	mu     sync.Mutex
	runs   queue[ulid.ULID]
	spans  queue[[]byte]
	stats  Stats
	closed bool
	report notice // drops
	// failed is the sender's and unread the loader's; they need no lock.
	failed, unread notice
}

// New starts an exporter. Close ends it. The error names the field of cfg that is wrong.
func New(cfg Config) (*Exporter, error) {
	return start(cfg, (&net.Dialer{Timeout: dialTimeout}).DialContext, runQueue, spanQueue)
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func start(cfg Config, dial dialer, runs, spans int) (*Exporter, error) {
	target, err := cfg.check()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &Exporter{
		cfg: cfg, url: target, head: bodyHead(cfg.ServiceName), client: newClient(cfg.Timeout, dial),
		closing: make(chan struct{}), loaded: make(chan struct{}), ctx: ctx, cancel: cancel,
		runsCame: make(chan struct{}, 1), spansCame: make(chan struct{}, 1), spansGone: make(chan struct{}, 1),
		runs: newQueue[ulid.ULID](runs), spans: newQueue[[]byte](spans),
	}
	e.wg.Go(e.load)
	e.wg.Go(e.send)
	return e, nil
}

// Observe takes the ended runs out of records that have been stored.
func (e *Exporter) Observe(records []*engine.Lifecycle) {
	for _, l := range records {
		switch l.Kind {
		case engine.RunCompleted, engine.RunFailed, engine.RunCancelled:
			e.Ended(l.Run)
		}
	}
}

// Ended says that a run has ended and that its records can be read. The run is exported
// soon, or dropped if too many wait.
func (e *Exporter) Ended(run ulid.ULID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.runs.push(run) {
		e.stats.RunsDropped++
	}
	mark(e.runsCame)
}

// Export queues the spans of a run's tree, for those who have it already.
func (e *Exporter) Export(run *history.Run, tree *trace.Span) {
	spans := e.encode(run, tree)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		e.stats.Dropped += uint64(len(spans))
		return
	}
	e.push(spans)
}

// push queues spans. The caller holds mu.
func (e *Exporter) push(spans [][]byte) {
	for _, s := range spans {
		if e.spans.push(s) {
			e.stats.Dropped++
		}
	}
	mark(e.spansCame)
}

// Close sends what waits, but not for longer than ctx or five seconds, and ends the
// exporter. It must come before the end of the history that is read.
func (e *Exporter) Close(ctx context.Context) {
	e.mu.Lock()
	first := !e.closed
	e.closed = true
	e.mu.Unlock()
	if first {
		close(e.closing)
	}
	ctx, cancel := context.WithTimeout(ctx, closeWait)
	defer cancel()
	defer context.AfterFunc(ctx, e.cancel)()
	e.wg.Wait()
	e.cancel()
	e.client.CloseIdleConnections()
	e.logRest()
}

// logRest says what was not sent when the exporter ended.
func (e *Exporter) logRest() {
	e.mu.Lock()
	runs, spans := e.runs.n, e.spans.n
	e.stats.RunsDropped += uint64(runs)
	e.stats.Dropped += uint64(spans)
	e.runs.take(runs)
	e.spans.take(spans)
	e.mu.Unlock()
	if runs+spans > 0 {
		e.cfg.Logger.Warn("traces were not exported before the end", "runs", runs, "spans", spans)
	}
}

// pause waits for d, or until the exporter begins to close. It reports false when nothing
// is to be waited for any more.
func (e *Exporter) pause(d time.Duration) bool {
	closing := e.closing
	if done(closing) {
		closing = nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-closing:
	case <-e.ctx.Done():
	}
	return e.ctx.Err() == nil
}

func mark(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func done(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
