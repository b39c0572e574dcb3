package transport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"
)

// Idle connections are bounded for all endpoints together, and the one that has been idle
// for longest makes room. The model is a list of them in that order.
func TestIdleConnectionsAreBounded(t *testing.T) {
	const maxIdle = 8
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		p := newPool(nil, time.Hour, maxIdle)
		var model []*conn // the oldest first
		var used []*conn
		wires := map[*conn]*noted{}
		for range 300 {
			e := endpoint{host: fmt.Sprint("app", rnd.IntN(5))}
			switch rnd.IntN(5) {
			case 0, 1: // a call to an app
				want := (*conn)(nil)
				for _, c := range model {
					if c.endpoint == e {
						want = c
					}
				}
				c, err := p.takeIdle(time.Now(), e)
				if err != nil || c != want {
					t.Fatalf("seed %d: took %p, %v; want %p", seed, c, err, want)
				}
				if c == nil {
					nc := &noted{}
					c = newConn(nc, e)
					wires[c] = nc
					p.open[c] = struct{}{}
				}
				model = slices.DeleteFunc(model, func(o *conn) bool { return o == c })
				used = append(used, c)
			case 2, 3: // it is answered
				if len(used) > 0 {
					i := rnd.IntN(len(used))
					p.put(used[i], time.Hour)
					if model = append(model, used[i]); len(model) > maxIdle {
						if !wires[model[0]].closed {
							t.Fatalf("seed %d: the oldest is open", seed)
						}
						model = model[1:]
					}
					used = slices.Delete(used, i, i+1)
				}
			default: // some have been idle for too long
				if rnd.IntN(4) == 0 {
					for _, c := range model {
						if rnd.IntN(2) == 0 {
							c.idleUntil = time.Time{}
						}
					}
					p.sweep()
					model = slices.DeleteFunc(model, func(c *conn) bool { return c.idleUntil.IsZero() })
				}
			}
			n := 0
			for c := p.oldest; c != nil; c = c.newer {
				if n >= len(model) || c != model[n] || wires[c].closed {
					t.Fatalf("seed %d: idle connection %d of %d is another one", seed, n, len(model))
				}
				n++
			}
			if n != len(model) || p.idles != n || len(p.open) != n+len(used) {
				t.Fatalf("seed %d: %d idle connections in the list, %d counted, %d open, want %d and %d in use", seed, n, p.idles, len(p.open), len(model), len(used))
			}
		}
		p.close()
	}
}

// noted is a connection that knows whether it is closed.
type noted struct {
	net.Conn
	closed bool
}

func (n *noted) Close() error {
	n.closed = true
	return nil
}
