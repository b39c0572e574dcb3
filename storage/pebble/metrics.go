package pebble

import "ingot/engine"

// Metrics says how the store is doing. Counts are since Open.
type Metrics struct {
	// DiskBytes is the size of all files.
	DiskBytes uint64
	// TableBytes is the part of DiskBytes in live tables; the rest is Pebble's
	// write-ahead log, files kept for it to write anew, and its manifest.
	TableBytes uint64
	// Syncs is the number of fsyncs, of whatever file.
	Syncs uint64
	// LogPendingBytes is engine.Log.Pending.
	LogPendingBytes int64
	// LogHead is the number that the next event will get.
	LogHead uint64
	// LogGroups is the number of group commits, and LogEntries of events in them.
	LogGroups  uint64
	LogEntries uint64
	// WALBytes is the size of Pebble's own write-ahead log.
	WALBytes uint64
	// MemtableBytes is the memory that its memtables hold.
	MemtableBytes uint64
	// CompactionDebtBytes is an estimate of what is left to be compacted.
	CompactionDebtBytes uint64
	// Compactions and Flushes count those that have ended.
	Compactions int64
	Flushes     int64
	// CacheBytes is the size of the block cache, CacheHits and CacheMisses its use.
	CacheBytes  int64
	CacheHits   int64
	CacheMisses int64
	// Failed says that the store is poisoned.
	Failed bool
}

// Metrics returns current figures. It is cheap enough to be called each second.
func (s *DB) Metrics() (Metrics, error) {
	if !s.closed.enter() {
		return Metrics{}, engine.ErrClosed
	}
	defer s.closed.leave()
	p := s.db.Metrics()
	m := Metrics{
		DiskBytes:           p.DiskSpaceUsage(),
		TableBytes:          p.Table.Local.LiveSize,
		Syncs:               s.fs.syncs.Load(),
		WALBytes:            p.WAL.PhysicalSize,
		MemtableBytes:       p.MemTable.Size,
		CompactionDebtBytes: p.Compact.EstimatedDebt,
		Compactions:         p.Compact.Count,
		Flushes:             p.Flush.Count,
		CacheBytes:          p.BlockCache.Size,
		CacheHits:           p.BlockCache.Hits,
		CacheMisses:         p.BlockCache.Misses,
		Failed:              s.fs.failure() != nil,
	}
	s.log.metrics(&m)
	return m, nil
}
