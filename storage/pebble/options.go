package pebble

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Bounds and defaults of Options.
const (
	DefaultPartitions          = 4
	MaxPartitions              = 1024
	DefaultCacheBytes          = 8 << 20
	DefaultMaxLogBytes         = 8 << 30
	DefaultMinFreeBytes        = 256 << 20
	DefaultMaxOpenTables       = 1000
	MaxInterval                = time.Minute
	memtableBytes              = 32 << 20
	memtablesMax               = 4 // queued for a flush, before writes wait
	inflightMax                = 8 // commits of a partition that wait for their sync
	trimDelay                  = time.Second
	trimBytes                  = 4 << 20 // trimmed but not yet deleted
	flushDelay                 = 30 * time.Second
	freeSpaceInterval          = time.Second
	freeSpaceBytes       int64 = 32 << 20 // appended between two looks at the free space
)

// SyncPolicy says when the commits of partitions become durable. Events are
// always durable when they are accepted, and the end of the process, even by
// kill -9, loses nothing under any policy.
type SyncPolicy struct{ interval time.Duration }

// SyncAlways makes a commit durable (fsync) before its done is called.
var SyncAlways = SyncPolicy{}

// SyncInterval calls done when the operating system has the commit, and syncs
// after at most d: a power cut loses the commits of the last d, always a tail of
// the order in which they were made. SyncInterval(0) is SyncAlways.
func SyncInterval(d time.Duration) SyncPolicy { return SyncPolicy{d} }

func (p SyncPolicy) String() string {
	if p.interval == 0 {
		return "always"
	}
	return "interval " + p.interval.String()
}

// Options of Open. The zero value is usable.
type Options struct {
	// Partitions is their number in a new store, DefaultPartitions if 0, at most
	// MaxPartitions. An existing store keeps its own.
	Partitions int
	// Sync is when commits become durable.
	Sync SyncPolicy
	// CacheBytes bounds the cache of blocks read from disk; 0 means DefaultCacheBytes.
	CacheBytes int64
	// MaxLogBytes bounds the events that are not yet trimmed from the log; then
	// Append returns engine.ErrLogFull. 0 means DefaultMaxLogBytes.
	MaxLogBytes int64
	// MinFreeBytes is the free space of the disk below which Append returns
	// engine.ErrDisk, so that runs that exist can still go on and give space back.
	// 0 means DefaultMinFreeBytes; a negative value is no bound.
	MinFreeBytes int64
	// MaxOpenTables bounds the tables that are kept open for reading; 0 means
	// DefaultMaxOpenTables.
	MaxOpenTables int
	// FS is the file system; nil means the operating system's.
	FS vfs.FS
	// Logger gets what the operator must know, and at debug level what Pebble does.
	// nil means slog.Default().
	Logger *slog.Logger

	tune    func(*pebble.Options) // lets tests have small memtables
	extend  int64                 // and small log files; 0 means extension
	segment int64                 // and small segments of the event log; 0 means segmentBytes
}

func (o Options) withDefaults() (Options, error) {
	set := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	if o.Partitions == 0 {
		o.Partitions = DefaultPartitions
	}
	set(&o.CacheBytes, DefaultCacheBytes)
	set(&o.MaxLogBytes, DefaultMaxLogBytes)
	set(&o.MinFreeBytes, DefaultMinFreeBytes)
	if o.MaxOpenTables == 0 {
		o.MaxOpenTables = DefaultMaxOpenTables
	}
	set(&o.extend, extension)
	set(&o.segment, segmentBytes)
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	switch {
	case o.Partitions < 0 || o.Partitions > MaxPartitions:
		return o, fmt.Errorf("storage: %d partitions: must be 1 to %d", o.Partitions, MaxPartitions)
	case o.Sync.interval < 0 || o.Sync.interval > MaxInterval:
		return o, fmt.Errorf("storage: sync interval %v: must be 0 to %v", o.Sync.interval, MaxInterval)
	case o.MaxOpenTables < 0:
		return o, fmt.Errorf("storage: %d open tables: must not be negative", o.MaxOpenTables)
	case o.CacheBytes < 0:
		return o, fmt.Errorf("storage: cache of %d bytes: must not be negative", o.CacheBytes)
	case o.MaxLogBytes < 0:
		return o, fmt.Errorf("storage: event log of %d bytes: must not be negative", o.MaxLogBytes)
	}
	return o, nil
}
