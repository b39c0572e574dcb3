package pebble

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"ingot/engine"
	"ingot/storage/storagetest"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// memOptions are options of a store in memory.
func memOptions(fs vfs.FS) Options {
	return Options{FS: fs, Logger: quiet, Partitions: storagetest.Partitions, extend: 16 << 10, segment: 64 << 10}
}

func mustOpen(t testing.TB, dir string, o Options) *DB {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// small makes memtables rotate, flush and compact within a short test.
func small(o *pebble.Options) {
	o.MemTableSize = 64 << 10
	o.L0CompactionThreshold = 2
	o.LBaseMaxBytes = 128 << 10
	o.MaxManifestFileSize = 4 << 10
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type harness struct {
	dir string
	o   Options
}

func (h *harness) Open(t *testing.T) engine.Store { return mustOpen(t, h.dir, h.o) }

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]SyncPolicy{"always": SyncAlways, "interval": SyncInterval(time.Millisecond)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storagetest.Run(t, func(t *testing.T) storagetest.Harness {
				o := memOptions(nil)
				o.Sync, o.MinFreeBytes = policy, -1
				return &harness{t.TempDir(), o}
			})
		})
	}
}
