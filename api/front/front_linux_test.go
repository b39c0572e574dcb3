package front

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestServes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.dial()
	for i := range 10 {
		c.send(post("k", fmt.Sprint("a", i)))
		c.expect(fmt.Sprint("a", i))
	}
	c.send(post("k", "plain"))
	c.expect("plain")
	if got := w.log.logged(); got != join("a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9") {
		t.Errorf("log %q", got)
	}
}

func TestPieces(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 7, 1000, 5000, 64 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			c := w.dial()
			body := "x"
			if size > 7 {
				body = strings.Repeat("x", MaxRequest-200)
			}
			request := post("k", body) + post("k", "and another")
			go func() {
				for piece := range slices.Chunk([]byte(request), size) {
					_, _ = c.Write(piece)
				}
			}()
			c.expect(body, "and another")
			if w.inLoops() != 1 {
				t.Error("the connection was passed on")
			}
		})
	}
}

// TestLargest sends requests of exactly the size that the front takes, and larger ones.
func TestLargest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.dial()
	body := strings.Repeat("x", MaxRequest-len(post("k", ""))-len("65536")+len("0"))
	if n := len(post("k", body)); n != MaxRequest {
		t.Fatal(n)
	}
	c.send(strings.Repeat(post("k", body), 3))
	c.expect(body, body, body)
	body += "x"
	c.send(post("k", body))
	c.expect("behind POST /e/k " + body)
	c = w.dial()
	c.send(post("k", "{}", "X: "+strings.Repeat("x", maxHead)))
	if status, _, _ := c.receive(); status != 431 {
		t.Errorf("status %d", status)
	}
}

func TestPipelined(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.dial()
	requests, bodies := numbered(500, "pipelined")
	go c.send(requests)
	c.expect(bodies...)
	if got := w.log.logged(); got != join(bodies...) {
		t.Errorf("log %q", got)
	}
}

// TestPassedOn mixes requests of both servers: responses come in order.
func TestPassedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.MaxBody = maxBody })
	c := w.dial()
	c.send(post("k", "a") + post("k", "b") + "GET /x HTTP/1.1\r\nHost: h\r\n\r\n" + post("k", "c"))
	c.expect("a", "b", "behind GET /x ", "behind POST /e/k c")
	for _, s := range unusual[1:] {
		if strings.Contains(s, "Expect") {
			continue
		}
		c := w.dial()
		c.send(s)
		_ = c.CloseWrite()
		if answer, _ := io.ReadAll(c.r); !strings.Contains(string(answer), "behind") && !strings.HasPrefix(string(answer), "HTTP/1.1 4") {
			t.Errorf("%.200q: %.100q", s, answer)
		}
	}
	if got := w.log.logged(); got != join("a", "b") {
		t.Errorf("log %q", got)
	}
}

// TestReturned has a connection come back after some events, later each time.
func TestReturned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.dial()
	for behind := returnAfter; behind <= 4*returnAfter; behind *= 2 {
		c.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
		c.expect("behind GET /x ")
		for range behind {
			c.send(post("k", "a"))
			c.expect("behind POST /e/k a")
		}
		c.send(post("k", "b"))
		c.expect("b")
	}
	if n := w.count.Load(); n != 1 {
		t.Errorf("%d connections are counted", n)
	}
	// With requests on the way that the server behind has read.
	c = w.dial()
	requests, bodies := numbered(returnAfter+10, "x")
	requests = "GET / HTTP/1.1\r\nHost: h\r\n\r\n" + requests
	half := len(requests) - 10
	c.send(requests[:half])
	c.expect("behind GET / ")
	for i, body := range bodies {
		want := body
		if i < returnAfter {
			want = "behind POST /e/k " + body
		}
		if i == len(bodies)-1 {
			c.send(requests[half:])
		}
		c.expect(want)
	}
}

// TestReturnedTooLate gives connections back while the front closes.
func TestReturnedTooLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.dial()
	c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	c.expect("behind GET / ")
	theirs := &passed{front: w.front, Conn: c.TCPConn}
	w.count.Add(1) // of theirs
	w.draining.Store(true)
	theirs.Return(nil)
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v", err)
	}
	_ = theirs.Close()
	theirs.Return(nil)
	if n := w.count.Load(); n > 1 {
		t.Errorf("%d connections are counted", n)
	}
}

func TestDeclinedOrPanicked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.hold()
	for _, body := range []string{"decline", "panic"} {
		good, bad := w.dial(), w.dial()
		good.send(post("k", "good"))
		bad.send(post("k", body))
		bad.expect("behind POST /e/k " + body)
		s := <-w.log.held
		if string(s.records) != join("good") {
			t.Errorf("log %q", s.records)
		}
		s.done.Logged(nil)
		good.expect("good")
	}
}

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
				return slices.ContainsFunc(w.loops[0].open(), func(c *conn) bool { return c.state.Load() == touched }) // or it came with the request
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

func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.dial()
	full := errors.New("full")
	for _, change := range []func(*fakeLog){
		func(l *fakeLog) { l.refuse, l.err = full, nil },
		func(l *fakeLog) { l.refuse, l.err = nil, full },
	} {
		w.log.set(change)
		for range 3 {
			c.send(post("k", "a"))
			if status, body, _ := c.receive(); status != 503 || body != "full" {
				t.Errorf("status %d, body %q", status, body)
			}
			c.send(post("k", "plain"))
			c.expect("plain")
		}
	}
	w.log.set(func(l *fakeLog) { l.refuse, l.err = nil, nil })
	c.send(post("k", "b"))
	c.expect("b")
}

// TestRefusedBatch has requests in one batch that need the log, and some that do not.
func TestRefusedBatch(t *testing.T) {
	t.Parallel()
	l := &loop{front: &front{opts: Options{Log: &fakeLog{refuse: errors.New("full")}, MaxBody: MaxRequest}}, handler: fakeHandler{}, buf: make([]byte, MaxRequest)}
	l.turn = &turn{loop: l}
	var ours []int
	for i := range 6 {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = unix.Close(fds[0]), unix.Close(fds[1]) })
		ours = append(ours, fds[1])
		_, _ = unix.Write(fds[1], []byte(post("k", []string{"plain", "event"}[i%2])))
		l.read(&conn{fd: fds[0], unread: true})
	}
	l.submit()
	for i, fd := range ours {
		var b [1000]byte
		n, err := unix.Read(fd, b[:])
		if want := []string{"plain", "full"}[i%2]; err != nil || !strings.HasSuffix(string(b[:n]), want) {
			t.Errorf("%q, error %v; want %s", b[:max(n, 0)], err, want)
		}
	}
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
	until(t, "all are there", func() bool { return w.inLoops() == 3 && !w.loops[0].anyUnread() })
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
		until(t, "it comes in pieces", func() bool { return !w.loops[0].anyUnread() })
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
