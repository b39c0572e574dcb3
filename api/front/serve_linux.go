package front

import (
	"fmt"
	"runtime/debug"
	"slices"

	"golang.org/x/sys/unix"
)

const (
	// pieceBytes is how much room there is at least for the next piece of a request.
	pieceBytes = 2 << 10
	// spareBuffers bounds the buffers that a loop keeps for requests that come in pieces.
	// A connection without a request has none.
	spareBuffers = 32
)

// touch handles an event of c.
func (l *loop) touch(c *conn, events uint32) {
	if c.state.CompareAndSwap(answering, touched) || c.state.Load() == touched {
		return // whoever answers sees it
	}
	if c.over() {
		return // revisit sees to it
	}
	if events != unix.EPOLLIN {
		c.unread = true // its end follows what can be read, without another event
	}
	l.look(c)
}

// revisit looks at a connection whose turn has ended with something left to do.
func (l *loop) revisit(c *conn) {
	switch {
	case c.gone || c.state.Load() != waiting:
		// An event came first.
	case c.broken:
		l.drop(c)
	case len(c.rest) > 0:
		l.pass(c, c.in) // it is for goroutines to wait for slow clients
	case c.last:
		l.drop(c)
	default:
		c.unread = true
		l.look(c)
	}
}

// sweep ends connections whose time is up.
func (l *loop) sweep() {
	for _, c := range l.open() {
		if c.state.Load() != waiting || c.over() {
			continue
		}
		switch age := l.now.Sub(c.since); {
		case len(c.in) == 0 && age > l.front.opts.IdleTimeout:
			l.drop(c)
		case len(c.in) > 0 && age > l.front.opts.RequestTimeout:
			l.pass(c, c.in)
		}
	}
}

// drain ends the connections that have no request in a turn, and reports whether there
// are no others, which is the end of the loop. What has arrived is served.
func (l *loop) drain() (done bool) {
	for _, c := range l.open() {
		if c.state.Load() != waiting || c.over() {
			continue
		}
		c.unread = true
		l.look(c)
		switch {
		case c.gone || c.state.Load() != waiting || c.over():
		case len(c.in) > 0:
			l.pass(c, c.in)
		default:
			l.drop(c)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.slots) == len(l.free)
}

// look reads c. What its request comes to goes to the log with the turn, or now if the
// turn is large.
func (l *loop) look(c *conn) {
	l.read(c)
	if len(l.turn.Records) >= turnBytes {
		l.submit()
	}
}

// read reads what c has, and serves a request that is whole.
func (l *loop) read(c *conn) {
	if len(c.in) > 0 && len(c.in) >= c.need && l.serve(c, c.in) {
		return
	}
	for {
		b := l.room(c)
		n, err := rawRead(c.fd, b)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			c.unread = false
			return
		case n == 0 && len(c.in) > 0:
			l.pass(c, c.in) // a request that has no end
			return
		case n <= 0:
			l.drop(c)
			return
		case n == len(b):
			c.unread = true
		}
		if l.arrived(c, b[:n]) || !c.unread {
			return
		}
	}
}

// room is where to read to: to the loop's buffer, unless c has the beginning of a request.
func (l *loop) room(c *conn) []byte {
	if len(c.in) == 0 {
		return l.buf
	}
	n := max(c.need-len(c.in), pieceBytes)
	c.in = slices.Grow(c.in, n)
	return c.in[len(c.in):][:n]
}

// arrived looks at what has been read to room. It reports whether c is in another's hands
// now.
func (l *loop) arrived(c *conn, b []byte) bool {
	if len(c.in) == 0 {
		c.since = l.now
		return l.serve(c, b)
	}
	c.in = c.in[:len(c.in)+len(b)]
	return len(c.in) >= c.need && l.serve(c, c.in)
}

// serve serves the request at the beginning of b, what has been read of c. It reports
// whether c is in another's hands now.
func (l *loop) serve(c *conn, b []byte) bool {
	n, v := l.req.parse(b, l.front.opts.MaxBody)
	switch {
	case v == partly:
		c.need = max(n, len(b)+1)
		l.store(c, b)
		return false
	case v == whole && l.take(c):
		c.need = 0
		l.store(c, b[n:])
		return true
	default:
		l.pass(c, b)
		return true
	}
}

// take puts the request into the turn, unless the handler declines.
func (l *loop) take(c *conn) bool {
	t := l.turn
	records, count, responses := len(t.Records), t.Count, len(t.Responses)
	if !l.handle() {
		t.Records, t.Count, t.Responses = t.Records[:records], count, t.Responses[:responses]
		return false
	}
	t.answers = append(t.answers, answer{conn: c, end: len(t.Responses), logged: t.Count > count})
	c.state.Store(answering)
	return true
}

// handle calls the handler. A panic of it costs nobody else's request; whether it
// costs this one is for the server behind to see.
func (l *loop) handle() (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			l.front.opts.Logger.Error("taking events in panicked", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			ok = false
		}
	}()
	return l.handler.Take(&l.turn.Batch, &l.req)
}

// store keeps the bytes of the next request, which are in c.in or in the loop's buffer.
func (l *loop) store(c *conn, b []byte) {
	if len(b) == 0 {
		l.recycle(c)
		return
	}
	if n := len(l.spare); c.in == nil && n > 0 {
		c.in, l.spare = l.spare[n-1], l.spare[:n-1]
	}
	c.in = append(c.in[:0], b...)
}

// recycle takes the buffer of c.
func (l *loop) recycle(c *conn) {
	if c.in != nil && cap(c.in) <= 2*MaxRequest && len(l.spare) < spareBuffers {
		l.spare = append(l.spare, c.in[:0])
	}
	c.in = nil
}
