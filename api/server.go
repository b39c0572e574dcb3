// Package api holds every HTTP surface of the server: event ingest,
// registration, the endpoints that SDKs call, and operations. Handlers parse,
// check and answer; the rules are in package engine.
package api

import (
	"log/slog"

	"ingot/engine"

	"github.com/valyala/fasthttp"
)

// Mode is the server's kind, as told to SDKs in X-Inngest-Server-Kind.
type Mode string

const (
	ModeDev   Mode = "dev"
	ModeStart Mode = "cloud"
)

// Options configure a Server. Zero limits mean the defaults.
type Options struct {
	Mode    Mode
	Engine  engine.API
	Catalog *engine.Catalog
	Log     engine.Log
	// SigningKey authenticates SDKs in start mode; empty in dev.
	SigningKey string
	// EventKeys restrict who may send events; empty accepts any key.
	EventKeys []string
	// Version is what /dev and /health report.
	Version string
	Logger  *slog.Logger
}

// Server answers all requests of the main port.
type Server struct {
	opts Options
}

// NewServer returns a server; Handler is its entry.
func NewServer(o Options) *Server { return &Server{opts: o} }

// Handler routes one request.
func (s *Server) Handler(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(fasthttp.StatusNotFound) }
