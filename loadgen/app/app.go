// Package app is the SDK app of the load generator: it answers the calls of a
// server (spec 01 §7 to §9, §13) as fast as it can, with answers that were prepared
// beforehand, and enters each call into the ledger.
//
// What does not live here: which functions there are (package loadgen chooses) and
// whether what happens is right (package ledger judges).
package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"ingot/loadgen/flow"
	"ingot/loadgen/ledger"
	"ingot/loadgen/record"

	"github.com/valyala/fasthttp"
)

// SDK is the identity that the app shows. It is a version whose protocol this is.
const SDK = "go:v0.15.1"

// maxBody bounds a call: memos and events reach at most 4 MB each (spec 01 §16).
const maxBody = 32 << 20

// Options of an app.
type Options struct {
	Name     string
	Session  int64 // that events of this measurement carry
	Ledger   *ledger.Ledger
	Recorder *record.Recorder
	Clock    record.Clock
	Server   string // base URL, for checkpoints
	// SigningKey is presented to servers that ask for one.
	SigningKey string
	// Waiting hears that the run of an event waits, after so many other steps; it must
	// not block.
	Waiting func(seq int64, position int)
}

// App answers calls from Start to Close.
type App struct {
	opts     Options
	fns      []Function
	programs []*program
	ln       net.Listener
	srv      *fasthttp.Server
	served   chan error
	closing  chan struct{}
	posts    *poster
	flow     *flow.Watch

	first  atomic.Int64 // events before it are not measured
	held   [HeldOpen + 1]atomic.Int64
	errMu  sync.Mutex
	errors map[string]int64
}

// Start serves functions on a free port of the loopback interface.
func Start(o Options, fns []Function) (*App, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the app: %w", err)
	}
	a := &App{opts: o, fns: fns, ln: ln, served: make(chan error, 1), closing: make(chan struct{}), errors: map[string]int64{},
		flow: flow.NewWatch(o.Ledger)}
	for _, f := range fns {
		p := compile(o.Name, f)
		p.flow = a.flow.Function(f.Flow, f.Alone)
		a.programs = append(a.programs, p)
	}
	if a.posts, err = newPoster(o); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	a.srv = &fasthttp.Server{
		Handler: a.serve, NoDefaultServerHeader: true, NoDefaultDate: true, NoDefaultContentType: true,
		MaxRequestBodySize: maxBody, ReadBufferSize: 16 << 10, Logger: discard{},
	}
	go func() { a.served <- a.srv.Serve(ln) }()
	return a, nil
}

// discard drops the server's log: a peer that goes away is counted by whoever misses it.
type discard struct{}

func (discard) Printf(string, ...any) {}

// URL is where the app is.
func (a *App) URL() string { return "http://" + a.ln.Addr().String() }

// MeasureFrom leaves events with numbers below first out of counters and histograms.
func (a *App) MeasureFrom(first int64) { a.first.Store(first) }

// Held is how many calls functions of a held kind got.
func (a *App) Held(k Kind) int64 { return a.held[k].Load() }

// Flow is what was seen of the functions' flow control; false if they have none.
func (a *App) Flow() (flow.Seen, bool) { return a.flow.Seen() }

// Errors are calls that could not be understood or answered, by kind.
func (a *App) Errors() map[string]int64 {
	a.errMu.Lock()
	defer a.errMu.Unlock()
	m := map[string]int64{}
	for k, v := range a.errors {
		m[k] = v
	}
	return m
}

func (a *App) fail(kind string) {
	a.errMu.Lock()
	defer a.errMu.Unlock()
	a.errors[kind]++
}

// closeTimeout bounds Close: a call may be within its think time.
const closeTimeout = 5 * time.Second

// Close answers held calls and stops serving.
func (a *App) Close() error {
	close(a.closing)
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := a.srv.ShutdownWithContext(ctx)
	_ = a.ln.Close() // a server that had not begun to serve has not closed it
	a.posts.close()
	return errors.Join(err, <-a.served)
}

// Register syncs the functions with the server, as an SDK does (spec 01 §5.3).
func (a *App) Register(ctx context.Context) error {
	configs := make([]map[string]any, 0, len(a.fns))
	for i, f := range a.fns {
		configs = append(configs, f.config(a.opts.Name, a.URL(), i))
	}
	return register(ctx, a.opts, a.URL(), configs)
}

// register posts the configurations of an app that is at appURL.
func register(ctx context.Context, o Options, appURL string, configs []map[string]any) error {
	body, err := json.Marshal(map[string]any{
		"url": appURL + "/", "v": "1", "deployType": "ping", "sdk": SDK, "framework": "", "appName": o.Name, "functions": configs,
	})
	if err != nil {
		return fmt.Errorf("registering: %w", err)
	}
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.SetRequestURI(o.Server + "/fn/register")
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/json")
	for k, v := range Headers(o.SigningKey) {
		req.Header.Set(k, v)
	}
	req.SetBodyRaw(body)
	if err := do(ctx, req, res); err != nil {
		return fmt.Errorf("registering %d functions: %w", len(configs), err)
	}
	if res.StatusCode() != fasthttp.StatusOK {
		return fmt.Errorf("registering %d functions: status %d: %.300s", len(configs), res.StatusCode(), res.Body())
	}
	return nil
}

// registerTimeout bounds a registration; 10,000 functions take a server a while.
const registerTimeout = 2 * time.Minute

func do(ctx context.Context, req *fasthttp.Request, res *fasthttp.Response) error {
	deadline, ok := ctx.Deadline()
	if limit := time.Now().Add(registerTimeout); !ok || deadline.After(limit) {
		deadline = limit
	}
	c := fasthttp.Client{MaxResponseBodySize: maxBody}
	defer c.CloseIdleConnections()
	return c.DoDeadline(req, res, deadline)
}

// Headers are those of an SDK's requests to the server (spec 01 §4.4).
func Headers(signingKey string) map[string]string {
	h := map[string]string{"X-Inngest-SDK": SDK}
	if signingKey != "" {
		h["Authorization"] = "Bearer " + signingKey
	}
	return h
}
