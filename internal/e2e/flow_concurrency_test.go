package e2e

import (
	"slices"
	"testing"
	"time"
)

var concurrencyCases = []sdkCase{
	{"flow-limit", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-limit", numbered(6)...)...)
		if n := crowd(a.visits(t, key, 6), nil); n != 2 {
			t.Errorf("%d calls at once, want 2", n)
		}
	}},
	{"flow-limit-none", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-limit-none", numbered(5)...)...)
		if n := crowd(a.visits(t, key, 5), nil); n != 5 {
			t.Errorf("%d calls at once, want 5", n)
		}
	}},
	{"flow-limit-key", false, func(t *testing.T, a *nodeApp, key string) {
		all := slices.Concat(of("a", 1, 2, 3), of("b", 4, 5), []data{{"n": 6}, {"n": 7}}) // those without a user share a key
		a.post(t, key, events("e2e/flow-limit-key", all...)...)
		seen := a.visits(t, key, 7)
		if one, together := crowd(seen, sameUser), crowd(seen, nil); one != 1 || together != 3 {
			t.Errorf("%d calls of one user at once, want 1; %d together, want 3", one, together)
		}
	}},
	{"flow-two-limits", false, func(t *testing.T, a *nodeApp, key string) {
		var all []data
		for i, user := range []string{"a", "b", "c", "d"} {
			all = append(all, of(user, 2*i, 2*i+1)...)
		}
		a.post(t, key, events("e2e/flow-two-limits", all...)...)
		seen := a.visits(t, key, 8)
		if one, together := crowd(seen, sameUser), crowd(seen, nil); one != 1 || together != 3 {
			t.Errorf("%d calls of one user at once, want 1; %d together, want 3", one, together)
		}
	}},
	{"flow-steps", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/flow-steps", key, nil)
		if n := crowd(a.visits(t, key, 3), nil); n != 1 {
			t.Errorf("%d steps of the run at once, want 1", n)
		}
		a.finished(t, key, "flow-steps")
	}},
	{"flow-waiting", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-waiting", numbered(3)...)...)
		await[about](t, a, key, "started", 3) // though none has ended
		for n := 1; n <= 3; n++ {
			a.release(t, key, n)
		}
	}},
	{"flow-backoff", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/flow-backoff", key, data{"n": 1})
		a.wait(t, key, "called")
		a.send(t, "e2e/flow-backoff", key, data{"n": 2})
		a.finished(t, key, "flow-backoff") // though the first tries again in an hour
		if got := each[int](t, a, key, "called"); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("calls of %v", got)
		}
	}},
	{"flow-env", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-env", numbered(4)...)...)
		all := a.visits(t, key, 8)
		if n := crowd(all, nil); n != 2 {
			t.Errorf("%d calls at once, want 2", n)
		}
		if n := crowd(all, func(a, b about) bool { return a.Fn == "one" && b.Fn == "one" }); n != 1 {
			t.Errorf("%d calls of the function with the limit 1 at once", n)
		}
	}},
	{"flow-account", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-account", numbered(3)...)...)
		if n := crowd(a.visits(t, key, 6), nil); n != 1 {
			t.Errorf("%d calls at once, want 1", n)
		}
	}},
	{"flow-run-limit", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-run-limit", of("a", 1)...)...)
		a.wait(t, key, "started")
		a.post(t, key, events("e2e/flow-run-limit", append(of("a", 2), of("b", 3)...)...)...)
		sameNumbers(t, "runs of a and b", numbers(await[about](t, a, key, "started", 2)), 1, 3)
		a.release(t, key, 1)
		sameNumbers(t, "runs after the end of the first", numbers(await[about](t, a, key, "started", 3)), 1, 2, 3)
		before(t, a, key, "ended", 1, "started", 2)
		a.release(t, key, 2)
		a.release(t, key, 3)
	}},
	{"flow-finish-timeout", false, func(t *testing.T, a *nodeApp, key string) {
		sent := time.Now()
		a.send(t, "e2e/flow-finish-timeout", key, data{"n": 1})
		a.wait(t, key, "started")
		a.send(t, "e2e/flow-finish-timeout", key, data{"n": 2})
		// The second waits for the first for as long as a run may take; that does not count.
		await[string](t, a, key, "cancelled", 2)
		for i, m := range a.timed(t, key, "cancelled") {
			notBefore(t, m, sent, time.Duration(i+1)*time.Second)
		}
		if got := numbers(each[about](t, a, key, "started")); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("started %v", got)
		}
	}},
	{"flow-start-timeout", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/flow-start-timeout", key, data{"n": 1, "hold": true})
		a.wait(t, key, "in")
		sent := time.Now()
		a.send(t, "e2e/flow-start-timeout", key, data{"n": 2})
		notBefore(t, a.wait(t, key, "cancelled"), sent, time.Second)
		a.open(t, key)
		sameNumbers(t, "runs", numbers(await[about](t, a, key, "out", 1)), 1)
	}},
	{"flow-priority", false, func(t *testing.T, a *nodeApp, key string) {
		name := "e2e/flow-priority"
		a.send(t, name, key, data{"n": 1, "hold": true})
		a.wait(t, key, "in")
		a.post(t, key, events(name,
			data{"n": 5, "p": -100}, data{"n": 3, "p": 10}, data{"n": 4, "p": "high"}, data{"n": 2, "p": 500}, data{"n": 6, "p": 600},
		)...)
		// The last one is cancelled while it waits: then all are known to wait.
		a.send(t, name+".cancel", key, data{"n": 6})
		a.wait(t, key, "cancelled")
		a.open(t, key)
		var order []int
		for _, v := range a.visits(t, key, 5) {
			order = append(order, v.N)
		}
		if !slices.Equal(order, []int{1, 2, 3, 4, 5}) {
			t.Errorf("order %v", order)
		}
	}},
}
