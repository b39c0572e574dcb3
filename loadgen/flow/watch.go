package flow

import (
	"sync/atomic"
	"time"

	"ingot/loadgen/ledger"
)

const (
	// slack is how much later than others the app may see what the server decided,
	// on a busy machine.
	slack = 500 * time.Millisecond
	// clocks is how far the server's clock, in milliseconds, may be from the session's.
	clocks = 5 * time.Millisecond
)

// promise is something that a server must keep.
type promise uint8

const (
	callLimit promise = iota
	runLimit
	throttled
	rateLimited
	debounced
	batchSize
	batchTime
	batchKey
	singleRun
	cancelled
	ordered
	promises
)

var broken = [promises]string{
	callLimit:   "more calls at once than the limit",
	runLimit:    "more runs at once than the limit",
	throttled:   "a run earlier than the throttle allows",
	rateLimited: "a run more than the rate limit allows",
	debounced:   "a run before its debounce was over",
	batchSize:   "a batch of more events than its size",
	batchTime:   "a batch that was neither full nor due",
	batchKey:    "a batch with events of several keys",
	singleRun:   "a second run at once of a singleton's key",
	cancelled:   "a call for a run that its singleton had cancelled",
	ordered:     "a run before one with priority that waited",
}

// Watch holds what the functions of one app are seen to do against their flow
// control.
type Watch struct {
	ledger *ledger.Ledger
	// shared counts calls at once in the scopes env and account, by key.
	shared []atomic.Int64
	given  bool // some function has a flow control
	broken [promises]atomic.Int64
	calls  highest
	runs   highest
	batch  highest
	ahead  highest // in µs
}

// NewWatch makes a watch over the events of a ledger.
func NewWatch(l *ledger.Ledger) *Watch { return &Watch{ledger: l} }

// highest is the largest number seen.
type highest struct{ atomic.Int64 }

func (h *highest) see(n int64) {
	for {
		old := h.Load()
		if n <= old || h.CompareAndSwap(old, n) {
			return
		}
	}
}

// Function watches one function. alone says that every event of the session is for
// it: then the order of its runs can be judged. It is nil for no flow control. All
// functions have to be there before the first call.
func (w *Watch) Function(c Config, alone bool) *Function {
	if c == (Config{}) {
		return nil
	}
	w.given = true
	f := &Function{Config: c, watch: w, cells: make([]cell, max(1, c.Keys))}
	if n := max(1, c.Keys); shared(c.Scope) && n > len(w.shared) {
		w.shared = make([]atomic.Int64, n)
	}
	if c.Priority > 0 && c.Keys == 0 && !c.Skips() && alone {
		f.order = &order{}
	}
	return f
}

// Seen is what a watch saw.
type Seen struct {
	Calls, Runs, Batch int64 // highest numbers of one key at once, and events in one batch
	// Ahead is how much earlier than throttles and rate limits allow a run came.
	Ahead  time.Duration
	Broken map[string]int64 // how often each promise was broken
}

// Seen returns false if no function has a flow control.
func (w *Watch) Seen() (Seen, bool) {
	s := Seen{Calls: w.calls.Load(), Runs: w.runs.Load(), Batch: w.batch.Load(),
		Ahead: time.Duration(w.ahead.Load()) * time.Microsecond, Broken: map[string]int64{}}
	for p := range w.broken {
		if n := w.broken[p].Load(); n > 0 {
			s.Broken[broken[p]] = n
		}
	}
	return s, w.given
}

// breach counts a broken promise.
func (w *Watch) breach(p promise) { w.broken[p].Add(1) }
