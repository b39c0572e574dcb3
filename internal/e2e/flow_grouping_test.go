package e2e

import (
	"slices"
	"testing"
	"time"
)

// groupingCases are about runs that several events share.
var groupingCases = []sdkCase{
	{"flow-debounce", false, func(t *testing.T, a *nodeApp, key string) {
		sent := time.Now()
		all := events("e2e/flow-debounce", append(of("a", 1, 2, 3), of("b", 4, 5, 6)...)...)
		// Of b's, the newest by its own account comes first.
		for i := range all[3:] {
			all[3+i].TS = sent.Add(-time.Duration(i) * time.Minute).UnixMilli()
		}
		a.post(t, key, all...)
		sameNumbers(t, "runs", numbers(await[about](t, a, key, "started", 2)), 3, 4)
		for _, m := range a.timed(t, key, "started") {
			notBefore(t, m, sent, time.Second)
		}
	}},
	{"flow-debounce-timeout", false, func(t *testing.T, a *nodeApp, key string) {
		sent := time.Now()
		a.post(t, key, events("e2e/flow-debounce-timeout", numbered(3)...)...)
		sameNumbers(t, "runs", numbers(await[about](t, a, key, "started", 1)), 3)
		notBefore(t, a.wait(t, key, "started"), sent, 6*time.Second) // the period is an hour
	}},
	{"flow-batch", false, func(t *testing.T, a *nodeApp, key string) {
		for n := 1; n <= 2; n++ { // a batch that fills from several requests
			a.send(t, "e2e/flow-batch", key, data{"n": n})
		}
		all := numbered(7)
		a.post(t, key, events("e2e/flow-batch", all[2:]...)...)
		sameBatches(t, await[batch](t, a, key, "started", 2), []int{1, 2, 3}, []int{4, 5, 6})
	}},
	{"flow-batch-timeout", false, func(t *testing.T, a *nodeApp, key string) {
		sent := time.Now()
		a.post(t, key, events("e2e/flow-batch-timeout", numbered(3)...)...)
		sameBatches(t, await[batch](t, a, key, "started", 1), []int{1, 2, 3})
		notBefore(t, a.wait(t, key, "started"), sent, time.Second)
	}},
	{"flow-batch-key-if", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-batch-key-if",
			data{"user": "a", "n": 1}, data{"user": "b", "n": 2}, data{"user": "a", "n": 9}, data{"user": "b", "n": 3}, data{"user": "a", "n": 4},
		)...)
		sameBatches(t, await[batch](t, a, key, "started", 3), []int{1, 4}, []int{2, 3}, []int{9})
	}},
	{"flow-batch-failure", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-batch-failure", numbered(2)...)...)
		if got := await[[]int](t, a, key, "onFailure", 1); !slices.Equal(got[0], []int{1, 2}) {
			t.Errorf("onFailure saw the events %v", got[0])
		}
	}},
}

// batch is a run and the ns of its events.
type batch struct {
	Run string
	All []int
}

// sameBatches compares contents and their order, not the order of the batches.
func sameBatches(t *testing.T, got []batch, want ...[]int) {
	t.Helper()
	slices.SortFunc(got, func(a, b batch) int { return slices.Compare(a.All, b.All) })
	if !slices.EqualFunc(got, want, func(g batch, w []int) bool { return slices.Equal(g.All, w) }) {
		t.Errorf("batches %v, want %v", got, want)
	}
}
