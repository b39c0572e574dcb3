package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ingot/internal/metrics"
	"ingot/storage/history"
)

// maxOutboxBytes bounds the history that waits for the database: above it events are
// refused. It is some hours of a busy server.
const maxOutboxBytes = 8 << 30

// historyEnd bounds how long a stopping server goes on to write history; what is left
// is written after the next start.
const historyEnd = 5 * time.Second

// openHistory opens the read model and starts to feed it.
func (s *Server) openHistory(ctx context.Context, cfg Config) error {
	c := history.Config{Logger: s.log}
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
		c.Path = filepath.Join(s.dir, "history.db")
	}
	db, err := history.Open(ctx, c)
	if err != nil {
		return err //nolint:wrapcheck // says what it was
	}
	s.history = db
	s.consumer = history.Consume(countedDB{db, s.runs}, s.engine, s.log)
	db.SetSync(s.consumer.Sync)
	s.watchHistory(s.consumer.Lag)
	s.metrics.Register(s.historyMetrics)
	return nil
}

// endHistory writes what is there.
func (s *Server) endHistory() {
	ctx, cancel := context.WithTimeout(context.Background(), historyEnd)
	defer cancel()
	s.consumer.Close(ctx)
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
