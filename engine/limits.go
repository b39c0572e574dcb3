package engine

import (
	"slices"

	"ingot/engine/expr"
	"ingot/engine/function"

	"github.com/cespare/xxhash/v2"
)

// What a run needs to know of the limits that it comes under. Keys are evaluated
// once, when the run is created; the limits themselves are those of the current
// configuration (spec 03 §21.7).

// runLimits are the places that a run holds; nil for most.
type runLimits struct {
	// lock is the singleton's lock that the run holds, slot the place in its run limit;
	// zero if none.
	lock, slot flowID
	// displaced says that the run, which has started, has lost the place in its run limit
	// since it was a dead letter. It waits for one before its next call, as others do
	// before their first one.
	displaced bool
}

// limited returns the run's places, made if there are none.
func (r *run) limited() *runLimits {
	if r.limits == nil {
		r.limits = &runLimits{}
	}
	return r.limits
}

// limitExpr identifies an expression of a function among its others.
func limitExpr(kind flowKind, scope function.Scope, source []byte) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(uint64(kind)<<8 | uint64(scope))
	_, _ = d.Write(source)
	return d.Sum64()
}

// keyRule is a key expression of a function, with what does not depend on the run.
type keyRule struct {
	kind flowKind
	key  *expr.Expr
	// limit is the limit that the key belongs to; of a throttle its key alone.
	limit *function.Concurrency
	field string // for the log
	expr  uint64
	// of is what the ids of the key's values are made of besides: what the key counts in,
	// and the expression's text.
	of hasher
}

// keyRules are the rules of a function, in the order in which runs have their keys.
type keyRules struct {
	fn    *function.Function
	rules []keyRule
	// one says that one limit of calls, of the function's own, is all that its runs have
	// to pass besides its limit without a key.
	one bool
}

// rules returns a function's rules, as that version of it has them.
func (p *partition) rules(fn *function.Function) []keyRule {
	k := &p.queue(fn.ID).keys
	if k.fn == fn {
		return k.rules
	}
	*k = keyRules{fn: fn}
	for i := range fn.Concurrency {
		k.add(flowConcurrency, &fn.Concurrency[i], "concurrency.key")
	}
	if fn.RunLimit != nil {
		k.add(flowRuns, fn.RunLimit, "concurrency.fn.key")
	}
	if t := fn.Throttle; t != nil {
		k.add(flowThrottle, &function.Concurrency{Key: t.Key}, "throttle.key")
	}
	if len(k.rules) == 1 && !limitsStarts(fn) {
		c := k.rules[0]
		k.one = c.kind == flowConcurrency && c.limit.Scope == function.ScopeFunction && c.limit.Limit > 0
	}
	return k.rules
}

func (k *keyRules) add(kind flowKind, c *function.Concurrency, field string) {
	if c.Key == nil {
		return
	}
	owner := k.fn.ID[:]
	if c.Scope != function.ScopeFunction {
		owner = []byte{byte(c.Scope)} // the same for all functions
	}
	src := source(c.Key)
	r := keyRule{kind: kind, key: c.Key, limit: c, field: field, expr: limitExpr(kind, c.Scope, src)}
	r.of.reset(kind)
	r.of.add(owner)
	r.of.add(src)
	k.rules = append(k.rules, r)
}

// assignKeys evaluates the function's keys for a new run.
func (p *partition) assignKeys(r *run, fn *function.Function) {
	rules := p.rules(fn)
	if len(rules) == 0 {
		return
	}
	ev := firstEvent(r.events)
	keys := p.sets.room(len(rules))
	for i := range rules {
		k := &rules[i]
		value, _, err := p.keyValue(k.key, ev)
		if err != nil {
			p.keyFault(fn, k.field, err)
		}
		id := k.of // hash128 of the kind, what the key counts in, the expression and its value
		id.add(value)
		keys[i] = limitKey{k.expr, id.sum()}
	}
	r.keys = p.sets.share(keys)
}

// gatesFor appends the gates that runs with such keys pass before a call. start says
// that it is the first one of the run. Those of shared limits come last, all lanes have
// them in one order: a lane that holds a lease and waits for another one can then not
// wait for itself, round some corners.
func (p *partition) gatesFor(gates []*gate, fn *function.Function, keys *keySet, start bool) []*gate {
	if fn == nil {
		return gates
	}
	var shared []*gate
	rules := p.rules(fn)
	for i := range rules {
		k := &rules[i]
		if k.kind != flowConcurrency || k.limit.Limit <= 0 {
			continue
		}
		if id, ok := keys.key(k.expr); ok {
			g := p.gate(flowConcurrency, fn, k.limit.Scope, id)
			p.limitGate(g, k.limit.Limit)
			if g.lease != nil {
				shared = append(shared, g)
			} else {
				gates = append(gates, g)
			}
		}
	}
	slices.SortFunc(shared, func(a, b *gate) int { return a.key.id.compare(b.key.id) })
	if start {
		gates = append(gates, p.startGates(fn, keys)...)
	}
	return append(gates, shared...)
}

// startGates returns the gates that only first calls pass.
func (p *partition) startGates(fn *function.Function, keys *keySet) (gates []*gate) {
	if c := fn.RunLimit; c != nil && c.Limit > 0 {
		if id, ok := p.startKey(fn, keys, flowRuns, c); ok {
			g := p.gate(flowRuns, fn, function.ScopeFunction, id)
			g.max = c.Limit
			gates = append(gates, g)
		}
	}
	if t := fn.Throttle; t != nil {
		if id, ok := p.startKey(fn, keys, flowThrottle, &function.Concurrency{Key: t.Key}); ok {
			g := p.gate(flowThrottle, fn, function.ScopeFunction, id)
			g.rate = throttleRate(t)
			gates = append(gates, g)
		}
	}
	return gates
}

// firstGates are the start gates of first calls that share a lane with others.
func (p *partition) firstGates(l *lane) []*gate {
	if !l.hasFirsts && limitsStarts(l.q.fn) {
		l.firsts, l.hasFirsts = p.startGates(l.q.fn, l.keys), true
		for _, g := range l.firsts {
			g.refs++
		}
	}
	return l.firsts
}

func (p *partition) dropFirsts(l *lane) {
	for _, g := range l.firsts {
		p.unref(g)
	}
	l.firsts, l.hasFirsts = nil, false
}

// mayStart reports whether a first call in a lane with others may be made: the limits on
// starts have room, and nobody waits for it.
func (p *partition) mayStart(l *lane) bool {
	for _, g := range p.firstGates(l) {
		if len(g.waiting) > 0 || g.room(p.now) <= g.picked {
			return false
		}
	}
	return true
}

// startsFreely reports whether a new run may take its place among those that go on: as
// long as a limit on starts is not reached, a lane of its own would only cost.
func (p *partition) startsFreely(q *fnQueue, keys *keySet) bool {
	if s := q.findLane(keys, true); q.spill.on || s != nil && !s.empty() {
		return false
	}
	l := p.lane(q, keys, false)
	if l == nil {
		return false
	}
	if !p.mayStart(l) {
		p.dropLane(l)
		return false
	}
	return true // the run is about to be put there
}

// startKey is the id of a limit on starts, which may be without a key.
func (p *partition) startKey(fn *function.Function, keys *keySet, kind flowKind, c *function.Concurrency) (flowID, bool) {
	if c.Key == nil {
		return hash128(kind, fn.ID[:], nil, nil), true
	}
	return keys.key(limitExpr(kind, function.ScopeFunction, source(c.Key)))
}

// limitsStarts reports whether first calls come under limits of their own.
func limitsStarts(fn *function.Function) bool {
	return fn != nil && (fn.Throttle != nil || fn.RunLimit != nil && fn.RunLimit.Limit > 0)
}

// runKey is the key in the run limit of a run with such keys; false if it needs no place.
func (p *partition) runKey(fn *function.Function, keys *keySet) (flowID, bool) {
	if fn == nil || fn.RunLimit == nil || fn.RunLimit.Limit <= 0 {
		return flowID{}, false
	}
	return p.startKey(fn, keys, flowRuns, fn.RunLimit)
}

// starts reports whether the run's next call comes under the limits on starts: the first
// one, and the next one of a run that has lost its place.
func (p *partition) starts(fn *function.Function, r *run) bool {
	if r.startedAt == 0 {
		return limitsStarts(fn)
	}
	if r.limits == nil || !r.limits.displaced {
		return false
	}
	_, ok := p.runKey(fn, r.keys)
	return ok
}

// sharesLimit reports whether a function has a limit of wider scope.
func sharesLimit(fn *function.Function) bool {
	return fn != nil && slices.ContainsFunc(fn.Concurrency, func(c function.Concurrency) bool { return c.Key != nil && c.Scope != function.ScopeFunction })
}

// Which ids of a run's flow control are stored, and whether it is displaced.
const (
	hasLock = 1 << iota
	hasSlot
	hasLane
	isDisplaced
)

// flowControlled reports whether a run's record says something of flow control.
func (r *run) flowControlled() bool { return r.keys != nil || r.limits != nil || r.line != lineReady }

func (e *encoder) limits(r *run) {
	var l runLimits
	if r.limits != nil {
		l = *r.limits
	}
	if r.keys == nil {
		e.uint(0)
	} else {
		e.uint(uint64(len(r.keys.keys)))
		for i := range r.keys.keys {
			e.b = appendUint64(e.b, r.keys.keys[i].expr)
			e.id(r.keys.keys[i].id)
		}
	}
	at := len(e.b)
	e.byte(b2u(l.displaced) * isDisplaced)
	for i, id := range [...][16]byte{l.lock, l.slot, r.keys.lineID(r.line)} {
		if id != ([16]byte{}) {
			e.b[at] |= 1 << i
			e.id(id)
		}
	}
}

func (d *decoder) limits(r *run, sets *keySets) {
	if n := d.count(24); n > 0 {
		keys := sets.room(n)
		for i := range keys {
			keys[i] = limitKey{expr: d.uint64(), id: d.id()}
		}
		r.keys = sets.share(keys)
	}
	has := d.byte()
	if has&(hasLock|hasSlot|isDisplaced) != 0 {
		r.limits = &runLimits{displaced: has&isDisplaced != 0}
	}
	if has&hasLock != 0 {
		r.limits.lock = d.id()
	}
	if has&hasSlot != 0 {
		r.limits.slot = d.id()
	}
	if has&hasLane != 0 {
		switch id := d.id(); id {
		case r.keys.laneID(false):
			r.line = lineLane
		case r.keys.laneID(true):
			r.line = lineStart
		default:
			d.fail() // of other keys
		}
	}
}

// misplaced reports whether a run has to pass other gates than its lane's: the
// configuration has changed since it was queued, or it has started meanwhile.
func (p *partition) misplaced(l *lane, r *run) bool {
	start := p.starts(l.q.fn, r)
	if start && !l.start && p.mayStart(l) {
		start = false // it goes with the others
	}
	if r.keys.laneID(start) == l.id {
		return false
	}
	gates := p.gatesFor(nil, l.q.fn, r.keys, start)
	same := slices.Equal(gates, l.gates)
	for _, g := range gates {
		p.forgetGate(g)
	}
	return !same
}
