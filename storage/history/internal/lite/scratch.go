package lite

import (
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Each time that a page of a table or index is full, SQLite allocates some 50 KB for as long
// as it spreads what is in it over its neighbours. Memory of that size is asked of the system
// and given back each time, with up to four system calls, which take longer than all the rest.
// So some blocks are kept, for all connections of the process.
const (
	// scratchMin is what is asked of the system: less comes from blocks that are shared.
	scratchMin  = 16 << 10
	scratchSize = 64 << 10
	// maxScratch bounds the blocks that are kept.
	maxScratch = 2
)

// scratch is SQLite's allocator, and the blocks.
var scratch struct {
	malloc func(tls *libc.TLS, n int32) uintptr
	free   func(tls *libc.TLS, p uintptr)
	size   func(tls *libc.TLS, p uintptr) int32

	mu   sync.Mutex
	kept []uintptr
}

// init sets the allocator, which SQLite allows only before its first use. If it refuses,
// everything works as without.
func init() {
	tls := libc.NewTLS()
	defer tls.Close()
	const word = unsafe.Sizeof(uintptr(0))
	args := libc.Xcalloc(tls, 1, libc.Tsize_t(word))
	methods := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_mem_methods{})))
	if args == 0 || methods == 0 {
		return
	}
	defer libc.Xfree(tls, args)
	defer libc.Xfree(tls, methods) // SQLite has a copy
	if rc := sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_GETMALLOC, libc.VaList(args, methods)); rc != sqlite3.SQLITE_OK {
		return
	}
	m := (*sqlite3.Tsqlite3_mem_methods)(address(methods))
	scratch.malloc = function[func(*libc.TLS, int32) uintptr](m.FxMalloc)
	scratch.free = function[func(*libc.TLS, uintptr)](m.FxFree)
	scratch.size = function[func(*libc.TLS, uintptr) int32](m.FxSize)
	m.FxMalloc, m.FxFree = pointerTo(scratchMalloc), pointerTo(scratchFree)
	sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_MALLOC, libc.VaList(args, methods))
}

// function is the function of a C pointer, and pointerTo the C pointer of one that is declared,
// as the translation of C represents them.
func function[F any](p uintptr) F  { return *(*F)(unsafe.Pointer(&p)) }
func pointerTo[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

func scratchMalloc(tls *libc.TLS, n int32) uintptr {
	if n <= scratchMin || n > scratchSize {
		return scratch.malloc(tls, n)
	}
	scratch.mu.Lock()
	defer scratch.mu.Unlock()
	if last := len(scratch.kept) - 1; last >= 0 {
		p := scratch.kept[last]
		scratch.kept = scratch.kept[:last]
		return p
	}
	return scratch.malloc(tls, scratchSize)
}

func scratchFree(tls *libc.TLS, p uintptr) {
	if p != 0 {
		if n := scratch.size(tls, p); n >= scratchSize && n < 2*scratchSize && keep(p) {
			return
		}
	}
	scratch.free(tls, p)
}

func keep(p uintptr) bool {
	scratch.mu.Lock()
	defer scratch.mu.Unlock()
	if len(scratch.kept) == maxScratch {
		return false
	}
	scratch.kept = append(scratch.kept, p)
	return true
}
