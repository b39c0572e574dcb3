package ledger

import (
	"sync"
	"testing"
	"time"
)

func all(run Expectation, branches int) func(int64) (Expectation, int) {
	return func(int64) (Expectation, int) { return run, branches }
}

// position is a call for a position of event seq.
func position(seq int64, run uint64, at, attempt int, fails bool) Call {
	return Call{Seq: seq, Run: run, Position: at, Attempt: attempt, Branch: -1, Fails: fails}
}

func reserve(t *testing.T, l *Ledger, n int) {
	t.Helper()
	if first, ok := l.Reserve(n, time.Second); !ok || first != 0 {
		t.Fatal(first, ok)
	}
	l.Sent(0, n, Accepted)
}

func TestTally(t *testing.T) {
	t.Parallel()
	l := New(10, 0, time.Second)
	if _, ok := l.Reserve(6, time.Second); !ok {
		t.Fatal("no room")
	}
	l.Sent(0, 4, Accepted)
	l.Sent(4, 1, Refused)
	l.Sent(5, 1, Unknown)
	l.Call(position(0, 1, 0, 0, false)) // in time
	l.Answered(0, 2*time.Second, true)
	l.Call(position(1, 2, 0, 0, false)) // late
	l.Answered(1, 3*time.Second, true)
	l.Call(position(2, 3, 0, 0, false)) // under way
	l.Call(position(5, 4, 0, 0, false)) // accepted after all
	l.Answered(5, 2*time.Second, true)
	want := Tally{Events: 6, Accepted: 4, Refused: 1, Unknown: 1, Started: 4, Completed: 3, Late: 1, Lost: 2, LastEnd: 3 * time.Second}
	if got := l.Tally(0, 100, all(Run, 0)); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := l.Tally(3, 4, all(Run, 0)); got.Events != 1 || got.Lost != 1 {
		t.Errorf("a part: %+v", got)
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	l := New(100_000, 0, time.Second)
	for range 10 {
		if _, ok := l.Reserve(9_999, 0); !ok {
			t.Fatal("no room")
		}
	}
	if _, ok := l.Reserve(11, 0); ok {
		t.Error("more than the limit")
	}
	if first, ok := l.Reserve(10, 0); !ok || first != 99_990 {
		t.Error(first, ok)
	}
}

func TestDoubles(t *testing.T) {
	t.Parallel()
	l := New(10, 0, time.Second)
	reserve(t, l, 1)
	for i, c := range []struct {
		call  Call
		again bool
	}{
		{position(0, 1, 0, 0, true), false},  // fails
		{position(0, 1, 0, 1, false), false}, // succeeds
		{position(0, 1, 0, 1, false), true},  // the same call again
		{position(0, 1, 0, 2, false), true},  // another attempt, though it had succeeded
		{position(0, 1, 1, 0, false), false},
		{position(0, 1, 0, 0, true), true}, // back
		{position(0, 1, 2, 0, false), false},
	} {
		if v := l.Call(c.call); v.Again != c.again || v.OtherRun || !v.Known || v.First != (i == 0) {
			t.Errorf("call %d: %+v", i, v)
		}
	}
	if v := l.Call(position(0, 2, 0, 0, false)); !v.OtherRun || v.First {
		t.Errorf("a second run: %+v", v)
	}
	if v := l.Call(position(1, 2, 0, 0, false)); v.Known {
		t.Errorf("an event that was never sent: %+v", v)
	}
	if got := l.Tally(0, 1, all(Run, 0)); got.DoubledRuns != 1 {
		t.Errorf("%+v", got)
	}
	if p := l.Position(0); p != 2 {
		t.Errorf("position %d", p)
	}
}

func TestBranches(t *testing.T) {
	t.Parallel()
	const n = 130 // three words
	l := New(10, n, time.Second)
	reserve(t, l, 3)
	for b := range n {
		c := Call{Seq: 2, Run: 1, Branch: b, Fails: true}
		if l.Call(c).Again {
			t.Errorf("branch %d has not succeeded", b)
		}
		if c.Fails = false; l.Call(c).Again || !l.Call(c).Again {
			t.Errorf("branch %d", b)
		}
	}
	l.Answered(2, time.Second, true)
	l.Answered(1, time.Second, true)
	if got := l.Tally(2, 3, all(Run, n)); got.MissingBranches != 0 {
		t.Errorf("%+v", got)
	}
	if got := l.Tally(1, 2, all(Run, n)); got.MissingBranches != n {
		t.Errorf("%+v", got)
	}
}

// TestTogether has senders and callers meet at the same events.
func TestTogether(t *testing.T) {
	t.Parallel()
	const n = 3 * chunkSize / 2
	l := New(n, 2, time.Minute)
	var all4 sync.WaitGroup
	var completed [4]int
	for w := range 4 {
		all4.Go(func() {
			for range n / 4 {
				first, ok := l.Reserve(1, 1)
				if !ok {
					t.Error("no room")
					return
				}
				l.Sent(first, 1, Accepted)
				l.Call(position(first/2*2, uint64(first/2+1), 0, 0, false))
				if l.Answered(first/2*2, 2, true) {
					completed[w]++
				}
			}
		})
	}
	all4.Wait()
	if got := l.Tally(0, n, all(Run, 0)); got.Completed != n/2 || got.Accepted != n || got.DoubledRuns != 0 {
		t.Errorf("%+v", got)
	}
	if sum := completed[0] + completed[1] + completed[2] + completed[3]; sum != n/2 {
		t.Errorf("%d completions", sum)
	}
}

// TestMayRun: of events that may be skipped, only runs that have started can be lost.
func TestMayRun(t *testing.T) {
	t.Parallel()
	l := New(10, 0, time.Second)
	reserve(t, l, 5)
	for seq := range int64(4) {
		l.Call(position(seq, uint64(seq+1), 0, 0, false))
	}
	l.Answered(0, time.Second, true)
	want := Tally{Events: 5, Accepted: 5, Started: 4, Completed: 1, Lost: 3, Skipped: 1, LastEnd: time.Second}
	if got := l.Tally(0, 5, all(MayRun, 0)); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	want.Lost, want.Cancelled = 0, 3
	if got := l.Tally(0, 5, all(MayComplete, 0)); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	l := New(10, 0, time.Second)
	reserve(t, l, 3)
	l.Call(position(0, 1, 0, 0, false))
	if !l.Join(1, 1) || l.Join(1, 2) || l.Join(0, 2) || l.Join(5, 1) {
		t.Error("an event joins one run, once")
	}
	if got := l.Tally(0, 3, all(Run, 0)); got.DoubledRuns != 2 || got.Started != 2 {
		t.Errorf("%+v", got)
	}
	if e, ok := l.Event(1); !ok || e != (Event{Intended: time.Second, Accepted: true, Started: true}) {
		t.Errorf("%+v", e)
	}
	if _, ok := l.Event(5); ok {
		t.Error("an event that was never sent")
	}
}
