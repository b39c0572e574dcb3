package front

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// returnAfter is after how many events a connection may come back. It costs about as much
	// as one of them to pass a connection on and back.
	returnAfter = 16
	// maxPasses bounds how often that is doubled, for connections that are passed on again
	// and again.
	maxPasses = 10
)

// passed is a Conn.
type passed struct {
	net.Conn
	front *front
	// passes is how often it has been passed on before, events how many it has had since.
	passes, events int
	// rest is of a response of the front that the client was too slow to read. It is sent
	// before anything else happens; if it was the last one, the connection ends then.
	rest []byte
	last bool
	// head has been read by the front, and comes before what is still to be read.
	head []byte
	// closed says that it is closed or the front's again.
	closed atomic.Bool
}

// pass leaves c, which the loop has let go of, to the server behind.
func (f *front) pass(c *conn, head []byte) {
	own, err := netConn(c.fd)
	if err != nil {
		f.count.Add(-1)
		f.warn("a connection could not be passed on", err)
		return
	}
	f.offer(&passed{Conn: own, front: f, passes: c.passes, rest: c.rest, last: c.last, head: append([]byte(nil), head...)})
}

// netConn makes a connection of the runtime's poller of fd, which it closes in any case.
func netConn(fd int) (net.Conn, error) {
	file := os.NewFile(uintptr(fd), "")
	defer file.Close()
	return net.FileConn(file)
}

// Read implements net.Conn.
func (c *passed) Read(b []byte) (int, error) {
	if err := c.finish(); err != nil {
		return 0, err
	}
	if c.last {
		return 0, io.EOF
	}
	if len(c.head) > 0 {
		n := copy(b, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	c.head = nil
	return c.Conn.Read(b)
}

// Write implements net.Conn.
func (c *passed) Write(b []byte) (int, error) {
	if err := c.finish(); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// finish sends the rest of the front's response, if there is one.
func (c *passed) finish() error {
	if len(c.rest) == 0 {
		return nil
	}
	err := c.Conn.SetWriteDeadline(time.Now().Add(c.front.opts.WriteTimeout))
	if err == nil {
		_, err = c.Conn.Write(c.rest)
	}
	if err == nil {
		c.rest, err = nil, c.Conn.SetWriteDeadline(time.Time{})
	}
	if err != nil {
		return fmt.Errorf("front: the rest of a response: %w", err)
	}
	return nil
}

// Close implements net.Conn.
func (c *passed) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.front.count.Add(-1)
	return c.Conn.Close()
}

// Event implements Conn.
func (c *passed) Event() bool {
	c.events++
	return c.events >= returnAfter<<min(c.passes, maxPasses)
}

// Return implements Conn.
func (c *passed) Return(head []byte) {
	fd, err := detach(c.Conn.(*net.TCPConn))
	if err != nil {
		c.front.warn("a connection could not be given back", err)
		return
	}
	if c.closed.Swap(true) {
		_ = unix.Close(fd)
		return
	}
	_ = c.Conn.Close()
	l := c.front.loops[fd%len(c.front.loops)]
	if err := l.add(&conn{fd: fd, passes: c.passes + 1, in: append([]byte(nil), head...)}); err != nil {
		_ = unix.Close(fd)
		c.front.count.Add(-1)
	}
}
