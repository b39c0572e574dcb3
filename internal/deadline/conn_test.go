package deadline

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// counted counts the deadlines that reach a connection.
type counted struct {
	net.Conn
	mu          sync.Mutex
	read, write []time.Time
}

func (c *counted) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.read = append(c.read, t)
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

func (c *counted) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	c.write = append(c.write, t)
	c.mu.Unlock()
	return c.Conn.SetWriteDeadline(t)
}

func (c *counted) reads() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.read)
}

func pair(t *testing.T) (*Conn, *counted, net.Conn) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	inner := &counted{Conn: a}
	return New(inner), inner, b
}

func TestDeadlinesAreSetOnlyWhenTheyMatter(t *testing.T) {
	t.Parallel()
	c, inner, peer := pair(t)
	go func() {
		for range 100 {
			_, _ = peer.Write([]byte("x"))
		}
	}()
	var b [1]byte
	start := time.Now()
	for i := range 100 {
		// A long wait for the next request, a short one for the rest of it.
		_ = c.SetReadDeadline(start.Add(3*time.Minute + time.Duration(i)*time.Millisecond))
		if _, err := c.Read(b[:]); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(start.Add(20 * time.Second))
	}
	if n := inner.reads(); n != 1 {
		t.Errorf("%d deadlines were set for 100 reads that never waited long", n)
	}
	// Shorter ones, and much longer ones, are set.
	for i, d := range []time.Duration{time.Minute, 2 * time.Minute, 0} {
		at := time.Time{}
		if d > 0 {
			at = start.Add(d)
		}
		_ = c.SetReadDeadline(at)
		go func() { _, _ = peer.Write([]byte("x")) }()
		if _, err := c.Read(b[:]); err != nil {
			t.Fatal(err)
		}
		inner.mu.Lock()
		if got := inner.read[len(inner.read)-1]; len(inner.read) != i+2 || !got.Equal(at) {
			t.Errorf("deadline %v: in force is %v, after %d settings", at, got, len(inner.read))
		}
		inner.mu.Unlock()
	}
}

func TestDeadlinesEndWaitingCalls(t *testing.T) {
	t.Parallel()
	c, _, _ := pair(t)
	var b [1]byte
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := c.Read(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read with a deadline: %v", err)
	}
	_ = c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := c.Write(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write with a deadline: %v", err)
	}
	// While a call waits, a new deadline takes effect at once: also one to end it.
	_ = c.SetDeadline(time.Now().Add(time.Hour))
	done := make(chan error, 1)
	go func() { _, err := c.Read(b[:]); done <- err }()
	for c.read.busy.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	_ = c.SetReadDeadline(time.Now())
	if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read that was ended: %v", err)
	}
}

func TestDeadlinesDoNotAllocate(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	c := New(a)
	at := time.Now().Add(time.Hour)
	if n := testing.AllocsPerRun(100, func() {
		_ = c.SetDeadline(at)
		_ = c.read.set(c.Conn.SetReadDeadline)
	}); n > 0 {
		t.Errorf("%.1f allocations", n)
	}
}
