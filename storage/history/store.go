package history

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ingot/engine"
)

// Store adds a batch: all of it or, if there is an error, nothing. It is durable when it
// returns. After an error the caller cannot know whether it was stored, if the connection
// broke at the end; Cursors says so.
func (db *DB) Store(ctx context.Context, b *Batch) error {
	db.storing.Lock()
	defer db.storing.Unlock()
	if err := db.store(ctx, b); err != nil || b.Park {
		return err
	}
	return db.unpark(ctx)
}

// store adds a batch, with some of what is parked if the batch has to leave no run parked.
func (db *DB) store(ctx context.Context, b *Batch) error {
	begun := time.Now()
	f := db.fold
	defer db.folded()
	err := db.write(ctx, func(s *store) error {
		f.pace.Begin(b.Hurry)
		defer f.pace.Begin(nil)
		if err := f.read(b); err != nil {
			db.log.Error("events cannot be read", "error", err)
		}
		f.unpark(db.now(), !b.Park)
		f.sort()
		if err := s.events(ctx, f); err != nil {
			return err
		}
		if err := s.skips(ctx, f.skips); err != nil { // before the runs that end the wait
			return err
		}
		if err := s.runs(ctx, f, runsOf{park: b.Park && db.parked.bytes < maxParked}); err != nil {
			return err
		}
		if err := s.parkLots(ctx, f.lot); err != nil {
			return err
		}
		return s.tx.setCursors(ctx, cursorRows(b))
	})
	if err == nil {
		db.stats.stored(len(f.pending), len(f.events), time.Since(begun))
	}
	return err
}

// folded lets go of a batch.
func (db *DB) folded() {
	if err := db.fold.damaged; err != nil {
		db.log.Error("records are left out of history", "error", err)
	}
	db.fold.done()
}

// Unpark gives a row to every run that has none.
func (db *DB) Unpark(ctx context.Context) error {
	db.storing.Lock()
	defer db.storing.Unlock()
	return db.unpark(ctx)
}

// unpark gives a row to every run that has none, for those who hold storing.
func (db *DB) unpark(ctx context.Context) error {
	for !db.parked.loaded || len(db.parked.lots) > 0 {
		if err := db.store(ctx, &Batch{}); err != nil {
			return err
		}
	}
	return nil
}

// Append implements Reader.Append.
func (db *DB) Append(ctx context.Context, records ...engine.Lifecycle) error {
	b := &Batch{}
	for i := range records {
		switch k := records[i].Kind; k {
		case engine.StepMetadata, engine.UserSpan:
			b.Records = append(b.Records, &records[i])
		default:
			return fmt.Errorf("a record of kind %d cannot be appended", k)
		}
	}
	db.storing.Lock()
	defer db.storing.Unlock()
	f := db.fold
	defer db.folded()
	return db.write(ctx, func(s *store) error {
		if err := f.read(b); err != nil { // there are no events
			return err
		}
		f.sort()
		if err := s.runs(ctx, f, runsOf{onlyKnown: true}); err != nil {
			return err
		}
		return s.parkLots(ctx, f.lot)
	})
}

// Cursors returns how far the database is: the first number of the event log, and the
// first number of each partition's outbox, that it does not contain.
func (db *DB) Cursors(ctx context.Context) (logNext uint64, outboxNext map[int]uint64, err error) {
	outboxNext = map[int]uint64{}
	err = db.eachCursor(ctx, func(name string, value int64) {
		if name == cursorLog {
			logNext = uint64(value)
		} else if p, ok := strings.CutPrefix(name, cursorOutbox); ok {
			if n, err := strconv.Atoi(p); err == nil {
				outboxNext[n] = uint64(value)
			}
		}
	})
	return logNext, outboxNext, err
}

func (db *DB) eachCursor(ctx context.Context, visit func(name string, value int64)) error {
	return db.query(ctx, "SELECT c.name, c.value FROM ingot_cursors c", nil, func(scan func(...any) error) error {
		var name []byte
		var value int64
		err := scan(&name, &value)
		visit(string(name), value)
		return err
	})
}

// cursor is one of the cursors; 0 if it has not been set.
func (db *DB) cursor(ctx context.Context, name string) (value int64, err error) {
	err = db.eachCursor(ctx, func(n string, v int64) {
		if n == name {
			value = v
		}
	})
	return value, err
}

// Names of cursors. Those of outboxes end with the partition.
const (
	cursorLog    = "log"
	cursorOutbox = "outbox/"
)

func cursorRows(b *Batch) map[string]int64 {
	rows := map[string]int64{}
	if b.LogNext != 0 {
		rows[cursorLog] = int64(b.LogNext)
	}
	for p, n := range b.OutboxNext {
		rows[cursorOutbox+strconv.Itoa(p)] = int64(n)
	}
	return rows
}

// store is one transaction that adds things.
type store struct {
	db     *DB
	tx     tx
	counts counter
}

// write runs f in a transaction. What f learned of functions and names is kept if it
// commits, else forgotten.
func (db *DB) write(ctx context.Context, f func(*store) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := db.loadFunctions(ctx); err != nil {
		return err
	}
	if err := db.parked.load(ctx, db); err != nil {
		return err
	}
	tx, err := db.begin(ctx)
	if err != nil {
		return err
	}
	s := &store{db: db, tx: tx, counts: counter{}}
	if err = f(s); err == nil {
		err = tx.addCounts(ctx, s.counts.levels())
	}
	if err == nil {
		err = tx.commit(ctx)
	} else {
		tx.rollback()
	}
	if err != nil {
		db.forget()
	}
	return err
}
