// Package record holds what a measurement counts and times while it runs: counters
// and histograms, spread over shards so that concurrent recorders seldom meet.
//
// What does not live here: which events these figures belong to (ledger) and how
// they become a result (loadgen).
package record

import (
	"sync"
	"sync/atomic"
	"time"

	"ingot/loadgen/result"
)

// Clock is the time since the beginning of a session, without steps of the wall clock.
type Clock struct{ start time.Time }

// NewClock starts a session.
func NewClock() Clock { return Clock{start: time.Now()} }

// Now is the time since the start.
func (c Clock) Now() time.Duration { return time.Since(c.start) }

// Latency names a histogram.
type Latency uint8

// Latencies, as package result defines them, and Lag: how late requests were sent
// by a client that was free.
const (
	Request Latency = iota
	Service
	FirstCall
	Step
	Complete
	Wake
	Lag
	latencies
)

// Name is the name in a result; "" for those that are not reported as such.
func (l Latency) Name() string {
	return [latencies]string{result.Request, result.Service, result.FirstCall, result.Step, result.Complete, result.Wake, ""}[l]
}

// Counter names a count.
type Counter uint8

// Counters: those up to Unknown and Errors are the sender's, the others the app's.
const (
	Requests Counter = iota
	Events
	Accepted
	Expected // runs that accepted events start
	Refused
	Unknown
	Started
	Completed
	Steps
	Calls
	Joined    // of Completed, the events of a batch but its first
	Cancelled // runs that another one was seen to end
	DoubledSteps
	Stray
	Errors
	counters
)

// shards is a power of two. Few are enough: a record takes nanoseconds.
const shards = 8

// Recorder is used by many goroutines at once.
type Recorder struct {
	shards [shards]shard
	total  [latencies]*result.Histogram // of closed intervals; belongs to the goroutine that calls Interval
}

type shard struct {
	mu     sync.Mutex
	latest [latencies]*result.Histogram
	counts [counters]atomic.Int64
	_      [64]byte // keeps neighbours off the cache line
}

// New returns an empty recorder.
func New() *Recorder {
	r := new(Recorder)
	for i := range r.shards {
		r.shards[i].latest = histograms()
	}
	r.total = histograms()
	return r
}

func histograms() (h [latencies]*result.Histogram) {
	for i := range h {
		h[i] = result.NewHistogram()
	}
	return h
}

// Add counts n for counter c. key spreads callers over shards.
func (r *Recorder) Add(key uint64, c Counter, n int64) {
	r.shards[key%shards].counts[c].Add(n)
}

// Time records that something took d. Times out of range count as the nearest bound.
func (r *Recorder) Time(key uint64, l Latency, d time.Duration) {
	us := min(max(int64(d/time.Microsecond), result.HistogramMin), result.HistogramMax)
	s := &r.shards[key%shards]
	s.mu.Lock()
	_ = s.latest[l].RecordValue(us) // within its range
	s.mu.Unlock()
}

// Count is the present value of c.
func (r *Recorder) Count(c Counter) int64 {
	var n int64
	for i := range r.shards {
		n += r.shards[i].counts[c].Load()
	}
	return n
}

// Interval is what was recorded since the last call.
type Interval [latencies]*result.Histogram

// Interval closes the current interval, adds it to the total, and returns it in
// `in`, whose former content is dropped. One goroutine at a time may call this.
func (r *Recorder) Interval(in *Interval) {
	for l := range in {
		if in[l] == nil {
			in[l] = result.NewHistogram()
		}
		in[l].Reset()
		for i := range r.shards {
			s := &r.shards[i]
			s.mu.Lock()
			if s.latest[l].TotalCount() > 0 {
				in[l].Merge(s.latest[l].Histogram)
				s.latest[l].Reset()
			}
			s.mu.Unlock()
		}
		if in[l].TotalCount() > 0 {
			r.total[l].Merge(in[l].Histogram)
		}
	}
}

// Reset forgets all latencies and counts: the window begins.
func (r *Recorder) Reset() {
	var in Interval
	r.Interval(&in)
	r.total = histograms()
	for i := range r.shards {
		for c := range r.shards[i].counts {
			r.shards[i].counts[c].Store(0)
		}
	}
}

// Total is everything of the intervals that were closed.
func (r *Recorder) Total(l Latency) *result.Histogram { return r.total[l] }
