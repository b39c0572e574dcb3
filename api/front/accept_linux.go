package front

import (
	"errors"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// acceptPause is how long the acceptor waits when connections cannot be accepted.
const acceptPause = 100 * time.Millisecond

// accept takes connections in until the listener is closed.
func (f *front) accept() {
	for next := 0; ; next++ {
		c, err := f.Listener.Accept()
		switch {
		case err == nil:
			f.take(c.(*net.TCPConn), f.loops[next%len(f.loops)])
			continue
		case f.draining.Load():
			return
		case errors.Is(err, net.ErrClosed):
			_ = f.Close() // somebody has closed the port below
			return
		}
		// Out of file descriptors, mostly. What is open goes on meanwhile.
		f.warn("connections cannot be accepted", err)
		select {
		case <-f.stop:
			return
		case <-time.After(acceptPause):
		}
	}
}

// take gives a new connection to a loop, or to the server behind if it cannot.
func (f *front) take(c *net.TCPConn, l *loop) {
	if f.count.Add(1) > int64(f.opts.MaxConnections) {
		f.count.Add(-1)
		_, _ = c.Write([]byte(tooMany)) // fits a new socket's buffer, so it does not wait
		_ = c.Close()
		return
	}
	fd, err := detach(c)
	if err == nil {
		if err = l.add(&conn{fd: fd}); err != nil {
			_ = unix.Close(fd)
		}
	}
	switch {
	case err == nil:
		_ = c.Close() // its own descriptor, with the watching by the runtime
	case errors.Is(err, net.ErrClosed):
		f.count.Add(-1)
		_ = c.Close() // as one that came too late to be accepted
	default:
		f.warn("a connection cannot be watched", err)
		f.offer(&passed{Conn: c, front: f})
	}
}

// tooMany is the response to connections beyond MaxConnections.
const tooMany = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 40\r\n\r\n" +
	"The server has too many open connections"

// detach returns a descriptor of c that the runtime does not watch.
func detach(c *net.TCPConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	var dup error
	if err := raw.Control(func(own uintptr) { fd, dup = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return -1, err
	}
	return fd, dup
}
