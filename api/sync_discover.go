package api

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"ingot/engine"
)

// What is scanned for apps (spec 06 §12.1): the usual ports and paths of web
// frameworks on this machine.
var (
	discoverPorts = []int{
		80, 443, 3000, 3001, 3002, 3003, 3004, 3005, 3006, 3007, 3008, 3009, 3010, 4321, 5000, 5173,
		8000, 8080, 8081, 8888, 8910, 8911, 8912, 8913, 8914, 8915, 8787,
	}
	discoverPaths = []string{
		"/api/inngest", "/x/inngest", "/.netlify/functions/inngest", "/.redwood/functions/inngest",
	}
)

// discoverTimeout bounds the dial of a port and the GET of a path.
const discoverTimeout = 2 * time.Second

// rediscoverInterval is the time between two scans once there is an app. The
// reference scans no more then, but here apps outlive a restart, and the next one
// may be another.
const rediscoverInterval = 30 * time.Second

// scanDue reports whether to scan now: at the start, while there is no app, and
// at times later.
func (s *Syncer) scanDue(now time.Time) bool {
	if !s.noApps() && now.Sub(s.scanned) < rediscoverInterval {
		return false
	}
	s.scanned = now
	return true
}

// known reports whether an app is at the URL; it is polled, not discovered.
func (s *Syncer) known(appURL string) bool {
	for _, a := range s.opts.Catalog.Snapshot().Apps {
		if a.Active() && a.URL == appURL {
			return true
		}
	}
	return false
}

// discover scans all ports at once and asks every app that it finds to sync. An
// app that then fails is kept, with its problem.
func (s *Syncer) discover(ctx context.Context) {
	var wg sync.WaitGroup
	for _, port := range s.ports {
		wg.Go(func() { s.discoverPort(ctx, port) })
	}
	wg.Wait()
}

func (s *Syncer) discoverPort(ctx context.Context, port int) {
	number := strconv.Itoa(port)
	dialer := net.Dialer{Timeout: discoverTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", number))
	if err != nil {
		return // nobody listens: the usual case
	}
	_ = conn.Close()
	for _, path := range discoverPaths {
		appURL := engine.NormalizeURL("http://localhost:" + number + path)
		if s.known(appURL) {
			continue
		}
		probeCtx, cancel := context.WithTimeout(ctx, discoverTimeout)
		found, err := s.opts.Client.Probe(probeCtx, appURL)
		cancel()
		if err != nil {
			return // what listens there does not speak HTTP
		}
		if found {
			s.found(ctx, appURL)
		}
	}
}

// found syncs a discovered app. The placeholder hands its mark on to the app
// that registers.
func (s *Syncer) found(ctx context.Context, appURL string) {
	s.log.Info("found an app", "url", appURL)
	if err := s.opts.Catalog.AddPlaceholder(appURL, engine.AppErrorUnreachable, true, now()); err != nil {
		s.log.Error("an app URL could not be stored", "url", appURL, "error", err)
		return
	}
	target := pingTarget{url: appURL}
	for id, a := range s.opts.Catalog.Snapshot().Apps {
		if a.Active() && a.URL == appURL {
			target.apps = append(target.apps, id)
		}
	}
	s.ping(ctx, target)
}
