package gql

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// TestQueriesPerPage: what a page costs does not depend on how many nodes it has.
func TestQueriesPerPage(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{
		"runs": `query($f:Time!,$n:Int!){runs(first:$n,orderBy:[{field:QUEUED_AT,direction:DESC}],filter:{from:$f}){totalCount edges{node{
			id eventName hasAI traceID function{slug} app{name} trace(preview:true){name childrenSpans{name run{output} stepInfo{...on InvokeStepInfo{runID}}}}
			defers{run{id traceID defers{status run{id}}}} siblingDefers{fnSlug} deferredFrom{run{id output defers{status}}}}}}}`,
		"eventsV2": `query($f:Time!,$n:Int!){eventsV2(first:$n,filter:{from:$f}){totalCount edges{node{name
			decisions{outcome function{slug}} runs{id output trace{name} deferredFrom{runID}}}}}}`,
		"stream": `query($f:Time!,$n:Int!){stream(query:{limit:$n}){trigger type runs{id output event{name functionRuns{id}} history{type}}}
			runs(orderBy:[],filter:{from:$f}){totalCount}}`,
		"events": `query($f:Time!,$n:Int!){events(query:{}){status totalRuns pendingRuns functionRuns{status pendingSteps function{slug app{name}}}}
			runs(first:$n,orderBy:[],filter:{from:$f}){totalCount}}`,
	} {
		var costs []int
		for _, n := range []int{2, 30} {
			r := newRig(t)
			r.populate(n)
			var ignored any
			r.data(&ignored, query, map[string]any{"f": r.from(), "n": n})
			costs = append(costs, r.history.total())
		}
		if costs[0] != costs[1] || costs[0] > 20 {
			t.Errorf("%s: %d queries for 2 nodes, %d for 30", name, costs[0], costs[1])
		}
	}
}

// runsPage is a page of the list of runs.
type runsPage struct {
	Runs struct {
		TotalCount int
		PageInfo   struct {
			HasNextPage            bool
			StartCursor, EndCursor *string
		}
		Edges []struct {
			Cursor string
			Node   struct{ ID, Status, EndedAt string }
		}
	}
}

// walk collects all runs of a list, page by page.
func (r *rig) walk(args string, variables map[string]any) (ids []string, pages int) {
	r.t.Helper()
	after := any(nil)
	for pages = 1; ; pages++ {
		var p runsPage
		variables["a"] = after
		r.data(&p, `query($a:String,$f:Time!){runs(after:$a,`+args+`){pageInfo{hasNextPage startCursor endCursor} edges{cursor node{id status endedAt}}}}`, variables)
		for _, e := range p.Runs.Edges {
			ids = append(ids, e.Node.ID)
		}
		if !p.Runs.PageInfo.HasNextPage {
			return ids, pages
		}
		after = *p.Runs.PageInfo.EndCursor
		if pages > 100 {
			r.t.Fatalf("%s has no end", args)
		}
	}
}

// expected are the ids of the runs that keep keeps, in the order of less.
func (r *rig) expected(q history.RunQuery) (ids []string) {
	for _, run := range r.history.selected(&q) {
		ids = append(ids, run.ID.String())
	}
	return ids
}

func TestRunPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(20)
	yes, no := true, false
	for args, want := range map[string]history.RunQuery{
		`first:3,orderBy:[],filter:{from:$f}`:                                                                       {},
		`first:3,orderBy:[{field:QUEUED_AT,direction:ASC}],filter:{from:$f}`:                                        {Ascending: true},
		`first:4,orderBy:[{field:STARTED_AT,direction:DESC}],filter:{from:$f},preview:false`:                        {},
		`first:3,orderBy:[{field:ENDED_AT,direction:DESC}],filter:{from:$f,timeField:ENDED_AT}`:                     {Field: history.ByEnded},
		`first:3,orderBy:[{field:ENDED_AT,direction:ASC}],filter:{from:$f,timeField:ENDED_AT}`:                      {Field: history.ByEnded, Ascending: true},
		`first:3,orderBy:[{field:ENDED_AT,direction:ASC}],filter:{from:$f}`:                                         {Field: history.ByEnded, Ascending: true},
		`first:3,orderBy:[],filter:{from:$f,status:[FAILED,CANCELLED]}`:                                             {Statuses: []history.Status{history.Failed}},
		`first:3,orderBy:[],filter:{from:$f,status:[SKIPPED]}`:                                                      {},
		`first:3,orderBy:[],filter:{from:$f,status:[]}`:                                                             {},
		`first:3,orderBy:[],filter:{from:$f,isDeferred:true}`:                                                       {Deferred: &yes},
		`first:3,orderBy:[],filter:{from:$f,isDeferred:false}`:                                                      {Deferred: &no},
		`first:7,orderBy:[],filter:{from:$f,query:"event.data.n < 100"}`:                                            {},
		`first:7,orderBy:[{field:ENDED_AT,direction:DESC}],filter:{from:$f,query:"event.name != 'x'"}`:              {Field: history.ByEnded},
		`first:0,orderBy:[],filter:{from:$f}`:                                                                       {},
		`first:400,orderBy:[],filter:{from:$f}`:                                                                     {},
		`first:2,orderBy:[],filter:{from:$f,functionIDs:["` + r.fn("shop-pay").String() + `"]}`:                     {},
		`first:2,orderBy:[],filter:{from:$f,appIDs:["` + r.cat.Snapshot().BySlug["shop-pay"].AppID.String() + `"]}`: {},
	} {
		want.From = 1
		ids, _ := r.walk(args, map[string]any{"f": r.from()})
		if exp := r.expected(want); !slices.Equal(ids, exp) {
			t.Errorf("%s:\n%v, want\n%v", args, ids, exp)
		}
	}
	none := `first:3,orderBy:[],filter:{from:$f,functionIDs:["` + r.fn("shop-pay").String() + `"],appIDs:["` + r.fn("shop-pay").String() + `"]}`
	if ids, _ := r.walk(none, map[string]any{"f": r.from()}); len(ids) != 0 {
		t.Errorf("runs of another app: %v", ids)
	}
}

// TestMixedTimes: the window may be about another time than the order.
func TestMixedTimes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(20)
	at := func(n int64) string { return fmt.Sprintf("%q", momentText(r.base+n)) }
	count := func(filter, order string) (listed, total int) {
		var p runsPage
		r.data(&p, `{runs(orderBy:[{field:`+order+`,direction:DESC}],filter:{`+filter+`}){totalCount edges{node{id}}}}`, nil)
		return len(p.Runs.Edges), p.Runs.TotalCount
	}
	for _, c := range []struct {
		filter, order string
		keep          func(*history.Run) bool
	}{
		{"from:" + at(5000) + ",until:" + at(12000), "ENDED_AT", func(x *history.Run) bool {
			return x.EndedAt > 0 && x.QueuedAt >= r.base+5000 && x.QueuedAt <= r.base+12000
		}},
		{"timeField:ENDED_AT,from:" + at(5000) + ",until:" + at(12000), "QUEUED_AT", func(x *history.Run) bool {
			return x.EndedAt >= r.base+5000 && x.EndedAt <= r.base+12000
		}},
	} {
		want := 0
		for i := range r.history.runs {
			if c.keep(&r.history.runs[i]) {
				want++
			}
		}
		if listed, total := count(c.filter, c.order); want == 0 || listed != want || total != want {
			t.Errorf("%s by %s: %d listed, %d counted, want %d", c.filter, c.order, listed, total, want)
		}
	}
}

func momentText(ms int64) string {
	b, _ := moment(ms).MarshalJSON()
	return strings.Trim(string(b), `"`)
}

func TestEventPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(20)
	r.history.events = append(r.history.events, history.Event{ID: r.id('x', 30), Name: "inngest/function.finished", ReceivedAt: r.base + 30000, TS: r.base})
	for args, want := range map[string]int{
		`first:3,filter:{from:$f}`: 20, `first:52,filter:{from:$f}`: 20, `first:7,filter:{from:$f,includeInternalEvents:true}`: 21,
		`first:3,filter:{from:$f,eventNames:["nope"]}`: 0, `first:3,filter:{from:$f,eventNames:["shop/order"]}`: 20,
		`first:3,filter:{from:$f,eventNames:[]}`: 20, `first:3,filter:{from:$f,until:$f}`: 0,
	} {
		var seen []string
		after := any(nil)
		for page := 0; page < 50; page++ {
			var p struct {
				EventsV2 struct {
					TotalCount int
					PageInfo   struct {
						HasNextPage, HasPreviousPage bool
						EndCursor                    *string
					}
					Edges []struct{ Node struct{ ID string } }
				}
			}
			r.data(&p, `query($a:String,$f:Time!){eventsV2(after:$a,`+args+`){totalCount pageInfo{hasNextPage hasPreviousPage endCursor} edges{node{id}}}}`,
				map[string]any{"a": after, "f": r.from()})
			for _, e := range p.EventsV2.Edges {
				seen = append(seen, e.Node.ID)
			}
			if p.EventsV2.TotalCount != want || p.EventsV2.PageInfo.HasPreviousPage != (page > 0) {
				t.Fatalf("%s: %+v", args, p)
			}
			if !p.EventsV2.PageInfo.HasNextPage {
				break
			}
			after = *p.EventsV2.PageInfo.EndCursor
		}
		if len(seen) != want || !slices.IsSortedFunc(seen, func(a, b string) int { return strings.Compare(b, a) }) {
			t.Errorf("%s: %v", args, seen)
		}
	}
}

// TestStream: of the server's own events only those that started runs are there.
func TestStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(3)
	tick, other := r.id('t', 10), r.id('t', 11)
	r.history.events = append(r.history.events,
		history.Event{ID: tick, Name: "inngest/scheduled.timer", TS: r.base + 10000},
		history.Event{ID: other, Name: "inngest/function.finished", TS: r.base + 11000})
	r.history.runs = append(r.history.runs, history.Run{
		ID: r.id('r', 10), Function: r.fn("shop-pay"), Status: history.Completed, QueuedAt: r.base + 10000, Events: []ulid.ULID{tick}, Cron: "* * * * *",
	})
	for args, want := range map[string]string{
		`limit:2`:                            "* * * * * CRON, shop/order EVENT",
		`limit:400`:                          "* * * * * CRON, shop/order EVENT, shop/order EVENT, shop/order EVENT",
		`limit:1,includeInternalEvents:true`: "inngest/function.finished EVENT",
		`limit:9,after:"` + tick.String() + `",includeInternalEvents:true`: "inngest/function.finished EVENT",
		`limit:9,before:"` + r.id('e', 1).String() + `"`:                   "shop/order EVENT",
	} {
		var p struct {
			Stream []struct{ Trigger, Type string }
		}
		r.data(&p, `{stream(query:{`+args+`}){trigger type}}`, nil)
		var got []string
		for _, s := range p.Stream {
			got = append(got, s.Trigger+" "+s.Type)
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%s: %s, want %s", args, text, want)
		}
	}
}

func TestRunCursors(t *testing.T) {
	t.Parallel()
	at := history.RunPosition{ID: ulid.MustParseStrict("01HZZZZZZZZZZZZZZZZZZZZZZZ"), At: 1234}
	for name, p := range map[string]runPlace{"span": spanPlaces["ENDED_AT"], "trace": tracePlaces["ENDED_AT"]} {
		got, err := parseRunCursor(p.cursor(at), true)
		if err != nil || *got != at {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	if _, err := parseRunCursor(runPlace{}.cursor(at), true); err == nil {
		t.Error("a cursor without a time of the end is taken")
	}
	got, err := parseRunCursor(runPlace{}.cursor(at), false)
	if err != nil || got.ID != at.ID || got.At != int64(at.ID.Time()) {
		t.Errorf("%v %v", got, err)
	}
}
