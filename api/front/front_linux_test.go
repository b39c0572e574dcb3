package front

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

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
	l := stillLoop(&fakeLog{refuse: errors.New("full")})
	var ours []int
	for i := range 6 {
		ours = append(ours, l.lookAt(t, post("k", []string{"plain", "event"}[i%2])))
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

// stillLoop is a loop that does not run.
func stillLoop(log *fakeLog) *loop {
	l := &loop{front: &front{opts: Options{Log: log, MaxBody: MaxRequest}}, handler: fakeHandler{}, buf: make([]byte, MaxRequest)}
	l.turn = &turn{loop: l}
	return l
}

// lookAt has the loop look at a new connection with bytes in it, and returns its other end.
func (l *loop) lookAt(t *testing.T, sent string) int {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = unix.Close(fds[0]), unix.Close(fds[1]) })
	if _, err := unix.Write(fds[1], []byte(sent)); err != nil {
		t.Fatal(err)
	}
	l.look(&conn{fd: fds[0], unread: true})
	return fds[1]
}

// TestLargeTurn goes to the log in parts, and its memory is not kept.
func TestLargeTurn(t *testing.T) {
	t.Parallel()
	log := &fakeLog{}
	l := stillLoop(log)
	request := post("k", strings.Repeat("x", 60<<10))
	for range 5 {
		l.lookAt(t, request)
	}
	if n := len(log.logged()); n < turnBytes || n > turnBytes+MaxRequest {
		t.Errorf("%d bytes are in the log", n)
	}
	log.teller.Wait()
	if len(l.idle) != 1 || cap(l.idle[0].Records) > keptTurn {
		t.Errorf("%d turns are kept", len(l.idle))
	}
	l.keep(&turn{Batch: Batch{Records: make([]byte, keptTurn+1)}})
	if len(l.idle) != 1 {
		t.Error("a large turn is kept")
	}
}
