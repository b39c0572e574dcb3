package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"ingot/internal/deadline"
)

// conn is a connection to an app. While it is out of the pool one worker owns it.
type conn struct {
	net.Conn
	endpoint endpoint
	// exchanges counts the requests begun on it.
	exchanges int
	// received counts the bytes of the answer to the current request.
	received int64
	// readErr is the error that ended reading: fasthttp reports every error before
	// the first byte as EOF.
	readErr error
	// idleUntil is when a pooled connection is no longer to be trusted.
	idleUntil time.Time
	// older and newer are its neighbours among all idle connections.
	older, newer *conn
}

func newConn(nc net.Conn, e endpoint) *conn { return &conn{Conn: deadline.New(nc), endpoint: e} }

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.received += int64(n)
	if err != nil {
		c.readErr = err
	}
	return n, err
}

// closedByPeer reports whether an error says that the other side has ended the
// connection.
func closedByPeer(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	for _, reset := range resetErrors {
		if errors.Is(err, reset) {
			return true
		}
	}
	return false
}

var errPoolClosed = errors.New("the server is shutting down")

// pool keeps idle connections, and knows all others so that it can end them.
type pool struct {
	dialer *dialer
	// idleFor is how long an idle connection is kept if its app does not say less.
	idleFor time.Duration
	// maxIdle bounds the idle connections of all endpoints together: apps come and go, and
	// each connection is an open file. The one whose last use is longest ago
	// makes room.
	maxIdle int

	mu     sync.Mutex
	closed bool
	idle   map[endpoint][]*conn // the last one was used last
	open   map[*conn]struct{}   // all, idle or not
	// idles counts the idle ones; oldest and newest are the ends of their list.
	idles          int
	oldest, newest *conn
	// sweeper is set while there are idle connections.
	sweeper *time.Timer
}

func newPool(d *dialer, idleFor time.Duration, maxIdle int) *pool {
	return &pool{dialer: d, idleFor: idleFor, maxIdle: maxIdle, idle: make(map[endpoint][]*conn), open: make(map[*conn]struct{})}
}

// get returns the connection that was used last, or a new one, made before the
// deadline. With fresh it does not try an idle one. now need not be exact.
func (p *pool) get(ctx context.Context, now, deadline time.Time, e endpoint, fresh bool) (*conn, error) {
	if !fresh {
		c, err := p.takeIdle(now, e)
		if c != nil || err != nil {
			return c, err
		}
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	nc, err := p.dialer.dial(ctx, e)
	if err != nil {
		return nil, err
	}
	c := newConn(nc, e)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = nc.Close()
		return nil, errPoolClosed
	}
	p.open[c] = struct{}{}
	return c, nil
}

// takeIdle returns the newest idle connection, or nil if there is none.
func (p *pool) takeIdle(now time.Time, e endpoint) (*conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errPoolClosed
	}
	list := p.idle[e]
	for len(list) > 0 {
		c := list[len(list)-1]
		list[len(list)-1] = nil
		list = list[:len(list)-1]
		p.idle[e] = list
		p.unlink(c)
		if now.Before(c.idleUntil) {
			return c, nil
		}
		p.end(c)
	}
	return nil, nil
}

// put gives a connection back for reuse; the app will keep it for keepFor.
func (p *pool) put(c *conn, keepFor time.Duration) {
	c.readErr = nil
	c.idleUntil = time.Now().Add(min(keepFor, p.idleFor))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		p.end(c)
		return
	}
	if p.idles >= p.maxIdle {
		p.endOldest()
	}
	p.idle[c.endpoint] = append(p.idle[c.endpoint], c)
	p.link(c)
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(p.idleFor, p.sweep)
	}
}

// link adds c to the list of all idle connections, unlink takes it out. The caller holds
// the lock, here and below.
func (p *pool) link(c *conn) {
	p.idles++
	if c.older = p.newest; c.older == nil {
		p.oldest = c
	} else {
		c.older.newer = c
	}
	p.newest = c
}

func (p *pool) unlink(c *conn) {
	p.idles--
	if c.older == nil {
		p.oldest = c.newer
	} else {
		c.older.newer = c.newer
	}
	if c.newer == nil {
		p.newest = c.older
	} else {
		c.newer.older = c.older
	}
	c.older, c.newer = nil, nil
}

// endOldest closes the connection that has been idle for longest.
func (p *pool) endOldest() {
	c := p.oldest
	list := p.idle[c.endpoint] // in which it is the oldest, too
	if p.idle[c.endpoint] = slices.Delete(list, 0, 1); len(list) == 1 {
		delete(p.idle, c.endpoint)
	}
	p.unlink(c)
	p.end(c)
}

// discard closes a connection that is out of the pool.
func (p *pool) discard(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end(c)
}

// end closes c.
func (p *pool) end(c *conn) {
	delete(p.open, c)
	_ = c.Close() // nothing can be done about an error, and nothing is lost by it
}

// sweep closes what has been idle for too long, and comes again while there is
// something left.
func (p *pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweeper = nil
	if p.closed {
		return
	}
	now := time.Now()
	for e, list := range p.idle {
		keep := list[:0]
		for _, c := range list {
			if now.Before(c.idleUntil) {
				keep = append(keep, c)
			} else {
				p.unlink(c)
				p.end(c)
			}
		}
		clear(list[len(keep):])
		if p.idle[e] = keep; len(keep) == 0 {
			delete(p.idle, e)
		}
	}
	if len(p.idle) > 0 {
		p.sweeper = time.AfterFunc(p.idleFor, p.sweep)
	}
}

// close ends all connections, also those in use.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.sweeper != nil {
		p.sweeper.Stop()
		p.sweeper = nil
	}
	for c := range p.open {
		_ = c.Close()
	}
	clear(p.open)
	clear(p.idle)
	p.idles, p.oldest, p.newest = 0, nil, nil
}
