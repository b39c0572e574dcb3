// Package admin is the server's second port, for the person who runs it: Go's
// profiles and the figures of the runtime and the store. It is off unless asked
// for, has no authentication, and therefore listens on loopback only.
//
// What does not live here: what the figures mean (they come in as functions) and
// what is made of profiles (package profiles and below).
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// headerTimeout and idleTimeout bound connections on which nothing is asked.
	headerTimeout = 5 * time.Second
	idleTimeout   = time.Minute
	// writeTimeout is how long a client may take to read an answer; the time that a
	// profile takes comes on top (net/http/pprof).
	writeTimeout = 30 * time.Second
	// maxHeaderBytes is plenty for a GET.
	maxHeaderBytes = 16 << 10
	// maxRequests run at once; more are answered with 503.
	maxRequests = 16
	// closeTimeout is how long Close waits for answers under way.
	closeTimeout = time.Second
)

// Options are what a Server shows.
type Options struct {
	// Addr is HOST:PORT; the host must be a loopback address, port 0 takes any.
	Addr string
	// Version is of the program.
	Version string
	// Vars are figures of /debug/vars by name, asked at each request; what they
	// return is encoded as JSON.
	Vars   map[string]func() (any, error)
	Logger *slog.Logger
}

// Server is a running admin port.
type Server struct {
	ln   net.Listener
	http *http.Server
	// cancel ends the profiles under way.
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Start listens and serves until Close. It refuses an address that is not on
// loopback.
func Start(o Options) (*Server, error) {
	ln, err := listen(o.Addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{ln: ln, cancel: cancel, http: &http.Server{
		Handler:           newHandler(o),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       headerTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
	}}
	s.wg.Go(func() {
		if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			// Work goes on without it.
			o.Logger.Error("admin server failed", "err", err)
		}
	})
	return s, nil
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Close ends profiles under way with what they have, lets other answers end for a
// moment, and frees the port.
func (s *Server) Close() error {
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close() // slow readers are cut off
	}
	s.wg.Wait()
	if err != nil {
		return fmt.Errorf("closing the admin server: %w", err)
	}
	return nil
}

// listen resolves the address once and judges what it listens on, so that a name
// cannot mean another host the second time.
func listen(addr string) (net.Listener, error) {
	at, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("admin-addr must be HOST:PORT, not %q: %w", addr, err)
	}
	if !at.IP.IsLoopback() {
		return nil, fmt.Errorf("admin-addr %q is not a loopback address: profiles show what is in memory, and the admin port has no authentication; use 127.0.0.1:PORT", addr)
	}
	ln, err := net.ListenTCP("tcp", at)
	if err != nil {
		return nil, fmt.Errorf("listening on admin-addr %q: %w", addr, err)
	}
	return ln, nil
}
