// Package lite is a connection to SQLite for one writer: prepared statements without
// database/sql in between, which would cost a third of the time of a row. It calls the
// C interface of SQLite as modernc.org/sqlite translates it.
//
// What does not live here: readers (they use database/sql), schemas and statements.
package lite

import (
	"errors"
	"fmt"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Conn is a connection. It serves one goroutine at a time, but for Interrupt.
type Conn struct {
	tls *libc.TLS
	db  uintptr
	// args is memory outside of Go's heap that holds the bound values of the statement
	// that runs.
	args     uintptr
	argsSize int
}

// Error is a result code with SQLite's text.
type Error struct {
	Code int // the extended one
	text string
}

func (e *Error) Error() string { return fmt.Sprintf("sqlite: %s (%d)", e.text, e.Code) }

// Full reports whether there was no room on the disk.
func (e *Error) Full() bool { return e.Code&0xff == sqlite3.SQLITE_FULL }

var errMemory = errors.New("sqlite: out of memory")

// Open opens or creates the database in a file.
func Open(path string) (*Conn, error) {
	c := &Conn{tls: libc.NewTLS()}
	name, err := libc.CString(path)
	if err != nil {
		return nil, errMemory
	}
	defer libc.Xfree(c.tls, name)
	var rc int32
	c.db, rc = c.pointer(func(out uintptr) int32 {
		return sqlite3.Xsqlite3_open_v2(c.tls, name, out, sqlite3.SQLITE_OPEN_READWRITE|sqlite3.SQLITE_OPEN_CREATE|sqlite3.SQLITE_OPEN_NOMUTEX, 0)
	})
	if rc != sqlite3.SQLITE_OK {
		err := c.fault(rc)
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), c.Close())
	}
	return c, nil
}

// Close frees the connection; its statements have to be closed before.
func (c *Conn) Close() error {
	var err error
	if rc := sqlite3.Xsqlite3_close_v2(c.tls, c.db); rc != sqlite3.SQLITE_OK {
		err = c.fault(rc)
	}
	if c.args != 0 {
		libc.Xfree(c.tls, c.args)
	}
	c.tls.Close()
	return err
}

// Interrupt makes the statement that runs fail. Any goroutine may call it.
func (c *Conn) Interrupt() {
	tls := libc.NewTLS()
	defer tls.Close()
	sqlite3.Xsqlite3_interrupt(tls, c.db)
}

// Exec runs statements that have no parameters and give no rows that matter.
func (c *Conn) Exec(sql string) error {
	text, err := libc.CString(sql)
	if err != nil {
		return errMemory
	}
	defer libc.Xfree(c.tls, text)
	if rc := sqlite3.Xsqlite3_exec(c.tls, c.db, text, 0, 0, 0); rc != sqlite3.SQLITE_OK {
		return c.fault(rc)
	}
	return nil
}

// Changes is the number of rows that the last statement changed.
func (c *Conn) Changes() int { return int(sqlite3.Xsqlite3_changes(c.tls, c.db)) }

// InTransaction reports whether a transaction is open.
func (c *Conn) InTransaction() bool { return sqlite3.Xsqlite3_get_autocommit(c.tls, c.db) == 0 }

func (c *Conn) fault(rc int32) error {
	return &Error{Code: int(rc), text: libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db))}
}

// pointer calls f with the address of a pointer, and returns what f stores there.
func (c *Conn) pointer(f func(out uintptr) int32) (uintptr, int32) {
	out := libc.Xcalloc(c.tls, 1, libc.Tsize_t(unsafe.Sizeof(uintptr(0))))
	if out == 0 {
		return 0, sqlite3.SQLITE_NOMEM
	}
	defer libc.Xfree(c.tls, out)
	rc := f(out)
	return *(*uintptr)(address(out)), rc
}

// room makes sure that args holds n bytes; what it held is lost.
func (c *Conn) room(n int) error {
	if n <= c.argsSize {
		return nil
	}
	n = max(n, 2*c.argsSize, 4096)
	if c.args != 0 {
		libc.Xfree(c.tls, c.args)
		c.args, c.argsSize = 0, 0
	}
	p := libc.Xmalloc(c.tls, libc.Tsize_t(n))
	if p == 0 {
		return errMemory
	}
	c.args, c.argsSize = p, n
	return nil
}

// address is p as a pointer. It is memory outside of Go's heap, which stays where it is.
func address(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// view is n bytes of memory outside of Go's heap.
func view(p uintptr, n int) []byte { return unsafe.Slice((*byte)(address(p)), n) }
