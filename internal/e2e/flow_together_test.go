package e2e

import (
	"slices"
	"testing"
)

// called is what a function answers that was invoked twice.
type called struct {
	Run     string
	Events  int
	Refused string
}

// togetherCases have flow control beside other features.
var togetherCases = []sdkCase{
	{"flow-invoke-rate", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/flow-invoke-rate", key, nil)
		got := invokedTwice(t, a, key, "flow-invoke-rate")
		slices.SortFunc(got, func(a, b called) int { return len(a.Refused) - len(b.Refused) })
		if got[0].Run == "" || got[1].Refused != "invoked function is rate limited" {
			t.Errorf("answers %+v", got)
		}
	}},
	{"flow-invoke-debounce", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/flow-invoke-debounce", key, nil)
		if got := invokedTwice(t, a, key, "flow-invoke-debounce"); got[0].Run == "" || got[0] != got[1] || got[0].Events != 1 {
			t.Errorf("answers %+v", got)
		}
		a.once(t, key, "called")
	}},
	{"flow-invoke-batch", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/flow-invoke-batch", key, nil)
		if got := invokedTwice(t, a, key, "flow-invoke-batch"); got[0].Run == "" || got[0] != got[1] || got[0].Events != 2 {
			t.Errorf("answers %+v", got)
		}
		a.once(t, key, "called")
	}},
	{"flow-all", false, func(t *testing.T, a *nodeApp, key string) {
		a.post(t, key, events("e2e/flow-all", data{"user": "a", "n": 1}, data{"user": "a", "n": 2, "fail": true})...)
		got := await[struct {
			N       int
			Message string
		}](t, a, key, "onFailure", 1)[0]
		if got.N != 2 || got.Message != "broken for good" {
			t.Errorf("onFailure saw %+v", got)
		}
		// What failed holds nothing: the same user's next event runs.
		a.post(t, key, events("e2e/flow-all", data{"user": "a", "n": 3})...)
		if n := await[int](t, a, key, "noted", 2); !slices.Equal(n, []int{2, 3}) {
			t.Errorf("runs %v", n)
		}
		a.repeat(t, key, "finished flow-all", 2, func() {})
		if n := each[int](t, a, key, "called"); len(n) < 3 || n[0] != 2 || n[1] != 2 || n[2] != 3 {
			t.Errorf("calls %v, want two attempts of 2, and 3", n)
		}
	}},
}

// invokedTwice is the result of a function that invoked another one twice.
func invokedTwice(t *testing.T, a *nodeApp, key, fn string) []called {
	t.Helper()
	e := a.finished(t, key, fn)
	var got []called
	decode(t, e.Result, &got)
	if len(got) != 2 || e.Error != nil {
		t.Fatalf("result %s, error %+v", e.Result, e.Error)
	}
	return got
}
