package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Config says where history is.
type Config struct {
	// Path is the file of the SQLite database. Its directory has to exist.
	Path string
	// PostgresURI is the PostgreSQL database to use instead.
	PostgresURI string
	// Late lets Open succeed while PostgreSQL is away: until it comes, everything answers
	// ErrUnavailable.
	Late bool
	// MaxConns bounds the connections to PostgreSQL; MinConns are kept open. 0 is a default.
	MaxConns, MinConns int
	// MaxConnLifetime and MaxConnIdle end PostgreSQL connections; 0 is a default.
	MaxConnLifetime, MaxConnIdle time.Duration
	Logger                       *slog.Logger
	// Now is the time, unix ms; nil is the clock.
	Now func() int64
}

// Bounds of waiting for the database.
const (
	// writeTimeout bounds a transaction of the writer.
	writeTimeout = 30 * time.Second
	// readTimeout bounds a query.
	readTimeout = 10 * time.Second
	// connectTimeout bounds the wait for a connection.
	connectTimeout = 3 * time.Second
)

// DB is the read model.
type DB struct {
	backend
	log       *slog.Logger
	now       func() int64
	functions functions
	stats     stats
	sync      func(context.Context) error
	first     preparation

	// storing is held by the one transaction that writes, and protects the following.
	storing sync.Mutex
	fold    *fold
	names   map[string]int64 // of events, as far as known
	parked  parked
}

// maxNames bounds the names of events that are kept in memory.
const maxNames = 1 << 16

// Open opens the database, and makes or brings up to date our tables.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if (cfg.Path == "") == (cfg.PostgresURI == "") {
		return nil, errors.New("open history: either a path or a PostgreSQL URI has to be given")
	}
	db := &DB{log: cfg.Logger, now: cfg.Now, names: map[string]int64{}}
	db.fold = newFold(&db.parked)
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if db.now == nil {
		db.now = func() int64 { return time.Now().UnixMilli() }
	}
	if err := db.open(ctx, &cfg); err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	return db, nil
}

// schemaVersion is the form of the tables and of what is in them. It is raised when
// programs from before cannot read it: form 3 has packs of events, form 4 bundles of traces,
// and what has left lots in a table of its own.
const (
	schemaVersion = 4
	cursorSchema  = "schema"
)

// Close ends all connections. Nothing may be under way.
func (db *DB) Close() error {
	db.storing.Lock()
	defer db.storing.Unlock()
	return db.close()
}

// SetSync sets what Sync does: to wait until the consumer has stored what is durable.
// It has to be called before readers are.
func (db *DB) SetSync(f func(context.Context) error) { db.sync = f }

// Sync implements Reader.Sync.
func (db *DB) Sync(ctx context.Context) error {
	if db.sync == nil {
		return nil
	}
	return db.sync(ctx)
}

// learnNames keeps numbers of names.
func (db *DB) learnNames(found map[string]int64) {
	if len(db.names)+len(found) > maxNames {
		clear(db.names)
	}
	for n, no := range found {
		db.names[n] = no
	}
}

// forget drops what may have been rolled back.
func (db *DB) forget() {
	db.functions.forget()
	db.parked.forget()
	clear(db.names)
}

// Stats describes the database, for metrics.
type Stats struct {
	// Stores, Runs and Events count what this process has stored: batches, rows of runs
	// that were written, events.
	Stores, Runs, Events int64
	// LastStore is how long the last batch took.
	LastStore time.Duration
	// Bytes is the size of the database; 0 if that cannot be said.
	Bytes int64
}

type stats struct {
	mu sync.Mutex
	Stats
}

func (s *stats) stored(runs, events int, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Stores++
	s.Runs += int64(runs)
	s.Events += int64(events)
	s.LastStore = took
}

// Stats returns figures of the database.
func (db *DB) Stats(ctx context.Context) Stats {
	db.stats.mu.Lock()
	out := db.stats.Stats
	db.stats.mu.Unlock()
	if n, err := db.size(ctx); err == nil {
		out.Bytes = n
	}
	return out
}
