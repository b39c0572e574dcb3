package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/internal/config"
	"ingot/internal/ids"
	"ingot/internal/metrics"
	"ingot/internal/otlp"
	"ingot/storage/history"
)

// maxOutboxBytes bounds the history that waits for the database: above it events are
// refused. It is some hours of a busy server.
const maxOutboxBytes = 8 << 30

// historyEnd bounds how long a stopping server goes on to write history; what is left
// is written after the next start.
const historyEnd = 5 * time.Second

// retainEvery is the time between two looks for history to delete.
const retainEvery = 10 * time.Minute

// openHistory opens the read model and starts to feed it.
func (s *Server) openHistory(ctx context.Context, cfg Config, catalog *engine.Catalog) error {
	c := history.Config{Logger: s.log, Late: true}
	own := false // a file that no reference server has ever had
	switch d := cfg.Database; {
	case d.PostgresURI != "":
		c.PostgresURI, c.MaxConns, c.MinConns = d.PostgresURI, d.MaxOpenConns, d.MaxIdleConns
		c.MaxConnIdle, c.MaxConnLifetime = d.ConnMaxIdleTime, d.ConnMaxLifetime
	case d.SQLiteDir != "" && !cfg.Ephemeral:
		if err := os.MkdirAll(d.SQLiteDir, 0o750); err != nil {
			return fmt.Errorf("making sqlite-dir: %w", err)
		}
		c.Path = filepath.Join(d.SQLiteDir, "main.db") // the reference's name
	default:
		c.Path, own = filepath.Join(s.dir, "history.db"), true
	}
	db, err := history.Open(ctx, c)
	if err != nil {
		return err //nolint:wrapcheck // says what it was
	}
	s.history = db
	var background context.Context
	background, s.stopHistory = context.WithCancel(context.Background())
	if !own {
		if err := s.adopt(ctx, background, c, catalog); err != nil {
			return err
		}
	}
	s.exportTraces(cfg, catalog)
	s.consumer = history.Consume(countedDB{db, s.runs, s.traces}, s.engine, s.log)
	db.SetSync(s.syncHistory)
	s.watchHistory(s.consumer.Lag, s.engine.OutboxBytes)
	s.metrics.Register(s.historyMetrics)
	if r := cfg.Retention; r != (config.Retention{DryRun: r.DryRun}) {
		s.historyWork.Go(func() { s.retain(background, r) })
	}
	return nil
}

// exportTraces starts the export to an OpenTelemetry collector, if the configuration or
// the environment names one. Its variables are often set for other programs, so a fault
// in them stops nothing.
func (s *Server) exportTraces(cfg Config, catalog *engine.Catalog) {
	c, err := otlp.ConfigFromEnv(func(name string) string {
		switch name {
		case "INNGEST_SYSTEM_TRACE_ENDPOINT":
			return cfg.TraceEndpoint
		case "INNGEST_SYSTEM_TRACE_URL_PATH":
			return cfg.TracePath
		}
		return os.Getenv(name)
	})
	if err == nil && !c.Enabled() {
		return
	}
	if err == nil {
		c.History, c.Logger = s.history, s.log
		c.Function = func(id ids.UUID) *function.Function { return catalog.Snapshot().ByID[id] }
		s.traces, err = otlp.New(c)
	}
	if err != nil {
		s.log.Warn("traces are not exported", "error", err)
		return
	}
	s.metrics.Register(s.traces.Metrics)
}

// syncHistory is the consumer's Sync. Whatever it is that keeps history from being stored,
// a full disk too, what is read would be the past.
func (s *Server) syncHistory(ctx context.Context) error {
	err := s.consumer.Sync(ctx)
	if err == nil || ctx.Err() != nil || errors.Is(err, history.ErrUnavailable) {
		return err //nolint:wrapcheck // says what it was
	}
	return fmt.Errorf("%w: %w", history.ErrUnavailable, err)
}

// retain deletes old history until ctx ends.
func (s *Server) retain(ctx context.Context, r config.Retention) {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		begun := time.Now()
		n, err := s.history.Retain(ctx, history.Policy{RunAge: r.RunAge, RunCount: r.RunCount, EventAge: r.EventAge, EventCount: r.EventCount}, r.DryRun)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Error("old history could not be deleted; it is tried again", "error", err, "in", retainEvery)
		case n.Runs+n.Events > 0:
			s.log.Info("old history", "deleted", !r.DryRun, "runs", n.Runs, "events", n.Events, "took", time.Since(begun).Round(time.Millisecond))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// closeHistory writes what is there and closes the database.
func (s *Server) closeHistory() error {
	ctx, cancel := context.WithTimeout(context.Background(), historyEnd)
	defer cancel()
	s.stopHistory()
	s.historyWork.Wait()
	if s.consumer != nil {
		s.consumer.Close(ctx)
	}
	if s.traces != nil {
		s.traces.Close(ctx)
	}
	return s.history.Close() //nolint:wrapcheck // says what it was
}

func (s *Server) historyMetrics(p *metrics.Page) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	st := s.history.Stats(ctx)
	p.Counter("ingot_history_stores_total", "Batches of history that were stored", float64(st.Stores))
	p.Counter("ingot_history_runs_total", "Rows of runs that were written", float64(st.Runs))
	p.Counter("ingot_history_events_total", "Events that were stored", float64(st.Events))
	p.Gauge("ingot_history_store_seconds", "How long the last batch took", st.LastStore.Seconds())
}
