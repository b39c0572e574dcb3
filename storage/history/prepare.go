package history

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// preparation is what has to be done once before a database can be used: its tables are
// made, and their form is checked. PostgreSQL may be away then, so everything that needs
// the database tries it again until it has succeeded.
type preparation struct {
	done atomic.Bool
	// busy has room for the one who tries, and protects the following.
	busy       chan struct{}
	makeTables func(context.Context) error
	// said is when a failure was last logged.
	said time.Time
}

// sayEvery is the time between two lines of the log about a database that is away from
// the start.
const sayEvery = time.Minute

// open makes the backend and prepares it, unless it may come later.
func (db *DB) open(ctx context.Context, cfg *Config) (err error) {
	db.first.busy = make(chan struct{}, 1)
	if cfg.Path != "" {
		db.first.makeTables = func(context.Context) error { return nil } // it has them
		db.backend, err = openSQLite(ctx, cfg.Path, &db.fold.pace)
	} else {
		var p *postgres
		if p, err = openPostgres(ctx, cfg); err == nil {
			db.backend, db.first.makeTables = p, p.makeTables
		}
	}
	if err != nil {
		return err
	}
	if err = db.makeReady(ctx); err == nil {
		return nil
	}
	if why := lasting(err); why != nil {
		err = why
	} else if cfg.Late && ctx.Err() == nil {
		db.sayLate(err)
		return nil
	}
	return errors.Join(err, db.close())
}

// prepare does what has to come first, if it has not been done. Until then the error
// wraps ErrUnavailable, or that of ctx.
func (db *DB) prepare(ctx context.Context) error {
	if db.first.done.Load() {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	select {
	case db.first.busy <- struct{}{}:
		defer func() { <-db.first.busy }()
	case <-wait.Done():
		return away(ctx, wait.Err())
	}
	if db.first.done.Load() {
		return nil
	}
	err := db.makeReady(ctx)
	switch {
	case err == nil:
		db.log.Info("the history database answers now; history is written to it")
		return nil
	case !errors.Is(ctx.Err(), context.Canceled):
		db.sayLate(err)
	}
	return away(ctx, err)
}

// makeReady is one try, for those who hold busy.
func (db *DB) makeReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := db.first.makeTables(ctx); err != nil {
		return err
	}
	if err := checkVersion(ctx, db.backend); err != nil {
		return err
	}
	db.first.done.Store(true)
	return nil
}

// sayLate tells now and then that the database has not come yet.
func (db *DB) sayLate(err error) {
	if time.Since(db.first.said) >= sayEvery {
		db.first.said = time.Now()
		db.log.Warn("the history database cannot be used yet; it is tried again and again, runs go on, and their history waits on disk", "error", err)
	}
}

// away lets an error say that there is no database yet.
func away(ctx context.Context, err error) error {
	if errors.Is(err, ErrUnavailable) || errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// checkVersion refuses a database of a newer program, and marks a new one.
func checkVersion(ctx context.Context, b backend) error {
	var v int64
	err := b.query(ctx, "SELECT c.name, c.value FROM ingot_cursors c", nil, func(scan func(...any) error) error {
		var name []byte
		var value int64
		err := scan(&name, &value)
		if string(name) == cursorSchema {
			v = value
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case v > schemaVersion:
		return fmt.Errorf("the database was written by a newer version of this program: it has form %d, this one knows form %d", v, schemaVersion)
	case v == schemaVersion:
		return nil
	}
	t, err := b.begin(ctx)
	if err != nil {
		return err
	}
	if err := t.setCursors(ctx, map[string]int64{cursorSchema: schemaVersion}); err != nil {
		t.rollback()
		return err
	}
	return t.commit(ctx)
}

// Prepared reports whether the database has ever answered, without asking it.
func (db *DB) Prepared() bool { return db.first.done.Load() }

// Ready reports whether the database answers: nil, or ErrUnavailable.
func (db *DB) Ready(ctx context.Context) error {
	return db.eachCursor(ctx, func(string, int64) {})
}

// The rest are the backend's methods for those who may come before it is prepared.

func (db *DB) query(ctx context.Context, sql string, a args, row func(scan func(dst ...any) error) error) error {
	if err := db.prepare(ctx); err != nil {
		return err
	}
	return db.backend.query(ctx, sql, a, row)
}

func (db *DB) begin(ctx context.Context) (tx, error) {
	if err := db.prepare(ctx); err != nil {
		return nil, err
	}
	return db.backend.begin(ctx)
}

func (db *DB) reclaim(ctx context.Context) error {
	if err := db.prepare(ctx); err != nil {
		return err
	}
	return db.backend.reclaim(ctx)
}

func (db *DB) size(ctx context.Context) (int64, error) {
	if err := db.prepare(ctx); err != nil {
		return 0, err
	}
	return db.backend.size(ctx)
}
