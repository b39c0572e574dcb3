package e2e

import "testing"

var singletonCases = []sdkCase{
	{"flow-singleton", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/flow-singleton", key, data{"n": 1})
		a.wait(t, key, "started")
		a.send(t, "e2e/flow-singleton", key, data{"n": 2})
		await[about](t, a, key, "started", 1)
		a.release(t, key, 1)
		a.finished(t, key, "flow-singleton")
		a.send(t, "e2e/flow-singleton", key, data{"n": 3})
		sameNumbers(t, "runs", numbers(await[about](t, a, key, "started", 2)), 1, 3)
		a.release(t, key, 3)
	}},
	{"flow-singleton-skip", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-singleton-skip", append(of("a", 1, 2), of("b", 3)...)...)...)
		sameNumbers(t, "runs", numbers(await[about](t, a, key, "started", 2)), 1, 3)
		a.release(t, key, 1)
		a.repeat(t, key, "finished flow-singleton-skip", 1, func() {})
		a.post(t, key, events("e2e/flow-singleton-skip", append(of("a", 4), of("b", 5)...)...)...)
		sameNumbers(t, "runs after the end of a's", numbers(await[about](t, a, key, "started", 3)), 1, 3, 4)
		a.release(t, key, 3)
		a.release(t, key, 4)
	}},
	{"flow-singleton-cancel", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-singleton-cancel", append(of("a", 1), of("b", 2)...)...)...)
		first := await[about](t, a, key, "started", 2)
		a.post(t, key, events("e2e/flow-singleton-cancel", of("a", 3)...)...)
		gone := await[string](t, a, key, "cancelled", 1)
		for _, run := range first {
			if (run.N == 1) != (run.Run == gone[0]) {
				t.Errorf("run %+v; cancelled was %v", run, gone)
			}
		}
		sameNumbers(t, "runs", numbers(await[about](t, a, key, "started", 3)), 1, 2, 3)
		a.release(t, key, 2)
		a.release(t, key, 3)
		a.send(t, "e2e/go", key, data{"n": 1}) // nobody is there who could go on
		sameNumbers(t, "runs that ended", numbers(await[about](t, a, key, "ended", 2)), 2, 3)
	}},
}
