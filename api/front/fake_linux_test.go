package front

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot/engine"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// One goroutine makes the Date header of all of fasthttp's servers; the pool of
		// each server cleans up every 10 s and sees only then that the server has stopped.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// limit bounds every wait of the tests.
const limit = 20 * time.Second

// fakeHandler takes bodies whose first letter says what is to be done.
type fakeHandler struct{}

func (fakeHandler) Take(b *Batch, r *Request) bool {
	b.Responses = append(b.Responses, "HTTP/1.1 200 OK\r\nContent-Length: "...)
	b.Responses = fmt.Appendf(b.Responses, "%d\r\n\r\n%s", len(r.Body), r.Body)
	if bytes.HasPrefix(r.Body, []byte("plain")) {
		return true // needs no log
	}
	b.Records = append(append(b.Records, r.Body...), '\n')
	b.Count++
	if bytes.HasPrefix(r.Body, []byte("panic")) {
		panic("a bug")
	}
	return !bytes.HasPrefix(r.Body, []byte("decline"))
}

func (fakeHandler) AppendRefusal(dst []byte, err error) []byte {
	return fmt.Appendf(dst, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n\r\n%s", len(err.Error()), err)
}

// submit is one Log.Submit.
type submit struct {
	records []byte
	count   int
	done    engine.Logged
}

// fakeLog is a log whose submits end as the test says: at once with err, or, if held is
// set, when the test takes them from it.
type fakeLog struct {
	engine.Log
	mu      sync.Mutex
	refuse  error // of Submit itself
	err     error // of Logged
	held    chan submit
	records []byte
	teller  sync.WaitGroup
}

func (l *fakeLog) Submit(records []byte, count int, done engine.Logged) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if count != bytes.Count(records, []byte{'\n'}) {
		panic(fmt.Sprintf("%d records said, in %q", count, records))
	}
	if l.refuse != nil {
		return l.refuse
	}
	if l.held != nil {
		l.held <- submit{bytes.Clone(records), count, done}
		return nil
	}
	if l.err == nil {
		l.records = append(l.records, records...)
	}
	err := l.err
	l.teller.Go(func() { done.Logged(err) })
	return nil
}

func (l *fakeLog) set(change func(l *fakeLog)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

func (l *fakeLog) logged() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.records)
}

// world is a front with a log before a server that says that it is the one behind.
type world struct {
	*front
	t      testing.TB
	log    *fakeLog
	behind *fasthttp.Server
	served chan error
}

func newWorld(t testing.TB, change func(*Options)) *world {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOn(t, ln, change)
}

func newWorldOn(t testing.TB, ln net.Listener, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, log: &fakeLog{}, served: make(chan error, 1)}
	o := Options{
		NewHandler: func() Handler { return fakeHandler{} }, Log: w.log, MaxBody: MaxRequest, MaxConnections: 1000,
		RequestTimeout: time.Hour, IdleTimeout: time.Hour, WriteTimeout: limit, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	w.front = Listen(ln, o).(*front)
	w.behind = &fasthttp.Server{
		Handler: func(ctx *fasthttp.RequestCtx) {
			fmt.Fprintf(ctx, "behind %s %s %s", ctx.Method(), ctx.Path(), ctx.Request.Body())
			if c := ctx.Conn().(Conn); ctx.IsPost() && c.Event() {
				ctx.Hijack(func(hijacked net.Conn) {
					_ = hijacked.SetReadDeadline(time.Unix(1, 0))
					head, _ := io.ReadAll(hijacked)
					c.Return(head)
				})
			}
		},
		ReadTimeout: limit, CloseOnShutdown: true, Logger: quiet{},
	}
	go func() { w.served <- w.behind.Serve(w.front) }()
	t.Cleanup(w.shutdown)
	return w
}

// hold has the test answer submits. They are for w.log.held then.
func (w *world) hold() { w.log.set(func(l *fakeLog) { l.held = make(chan submit, 100) }) }

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// shutdown ends all, and checks that it does.
func (w *world) shutdown() {
	w.t.Helper()
	stopped := make(chan error, 1)
	go func() { stopped <- w.behind.Shutdown() }()
	_ = w.Close()
	for _, done := range []chan error{w.served, stopped} {
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, net.ErrClosed) {
				w.t.Error(err)
			}
			done <- nil
		case <-time.After(limit):
			w.t.Fatalf("the front does not end: %d connections in loops, %d in all", w.inLoops(), w.count.Load())
		}
	}
	if n := w.count.Load(); n != 0 {
		w.t.Errorf("%d connections are counted after the end", n)
	}
	w.log.teller.Wait()
}

// client is a connection to a front.
type client struct {
	*net.TCPConn
	t testing.TB
	r *bufio.Reader
}

func (w *world) dial() *client {
	w.t.Helper()
	return w.dialBy(net.Dialer{})
}

func (w *world) dialBy(d net.Dialer) *client {
	w.t.Helper()
	c, err := d.Dial("tcp", w.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(limit))
	return &client{c.(*net.TCPConn), w.t, bufio.NewReader(c)}
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		c.t.Fatal(err)
	}
}

// receive returns the status and the body of the next response, and whether it is the last.
func (c *client) receive() (status int, body string, last bool) {
	c.t.Helper()
	var res fasthttp.Response
	if err := res.Read(c.r); err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode(), string(res.Body()), res.ConnectionClose()
}

func (c *client) expect(bodies ...string) {
	c.t.Helper()
	for i, want := range bodies {
		if status, got, _ := c.receive(); status != 200 || got != want {
			c.t.Fatalf("response %d: status %d, body %.100q, want %.100q", i, status, got, want)
		}
	}
}

// end checks that the server ends the connection.
func (c *client) end() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err == nil {
		c.t.Errorf("%q instead of the end", b)
	} else if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		c.t.Error("the connection does not end")
	}
}

// until waits for what other goroutines do.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(start) > limit {
			t.Fatal("this does not happen: " + what)
		}
	}
}

// conns are the connections of the loops.
func (f *front) conns() (all []*conn) {
	for _, l := range f.loops {
		all = append(all, l.open()...)
	}
	return all
}

// inLoops is how many connections the loops have.
func (f *front) inLoops() int { return len(f.conns()) }

// anyUnread reports whether a connection of the loops has bytes that have not been read.
func (f *front) anyUnread() bool {
	return slices.ContainsFunc(f.conns(), func(c *conn) bool {
		n, err := unix.IoctlGetInt(c.fd, unix.TIOCINQ)
		return err == nil && n > 0
	})
}

func numbered(n int, body string) (requests string, bodies []string) {
	for i := range n {
		bodies = append(bodies, fmt.Sprint(body, i))
		requests += post("k", bodies[i])
	}
	return requests, bodies
}

// join is the records of bodies.
func join(bodies ...string) string { return strings.Join(append(bodies, ""), "\n") }
