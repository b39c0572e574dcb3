package pebble

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestFlushRests: what a flush writes is paced until the next memtable is full, what
// others write is not.
func TestFlushRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newDiskFS(vfs.NewMem(), "", 0, func(err error) { t.Error(err) })
		create := func(name string, c vfs.DiskWriteCategory) vfs.File {
			f, err := fs.Create(name, c)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		rests := func(f vfs.File) bool {
			time.Sleep(time.Millisecond) // as if it had computed
			begun := time.Now()
			if _, err := f.Write([]byte("block")); err != nil {
				t.Fatal(err)
			}
			return time.Since(begun) > 0
		}
		create("000001.log", "pebble-wal")
		flush, compaction := create("000002.sst", "pebble-memtable-flush"), create("000003.sst", "pebble-compaction")
		if !rests(flush) || rests(compaction) {
			t.Error("a flush does not rest, or a compaction does")
		}
		log := create("000004.log", "pebble-wal")
		if rests(flush) || rests(log) {
			t.Error("a flush rests while a full memtable waits, or a log does")
		}
	})
}
