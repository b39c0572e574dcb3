package lite

import (
	"bytes"
	"fmt"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Stmt is a prepared statement. Parameters are set before each execution, those that
// are not are null. Byte slices have to stay as they are until Run or Next is called.
type Stmt struct {
	c     *Conn
	p     uintptr
	args  []arg
	size  int // bytes of the arguments
	begun bool
}

type arg struct {
	kind  kind
	int   int64
	bytes []byte
}

type kind uint8

const (
	null kind = iota
	integer
	blob
	text
)

// Prepare compiles one statement.
func (c *Conn) Prepare(sql string) (*Stmt, error) {
	z, err := libc.CString(sql)
	if err != nil {
		return nil, errMemory
	}
	defer libc.Xfree(c.tls, z)
	p, rc := c.pointer(func(out uintptr) int32 {
		return sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, z, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, out, 0)
	})
	if rc != sqlite3.SQLITE_OK {
		return nil, fmt.Errorf("%w in %q", c.fault(rc), sql)
	}
	return &Stmt{c: c, p: p, args: make([]arg, sqlite3.Xsqlite3_bind_parameter_count(c.tls, p))}, nil
}

// Close frees the statement.
func (s *Stmt) Close() { sqlite3.Xsqlite3_finalize(s.c.tls, s.p) }

// Int sets parameter i, which counts from 1.
func (s *Stmt) Int(i int, v int64) { s.args[i-1] = arg{kind: integer, int: v} }

// Blob sets a parameter; nil is null.
func (s *Stmt) Blob(i int, v []byte) { s.set(i, blob, v) }

// Text sets a parameter to a string; nil is null.
func (s *Stmt) Text(i int, v []byte) { s.set(i, text, v) }

func (s *Stmt) set(i int, k kind, v []byte) {
	if v == nil {
		return
	}
	s.args[i-1] = arg{kind: k, bytes: v}
	s.size += len(v)
}

// Run executes the statement to its end and forgets the parameters.
func (s *Stmt) Run() error {
	row, err := s.Next()
	for row && err == nil {
		row, err = s.Next()
	}
	return err
}

// Next executes the statement up to its next row; false is its end, after which it can
// be executed again.
func (s *Stmt) Next() (row bool, err error) {
	if !s.begun {
		if err := s.bind(); err != nil {
			return false, err
		}
		s.begun = true
	}
	rc := sqlite3.Xsqlite3_step(s.c.tls, s.p)
	switch rc {
	case sqlite3.SQLITE_ROW:
		return true, nil
	case sqlite3.SQLITE_DONE:
	default:
		err = s.c.fault(rc)
	}
	s.Reset()
	return false, err
}

// Reset ends an execution before its end.
func (s *Stmt) Reset() {
	sqlite3.Xsqlite3_reset(s.c.tls, s.p)
	s.begun = false
}

// bind hands the arguments over, byte slices as copies outside of Go's heap, and
// forgets them.
func (s *Stmt) bind() error {
	if err := s.c.room(s.size + len(s.args)); err != nil {
		return err
	}
	tls, at := s.c.tls, s.c.args
	for i := range s.args {
		a, n, rc := &s.args[i], int32(i+1), int32(sqlite3.SQLITE_OK)
		switch a.kind {
		case null:
			rc = sqlite3.Xsqlite3_bind_null(tls, s.p, n)
		case integer:
			rc = sqlite3.Xsqlite3_bind_int64(tls, s.p, n, a.int)
		default:
			copy(view(s.c.args, s.c.argsSize)[at-s.c.args:], a.bytes)
			if a.kind == blob {
				rc = sqlite3.Xsqlite3_bind_blob(tls, s.p, n, at, int32(len(a.bytes)), 0)
			} else {
				rc = sqlite3.Xsqlite3_bind_text(tls, s.p, n, at, int32(len(a.bytes)), 0)
			}
			at += uintptr(len(a.bytes))
		}
		if rc != sqlite3.SQLITE_OK {
			return s.c.fault(rc)
		}
		*a = arg{}
	}
	s.size = 0
	return nil
}

// ColumnInt is column i of the row, which counts from 0.
func (s *Stmt) ColumnInt(i int) int64 {
	return sqlite3.Xsqlite3_column_int64(s.c.tls, s.p, int32(i))
}

// ColumnBytes is a copy of a blob or string; nil if it is null or empty.
func (s *Stmt) ColumnBytes(i int) []byte {
	p := sqlite3.Xsqlite3_column_blob(s.c.tls, s.p, int32(i))
	n := sqlite3.Xsqlite3_column_bytes(s.c.tls, s.p, int32(i))
	if p == 0 || n == 0 {
		return nil
	}
	return bytes.Clone(view(p, int(n)))
}
