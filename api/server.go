// Package api holds every HTTP surface of the server: event ingest,
// registration, the endpoints that SDKs call, and operations. Handlers parse,
// check and answer; the rules are in package engine.
//
// The way of a request: Server.Handler answers CORS, sets the headers that every
// response carries, finds the route (router.go) and checks the signing key where
// the route asks for it (auth.go). Each area of the surface is one group of files
// that adds its routes in one method, called from [NewServer].
package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/deadline"
	"ingot/internal/realtime"
	"ingot/storage/history"

	"github.com/valyala/fasthttp"
)

// Mode is the server's kind, as told to SDKs in X-Inngest-Server-Kind.
type Mode string

const (
	ModeDev   Mode = "dev"
	ModeStart Mode = "cloud"
)

// Defaults of the limits in Options.
const (
	// DefaultMaxBody bounds one request body, also after decompression. The
	// reference has no bound; an event alone may have 3 MiB.
	DefaultMaxBody = 256 << 20
	// DefaultMaxConnections bounds the open connections, and so the handlers that run.
	DefaultMaxConnections = 64 << 10
)

// Times after which a connection that does nothing useful is closed.
const (
	// readTimeout bounds the arrival of one request, so that a client that sends
	// byte by byte cannot hold a connection for ever.
	readTimeout = 20 * time.Second
	// bodyTimeout takes its place for bodies above smallBody. DefaultMaxBody fits
	// at 18 Mbit/s.
	bodyTimeout = 2 * time.Minute
	smallBody   = 64 << 10
	// writeTimeout bounds how long a client may take to read a response.
	writeTimeout = time.Minute
	// idleTimeout bounds the pause between two requests of a connection.
	idleTimeout = 3 * time.Minute
)

// maxHead bounds the first line and the headers of a request in bytes. Pages of localhost
// send the cookies of all that is developed there, and GraphQL by GET has its query in the
// URL. Each connection has a buffer of that size.
const maxHead = 16 << 10

// maxOtherBody bounds the bodies of requests that carry no events. The largest
// legal one is a checkpoint with a run's whole state, 32 MiB.
const maxOtherBody = 64 << 20

// Options configure a Server. Zero limits mean the defaults.
type Options struct {
	Mode   Mode
	Engine engine.API
	// Admit refuses events while too many runs wait (*engine.BacklogError); nil admits all.
	Admit   func(*event.Event) error
	Catalog *engine.Catalog
	Log     engine.Log
	// History is the read model; without one, what reads it answers 503.
	History history.Reader
	// NoUI leaves out GraphQL.
	NoUI bool
	// Operator is the engine as operators use it; nil answers 503.
	Operator Operator
	// Apps asks apps to sync when a mutation of GraphQL wants it; without it that is refused.
	Apps AppClient
	// SigningKey authenticates SDKs in start mode; empty in dev.
	SigningKey string
	// EventKeys restrict who may send events; empty accepts any key.
	EventKeys []string
	// Version is what /dev and /health report.
	Version string
	Logger  *slog.Logger
	// TokenSecret signs realtime and run tokens; empty means the reference's known
	// one in dev, and a random one of this process in start mode.
	TokenSecret []byte
	// Realtime is shared with whoever else publishes; nil makes a new one.
	Realtime *realtime.Hub
	// Dev is what /dev tells.
	Dev DevOptions
	// MaxBody bounds the body of a request with events in bytes, also after decompression.
	MaxBody int
	// MaxConnections bounds the open connections.
	MaxConnections int
}

// Server answers all requests of the main port.
type Server struct {
	opts   Options
	log    *slog.Logger
	routes *router
	http   *fasthttp.Server
	auth   keyCheck
	hub    *realtime.Hub
	// tokenSecret signs realtime and run tokens.
	tokenSecret []byte
	// streams are the connections that handlers have taken over, live those of them
	// that publish; closing ends when Shutdown begins.
	streams sync.WaitGroup
	live    atomic.Int64
	closing context.Context
	close   context.CancelFunc
	keys    eventKeys
	// kept bounds what is added to the history of single runs.
	kept      keptSizes
	mu        sync.Mutex
	listeners []net.Listener // what Serve has been given
	// draining is set by Shutdown; /ready then tells load balancers to go elsewhere.
	draining atomic.Bool
	// lastOverload is the unix second of the last line about refused events.
	lastOverload atomic.Int64
}

// NewServer returns a server; Handler is its entry, Serve its loop.
func NewServer(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Mode == "" {
		o.Mode = ModeDev
	}
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = DefaultMaxConnections
	}
	if len(o.TokenSecret) == 0 {
		o.TokenSecret = newTokenSecret(o.Mode)
	}
	if o.Realtime == nil {
		o.Realtime = realtime.NewHub(realtime.Limits{})
	}
	s := &Server{
		opts: o, log: o.Logger, routes: newRouter(), auth: newKeyCheck(o.SigningKey), keys: newEventKeys(o.EventKeys),
		hub: o.Realtime, tokenSecret: o.TokenSecret,
	}
	s.closing, s.close = context.WithCancel(context.Background())
	s.opsRoutes(s.routes)
	s.ingestRoutes(s.routes)
	s.invokeRoutes(s.routes)
	s.registerRoutes(s.routes)
	s.checkpointRoutes(s.routes)
	s.runsRoutes(s.routes)
	s.signalsRoutes(s.routes)
	s.realtimeRoutes(s.routes)
	s.restV1Routes(s.routes)
	s.restV2Routes(s.routes)
	s.restOpsRoutes(s.routes)
	if !o.NoUI {
		s.graphqlRoutes(s.routes)
	}
	s.http = &fasthttp.Server{
		Handler:                      s.Handler,
		ErrorHandler:                 s.badRequest,
		HeaderReceived:               s.limits,
		ReadTimeout:                  readTimeout,
		IdleTimeout:                  idleTimeout,
		MaxRequestBodySize:           o.MaxBody,
		ReadBufferSize:               maxHead,
		Concurrency:                  o.MaxConnections,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		CloseOnShutdown:              true,
		Logger:                       httpLogger{o.Logger},
	}
	return s
}

// limits chooses the limits of a request by its header.
func (s *Server) limits(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	c := fasthttp.RequestConfig{MaxRequestBodySize: min(s.opts.MaxBody, maxOtherBody), WriteTimeout: writeTimeout}
	uri := h.RequestURI()
	switch {
	case bytes.HasPrefix(uri, []byte(ingestPrefix)):
		c.MaxRequestBodySize = s.opts.MaxBody
	case bytes.HasPrefix(uri, []byte(streamPrefix)):
		c.WriteTimeout = 0 // these responses have no end
		hideLiveBody(h)
	}
	if n := h.ContentLength(); n > smallBody || n < 0 {
		c.ReadTimeout = bodyTimeout
	}
	return c
}

// streamPrefix begins the paths whose responses are streams.
const streamPrefix = "/v1/realtime/"

// Serve answers connections of ln until Shutdown or an error of ln. It returns
// nil after Shutdown.
func (s *Server) Serve(ln net.Listener) error {
	s.mu.Lock()
	if s.draining.Load() {
		s.mu.Unlock()
		_ = ln.Close() // nothing was accepted
		return nil
	}
	ln = &closeOnce{Listener: s.front(ln)}
	s.listeners = append(s.listeners, ln)
	s.mu.Unlock()
	if err := s.http.Serve(ln); err != nil && !s.draining.Load() {
		return fmt.Errorf("api: serve %s: %w", ln.Addr(), err)
	}
	return nil
}

// closeOnce lets Shutdown and fasthttp close one listener without an error, and
// makes the deadlines of its connections cheap.
type closeOnce struct {
	net.Listener
	once sync.Once
	err  error
}

// Accept implements net.Listener.
func (l *closeOnce) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return deadline.New(c), nil
}

// Close implements net.Listener.
func (l *closeOnce) Close() error {
	l.once.Do(func() { l.err = l.Listener.Close() })
	return l.err
}

// Shutdown stops to accept connections, lets the requests in flight end, and
// returns when they have, or with ctx's error when ctx ends first.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining.Store(true)
	for _, ln := range s.listeners {
		_ = ln.Close() // fasthttp closes only those that its loop has reached
	}
	s.mu.Unlock()
	s.hub.Close() // ends the connections of subscribers, which would not end by themselves
	s.close()
	if err := s.http.ShutdownWithContext(ctx); err != nil {
		return fmt.Errorf("api: shutdown: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		s.streams.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("api: shutdown: %w", ctx.Err())
	}
}

// Handler routes one request.
func (s *Server) Handler(ctx *fasthttp.RequestCtx) {
	defer s.recover(ctx)
	if s.cors(ctx) {
		return
	}
	ctx.Response.Header.SetCanonical(headerServerKind, kindValue(s.opts.Mode))
	path := ctx.URI().PathOriginal()
	n, p := s.routes.find(path)
	if n == nil {
		s.unknown(ctx, path)
		return
	}
	if n.signed && !s.auth.ok(ctx) {
		unauthorized(ctx)
		return
	}
	h := n.handler(ctx.Method())
	if h == nil {
		ctx.Response.Header.Set(headerAllow, n.allow)
		ctx.SetStatusCode(fasthttp.StatusMethodNotAllowed)
		return
	}
	h(ctx, p)
}

// recover turns a panic of a handler into a 500, so that a bug costs one request
// and not the process with all its runs.
func (s *Server) recover(ctx *fasthttp.RequestCtx) {
	r := recover()
	if r == nil {
		return
	}
	s.log.Error("a request handler panicked",
		"method", string(ctx.Method()), "path", string(ctx.Path()), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
	ctx.ResetBody()
	publicErr(ctx, fasthttp.StatusInternalServerError, "", "Internal server error")
}

// badRequest answers what fasthttp could not read as a request.
func (s *Server) badRequest(ctx *fasthttp.RequestCtx, err error) {
	status, text := fasthttp.StatusBadRequest, "Error when parsing request"
	var small *fasthttp.ErrSmallBuffer
	var netErr net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		status = fasthttp.StatusRequestEntityTooLarge
		text = "Request body is over the max size"
	case errors.As(err, &small):
		status = fasthttp.StatusRequestHeaderFieldsTooLarge
		text = fmt.Sprintf("Request URL and headers are too large: the limit is %d bytes", maxHead)
	case errors.As(err, &netErr) && netErr.Timeout():
		status, text = fasthttp.StatusRequestTimeout, "Request timeout"
	}
	ctx.Response.Header.SetCanonical(headerServerKind, kindValue(s.opts.Mode))
	publicErr(ctx, status, "", text)
}

// httpLogger passes fasthttp's own lines (broken connections and the like) on at
// debug level: they tell about clients, not about this server.
type httpLogger struct{ l *slog.Logger }

// Printf implements fasthttp.Logger.
func (h httpLogger) Printf(format string, args ...any) { h.l.Debug(fmt.Sprintf(format, args...)) }
