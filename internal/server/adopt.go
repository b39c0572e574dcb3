package server

import (
	"context"
	"errors"
	"time"

	"ingot/engine"
	"ingot/storage/history"
	"ingot/storage/inngestdb"
)

// Bounds of taking over the apps and functions of a former server.
const (
	// adoptTime bounds one try.
	adoptTime = time.Minute
	// adoptRetryMin and adoptRetryMax bound the pause after a try that failed.
	adoptRetryMin, adoptRetryMax = 200 * time.Millisecond, 10 * time.Second
)

// adopt takes over what a reference server has left in the database: its apps and
// functions now, its events and runs in the background. A database that is away holds up
// nothing: then all of it comes in the background. Until then events start no runs of
// functions that only the database knows.
func (s *Server) adopt(ctx, background context.Context, c history.Config, catalog *engine.Catalog) error {
	src, err := inngestdb.Open(c.Path, c.PostgresURI)
	if err != nil {
		return err //nolint:wrapcheck // says what it was
	}
	there := false
	late := !s.history.Prepared() // which has taken its time already
	if !late {
		if there, err = s.adoptCatalog(ctx, src, catalog); err != nil {
			late = s.history.Ready(ctx) != nil
		}
	}
	if !late && (err != nil || !there) {
		return errors.Join(err, src.DB.Close())
	}
	s.adopting.Store(late)
	if late {
		s.log.Warn("whether the history database has apps and functions of a former server is seen when it answers; " +
			"until then events start no runs of functions that have not registered here")
	}
	s.historyWork.Go(func() {
		err := s.adoptHistory(background, src, catalog, late)
		if err := errors.Join(err, src.DB.Close()); err != nil && background.Err() == nil {
			s.log.Error("the history of the former server could not be taken over", "error", err)
		}
	})
	return nil
}

// adoptCatalog brings the apps and functions; there says whether the database has been a
// reference server's.
func (s *Server) adoptCatalog(ctx context.Context, src inngestdb.Source, catalog *engine.Catalog) (there bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, adoptTime)
	defer cancel()
	if there, err = inngestdb.Present(ctx, src.DB, src.Dialect); err == nil && there {
		err = inngestdb.ImportCatalog(ctx, src, catalog, s.log)
	}
	return there, err //nolint:wrapcheck // says what it was
}

// adoptHistory brings events and runs, and before that, if it is late, apps and functions.
func (s *Server) adoptHistory(ctx context.Context, src inngestdb.Source, catalog *engine.Catalog, late bool) error {
	if late {
		there, err := s.adoptLate(ctx, src, catalog)
		s.adopting.Store(false)
		if err != nil || !there {
			return err
		}
		s.log.Info("the functions of the former server start with the events that come from now on")
	}
	return inngestdb.ImportHistory(ctx, src, s.history, s.log) //nolint:wrapcheck // says what it was
}

// adoptLate is adoptCatalog for a database that is away; it ends when that has come, or
// with ctx and its error.
func (s *Server) adoptLate(ctx context.Context, src inngestdb.Source, catalog *engine.Catalog) (there bool, err error) {
	for pause := adoptRetryMin; ; pause = min(2*pause, adoptRetryMax) {
		if s.history.Ready(ctx) == nil { // which says in the log that it is away
			if there, err = s.adoptCatalog(ctx, src, catalog); err == nil {
				return there, nil
			}
			s.log.Error("apps and functions of the former server could not be taken over; it is tried again", "error", err, "in", pause)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
