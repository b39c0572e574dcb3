package app

import (
	"fmt"
	"sync"
	"time"

	"ingot/loadgen/sender"
)

// postTimeout bounds one checkpoint.
const postTimeout = 30 * time.Second

// maxPosts bounds the connections for checkpoints; further calls wait for a free one.
const maxPosts = 256

// poster posts checkpoints over connections that are used again. The server takes
// the run from the body (spec 01 §13.2), so the path can be the same for all.
type poster struct {
	endpoint *sender.Endpoint
	slots    chan *sender.Conn // nil: not made yet

	mu    sync.Mutex
	conns []*sender.Conn
	stop  chan struct{}
	done  sync.WaitGroup
}

// checkpointPath names no run of its own: this one is any well-formed id.
const checkpointPath = "/v1/checkpoint/01K1V7Q2K4E7Z0S1Q2W3E4R5T6/async"

func newPoster(o Options) (*poster, error) {
	e, err := sender.NewEndpoint(o.Server+checkpointPath, Headers(o.SigningKey))
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	p := &poster{endpoint: e, slots: make(chan *sender.Conn, maxPosts), stop: make(chan struct{})}
	for range maxPosts {
		p.slots <- nil
	}
	p.done.Go(p.expire)
	return p, nil
}

// take returns a connection that give takes back.
func (p *poster) take() *sender.Conn {
	c := <-p.slots
	if c == nil {
		c = sender.NewConn(p.endpoint)
		p.mu.Lock()
		p.conns = append(p.conns, c)
		p.mu.Unlock()
	}
	return c
}

func (p *poster) give(c *sender.Conn) { p.slots <- c }

func (p *poster) expire() {
	tick := time.NewTicker(postTimeout / 10)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-tick.C:
			p.mu.Lock()
			for _, c := range p.conns {
				c.Expire(now.Add(-postTimeout))
			}
			p.mu.Unlock()
		}
	}
}

func (p *poster) close() {
	close(p.stop)
	p.done.Wait()
	for _, c := range p.conns {
		c.Close()
	}
}
