package flow

import (
	"sync"
	"sync/atomic"
	"time"
)

// Function is the watch over one function. Its methods are for events of the
// session, by number, and may be called at once.
type Function struct {
	Config
	watch *Watch
	cells []cell // by key
	order *order // nil if the order of runs is not judged
}

// cell is what goes on in one key of a function.
type cell struct {
	calls, runs atomic.Int64

	mu        sync.Mutex
	throttle  bucket
	rate      bucket
	latency   time.Duration // highest from an event to its run
	debounced time.Duration // when the last debounced run started; 0 is never
	latest    int64         // event of the singleton's latest run, +1; 0 is none
	since     time.Duration // when that started
	before    time.Duration // when the one before it did
	held      bool          // it goes on
}

// calls is the counter that the limit of calls at once is for.
func (f *Function) calls(seq int64) *atomic.Int64 {
	if shared(f.Scope) {
		return &f.watch.shared[f.Key(seq)]
	}
	return &f.cells[f.Key(seq)].calls
}

// Enter sees that a call for the run of event seq has come. Leave must follow.
func (f *Function) Enter(seq int64) {
	if f.Limit == 0 {
		return
	}
	n := f.calls(seq).Add(1)
	f.watch.calls.see(n)
	if n > int64(f.Limit) {
		f.watch.breach(callLimit)
	}
}

// Leave sees that the call is about to be answered.
func (f *Function) Leave(seq int64) {
	if f.Limit > 0 {
		f.calls(seq).Add(-1)
	}
}

// Start sees the first call for the run of event seq, which was to be sent at the
// given time. It reports whether another run of its key ends by that.
func (f *Function) Start(seq int64, now, intended time.Duration) (cancels bool) {
	c := &f.cells[f.Key(seq)]
	if f.order != nil && f.order.overtakes(f, seq, now, intended) {
		f.watch.breach(ordered)
	}
	if f.Throttle.Limit > 0 || f.Skips() {
		c.mu.Lock()
		f.pace(c, now, intended)
		cancels = f.single(c, seq, now)
		c.mu.Unlock()
	}
	if f.RunLimit > 0 && !cancels { // a run that ends another takes its place
		n := c.runs.Add(1)
		f.watch.runs.see(n)
		if n > int64(f.RunLimit) {
			f.watch.breach(runLimit)
		}
	}
	return cancels
}

// End sees the last answer for the run of event seq, before the server does.
func (f *Function) End(seq int64) {
	c := &f.cells[f.Key(seq)]
	if f.RunLimit > 0 {
		c.runs.Add(-1)
	}
	if f.Singleton == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.latest == seq+1 || f.Singleton == Cancel {
		c.held = false // of two that start together the older one may be seen last
	}
}

// Continue sees a call for the run of event seq that is not its first.
func (f *Function) Continue(seq int64, now time.Duration) {
	if f.Singleton != Cancel {
		return
	}
	c := &f.cells[f.Key(seq)]
	c.mu.Lock()
	defer c.mu.Unlock()
	// Of two that start together the older one may be seen last.
	if c.latest != seq+1 && now-c.since > slack && c.since-c.before > slack {
		f.watch.breach(cancelled)
	}
}

// single enters the run of event seq as the only one of its key.
func (f *Function) single(c *cell, seq int64, now time.Duration) (cancels bool) {
	if f.Singleton == "" {
		return false
	}
	held := c.held
	c.before, c.latest, c.since, c.held = c.since, seq+1, now, true
	if held && f.Singleton == Skip {
		f.watch.breach(singleRun)
	}
	return held && f.Singleton == Cancel
}

// pace judges the time of a start by throttle, rate limit and debounce.
func (f *Function) pace(c *cell, now, intended time.Duration) {
	if t := f.Throttle; t.Limit > 0 {
		f.judge(throttled, &c.throttle, t.emission(), t.Limit+t.Burst, now, slack)
	}
	if r := f.RateLimit; r.Limit > 0 {
		// It was admitted at some time between its sending and now, and so were the others.
		c.latency = max(c.latency, now-intended)
		f.judge(rateLimited, &c.rate, r.emission(), r.Limit/10+1, now, c.latency)
	}
	if d := f.Debounce; d.Period > 0 {
		early := now-intended < d.Period-clocks
		if d.Timeout > 0 { // the event may have come right before it
			early = c.debounced > 0 && now-c.debounced < min(d.Period, d.Timeout)-slack
		}
		if early {
			f.watch.breach(debounced)
		}
		c.debounced = now
	}
}
