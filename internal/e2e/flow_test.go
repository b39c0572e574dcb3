package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"
)

// flowCases are the cases of flow control, with the functions of flow.mjs.
var flowCases = slices.Concat(concurrencyCases, startCases, groupingCases, singletonCases, togetherCases)

// quiet is how long a test waits for what must not happen. A machine that is
// slower than this hides a fault; it never makes one up.
const quiet = 300 * time.Millisecond

type data = map[string]any

// about names a run by the data of its event, as the app reports it.
type about struct {
	Run, Fn string
	N       int
	User, P any
}

// visit is the value of an `in` mark: one run in its call, and who else was in
// calls then, itself included.
type visit struct {
	about
	Inside []about
}

// events makes one event per data.
func events(name string, all ...data) []event {
	var out []event
	for _, d := range all {
		out = append(out, event{Name: name, Data: d})
	}
	return out
}

// numbered is the data {n: 1} to {n: count}.
func numbered(count int) []data {
	var out []data
	for n := 1; n <= count; n++ {
		out = append(out, data{"n": n})
	}
	return out
}

// of is the data of several events of one user.
func of(user string, ns ...int) []data {
	var out []data
	for _, n := range ns {
		out = append(out, data{"user": user, "n": n})
	}
	return out
}

// each returns what the values of all marks `what` are, in order.
func each[T any](t *testing.T, a *nodeApp, key, what string) []T {
	t.Helper()
	all, err := a.marks(key)
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	for _, m := range all {
		if m.What == what {
			var v T
			decode(t, m.Value, &v)
			out = append(out, v)
		}
	}
	return out
}

// await waits until `what` happened n times, a moment longer for one time too
// many, and returns the values.
func await[T any](t *testing.T, a *nodeApp, key, what string, n int) []T {
	t.Helper()
	a.repeat(t, key, what, n, func() {})
	time.Sleep(quiet)
	out := each[T](t, a, key, what)
	if len(out) != n {
		t.Errorf("%q happened %d times, want %d: %+v", what, len(out), n, out)
	}
	return out
}

// numbers are the ns of runs.
func numbers(all []about) []int {
	var out []int
	for _, v := range all {
		out = append(out, v.N)
	}
	return out
}

// sameNumbers compares without regard to order.
func sameNumbers(t *testing.T, what string, got []int, want ...int) {
	t.Helper()
	got = slices.Sorted(slices.Values(got))
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// crowd is the largest number of runs that were in calls together; if like is
// given, of those that are like the one that came last.
func crowd(all []visit, like func(a, b about) bool) int {
	most := 0
	for _, v := range all {
		n := 0
		for _, o := range v.Inside {
			if like == nil || like(v.about, o) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func sameUser(a, b about) bool { return a.User == b.User }

// visits waits until n runs have left their calls.
func (a *nodeApp) visits(t *testing.T, key string, n int) []visit {
	t.Helper()
	await[about](t, a, key, "out", n)
	return each[visit](t, a, key, "in")
}

// open lets those out of their calls who hold them.
func (a *nodeApp) open(t *testing.T, key string) {
	t.Helper()
	res, err := http.Post(a.url+"/open?key="+url.QueryEscape(key), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
}

// release lets the waiting run n go on and waits until it has ended.
func (a *nodeApp) release(t *testing.T, key string, n int) {
	t.Helper()
	deadline := time.Now().Add(caseLimit)
	for !slices.Contains(numbers(each[about](t, a, key, "ended")), n) {
		if time.Now().After(deadline) {
			t.Fatalf("run %d did not go on", n)
		}
		a.send(t, "e2e/go", key, data{"n": n})
		time.Sleep(50 * time.Millisecond)
	}
}

// notBefore checks that a mark was made at the earliest d after the instant.
func notBefore(t *testing.T, m mark, since time.Time, d time.Duration) {
	t.Helper()
	if earliest := since.UnixMilli() + d.Milliseconds(); m.At < earliest {
		t.Errorf("%s %s happened %d ms too early", m.What, m.Value, earliest-m.At)
	}
}

// timed returns the marks `what`, in order.
func (a *nodeApp) timed(t *testing.T, key, what string) []mark {
	t.Helper()
	all, err := a.marks(key)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(m mark) bool { return m.What != what })
}

// before checks that `first` of run n came before `then` of run m.
func before(t *testing.T, a *nodeApp, key, first string, n int, then string, m int) {
	t.Helper()
	all, err := a.marks(key)
	if err != nil {
		t.Fatal(err)
	}
	at := func(what string, n int) int {
		return slices.IndexFunc(all, func(m mark) bool {
			var v about
			return m.What == what && json.Unmarshal(m.Value, &v) == nil && v.N == n
		})
	}
	if i, j := at(first, n), at(then, m); i < 0 || j < 0 || i > j {
		t.Errorf("%s %d did not come before %s %d: %s", first, n, then, m, list(all))
	}
}
