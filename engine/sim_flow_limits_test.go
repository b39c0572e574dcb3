package engine_test

import "slices"

// Checks of calls: that no limit is exceeded, and that nothing waits without need.

// counts reports whether the call surely counts for a limit: its run was created
// under it, and the call was made under it.
func (c *flowCall) counts(l *stepLimit) bool {
	if c.config == nil || c.config.limitLike(l) == nil {
		return false
	}
	return l.key.src == "" || c.run.created.limitLike(l) != nil
}

// checkCall checks the limits for a call that has just been made.
func (w *flowWorld) checkCall(call *flowCall) {
	for i := range call.config.steps {
		l := &call.config.steps[i]
		if l.limit <= 0 || !call.counts(l) {
			continue
		}
		name := l.name(call.run.fn, l.key.value(call.run.events[0]))
		before, all, limit := 0, 0, l.limit
		for _, c := range w.calls {
			if !c.counts(l) || l.name(c.run.fn, l.key.value(c.run.events[0])) != name {
				continue
			}
			all++
			limit = max(limit, c.config.limitLike(l).limit)
			// Calls of one partition are made in the order of their decisions.
			if c != call && (c.partition == call.partition || (w.back == 0 && c.decided < call.decided)) {
				before++
			}
		}
		if before >= l.limit {
			w.errorf("call of %s while %d are in flight for %s, limit %d", call.run, before, name, l.limit)
		}
		if l.scope != "fn" && all > limit {
			w.errorf("%d calls are in flight for %s, limit %d", all, name, limit)
		}
	}
}

// checkWaiting checks, when nothing more can be done at this time, that each run
// that waits for a call is held back by some limit.
func (w *flowWorld) checkWaiting() {
	for _, r := range w.ledger.active() {
		switch {
		case r.ready && !w.mayCall(r):
		case r.ready:
			w.errorf("%s waits for its next call, but nothing holds it back", r)
		case r.started == 0 && r.due() <= w.now && w.mayCall(r) && w.mayStart(r):
			w.errorf("%s waits for its start since +%d ms, but nothing holds it back", r, r.due()-flowStart)
		}
	}
}

// due is when the run may start by its events, or soon after.
func (r *flowRun) due() int64 { return max(r.at, r.ts) }

// mayCall reports whether no limit on calls holds the run back for sure.
func (w *flowWorld) mayCall(r *flowRun) bool {
	inPartition := make([]int, w.node.Partitions())
	for _, call := range w.calls {
		inPartition[call.partition]++
	}
	if inPartition[r.partition] >= w.maxInFlight {
		return false
	}
	c := r.fn.current()
	for i := range c.steps {
		l := &c.steps[i]
		if l.limit <= 0 || (l.key.src != "" && r.created.limitLike(l) == nil) {
			continue
		}
		// A partition that may make no more calls may keep leases that it cannot use.
		if l.scope != "fn" && slices.Max(inPartition) >= w.maxInFlight {
			return false
		}
		name := l.name(r.fn, l.key.value(r.events[0]))
		n, limit := w.kept(l, name)
		for _, call := range w.calls {
			if l.name(call.run.fn, l.key.value(call.run.events[0])) == name {
				n++
			}
		}
		if n >= min(l.limit, limit) {
			return false
		}
	}
	return true
}

// kept is how much of a shared limit may be kept for runs that wait for another
// shared limit. Nobody may make calls by which theirs would exceed their functions'
// numbers, of which limit is the least.
func (w *flowWorld) kept(l *stepLimit, name string) (n, limit int) {
	limit = l.limit
	if l.scope == "fn" {
		return 0, limit
	}
	for _, r := range w.ledger.running() {
		shared, counts, most := 0, false, limit
		for _, m := range r.fn.current().steps {
			if m.scope != "fn" && m.limit > 0 && r.created.limitLike(&m) != nil {
				shared++
				if m.name(r.fn, m.key.value(r.events[0])) == name {
					counts, most = true, min(most, m.limit)
				}
			}
		}
		if shared > 1 && counts {
			n++
			limit = most
		}
	}
	return n, limit
}

// mayStart reports whether no limit on starts holds the run back for sure.
func (w *flowWorld) mayStart(r *flowRun) bool {
	c := r.fn.current()
	if c.runs != nil && (c.runs.key.src == "" || r.created.runs != nil && r.created.runs.key.src == c.runs.key.src) {
		if _, n := w.ledger.slots(r.fn, c.runs, r.events[0]); n >= c.runs.limit {
			return false
		}
	}
	if t := c.throttle; t != nil && (t.key.src == "" || r.created.throttle != nil && r.created.throttle.key.src == t.key.src) {
		return w.ledger.throttle(r.fn, t, r.events[0]).mustAdmit(w.now-w.back, t)
	}
	return true
}
