// Package deadline makes the deadlines of busy connections cheap. Setting one
// costs a change of the runtime's timers, about as much as a small system call;
// servers and clients set two to four for each request, mostly to almost the same
// time as before, or to a time that nothing waits for because all bytes are there.
//
// What does not live here: which deadlines there are. That is the business of the
// packages that use the connections.
package deadline

import (
	"net"
	"sync/atomic"
	"time"
)

// Grain is how much earlier than asked a deadline may come.
const Grain = time.Second

// Conn is a connection whose deadlines take effect when something waits for
// them. A deadline never comes later than asked, and at most Grain earlier.
//
// Like those of every net.Conn, its methods may be called by several goroutines at
// once.
type Conn struct {
	net.Conn
	read, write side
}

// New wraps a connection that has no deadlines.
func New(c net.Conn) *Conn { return &Conn{Conn: c} }

// side is one direction. Times are unix nanoseconds; 0 is never.
type side struct {
	want, have atomic.Int64
	busy       atomic.Int32 // calls that may be waiting
}

// ask notes a deadline. It reports whether it must be set now, because a call may
// be waiting, which it may be meant to end.
func (s *side) ask(t time.Time) bool {
	want := int64(0)
	if !t.IsZero() {
		want = t.UnixNano()
	}
	s.want.Store(want)
	return s.busy.Load() > 0
}

// due returns the deadline to set before a call that may wait, if it is not close
// enough to the one that is in force.
func (s *side) due() (t time.Time, set bool) {
	want, have := s.want.Load(), s.have.Load()
	if want == have || (want != 0 && have != 0 && have <= want && want-have <= int64(Grain)) {
		return t, false
	}
	s.have.Store(want)
	if want != 0 {
		t = time.Unix(0, want)
	}
	return t, true
}

// set puts the noted deadline in force.
func (s *side) set(in func(time.Time) error) error {
	if t, ok := s.due(); ok {
		return in(t)
	}
	return nil
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	c.read.busy.Add(1)
	defer c.read.busy.Add(-1)
	if err := c.read.set(c.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// Write implements net.Conn.
func (c *Conn) Write(b []byte) (int, error) {
	c.write.busy.Add(1)
	defer c.write.busy.Add(-1)
	if err := c.write.set(c.Conn.SetWriteDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if c.read.ask(t) {
		return c.read.set(c.Conn.SetReadDeadline)
	}
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if c.write.ask(t) {
		return c.write.set(c.Conn.SetWriteDeadline)
	}
	return nil
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}
