package e2e

import (
	"slices"
	"testing"
	"time"
)

// restartCases end with what is soonest due, so that it is pending at the kill.
var restartCases = []restartCase{
	{
		fn: "flow-run-limit",
		before: func(t *testing.T, a *nodeApp, fn string) {
			a.post(t, fn, events("e2e/"+fn, of("a", 1)...)...)
			a.wait(t, fn, "started")
			a.post(t, fn, events("e2e/"+fn, of("a", 2)...)...)
		},
		after: func(t *testing.T, a *nodeApp, fn string, _ time.Time) {
			a.post(t, fn, events("e2e/"+fn, append(of("a", 3), of("b", 4)...)...)...)
			sameNumbers(t, "runs", numbers(awaitRuns(t, a, fn, "started", 2)), 1, 4)
			for n := 1; n <= 4; n++ {
				a.release(t, fn, n)
			}
			awaitRuns(t, a, fn, "ended", 4)
			before(t, a, fn, "ended", 1, "started", 2)
			before(t, a, fn, "ended", 2, "started", 3)
		},
	},
	{
		fn: "flow-singleton-skip",
		before: func(t *testing.T, a *nodeApp, fn string) {
			a.post(t, fn, events("e2e/"+fn, of("a", 1)...)...)
			a.wait(t, fn, "started")
		},
		after: func(t *testing.T, a *nodeApp, fn string, _ time.Time) {
			a.post(t, fn, events("e2e/"+fn, append(of("a", 2), of("b", 3)...)...)...)
			sameNumbers(t, "runs", numbers(awaitRuns(t, a, fn, "started", 2)), 1, 3)
			a.release(t, fn, 1)
			a.ended(t, fn, fn, 1)
			a.post(t, fn, events("e2e/"+fn, of("a", 4)...)...)
			sameNumbers(t, "runs after the end of a's", numbers(awaitRuns(t, a, fn, "started", 3)), 1, 3, 4)
		},
	},
	{
		fn: "flow-singleton-cancel",
		before: func(t *testing.T, a *nodeApp, fn string) {
			a.post(t, fn, events("e2e/"+fn, of("a", 1)...)...)
			a.wait(t, fn, "started")
		},
		after: func(t *testing.T, a *nodeApp, fn string, _ time.Time) {
			a.post(t, fn, events("e2e/"+fn, of("a", 2)...)...)
			a.wait(t, fn, "cancelled")
			awaitRuns(t, a, fn, "started", 2)
			a.release(t, fn, 2)
			sameNumbers(t, "runs that ended", numbers(awaitRuns(t, a, fn, "ended", 1)), 2)
		},
	},
	{
		fn: "flow-limit-key",
		before: func(t *testing.T, a *nodeApp, fn string) {
			all := slices.Concat(of("a", 1, 2), of("b", 3, 4), of("c", 5, 6))
			for _, d := range all {
				d["hold"] = true
			}
			a.post(t, fn, events("e2e/"+fn, all...)...)
			a.repeat(t, fn, "in", 3, func() {})
		},
		after: func(t *testing.T, a *nodeApp, fn string, _ time.Time) {
			a.ended(t, fn, fn, 6)
			if n := crowd(each[visit](t, a, fn, "in"), sameUser); n != 1 {
				t.Errorf("%d calls of one user at once, want 1", n)
			}
		},
	},
	{
		fn: "flow-account",
		before: func(t *testing.T, a *nodeApp, fn string) {
			a.post(t, fn, events("e2e/"+fn, data{"n": 1, "hold": true}, data{"n": 2, "hold": true})...)
			a.wait(t, fn, "in")
		},
		after: func(t *testing.T, a *nodeApp, fn string, _ time.Time) {
			a.ended(t, fn, fn+"-one", 2)
			a.ended(t, fn, fn+"-other", 2)
			if n := crowd(each[visit](t, a, fn, "in"), nil); n != 1 {
				t.Errorf("%d calls at once, want 1", n)
			}
		},
	},
	{
		fn: "flow-priority",
		before: func(t *testing.T, a *nodeApp, fn string) {
			a.send(t, "e2e/"+fn, fn, data{"n": 1, "hold": true})
			a.wait(t, fn, "in")
			a.post(t, fn, events("e2e/"+fn,
				data{"n": 4, "p": -100}, data{"n": 3, "p": 10}, data{"n": 2, "p": 500}, data{"n": 5, "p": 600})...)
			a.send(t, "e2e/"+fn+".cancel", fn, data{"n": 5}) // as in the case without a restart
			a.wait(t, fn, "cancelled")
		},
		after: func(t *testing.T, a *nodeApp, fn string, _ time.Time) {
			a.ended(t, fn, fn, 5) // the cancelled one is one of them
			if order := numbers(awaitRuns(t, a, fn, "in", 4)); !slices.Equal(order, []int{1, 2, 3, 4}) {
				t.Errorf("order %v", order)
			}
		},
	},
	{fn: "flow-rate-key", before: oneOf("a"), after: onlyNewOf("b")},
	{fn: "flow-idempotency", before: oneOf("a"), after: onlyNewOf("b")},
	{
		fn: "flow-event-id",
		before: func(t *testing.T, a *nodeApp, fn string) {
			a.post(t, fn, event{Name: "e2e/" + fn, ID: fn, Data: data{"n": 1}})
			a.wait(t, fn, "started")
		},
		after: func(t *testing.T, a *nodeApp, fn string, _ time.Time) {
			a.post(t, fn, event{Name: "e2e/" + fn, ID: fn, Data: data{"n": 2}}, event{Name: "e2e/" + fn, Data: data{"n": 3}})
			sameNumbers(t, "runs", numbers(awaitRuns(t, a, fn, "started", 2)), 1, 3)
		},
	},
	{
		fn:     "flow-batch",
		before: func(t *testing.T, a *nodeApp, fn string) { a.post(t, fn, events("e2e/"+fn, numbered(2)...)...) },
		after: func(t *testing.T, a *nodeApp, fn string, _ time.Time) {
			all := numbered(4)
			a.post(t, fn, events("e2e/"+fn, all[2:]...)...)
			sameBatches(t, await[batch](t, a, fn, "started", 1), []int{1, 2, 3})
		},
	},
	{
		fn: "flow-throttle-burst",
		before: func(t *testing.T, a *nodeApp, fn string) {
			a.post(t, fn, events("e2e/"+fn, numbered(4)...)...)
			a.repeat(t, fn, "started", 3, func() {})
		},
		after: func(t *testing.T, a *nodeApp, fn string, _ time.Time) { awaitRuns(t, a, fn, "started", 3) },
	},
	{
		fn: "flow-throttle",
		before: func(t *testing.T, a *nodeApp, fn string) {
			a.post(t, fn, events("e2e/"+fn, numbered(3)...)...)
			a.wait(t, fn, "started")
		},
		after: func(t *testing.T, a *nodeApp, fn string, sent time.Time) {
			runs := awaitRuns(t, a, fn, "started", 3)
			if order := numbers(runs); !slices.Equal(order, []int{1, 2, 3}) {
				t.Errorf("order %v", order)
			}
			marks := a.timed(t, fn, "started")
			for i, run := range runs {
				first := slices.IndexFunc(each[about](t, a, fn, "started"), func(v about) bool { return v.Run == run.Run })
				notBefore(t, marks[first], sent, time.Duration(i)*2*time.Second)
			}
			a.ended(t, fn, fn, 3)
		},
	},
	debounceOverRestart(),
	{
		fn:     "flow-batch-timeout",
		before: func(t *testing.T, a *nodeApp, fn string) { a.post(t, fn, events("e2e/"+fn, numbered(3)...)...) },
		after: func(t *testing.T, a *nodeApp, fn string, sent time.Time) {
			a.ended(t, fn, fn, 1)
			sameBatches(t, distinct(each[batch](t, a, fn, "started"), func(b batch) string { return b.Run }), []int{1, 2, 3})
			notBefore(t, a.wait(t, fn, "started"), sent, time.Second)
		},
	},
	{
		fn: "flow-debounce",
		before: func(t *testing.T, a *nodeApp, fn string) {
			a.post(t, fn, events("e2e/"+fn, append(of("a", 1, 2), of("b", 3, 4)...)...)...)
		},
		after: func(t *testing.T, a *nodeApp, fn string, sent time.Time) {
			sameNumbers(t, "runs", numbers(awaitRuns(t, a, fn, "started", 2)), 2, 4)
			notBefore(t, a.wait(t, fn, "started"), sent, time.Second)
		},
	},
	{
		fn:     "flow-invoke-debounce",
		before: func(t *testing.T, a *nodeApp, fn string) { a.send(t, "e2e/"+fn, fn, nil) },
		after: func(t *testing.T, a *nodeApp, fn string, _ time.Time) {
			if got := invokedTwice(t, a, fn, fn); got[0].Run == "" || got[0] != got[1] {
				t.Errorf("answers %+v", got)
			}
		},
	},
}

// oneOf starts the only run that a user may have.
func oneOf(user string) func(*testing.T, *nodeApp, string) {
	return func(t *testing.T, a *nodeApp, fn string) {
		a.post(t, fn, events("e2e/"+fn, of(user, 1)...)...)
		a.wait(t, fn, "started")
	}
}

// onlyNewOf checks that only another user starts a run.
func onlyNewOf(user string) func(*testing.T, *nodeApp, string, time.Time) {
	return func(t *testing.T, a *nodeApp, fn string, _ time.Time) {
		a.post(t, fn, events("e2e/"+fn, append(of("a", 2), of(user, 3)...)...)...)
		sameNumbers(t, "runs", numbers(awaitRuns(t, a, fn, "started", 2)), 1, 3)
	}
}

// debounceOverRestart has a debounce that collects events before and after.
func debounceOverRestart() restartCase {
	last := 3
	return restartCase{
		fn: "flow-debounce-timeout",
		before: func(t *testing.T, a *nodeApp, fn string) {
			a.post(t, fn, events("e2e/"+fn, numbered(last)...)...)
		},
		soon: func(t *testing.T, a *nodeApp, fn string, sent time.Time) {
			if time.Since(sent) < 4*time.Second { // else it may be too late
				last++
				a.send(t, "e2e/"+fn, fn, data{"n": last})
			}
		},
		after: func(t *testing.T, a *nodeApp, fn string, sent time.Time) {
			sameNumbers(t, "runs", numbers(awaitRuns(t, a, fn, "started", 1)), last)
			notBefore(t, a.wait(t, fn, "started"), sent, 6*time.Second)
		},
	}
}
