package front

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// conn is a connection of a loop. It belongs to the loop, but from when the turn that has
// its request is submitted until it is waiting again it belongs to the turn.
type conn struct {
	fd    int
	slot  int32
	gen   int32
	state atomic.Int32
	// passes is how often it has been passed on.
	passes int
	// need is the least length of in with which there is something to be done.
	need int
	// in is what has been read of the next request; nil for nothing.
	in []byte
	// since is when the last response was sent or the first byte of the request in has
	// arrived, as the loop's clock had it.
	since time.Time
	// rest is what the client was too slow to read of its response.
	rest []byte
	// unread says that the socket may have more without an event that tells so.
	unread bool
	// broken says that the client went away before its response was sent, last that it
	// was told that the connection ends.
	broken, last bool
	// gone says that the loop has let go of it.
	gone bool
}

// States of a connection.
const (
	waiting   int32 = iota // for the loop to read
	answering              // its request is in a turn
	touched                // the same, and an event came meanwhile
)

// over reports whether no further request is read: revisit ends the connection or passes
// it on.
func (c *conn) over() bool { return c.broken || c.last || len(c.rest) > 0 }

// write sends as much of b as the socket takes.
func (c *conn) write(b []byte) {
	for len(b) > 0 {
		n, err := rawWrite(c.fd, b)
		switch {
		case n > 0:
			b = b[n:]
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			c.rest = append([]byte(nil), b...)
			return
		default:
			c.broken = true
			return
		}
	}
}
