package lite

import (
	"path/filepath"
	"testing"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// TestScratch: SQLite gets blocks of the size that balancing takes from those that were freed,
// of which few are kept, and all others from the system.
func TestScratch(t *testing.T) {
	c, err := Open(filepath.Join(t.TempDir(), "test.db")) // which initializes SQLite
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	tls := libc.NewTLS()
	defer tls.Close()
	var blocks []uintptr
	for i := range 3 * maxScratch {
		n := int32(scratchMin + 1 + i*1000)
		p := sqlite3.Xsqlite3_malloc(tls, n)
		if p == 0 {
			t.Fatal("no memory")
		}
		if size := sqlite3.Xsqlite3_msize(tls, p); size < scratchSize/2 {
			t.Errorf("a block of %d bytes has %d", n, size)
		}
		for j := range view(p, int(n)) {
			view(p, int(n))[j] = byte(i)
		}
		blocks = append(blocks, p)
	}
	for i, p := range blocks {
		if b := view(p, scratchMin); b[0] != byte(i) || b[scratchMin-1] != byte(i) {
			t.Errorf("block %d is that of others too", i)
		}
	}
	for _, p := range blocks {
		sqlite3.Xsqlite3_free(tls, p)
	}
	if n := len(scratch.kept); n != maxScratch {
		t.Errorf("%d blocks are kept, want %d", n, maxScratch)
	}
	last := scratch.kept[maxScratch-1]
	p := sqlite3.Xsqlite3_malloc(tls, scratchSize/2)
	if len(scratch.kept) != maxScratch-1 || p < last || p > last+64 {
		t.Errorf("a block at %x, and not that at %x; %d are kept", p, last, len(scratch.kept))
	}
	sqlite3.Xsqlite3_free(tls, p)
	for _, n := range []int32{100, scratchMin - 100, 4 * scratchSize} { // of other sizes
		p := sqlite3.Xsqlite3_malloc(tls, n)
		if len(scratch.kept) != maxScratch {
			t.Errorf("%d bytes are a block that was kept", n)
		}
		sqlite3.Xsqlite3_free(tls, p)
	}
	if n := len(scratch.kept); n != maxScratch {
		t.Errorf("%d blocks are kept, want %d", n, maxScratch)
	}
}
