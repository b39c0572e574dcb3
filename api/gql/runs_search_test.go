package gql

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ingot/storage/history"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(12)
	for query, want := range map[string][]int{
		`event.data.n == 4`:                              {4},
		`event.data.n >= 10`:                             {11, 10},
		"event.data.n >= 7\nerror.message == 'bad'":      {11, 8},
		`output.done == 7 || output.done == 10`:          {10, 7},
		`output.i == 3`:                                  {3}, // of its step
		`event.name == "shop/order" && event.data.n < 1`: {0},
		`event.id == "` + r.id('e', 5).String() + `"`:    {5},
		`error.name == "F"`:                              nil,
		`size(event.name) == 1`:                          nil,
	} {
		var got struct {
			Runs struct {
				TotalCount int
				Edges      []struct {
					Node struct{ ID, EventName string }
				}
			}
		}
		if strings.Contains(query, "size") {
			if _, body := r.post(`query($f:Time!,$q:String){runs(orderBy:[],filter:{from:$f,query:$q}){totalCount}}`, map[string]any{"f": r.from(), "q": query}); !strings.Contains(body, "error retrieving runs: invalid syntax detected") {
				t.Error(body)
			}
			continue
		}
		r.data(&got, `query($f:Time!,$q:String){runs(orderBy:[],filter:{from:$f,query:$q}){totalCount edges{node{id eventName}}}}`, map[string]any{"f": r.from(), "q": query})
		var ids, exp []string
		for _, e := range got.Runs.Edges {
			ids = append(ids, e.Node.ID)
		}
		for _, n := range want {
			exp = append(exp, r.id('r', n).String())
		}
		if !slices.Equal(ids, exp) || got.Runs.TotalCount != len(want) {
			t.Errorf("%q: %v (%d), want %v", query, ids, got.Runs.TotalCount, exp)
		}
	}
}

// TestSearchBound: a search that looks at many runs is stopped, says so, and goes on with
// the cursor that it gives.
func TestSearchBound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	fn := r.fn("shop-pay")
	for i := range maxSearched + 600 {
		run := history.Run{ID: r.id('r', i), Function: fn, Status: history.Completed, QueuedAt: r.base + int64(i)*1000}
		if i%5000 == 5 {
			e := history.Event{ID: r.id('e', i), Name: "rare", TS: run.QueuedAt, ReceivedAt: run.QueuedAt}
			run.Events = append(run.Events, e.ID)
			r.history.events = append(r.history.events, e)
		}
		r.history.runs = append(r.history.runs, run)
	}
	vars := map[string]any{"f": r.from()}
	const filter = `first:3,orderBy:[],filter:{from:$f,query:"event.name == 'rare'"}`
	r.history.memo = map[string][]history.Run{}
	_, body := r.post(`query($f:Time!){runs(`+filter+`){pageInfo{hasNextPage} edges{node{id}}}}`, vars)
	want := fmt.Sprintf(`"extensions":{"search":{"complete":false,"searchedRuns":%d,"limit":%d}}}`, maxSearched, maxSearched)
	if !strings.Contains(body, `"hasNextPage":true`) || !strings.HasSuffix(body, want) {
		t.Errorf("%s, want %s", body, want)
	}
	ids, pages := r.walk(filter, vars)
	if exp := []string{r.id('r', 10005).String(), r.id('r', 5005).String(), r.id('r', 5).String()}; !slices.Equal(ids, exp) || pages != 2 {
		t.Errorf("%v on %d pages, want %v on 2", ids, pages, exp)
	}
	status, body := r.post(`query($f:Time!){runs(`+filter+`){totalCount}}`, vars)
	if status != 200 || !strings.Contains(body, "more than 10000 runs would have to be searched for totalCount") {
		t.Errorf("%d %s", status, body)
	}
}
