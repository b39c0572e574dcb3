package sender

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is one connection, dialed when it is first used and again after an error.
// One goroutine uses it; others may call Expire and Close.
type Conn struct {
	endpoint *Endpoint
	body     []byte // maxHead bytes for the head, then the body
	in       reader
	began    atomic.Int64 // when the request under way was written (Unix ns); 0 is none

	mu   sync.Mutex
	conn net.Conn
}

// NewConn makes an unconnected Conn.
func NewConn(e *Endpoint) *Conn {
	return &Conn{endpoint: e, body: make([]byte, maxHead, maxHead+4096), in: reader{buf: make([]byte, 0, 4096)}}
}

// Body is the empty buffer to append the next request's body to.
func (c *Conn) Body() []byte { return c.body[maxHead:maxHead] }

// Do posts a body that was appended to Body and returns the answer's status. After
// an error the request may or may not have been taken. Nothing is sent twice.
func (c *Conn) Do(body []byte) (status int, err error) {
	c.own(body)
	conn, err := c.connect()
	if err != nil {
		return 0, err
	}
	c.began.Store(time.Now().UnixNano())
	defer c.began.Store(0)
	if _, err = conn.Write(c.endpoint.frame(c.body)); err == nil {
		c.in.src = conn
		status, err = c.in.response()
	}
	if err != nil || c.in.close {
		c.drop()
	}
	return status, err
}

// own makes body part of the request's buffer: it is, unless appending moved it.
func (c *Conn) own(body []byte) {
	if len(body) <= cap(c.body)-maxHead {
		c.body = c.body[:maxHead+len(body)]
		if len(body) == 0 || &body[0] == &c.body[maxHead] {
			return
		}
	}
	c.body = append(c.body[:maxHead], body...)
	// Room for the next body of this size, so that this happens once.
	c.body = append(c.body, make([]byte, len(body)/4)...)[:maxHead+len(body)]
}

func (c *Conn) connect() (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		return c.conn, nil
	}
	conn, err := c.endpoint.dial()
	if err != nil {
		return nil, err
	}
	c.conn = conn
	c.in.reset()
	return conn, nil
}

func (c *Conn) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		_ = c.conn.Close() // it has failed already, or the server closes it too
		c.conn = nil
	}
}

// Expire ends a request that was written before the given time: its Do returns
// os.ErrDeadlineExceeded. Called now and then, it takes the place of a timer per request.
func (c *Conn) Expire(before time.Time) {
	began := c.began.Load()
	if began == 0 || began >= before.UnixNano() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		_ = c.conn.SetDeadline(time.Unix(1, 0))
	}
}

// Close ends the connection, and a request under way with it.
func (c *Conn) Close() { c.drop() }

// ErrorKind is a short name for an error of Do, for counting.
func ErrorKind(err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "connection closed"
	case errors.Is(err, errMalformed):
		return "malformed response"
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Timeout() {
		return "connect timeout"
	}
	return "connection error"
}

// StatusKind names a status that is no success, for counting.
func StatusKind(status int) string { return fmt.Sprintf("status %d", status) }
