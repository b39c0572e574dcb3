// Package server assembles the whole program in one process: storage, engine,
// transport and HTTP surfaces. The command line and the end-to-end tests start
// it the same way.
//
// What does not live here: any rule, protocol or encoding.
package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"ingot/api"
	"ingot/engine"
	"ingot/internal/admin"
	"ingot/internal/config"
	"ingot/internal/metrics"
	"ingot/internal/otlp"
	"ingot/storage/history"
	"ingot/storage/pebble"
	"ingot/transport"
)

const (
	// syncInterval is the longest time that step results stay unsynced under
	// config.SyncInterval.
	syncInterval = 200 * time.Millisecond
	// drain is how long requests may take to end when the server stops, and calls to
	// apps too unless the configuration gives them more or less.
	drain = 2 * time.Second
	// portsTried bounds the search for a free port above a taken one.
	portsTried = 100
)

// Config is what a server needs to start.
type Config struct {
	config.Config
	// Version is what /dev and /health report.
	Version string
	Logger  *slog.Logger
}

// Server is a running server.
type Server struct {
	log     *slog.Logger
	ln      net.Listener
	dir     string
	scratch bool // dir is removed at the end
	store   *pebble.DB
	engine  *engine.Engine
	reach   *transport.HTTP
	api     *api.Server
	admin   *admin.Server // nil if it was not asked for

	history  *history.DB
	consumer *history.Consumer
	traces   *otlp.Exporter // nil if they go nowhere
	// historyWork is what works on the history besides, until stopHistory.
	historyWork sync.WaitGroup
	stopHistory context.CancelFunc
	// adopting says that a database that is away may have apps of a former server.
	adopting atomic.Bool

	metrics metrics.Registry
	runs    *metrics.Runs
	checks  []check
	hitch   check // what does not work although the server is ready
	grace   time.Duration
	// draining is set when the server begins to stop.
	draining atomic.Bool
	stopSync context.CancelFunc
	wg       sync.WaitGroup
	failed   chan struct{}
	failOnce sync.Once
	err      error
}

// Start opens the data directory, goes on with what it holds, and serves. The
// context bounds nothing but the start.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	s := &Server{log: cfg.Logger, failed: make(chan struct{}), dir: cfg.DataDir, grace: cmp.Or(cfg.ShutdownGrace, drain)}
	if err := s.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

// Addr is the host and port of the main listener.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// AdminAddr is the host and port of the admin listener; empty if there is none.
func (s *Server) AdminAddr() string {
	if s.admin == nil {
		return ""
	}
	return s.admin.Addr()
}

// DataDir is where the data is.
func (s *Server) DataDir() string { return s.dir }

// Failed is closed when the server cannot go on; Err then says why.
func (s *Server) Failed() <-chan struct{} { return s.failed }

// Err is why the server failed; nil if it did not.
func (s *Server) Err() error {
	select {
	case <-s.failed:
		return s.err
	default:
		return nil
	}
}
