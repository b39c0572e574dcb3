package pebble

import (
	"math"
	"sync"
	"sync/atomic"
)

// gate lets calls in until it is closed, and waits for those inside. Unlike a
// read-write mutex it may be entered again from inside while it is being closed:
// that is refused instead of waiting.
type gate struct {
	state atomic.Int64 // calls inside; negative since close
	mu    sync.Mutex
	left  sync.Cond
}

const gateClosed = math.MinInt64

func (g *gate) enter() bool {
	if g.state.Add(1) > 0 {
		return true
	}
	g.leave()
	return false
}

func (g *gate) leave() {
	if g.state.Add(-1) == gateClosed {
		g.mu.Lock()
		if g.left.L != nil {
			g.left.Broadcast()
		}
		g.mu.Unlock()
	}
}

// close is called once.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left.L = &g.mu
	g.state.Add(gateClosed)
	for g.state.Load() != gateClosed {
		g.left.Wait()
	}
}
