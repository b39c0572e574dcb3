package front

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestHalfClosed ends the client's side before the response comes.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.hold()
	for _, when := range []string{"with", "before", "after"} {
		c := w.dial()
		c.send(post("k", "a"))
		if when == "with" {
			_ = c.CloseWrite()
		}
		s := <-w.log.held
		if when == "before" {
			_ = c.CloseWrite()
			until(t, "the loop sees the end", func() bool {
				return slices.ContainsFunc(w.conns(), func(c *conn) bool { return c.state.Load() == touched }) // or it came with the request
			})
		}
		s.done.Logged(nil)
		c.expect("a")
		if when == "after" {
			_ = c.CloseWrite()
		}
		c.end()
	}
	w.log.set(func(l *fakeLog) { l.held = nil })
	// With several requests on the way.
	c := w.dial()
	requests, bodies := numbered(10, "x")
	c.send(requests)
	_ = c.CloseWrite()
	c.expect(bodies...)
	c.end()
	// In the middle of a request.
	c = w.dial()
	c.send("POST /e/k HTTP/1.1\r\nHo")
	_ = c.CloseWrite()
	if status, _, _ := c.receive(); status != 400 {
		t.Errorf("half of a request: status %d", status)
	}
	c.end()
	until(t, "all are gone", func() bool { return w.count.Load() == 0 })
}

// TestUrgent sends data out of band, at which reading stops although there is more.
func TestUrgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.dial()
	request := post("k", "abc")
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	c.send(request[:20])
	if err := raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), []byte("!"), unix.MSG_OOB, nil) }); err != nil {
		t.Fatal(err)
	}
	c.send(request[20:])
	c.expect("abc")
}

// TestSlowReader does not read responses until the front cannot send more.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	ln, err := smallBuffers.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOn(t, ln, nil)
	c := w.dial()
	var requests string
	var bodies []string
	for i := range 30 {
		bodies = append(bodies, fmt.Sprint(i, strings.Repeat("x", 60<<10)))
		requests += post("k", bodies[i])
	}
	go c.send(requests)
	until(t, "the connection is passed on", func() bool { return w.inLoops() == 0 })
	for i := range bodies {
		// Those behind the slow one are the other server's.
		if _, body, _ := c.receive(); strings.TrimPrefix(body, "behind POST /e/k ") != bodies[i] {
			t.Fatalf("response %d: %.100q", i, body)
		}
	}
}

// smallBuffers lets connections have little room for what their client does not read.
var smallBuffers = net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
	failed := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 16<<10) })
	return errors.Join(failed, err)
}}

func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.MaxConnections = 2 })
	a, b := w.dial(), w.dial()
	a.send(post("k", "a"))
	a.expect("a")
	b.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n") // counts also behind the front
	b.expect("behind GET / ")
	c := w.dial()
	if status, body, last := c.receive(); status != 503 || body != "The server has too many open connections" || !last {
		t.Errorf("status %d, body %q, last %v", status, body, last)
	}
	c.end()
	for _, leaves := range []*client{a, b} {
		_ = leaves.Close()
		until(t, "there is room", func() bool { return w.count.Load() < 2 })
		c = w.dial()
		c.send(post("k", "c"))
		c.expect("c")
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.IdleTimeout, o.RequestTimeout = time.Nanosecond, time.Hour })
	fresh, begun, busy := w.dial(), w.dial(), w.dial()
	w.hold()
	busy.send(post("k", "busy"))
	s := <-w.log.held
	begun.send("POST /e/k HTTP/1.1\r\n")
	until(t, "all are there", func() bool { return w.inLoops() == 3 && !w.anyUnread() })
	w.sweepLoops()
	fresh.end()
	until(t, "the others stay", func() bool { return w.inLoops() == 2 })
	s.done.Logged(nil)
	busy.expect("busy")
	w.sweepLoops()
	busy.end()
	begun.send("Host: h\r\nContent-Length: 3\r\n\r\nabc")
	(<-w.log.held).done.Logged(nil)
	begun.expect("abc")
}

// TestSlowRequest is taken over by the server behind.
func TestSlowRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.RequestTimeout = time.Nanosecond })
	c := w.dial()
	c.send("POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na")
	until(t, "the front is tired of it", func() bool {
		w.sweepLoops()
		return w.inLoops() == 0 && w.count.Load() == 1
	})
	c.send("bc")
	c.expect("behind POST /e/k abc")
}

// TestStaleEvent has an event for a connection whose slot is another's now.
func TestStaleEvent(t *testing.T) {
	t.Parallel()
	l := &loop{slots: []*conn{{slot: 0, gen: 2}, nil}}
	l.resolve([]unix.EpollEvent{{Fd: 0, Pad: 1}, {Fd: 1, Pad: 3}, {Fd: 0, Pad: 2}})
	if l.seen[0] != nil || l.seen[1] != nil || l.seen[2] != l.slots[0] {
		t.Errorf("connections %v", l.seen)
	}
}

// TestMemory bounds what a connection without a request costs.
func TestMemory(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(conn{}); n > 160 {
		t.Errorf("a connection has %d bytes", n)
	}
	w := newWorld(t, nil)
	for range 2 * spareBuffers {
		c := w.dial()
		c.send(post("k", "first")[:30])
		until(t, "it comes in pieces", func() bool { return !w.anyUnread() })
		c.send(post("k", "first")[30:])
		c.expect("first")
	}
	w.shutdown()
	for _, l := range w.loops {
		if len(l.spare) > spareBuffers {
			t.Errorf("%d spare buffers", len(l.spare))
		}
	}
}

// TestGone has clients that reset the connection before the response.
func TestGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.hold()
	c := w.dial()
	c.send(post("k", "a"))
	s := <-w.log.held
	_ = c.SetLinger(0) // closes with a reset
	_ = c.Close()
	until(t, "the loop sees it", func() bool { return w.conns()[0].state.Load() == touched })
	s.done.Logged(nil)
	until(t, "the connection is dropped", func() bool { return w.count.Load() == 0 })
}

// TestSlowReaderAtTheEnd has responses that are the last ones and that a client is slow to
// read, or never reads.
func TestSlowReaderAtTheEnd(t *testing.T) {
	t.Parallel()
	ln, err := smallBuffers.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOn(t, ln, nil)
	w.hold()
	body := strings.Repeat("x", 63<<10)
	slow, leaves := w.dialBy(smallWindow), w.dialBy(smallWindow)
	for _, c := range []*client{slow, leaves} {
		c.send(post("k", body) + post("k", "never"))
	}
	held := []submit{<-w.log.held}
	for held[0].count+len(held) < 3 { // one batch, or two
		held = append(held, <-w.log.held)
	}
	_ = w.Close()
	for _, s := range held {
		s.done.Logged(nil)
	}
	until(t, "both are passed on", func() bool { return w.inLoops() == 0 })
	_ = leaves.Close()
	if _, got, last := slow.receive(); got != body || !last {
		t.Errorf("%d bytes, last %v", len(got), last)
	}
	slow.end()
}

// smallWindow lets a connection receive little that is not read.
var smallWindow = net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
	failed := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10) })
	return errors.Join(failed, err)
}}
