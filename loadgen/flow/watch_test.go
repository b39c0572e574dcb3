package flow

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"ingot/loadgen/ledger"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

// watch watches one function of a session with n accepted events, sent 1 ms apart.
func watch(t *testing.T, c Config, n int) (*Watch, *Function, *ledger.Ledger) {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	l := ledger.New(int64(n), 0, time.Minute)
	for i := range n {
		if _, ok := l.Reserve(1, time.Duration(i)*ms); !ok {
			t.Fatal("no room")
		}
		l.Sent(int64(i), 1, ledger.Accepted)
	}
	w := NewWatch(l)
	return w, w.Function(c, true), l
}

// expect compares what was broken.
func expect(t *testing.T, w *Watch, want map[string]int64) {
	t.Helper()
	seen, given := w.Seen()
	if !given || !maps.Equal(seen.Broken, want) {
		t.Errorf("broken: %v, want %v", seen.Broken, want)
	}
}

func TestNothingIsWatchedWithoutFlowControl(t *testing.T) {
	t.Parallel()
	w := NewWatch(nil)
	if w.Function(Config{}, true) != nil {
		t.Error("a function is watched")
	}
	if _, given := w.Seen(); given {
		t.Error("something was seen")
	}
}

func TestCallsAtOnce(t *testing.T) {
	t.Parallel()
	w, f, _ := watch(t, Config{Limit: 2, Keys: 3}, 0)
	for seq := range int64(6) { // two of each key
		f.Enter(seq)
	}
	expect(t, w, map[string]int64{})
	f.Leave(0)
	f.Enter(3)
	f.Enter(4) // a third of key 1
	expect(t, w, map[string]int64{broken[callLimit]: 1})
	if seen, _ := w.Seen(); seen.Calls != 3 {
		t.Errorf("%d calls at once", seen.Calls)
	}
}

// TestSharedScope: two functions count together, each against its own limit.
func TestSharedScope(t *testing.T) {
	t.Parallel()
	w := NewWatch(nil)
	a := w.Function(Config{Limit: 3, Keys: 2, Scope: ScopeEnv}, false)
	b := w.Function(Config{Limit: 1, Keys: 4, Scope: ScopeAccount}, false)
	a.Enter(0)
	a.Enter(2)
	b.Enter(3) // alone with its key
	expect(t, w, map[string]int64{})
	b.Enter(0)
	expect(t, w, map[string]int64{broken[callLimit]: 1})
}

func TestRunsAtOnce(t *testing.T) {
	t.Parallel()
	w, f, _ := watch(t, Config{RunLimit: 1}, 0)
	f.Start(0, sec, 0)
	f.End(0)
	f.Start(1, sec, 0)
	expect(t, w, map[string]int64{})
	f.Start(2, sec, 0)
	expect(t, w, map[string]int64{broken[runLimit]: 1})
}

// TestThrottle: a burst of limit and burst is right, then one per emission; what the
// app sees late makes the next seem early.
func TestThrottle(t *testing.T) {
	t.Parallel()
	c := Config{Throttle: Rate{Limit: 10, Period: sec, Burst: 2}}
	w, f, _ := watch(t, c, 0)
	const late = 300 * ms // of what is seen first
	for seq := range int64(12) {
		f.Start(seq, sec+late, 0)
	}
	for i := range int64(50) {
		f.Start(12+i, sec+max(late, time.Duration(i+1)*100*ms), 0)
	}
	expect(t, w, map[string]int64{})
	if seen, _ := w.Seen(); seen.Ahead != late {
		t.Errorf("ahead by %s", seen.Ahead)
	}
	w, f, _ = watch(t, c, 0)
	for i := range int64(200) { // twice as fast
		f.Start(i, sec+time.Duration(i)*50*ms, 0)
	}
	// In 10 s 112 are due, and 5 more are within slack.
	expect(t, w, map[string]int64{broken[throttled]: 200 - 12 - 99 - 5})
}

// TestRateLimit: a tenth of the limit at once, the rest one per emission, measured by
// when their events can have been admitted.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	c := Config{RateLimit: Rate{Limit: 10, Period: 10 * sec}}
	w, f, _ := watch(t, c, 0)
	f.Start(0, sec, sec)
	f.Start(1, sec, sec)
	f.Start(2, 2*sec, 2*sec)
	expect(t, w, map[string]int64{})
	f.Start(3, 2500*ms, 2500*ms)
	expect(t, w, map[string]int64{broken[rateLimited]: 1})
	w, f, _ = watch(t, c, 0)
	for seq := range int64(8) { // all are seen at once, but were sent one a second
		f.Start(seq, 9*sec, time.Duration(seq)*sec)
	}
	expect(t, w, map[string]int64{})
}

func TestDebounce(t *testing.T) {
	t.Parallel()
	w, f, _ := watch(t, Config{Debounce: Debounce{Period: 2 * sec}}, 0)
	f.Start(0, 3*sec, sec)
	expect(t, w, map[string]int64{})
	f.Start(1, 5*sec, 3500*ms)
	expect(t, w, map[string]int64{broken[debounced]: 1})
	w, f, _ = watch(t, Config{Debounce: Debounce{Period: 2 * sec, Timeout: 3 * sec}}, 0)
	f.Start(0, 4*sec, 3900*ms) // by the timeout, right after its last event
	f.Start(1, 7*sec, 6900*ms)
	expect(t, w, map[string]int64{})
	f.Start(2, 8*sec, 7*sec)
	expect(t, w, map[string]int64{broken[debounced]: 1})
}

func TestSingletonSkip(t *testing.T) {
	t.Parallel()
	w, f, _ := watch(t, Config{Singleton: Skip, Keys: 2}, 0)
	f.Start(0, sec, 0)
	f.Start(1, sec, 0)
	f.End(0)
	f.Start(2, sec, 0)
	expect(t, w, map[string]int64{})
	if f.Start(4, sec, 0) {
		t.Error("it cancels")
	}
	expect(t, w, map[string]int64{broken[singleRun]: 1})
}

func TestSingletonCancel(t *testing.T) {
	t.Parallel()
	w, f, _ := watch(t, Config{Singleton: Cancel, RunLimit: 1}, 0)
	if f.Start(0, sec, 0) {
		t.Error("there was nothing to cancel")
	}
	f.Continue(0, sec)
	if !f.Start(1, 2*sec, 0) {
		t.Error("the run before goes on")
	}
	f.Continue(0, 2*sec+slack) // was under way
	f.Continue(1, 9*sec)
	f.End(1)
	if f.Start(2, 10*sec, 0) {
		t.Error("the run before had ended")
	}
	f.Start(3, 10*sec, 0) // which of the two is the newer is not known
	f.Continue(2, 11*sec)
	f.Continue(3, 11*sec)
	f.Start(4, 20*sec, 0)
	expect(t, w, map[string]int64{})
	f.Continue(3, 21*sec)
	expect(t, w, map[string]int64{broken[cancelled]: 1})
}

func TestBatches(t *testing.T) {
	t.Parallel()
	for i, tc := range []struct {
		seqs []int64
		now  time.Duration
		p    promise
		n    int64
	}{
		{[]int64{0, 2, 4}, sec, batchTime, 0},
		{[]int64{0, 2}, 3 * sec, batchTime, 0},
		{[]int64{0, 2}, 2 * sec, batchTime, 1},
		{[]int64{0, 2, 4, 6}, sec, batchSize, 1},
		{[]int64{0, 1, 2}, sec, batchKey, 1},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			w, f, _ := watch(t, Config{Batch: Batch{Size: 3, Timeout: 2 * sec}, Keys: 2}, 0)
			f.StartBatch(tc.seqs, tc.now, sec)
			want := map[string]int64{broken[tc.p]: tc.n}
			if tc.n == 0 {
				want = map[string]int64{}
			}
			expect(t, w, want)
		})
	}
}

// TestOrder: events 0, 10 and 20 have priority.
func TestOrder(t *testing.T) {
	t.Parallel()
	w, f, l := watch(t, Config{Priority: 60}, 25)
	start := func(seq int64, now time.Duration) {
		l.Call(ledger.Call{Seq: seq, Run: 1, Branch: -1})
		f.Start(seq, now, time.Duration(seq)*ms)
	}
	start(1, 900*ms) // the others may not have been accepted in time
	for _, seq := range []int64{0, 10, 20, 2, 3} {
		start(seq, 5*sec)
	}
	expect(t, w, map[string]int64{})

	w, f, l = watch(t, Config{Priority: 60}, 25)
	start(0, 5*sec)
	start(1, 5*sec) // 10 waits
	start(10, 5*sec)
	start(2, 5*sec) // 20 waits
	l.Sent(20, 1, ledger.Refused)
	start(3, 5*sec)
	expect(t, w, map[string]int64{broken[ordered]: 2})
}
