package e2e

import (
	"slices"
	"testing"
	"time"
)

// startCases are about which events start runs, and when.
var startCases = []sdkCase{
	{"flow-throttle", false, func(t *testing.T, a *nodeApp, key string) {
		sent := time.Now()
		a.post(t, key, events("e2e/flow-throttle", numbered(3)...)...)
		if order := numbers(await[about](t, a, key, "started", 3)); !slices.Equal(order, []int{1, 2, 3}) {
			t.Errorf("order %v", order)
		}
		for i, m := range a.timed(t, key, "started") {
			notBefore(t, m, sent, time.Duration(i)*2*time.Second)
		}
	}},
	{"flow-throttle-burst", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-throttle-burst", numbered(5)...)...)
		sameNumbers(t, "runs", numbers(await[about](t, a, key, "started", 3)), 1, 2, 3)
	}},
	{"flow-throttle-key", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-throttle-key", of("a", 1)...)...)
		a.wait(t, key, "started")
		a.post(t, key, events("e2e/flow-throttle-key", append(of("a", 2), of("b", 3)...)...)...)
		// Runs that have started go on, beside one that waits for its start.
		sameNumbers(t, "runs", numbers(await[about](t, a, key, "ended", 2)), 1, 3)
		sameNumbers(t, "starts", numbers(await[about](t, a, key, "started", 2)), 1, 3)
	}},
	{"flow-rate", false, func(t *testing.T, a *nodeApp, key string) {
		// The tenth part of the limit may come at once, besides the first.
		a.post(t, key, events("e2e/flow-rate", numbered(6)...)...)
		sameNumbers(t, "runs", numbers(await[about](t, a, key, "started", 3)), 1, 2, 3)
	}},
	{"flow-rate-key", false, func(t *testing.T, a *nodeApp, key string) {
		all := append(of("a", 1, 2, 3), of("b", 4, 5)...)
		// A key that is false says: no limit.
		all = append(all, data{"user": false, "n": 6}, data{"user": false, "n": 7})
		a.post(t, key, events("e2e/flow-rate-key", all...)...)
		sameNumbers(t, "runs", numbers(await[about](t, a, key, "started", 4)), 1, 4, 6, 7)
	}},
	{"flow-rate-again", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-rate-again", numbered(2)...)...)
		sameNumbers(t, "runs", numbers(await[about](t, a, key, "started", 1)), 1)
		time.Sleep(time.Second)
		a.send(t, "e2e/flow-rate-again", key, data{"n": 3})
		sameNumbers(t, "runs after the period", numbers(await[about](t, a, key, "started", 2)), 1, 3)
	}},
	{"flow-idempotency", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-idempotency", append(of("a", 1, 2), of("b", 3)...)...)...)
		sameNumbers(t, "runs", numbers(await[about](t, a, key, "started", 2)), 1, 3)
		a.finished(t, key, "flow-idempotency")
		a.post(t, key, events("e2e/flow-idempotency", append(of("a", 4), of("c", 5)...)...)...)
		sameNumbers(t, "runs later", numbers(await[about](t, a, key, "started", 3)), 1, 3, 5)
	}},
	{"flow-event-id", false, func(t *testing.T, a *nodeApp, key string) {
		send := func(n int, id string) { a.post(t, key, event{Name: "e2e/flow-event-id", ID: id, Data: data{"n": n}}) }
		send(1, "first")
		send(2, "first")
		send(3, "second")
		sameNumbers(t, "runs", numbers(await[about](t, a, key, "started", 2)), 1, 3)
	}},
}
