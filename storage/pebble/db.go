// Package pebble is the embedded durable store: engine.Store on one Pebble
// database, which holds the partitions, and on the event log beside it (log.go), which
// has files of its own.
//
// What a crash leaves is therefore always a prefix of the order in which commits
// and groups of events were written, with at least everything in it that was
// acknowledged (see SyncPolicy). After a failed write or sync the store is
// poisoned: it acknowledges nothing more until it is opened anew (see diskFS).
//
// What keys and values mean is not known here; package engine owns that. The
// contract and its conformance suite are engine/store.go and package storagetest.
package pebble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"ingot/engine"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// DB is an open store.
type DB struct {
	dir    string
	format format
	sync   SyncPolicy
	fs     *diskFS
	db     *pebble.DB
	lock   *pebble.Lock
	logger *slog.Logger
	parts  []*partition // the system partition first
	log    *eventLog
	tune   func(*pebble.Options)
	// maxTables bounds the tables that are open for reading.
	maxTables int

	closing sync.Once
	closed  gate // of the methods of DB itself
	err     error
}

var _ engine.Store = (*DB)(nil)

// Open opens the store in dir, which is created if it does not exist. Another
// process, or another DB of this one, must not have it open. Errors are meant for
// the operator; ErrNewerFormat among them means that this program is too old.
func Open(dir string, o Options) (*DB, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := createDir(o.FS, dir); err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(dir, o.FS)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory %s: %w: if another server is running on it, stop that one or choose another directory", dir, err)
	}
	s := &DB{dir: dir, sync: o.Sync, lock: lock, logger: o.Logger, tune: o.tune, maxTables: o.MaxOpenTables}
	s.fs = newDiskFS(o.FS, dir, o.Sync.interval, func(err error) {
		s.logger.Error("storage has failed: no event or step is accepted until the server is restarted", "error", err)
	})
	s.fs.extend = o.extend
	if err := s.open(o); err != nil {
		return nil, errors.Join(err, s.shut())
	}
	return s, nil
}

// open opens what stands behind the lock.
func (s *DB) open(o Options) error {
	cache := pebble.NewCache(o.CacheBytes)
	defer cache.Unref() // the database holds on to it
	// That fails, other than for errors of the disk, when Pebble's own format is unknown.
	if _, err := pebble.Peek(s.dir, s.fs); err != nil {
		return fmt.Errorf("open the store in %s: %w (if a newer version of Ingot wrote it, run that version)", s.dir, err)
	}
	db, err := pebble.Open(s.dir, s.options(cache))
	if err != nil {
		return fmt.Errorf("open the store in %s: %w", s.dir, err)
	}
	s.db = db
	if s.format, err = loadFormat(db, s.dir, o.Partitions); err != nil {
		return err
	}
	if s.log, err = openLog(s, o); err != nil {
		return err
	}
	if s.format.Version < formatVersion {
		if err := s.upgradeFormat(); err != nil {
			return err
		}
	}
	for i := engine.SystemPartition; i < s.format.Partitions; i++ {
		s.parts = append(s.parts, newPartition(s, partitionNumber(i)))
	}
	return s.fs.failure()
}

// options tunes Pebble for the load of a queue: most of what is written is deleted
// soon, much of it before it leaves the memtable.
func (s *DB) options(cache *pebble.Cache) *pebble.Options {
	o := &pebble.Options{
		Cache:                       cache,
		FS:                          s.fs,
		Lock:                        s.lock,
		FormatMajorVersion:          pebbleFormat,
		Logger:                      &logger{s.logger, s.fs},
		EventListener:               s.listener(),
		MaxOpenFiles:                s.maxTables + 10, // of which Pebble leaves 10 to others
		MemTableSize:                memtableBytes,
		MemTableStopWritesThreshold: memtablesMax,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		CompactionConcurrencyRange:  func() (lower, upper int) { return 1, 2 },
		// So that the tombstones of a trimmed log, and what they cover, do not wait
		// in the memtable of an idle server.
		FlushDelayDeleteRange: flushDelay,
	}
	o.Experimental.CompactionScheduler = &compactions{}
	// Lookups of idempotency keys mostly find nothing. Pebble does not use filters
	// in the last level, where they would not fit into a small cache.
	for i := range len(o.Levels) - 1 {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	// What lives briefly is not worth compressing.
	o.Levels[0].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	if s.tune != nil {
		s.tune(o)
	}
	return o
}

// Partitions implements engine.Store.
func (s *DB) Partitions() int { return s.format.Partitions }

// Partition implements engine.Store.
func (s *DB) Partition(i int) (engine.PartitionStore, error) {
	if i < engine.SystemPartition || i >= s.format.Partitions {
		return nil, fmt.Errorf("partition %d does not exist: the store has %d", i, s.format.Partitions)
	}
	if !s.closed.enter() {
		return nil, engine.ErrClosed
	}
	defer s.closed.leave()
	return s.parts[i+1], nil
}

// Log implements engine.Store.
func (s *DB) Log() engine.Log { return s.log }

// Compact moves everything to the lowest level and drops what was deleted. It is
// not needed in operation, where that happens by and by.
func (s *DB) Compact(ctx context.Context) error {
	if !s.closed.enter() {
		return engine.ErrClosed
	}
	defer s.closed.leave()
	s.log.purge()
	if err := s.db.Flush(); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	if err := s.db.Compact(ctx, []byte{0}, []byte{0xff}, true); err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	return nil
}

// Close completes all commits and appends and ends the store. It returns the error
// that the store had failed with, if it had.
func (s *DB) Close() error {
	s.closing.Do(func() { s.err = s.shut() })
	return s.err
}

// shut ends what has been opened so far.
func (s *DB) shut() error {
	s.closed.close()
	if s.log != nil {
		s.log.close()
	}
	for _, p := range s.parts {
		p.close()
	}
	s.fs.stop()
	s.fs.release()
	failed := s.fs.failure()
	var err error
	if s.db != nil {
		if err = s.db.Close(); err != nil {
			err = fmt.Errorf("close the store: %w", err)
		}
	}
	return errors.Join(failed, err, s.lock.Close())
}
