package engine

import (
	"sync"
	"sync/atomic"
)

// logUnit is a piece of a log (a group of events, or one message) on its way to
// partitions. When every partition that it concerns has committed its effect,
// the log may forget it.
type logUnit struct {
	open atomic.Int32 // commits outstanding, plus one while it is being routed
	end  uint64       // the first sequence number after the unit
	of   *delivery
}

func (u *logUnit) add() { u.open.Add(1) }

// done notes one commit.
func (u *logUnit) done() {
	if u.open.Add(-1) == 0 {
		u.of.advance()
	}
}

// delivery follows the units of one log in order and reports how far the log has
// been delivered whole.
type delivery struct {
	// delivered is called with the first sequence number that is still needed. It
	// must not block.
	delivered func(next uint64)

	mu    sync.Mutex
	units []*logUnit
}

// begin opens a unit that ends before end. The caller calls done once it is routed.
func (d *delivery) begin(end uint64) *logUnit {
	u := &logUnit{end: end, of: d}
	u.open.Store(1)
	d.mu.Lock()
	d.units = append(d.units, u)
	d.mu.Unlock()
	return u
}

func (d *delivery) advance() {
	d.mu.Lock()
	n := 0
	for n < len(d.units) && d.units[n].open.Load() == 0 {
		n++
	}
	var next uint64
	if n > 0 {
		next = d.units[n-1].end
		d.units = append(d.units[:0], d.units[n:]...)
	}
	// Called under the lock, so that reports come in order.
	if n > 0 {
		d.delivered(next)
	}
	d.mu.Unlock()
}
