package sender

import (
	"bufio"
	"context"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"ingot/loadgen/record"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixed gives the same interval n times.
type fixed struct {
	every time.Duration
	n, i  int
}

func (f *fixed) Next() (time.Duration, bool) {
	if f.i == f.n {
		return 0, false
	}
	f.i++
	return time.Duration(f.i-1) * f.every, true
}

// TestPacerIsExact drives a pacer with a clock of its own: every time is given out
// in order, never early, and late by at most the shortest sleep.
func TestPacerIsExact(t *testing.T) {
	t.Parallel()
	for _, every := range []time.Duration{time.Microsecond, 100 * time.Microsecond, 7 * time.Millisecond} {
		var now time.Duration
		const n = 1000
		due := make(chan time.Duration, n)
		given := make([]time.Duration, 0, n)
		p := pacer{now: func() time.Duration {
			for len(due) > 0 { // what was given out up to now
				given = append(given, <-due)
				if at := given[len(given)-1]; now < at || now-at > minSleep {
					t.Fatalf("%s was given out at %s", at, now)
				}
			}
			return now
		}, sleep: func(_ context.Context, until time.Duration) { now = until }}
		if unsent := p.run(t.Context(), &fixed{every: every, n: n}, time.Second, due); unsent != 0 {
			t.Errorf("%d unsent", unsent)
		}
		for at := range due {
			given = append(given, at)
		}
		if len(given) != n || given[0] != time.Second || given[n-1] != time.Second+(n-1)*every {
			t.Errorf("every %s: %d times, from %s to %s", every, len(given), given[0], given[len(given)-1])
		}
	}
}

func TestPacerDropsWhatNobodyTakes(t *testing.T) {
	t.Parallel()
	p := pacer{now: func() time.Duration { return time.Hour }}
	due := make(chan time.Duration, 10)
	if unsent := p.run(t.Context(), &fixed{n: 25}, 0, due); unsent != 15 {
		t.Errorf("%d unsent, want 15", unsent)
	}
}

// serve answers every request on one listener with the same bytes.
func serve(tb testing.TB, answer string) string {
	tb.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go answerAll(c, answer)
		}
	}()
	return "http://" + ln.Addr().String() + "/e/key"
}

func answerAll(c net.Conn, answer string) {
	defer func() { _ = c.Close() }()
	r, out := bufio.NewReader(c), []byte(answer)
	for {
		length := 0
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) > 16 && string(line[:16]) == "Content-Length: " {
				length, _ = strconv.Atoi(string(line[16 : len(line)-2]))
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

func TestDoAllocatesNothing(t *testing.T) {
	e, err := NewEndpoint(serve(t, okAnswer), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := NewConn(e)
	defer c.Close()
	post := func() {
		if status, err := c.Do(append(c.Body(), `{"name":"x"}`...)); err != nil || status != 200 {
			t.Fatal(status, err)
		}
	}
	post()
	if n := testing.AllocsPerRun(200, post); n > 0 && !raceEnabled {
		t.Errorf("%g allocations per request", n)
	}
}

func TestResponses(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		okAnswer: "200",
		"HTTP/1.1 100 Continue\r\n\r\n" + okAnswer:       "200",
		"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n": "503",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n": "200",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}":                                             "200",
		"HTTP/1.1 204 No Content\r\n\r\n":              "204",
		"SMTP ready\r\n":                               "malformed response",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n": "malformed response",
	} {
		e, err := NewEndpoint(serve(t, answer), map[string]string{"X-Test": "1"})
		if err != nil {
			t.Fatal(err)
		}
		c := NewConn(e)
		for range 3 { // a reader that is off by a byte fails at the second one
			status, err := c.Do(append(c.Body(), "body"...))
			got := strconv.Itoa(status)
			if err != nil {
				got = ErrorKind(err)
			}
			if got != want {
				t.Errorf("%q: got %s, want %s (%v)", answer, got, want, err)
			}
		}
		c.Close()
	}
}

// TestBodiesOfAnySize moves the buffer and keeps what was appended.
func TestBodiesOfAnySize(t *testing.T) {
	t.Parallel()
	e, err := NewEndpoint(serve(t, okAnswer), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := NewConn(e)
	defer c.Close()
	for _, n := range []int{0, 1, 4096, 100_000, 10, 1_000_000, 0} {
		if status, err := c.Do(append(c.Body(), make([]byte, n)...)); err != nil || status != 200 {
			t.Errorf("%d bytes: %d, %v", n, status, err)
		}
	}
}

// numbered counts what it sends and hears.
type numbered struct {
	limit      int64
	sent, done atomic.Int64
	failed     atomic.Int64
	early      atomic.Int64
}

func (n *numbered) Append(_ int, b []byte, _ time.Duration) ([]byte, int64, bool) {
	i := n.sent.Add(1)
	return append(b, "{}"...), i, i <= n.limit
}

func (n *numbered) Done(_ int, o *Outcome) {
	n.done.Add(1)
	if o.Err != nil || o.Status != 200 {
		n.failed.Add(1)
	}
	if o.Sent < o.Due || o.Answered < o.Sent {
		n.early.Add(1)
	}
}

func TestOpenLoopSendsEverything(t *testing.T) {
	t.Parallel()
	e, err := NewEndpoint(serve(t, okAnswer), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Endpoint: e, Clients: 3, Timeout: 10 * time.Second, Clock: record.NewClock()})
	defer s.Close()
	w := &numbered{limit: 1 << 40}
	st := s.Run(t.Context(), Load{Work: w, Schedule: &fixed{every: 200 * time.Microsecond, n: 500}, Grace: 10 * time.Second})
	if w.done.Load() != 500 || w.failed.Load()+w.early.Load() != 0 || st.Unsent != 0 {
		t.Errorf("%d answered, %d failed, %d before they were due, %d unsent", w.done.Load(), w.failed.Load(), w.early.Load(), st.Unsent)
	}
	if st.End-st.Start < 499*200*time.Microsecond {
		t.Errorf("it took only %s", st.End-st.Start)
	}
}

func TestClosedLoopEndsWithTheWork(t *testing.T) {
	t.Parallel()
	e, err := NewEndpoint(serve(t, okAnswer), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Endpoint: e, Clients: 5, Timeout: 10 * time.Second, Clock: record.NewClock()})
	defer s.Close()
	w := &numbered{limit: 1000}
	s.Run(t.Context(), Load{Work: w, Duration: time.Minute})
	if w.done.Load() != 1000 || w.failed.Load() != 0 {
		t.Errorf("%d answered, %d failed", w.done.Load(), w.failed.Load())
	}
}

// TestSilenceTimesOut has a server that never answers.
func TestSilenceTimesOut(t *testing.T) {
	t.Parallel()
	e, err := NewEndpoint(serve(t, ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Endpoint: e, Clients: 1, Timeout: 50 * time.Millisecond, Clock: record.NewClock()})
	defer s.Close()
	w := &numbered{limit: 2}
	s.Run(t.Context(), Load{Work: w, Duration: time.Minute})
	if w.done.Load() != 2 || w.failed.Load() != 2 {
		t.Errorf("%d ended, %d failed", w.done.Load(), w.failed.Load())
	}
}
