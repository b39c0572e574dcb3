package engine

import (
	"container/heap"
	"slices"

	"ingot/engine/function"
)

// Gates: the limits of keys, where lanes wait until a call may pass.
//
// A lane that a gate holds up waits there, and takes no part in its function's round.
// When the gate has room it lets one lane look, which goes on or hands the chance to
// the next, so that the work does not grow with the number of lanes that wait.

// gate is one limit for one value of its key.
type gate struct {
	kind  flowKind
	key   gateKey
	scope function.Scope
	// max is the limit of the current configuration, rate that of a throttle.
	max  int
	rate gcra
	// inUse counts the calls under way of a concurrency limit, picked those of any
	// kind that are about to be made.
	inUse, picked int
	// flow is the stored state of a throttle or run limit.
	flow *flow
	// lease is what a limit of a wider scope is lent; nil for others.
	lease   *lease
	waiting []*lane
	// wakeAt is when a throttle admits the next one, unix ms; 0 if nobody waits. at is
	// its place in the partition's heap.
	wakeAt int64
	at     int

	refs int // lanes that have it
}

// gateKey names a gate: limits of wider scopes are counted once, but each function has
// a limit of its own.
type gateKey struct {
	fn [16]byte
	id flowID
}

// gate returns the gate of a key, made if there is none.
func (p *partition) gate(kind flowKind, fn *function.Function, scope function.Scope, id flowID) *gate {
	k := gateKey{fn.ID, id}
	g := p.gates[k]
	if g == nil {
		g = p.newGate()
		g.kind, g.key, g.scope = kind, k, scope
		p.gates[k] = g
		if kind != flowConcurrency {
			g.flow = p.flow(kind, fn.ID, id)
			g.flow.refs++
		}
		if scope != function.ScopeFunction {
			g.lease = &lease{owner: keyOwner(id, p.set.partitions)}
		} else if kind == flowConcurrency {
			p.countSingle(g)
		}
	}
	return g
}

// unref forgets a gate that no lane has and no call uses.
func (p *partition) unref(g *gate) {
	g.refs--
	p.forgetGate(g)
}

func (p *partition) forgetGate(g *gate) {
	if g.refs > 0 || g.inUse > 0 {
		return
	}
	if g.flow != nil {
		g.flow.refs--
	}
	if g.lease != nil {
		p.giveLeases(g, g.lease.held)
	}
	p.sleepGate(g)
	delete(p.gates, g.key)
	if g.kind == flowConcurrency && g.lease == nil && len(p.freeGates) < keptItems {
		p.freeGates = append(p.freeGates, g) // the calls that have passed it have ended
	}
}

func (p *partition) newGate() *gate {
	n := len(p.freeGates) - 1
	if n < 0 {
		return &gate{}
	}
	g := p.freeGates[n]
	p.freeGates = p.freeGates[:n]
	*g = gate{waiting: g.waiting[:0]}
	return g
}

// room is how many calls may pass now, with those that are picked.
func (g *gate) room(now int64) int {
	switch g.kind {
	case flowThrottle:
		return g.rate.free(g.flow.tat, now*1e6)
	case flowRuns:
		return g.max - g.flow.n
	}
	if g.lease != nil {
		return min(g.max, g.lease.held) - g.inUse
	}
	return g.max - g.inUse
}

// take lets a call of the run pass.
func (p *partition) take(g *gate, r *run) {
	switch g.kind {
	case flowThrottle:
		if r.startedAt != 0 {
			return // it counted when it started
		}
		g.flow.tat = g.rate.take(g.flow.tat, p.now*1e6)
		p.change(g.flow)
	case flowRuns:
		g.flow.n++
		p.tallied(r, g.key.id, 1)
		r.limited().slot = g.key.id
		p.touch(r)
		p.change(g.flow)
	default:
		g.inUse++
	}
}

// give takes back what a call had taken.
func (p *partition) give(g *gate) {
	g.inUse--
	if g.lease != nil && (g.lease.others || g.lease.held > g.max) {
		// What has become free is the others' first.
		p.giveLeases(g, 1)
		p.ask(g)
	}
	p.open(g)
	p.forgetGate(g)
}

// leaveRun gives back the place of an ended run in its run limit.
func (p *partition) leaveRun(r *run) {
	if r.limits == nil || r.limits.slot == (flowID{}) {
		return
	}
	f := p.flow(flowRuns, r.fn, r.limits.slot)
	r.limits.slot = flowID{}
	f.n = max(0, f.n-1)
	p.tallied(r, f.id, -1)
	p.change(f)
	p.look()
	if g := p.gates[gateKey{r.fn, f.id}]; g != nil {
		p.open(g)
	}
}

// block lets a lane wait at a gate.
func (p *partition) block(l *lane, g *gate) {
	l.state, l.blocked = laneBlocked, g
	l.q.held[g.kind]++
	l.keepLeases(1)
	g.waiting = append(g.waiting, l)
	p.spareLane(l)
	p.await(g)
}

// await sees to it that a gate without room opens, if it does not by the end of calls.
func (p *partition) await(g *gate) {
	switch {
	case g.kind == flowThrottle:
		p.wakeGate(g)
	case g.lease != nil:
		p.ask(g)
	}
}

// unblock lets a lane that waits at a gate look again.
func (p *partition) unblock(l *lane) {
	l.leaveGate()
	l.state = laneIdle
	p.advance(l)
}

// keepLeases keeps what the lane holds of shared limits while it waits for another
// one; n is 1, or -1 when it waits no longer.
func (l *lane) keepLeases(n int) {
	if l.blocked.lease == nil {
		return
	}
	for _, g := range l.gates {
		if g == l.blocked {
			return
		}
		if g.lease != nil {
			g.lease.kept += n
		}
	}
}

// leaveGate ends a lane's waiting.
func (l *lane) leaveGate() {
	if l.blocked != nil {
		l.keepLeases(-1)
		l.q.held[l.blocked.kind]--
		l.blocked = nil
	}
}

// open lets one waiting lane look, if the gate has room. It is called again when that
// lane has made use of it, or has not.
func (p *partition) open(g *gate) {
	for len(g.waiting) > 0 {
		if g.room(p.now) <= g.picked {
			p.await(g)
			return
		}
		l := g.waiting[0]
		g.waiting[0] = nil
		g.waiting = g.waiting[1:]
		if l.blocked == g {
			p.unblock(l)
			l.ticket = g
			return
		}
	}
}

// Throttles open by themselves: the partition keeps those with waiting lanes in a heap
// by the time of the next admission.

// gateHeap orders throttles by wakeAt.
type gateHeap []*gate

func (h gateHeap) Len() int           { return len(h) }
func (h gateHeap) Less(i, j int) bool { return h[i].wakeAt < h[j].wakeAt }
func (h gateHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}
func (h *gateHeap) Push(x any) {
	g := x.(*gate)
	g.at = len(*h)
	*h = append(*h, g)
}
func (h *gateHeap) Pop() any {
	old := *h
	g := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return g
}

// wakeGate asks for the throttle to be opened when it admits the next one.
func (p *partition) wakeGate(g *gate) {
	p.bound(g.flow, g.rate)
	next := (g.rate.next(g.flow.tat, p.now*1e6) + 999_999) / 1_000_000
	switch {
	case g.wakeAt == 0:
		g.wakeAt = next
		heap.Push(&p.throttled, g)
	case g.wakeAt != next:
		g.wakeAt = next
		heap.Fix(&p.throttled, g.at)
	}
}

// rewind sets the throttles' times anew, since the clock was set back.
func (p *partition) rewind(now int64) {
	p.now = now
	for _, g := range slices.Clone(p.throttled) {
		p.wakeGate(g)
	}
	if p.lookAt != 0 {
		p.lookAt = now
	}
}

// sleepGate takes a throttle out of the heap.
func (p *partition) sleepGate(g *gate) {
	if g.wakeAt != 0 {
		heap.Remove(&p.throttled, g.at)
		g.wakeAt = 0
	}
}

// openThrottles opens the throttles whose time has come.
func (p *partition) openThrottles() {
	for len(p.throttled) > 0 && p.throttled[0].wakeAt <= p.now {
		g := p.throttled[0]
		p.sleepGate(g)
		p.open(g)
	}
}

// throttleDue is when the next throttle opens, unix ms; 0 if none does.
func (p *partition) throttleDue() int64 {
	if len(p.throttled) == 0 {
		return 0
	}
	return p.throttled[0].wakeAt
}
