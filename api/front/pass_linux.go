package front

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// passed is a connection of the server behind.
type passed struct {
	net.Conn
	front *front
	// rest is of a response of the front that the client was too slow to read. It is sent
	// before anything is read; if it was the last one, the connection ends then.
	rest []byte
	last bool
	// head has been read by the front, and comes before what is still to be read.
	head   []byte
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
	f.offer(&passed{Conn: own, front: f, rest: c.rest, last: c.last, head: append([]byte(nil), head...)})
}

// netConn makes a connection of the runtime's poller of fd, which it closes in any case.
func netConn(fd int) (net.Conn, error) {
	file := os.NewFile(uintptr(fd), "")
	defer file.Close()
	return net.FileConn(file)
}

// Read implements net.Conn.
func (c *passed) Read(b []byte) (int, error) {
	if len(c.rest) > 0 {
		if err := c.finish(); err != nil {
			return 0, fmt.Errorf("front: the rest of a response: %w", err)
		}
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

// finish sends the rest of the front's response.
func (c *passed) finish() error {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(c.front.opts.WriteTimeout)); err != nil {
		return err
	}
	if _, err := c.Conn.Write(c.rest); err != nil {
		return err
	}
	c.rest = nil
	return c.Conn.SetWriteDeadline(time.Time{})
}

// Close implements net.Conn.
func (c *passed) Close() error {
	if !c.closed.Swap(true) {
		c.front.count.Add(-1)
	}
	return c.Conn.Close()
}
