package api

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

// rawClient is a client that costs nothing but its system calls.
type rawClient struct {
	t       testing.TB
	fd      int
	request []byte
	buf     []byte
	// answer is how long the answers are; known after the first.
	answer int
}

func newRawClient(t testing.TB, addr net.Addr, request string) *rawClient {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: addr.(*net.TCPAddr).Port}); err != nil {
		t.Fatal(err)
	}
	c := &rawClient{t: t, fd: fd, request: []byte(request), buf: make([]byte, 64<<10)}
	c.send()
	n, err := unix.Read(fd, c.buf)
	if err != nil || !bytes.HasPrefix(c.buf[:n], []byte("HTTP/1.1 200 ")) {
		t.Fatalf("%q, error %v", c.buf[:max(n, 0)], err)
	}
	c.answer = n
	return c
}

func (c *rawClient) send() {
	if n, err := unix.Write(c.fd, c.request); err != nil || n != len(c.request) {
		c.t.Errorf("sent %d bytes, error %v", n, err)
	}
}

func (c *rawClient) receive() {
	for got := 0; got < c.answer; {
		n, err := unix.Read(c.fd, c.buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			c.t.Errorf("received %d bytes, error %v", n, err)
			return
		}
		got += n
	}
}

// serveTCP serves s, with its front or without, and returns its address.
func serveTCP(t testing.TB, s *Server, front bool) net.Addr {
	t.Helper()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := port
	if !front {
		ln = plainListener{port}
	}
	serveOn(t, s, ln)
	return port.Addr()
}

// TestFrontIsThere is for the tests here, which would find nothing without it.
func TestFrontIsThere(t *testing.T) {
	t.Parallel()
	s, _ := newIngestServer(Options{})
	addr := serveTCP(t, s, true)
	newRawClient(t, addr, rawRequest(ingestLine, `{"name":"a"}`))
	s.mu.Lock()
	defer s.mu.Unlock()
	if ln, ok := s.listeners[0].(*closeOnce).Listener.(*net.TCPListener); ok {
		t.Errorf("fasthttp accepts from %s itself", ln.Addr())
	}
}

// TestFrontTakesConnectionsBack makes a connection fasthttp's by another request, and then the
// front's again by events.
func TestFrontTakesConnectionsBack(t *testing.T) {
	t.Parallel()
	s, log := newIngestServer(Options{})
	conn, err := net.Dial("tcp", serveTCP(t, s, true).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(conn)
	send := func(requests ...string) {
		t.Helper()
		if _, err := io.WriteString(conn, strings.Join(requests, "")); err != nil {
			t.Fatal(err)
		}
		for _, request := range requests {
			var res fasthttp.Response
			if err := res.Read(r); err != nil || res.StatusCode() != 200 {
				t.Fatalf("%q: status %d, error %v", request, res.StatusCode(), err)
			}
		}
	}
	event := rawRequest(ingestLine, `{"name":"a"}`)
	send(event, rawRequest("GET /health HTTP/1.1", ""))
	if n := s.http.GetOpenConnectionsCount(); n != 1 {
		t.Errorf("fasthttp has %d connections", n)
	}
	for range 10 {
		send(event, event, event)
	}
	for s.http.GetOpenConnectionsCount() != 0 {
		send(event)
	}
	send(event, event)
	if n := len(log.events(t)); n < 33 {
		t.Errorf("%d events", n)
	}
}

// TestFrontDoesNotAllocate sends requests through the loop, the handler and a log that
// answers at once. It does not run in parallel: all of the process's allocations count.
func TestFrontDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector everything allocates")
	}
	for _, c := range []struct {
		name    string
		n       int
		headers []string
	}{{"single", 1, nil}, {"hundred", 100, nil}, {"seeded", 1, []string{headerSeed + ": 1700000000000,MDEyMzQ1Njc4OQ=="}}} {
		s, log := newIngestServer(Options{EventKeys: []string{"a-key-that-is-longer-than-what-fits-on-the-stack-by-the-way"}})
		log.forget = true
		request := rawRequest("POST /e/a-key-that-is-longer-than-what-fits-on-the-stack-by-the-way HTTP/1.1", string(benchEvents(c.n)), c.headers...)
		client := newRawClient(t, serveTCP(t, s, true), request)
		before := log.count
		allocs := testing.AllocsPerRun(500, func() {
			client.send()
			client.receive()
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", c.name, allocs)
		}
		if got := log.count - before; got != 501*c.n {
			t.Errorf("%s: %d events", c.name, got)
		}
	}
}

// BenchmarkFront is a single event over loopback from 64 connections, by the front and by
// fasthttp alone, with a log that only takes its lock. The client's system calls are in it.
func BenchmarkFront(b *testing.B) {
	const connections = 64
	for _, n := range []int{1, 100} {
		for _, front := range []bool{true, false} {
			b.Run(fmt.Sprintf("events=%d/front=%v", n, front), func(b *testing.B) {
				s, log := newIngestServer(Options{})
				log.forget = true
				addr := serveTCP(b, s, front)
				var clients []*rawClient
				for range connections {
					clients = append(clients, newRawClient(b, addr, rawRequest(ingestLine, string(benchEvents(n)))))
				}
				b.ReportAllocs()
				b.ResetTimer()
				for i := 0; i < b.N; i += connections {
					for _, c := range clients {
						c.send()
					}
					for _, c := range clients {
						c.receive()
					}
				}
			})
		}
	}
}
