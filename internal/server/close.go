package server

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// fail remembers the first reason why the server cannot go on.
func (s *Server) fail(err error) {
	s.failOnce.Do(func() {
		s.err = err
		close(s.failed)
	})
}

// Close stops taking work, lets calls end as long as was configured and requests for a
// moment, and closes the data directory. What it cuts off is on disk and goes on at
// the next start.
func (s *Server) Close(ctx context.Context) error {
	s.draining.Store(true)
	s.stopSync()
	// Apps report steps while they are called, so the HTTP side ends last.
	calls, cancel := context.WithTimeout(ctx, s.grace)
	defer cancel()
	s.engine.Stop(calls)
	requests, cancel := context.WithTimeout(ctx, drain)
	defer cancel()
	err := s.api.Shutdown(requests)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = nil // slow clients are cut off
	}
	s.wg.Wait()
	return errors.Join(err, s.release())
}

// release gives back what is open, also after a start that failed halfway.
func (s *Server) release() error {
	var errs []error
	if s.admin != nil {
		errs = append(errs, s.admin.Close())
	}
	if s.reach != nil {
		errs = append(errs, s.reach.Close())
	}
	if s.history != nil {
		errs = append(errs, s.closeHistory())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.ln != nil && s.api == nil {
		errs = append(errs, s.ln.Close())
	}
	if s.scratch {
		if err := os.RemoveAll(s.dir); err != nil {
			errs = append(errs, fmt.Errorf("removing the temporary data: %w", err))
		}
	}
	return errors.Join(errs...)
}
