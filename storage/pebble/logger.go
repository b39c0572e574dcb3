package pebble

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// logger is Pebble's logger. It keeps Pebble from ending the process.
type logger struct {
	*slog.Logger
	fs *diskFS
}

func (l *logger) Infof(format string, args ...any) {
	if l.Enabled(context.Background(), slog.LevelDebug) {
		l.Debug("storage: " + fmt.Sprintf(format, args...))
	}
}

func (l *logger) Errorf(format string, args ...any) {
	l.Warn("storage: " + fmt.Sprintf(format, args...))
}

// Fatalf is called when Pebble cannot go on. That is not reached by failures of
// the disk, which it does not learn of, but by broken invariants.
func (l *logger) Fatalf(format string, args ...any) {
	l.fs.freeze(fmt.Errorf(format, args...))
}

// reportInterval bounds how often background errors are reported: Pebble tries
// what has failed again at once.
const reportInterval = 10 * time.Second

func (s *DB) listener() *pebble.EventListener {
	var last atomic.Int64
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			now := time.Now().UnixNano()
			if at := last.Load(); s.fs.failure() == nil && now-at > int64(reportInterval) && last.CompareAndSwap(at, now) {
				s.logger.Error("storage: flush or compaction failed", "error", err)
			}
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			s.logger.Error("storage: a file is damaged", "path", info.Path, "error", info.Details)
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			s.logger.Warn("storage: the disk does not keep up, writes wait", "reason", info.Reason)
		},
	}
}
