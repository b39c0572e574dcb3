package front

import (
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestClose has a connection in every state when the front closes.
func TestClose(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.hold()
	fresh, idle, busy, piped, half, part, behind := w.dial(), w.dial(), w.dial(), w.dial(), w.dial(), w.dial(), w.dial()
	var held []submit
	idle.send(post("k", "idle"))
	(<-w.log.held).done.Logged(nil)
	idle.expect("idle")
	for c, request := range map[*client]string{busy: post("k", "busy"), piped: post("k", "one") + post("k", "two"), half: post("k", "half") + "POST"} {
		c.send(request)
		held = append(held, <-w.log.held)
	}
	part.send("POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\npa")
	behind.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	behind.expect("behind GET / ")
	until(t, "all are in their state", func() bool { return w.inLoops() == 6 && !w.anyUnread() })

	stopped := make(chan error, 1)
	_ = w.Close()
	go func() { stopped <- w.behind.Shutdown() }()
	fresh.end()
	idle.end()
	until(t, "what came in part is passed on", func() bool { return w.inLoops() == 3 })
	part.send("rt")
	part.expect("behind POST /e/k part")
	if _, err := net.Dial("tcp", w.Addr().String()); err == nil {
		t.Error("the port is open")
	}
	select {
	case <-w.served:
		t.Error("the front has ended before the log has")
	default:
	}
	for _, s := range held {
		s.done.Logged(nil)
	}
	for c, want := range map[*client]string{busy: "busy", piped: "one", half: "half"} {
		if status, body, last := c.receive(); status != 200 || body != want || !last {
			t.Errorf("status %d, body %q, last %v; want %q and the end", status, body, last, want)
		}
		c.end()
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if len(w.log.held) > 0 {
		t.Errorf("%q was logged after the connection's last response", (<-w.log.held).records)
	}
	part.end()
	behind.end()
}

// TestCloseAtAnyTime closes fronts under load. It finds wake-ups that are lost.
func TestCloseAtAnyTime(t *testing.T) {
	t.Parallel()
	for range 40 {
		w := newWorld(t, nil)
		var clients sync.WaitGroup
		for range 4 {
			c := w.dial()
			clients.Go(func() {
				for {
					if _, err := io.WriteString(c, post("k", "a")+post("k", "b")); err != nil {
						return
					}
					if _, err := io.ReadFull(c.r, make([]byte, 2*len("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"))); err != nil {
						if ne, ok := err.(net.Error); ok && ne.Timeout() {
							t.Error("no answer and no end")
						}
						return
					}
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		w.shutdown()
		clients.Wait()
	}
}

// TestCloseBelow closes the port under the front.
func TestCloseBelow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.dial()
	c.send(post("k", "a"))
	c.expect("a")
	_ = w.Listener.Close()
	c.end()
	if err := <-w.served; err != nil {
		t.Error(err)
	}
	w.served <- nil
}

// TestLastResponse tells the end of the connection where fasthttp does.
func TestLastResponse(t *testing.T) {
	t.Parallel()
	const response = "HTTP/1.1 200 OK\r\nX: y\r\n\r\na\r\n\r\nb"
	want := strings.Replace(response, "y\r\n", "y\r\nConnection: close\r\n", 1)
	if got := string(lastResponse([]byte(response))); got != want {
		t.Errorf("%q", got)
	}
}

// TestNoTCP is left alone.
func TestNoTCP(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if Listen(ln, Options{}) != ln {
		t.Error("not the listener itself")
	}
}
