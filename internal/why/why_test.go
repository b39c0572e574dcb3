package why

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/function/sdk"
	"ingot/internal/ids"
	"ingot/storage/history"
	"ingot/storage/memstore"

	"github.com/oklog/ulid/v2"
)

// recorded is a read model of some records.
type recorded struct {
	runs  map[ulid.ULID][]history.Run
	skips []history.Skip
	calls int
	err   error
}

func (r *recorded) RunsOfEvents(context.Context, []ulid.ULID, bool) (map[ulid.ULID][]history.Run, error) {
	r.calls++
	return r.runs, r.err
}

func (r *recorded) Skips(context.Context, []ulid.ULID) ([]history.Skip, error) {
	r.calls++
	return r.skips, r.err
}

// snapshot registers functions named f1, f2, … with the triggers.
func snapshot(t *testing.T, triggers ...string) *engine.Snapshot {
	t.Helper()
	store := memstore.New(1, memstore.Options{})
	t.Cleanup(func() { _ = store.Close() })
	sys, err := store.Partition(engine.SystemPartition)
	if err != nil {
		t.Fatal(err)
	}
	c, err := engine.OpenCatalog(sys)
	if err != nil {
		t.Fatal(err)
	}
	var fns []string
	for i, trigger := range triggers {
		fns = append(fns, fmt.Sprintf(`{"id":"f%d","name":"f%d","triggers":[%s],"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"http://app/%d"}}}}`, i+1, i+1, trigger, i))
	}
	var req sdk.RegisterRequest
	if err := json.Unmarshal([]byte(`{"url":"http://app","appName":"a","functions":[`+strings.Join(fns, ",")+`]}`), &req); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Register(&req, time.Now()); err != nil {
		t.Fatal(err)
	}
	return c.Snapshot()
}

func arrived(n byte, name, data string) *history.Event {
	return &history.Event{ID: ulid.ULID{15: n}, Name: name, Data: []byte(data), TS: 1700000000000, ReceivedAt: 1700000000000}
}

// show writes decisions as lines of slug, outcome and reason.
func show(s *engine.Snapshot, list []Decision) string {
	var out []string
	for _, d := range list {
		slug := "-"
		if f := s.ByID[d.Function]; f != nil {
			slug = f.Slug
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", slug, d.Outcome, strings.ReplaceAll(d.Reason, NoRecord, "no record"))))
	}
	return strings.Join(out, "\n")
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	s := snapshot(t,
		`{"event":"shop/order"}`,
		`{"event":"shop/order","expression":"event.data.n > 1"}`,
		`{"event":"shop/*","expression":"event.data.n == 5"},{"event":"shop/order","expression":"event.name == 'x'"}`,
		`{"event":"shop/order","expression":"event.data.n.size() > 1"}`,
		`{"event":"other"}`,
		`{"cron":"* * * * *"}`,
		`{"event":"shop.*"}`,
		`{"event":"sho*"}`,
	)
	for name, c := range map[string]struct {
		e    *history.Event
		want string
	}{
		"some": {arrived(1, "shop/order", `{"n":1}`), "f1 NOT_MATCHED no record\n" +
			"f2 NOT_MATCHED the trigger's condition is false: event.data.n > 1\n" +
			"f3 NOT_MATCHED the trigger's condition is false: event.data.n == 5; the trigger's condition is false: event.name == 'x'\n" +
			"f4 NOT_MATCHED the trigger's condition could not be evaluated: event.data.n.size() > 1"},
		"met": {arrived(1, "shop/order", `{"n":5}`), "f1 NOT_MATCHED no record\nf2 NOT_MATCHED no record\nf3 NOT_MATCHED no record\n" +
			"f4 NOT_MATCHED the trigger's condition could not be evaluated: event.data.n.size() > 1"},
		"pattern":  {arrived(1, "shop/other", `{"n":1}`), "f3 NOT_MATCHED the trigger's condition is false: event.data.n == 5"},
		"dot":      {arrived(1, "shop.order", `{}`), "f7 NOT_MATCHED no record"},
		"literal":  {arrived(1, "sho*", `{}`), "f8 NOT_MATCHED no record"},
		"nothing":  {arrived(1, "nobody", `{}`), ""},
		"invoke":   {arrived(1, "inngest/function.invoked", `{"_inngest":{"fn_id":"f5"}}`), "f5 NOT_MATCHED no record"},
		"by id":    {arrived(1, "inngest/function.invoked", `{"_inngest":{"fn_id":"`+s.BySlug["f5"].ID.String()+`"}}`), "f5 NOT_MATCHED no record"},
		"unknown":  {arrived(1, "inngest/function.invoked", `{"_inngest":{"fn_id":"nope"}}`), "- NOT_MATCHED could not find function with ID: nope"},
		"not JSON": {arrived(1, "inngest/function.invoked", `x`), ""},
	} {
		got, err := Explain(t.Context(), &recorded{}, s, []*history.Event{c.e})
		if err != nil {
			t.Fatal(err)
		}
		text := show(s, got[c.e.ID])
		if at := strings.Index(text, "size() > 1: "); at >= 0 {
			text = text[:at+len("size() > 1")] // the evaluator's words follow
		}
		if text != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, text, c.want)
		}
	}
}

func TestRecordsWin(t *testing.T) {
	t.Parallel()
	s := snapshot(t, `{"event":"e"}`, `{"event":"e"}`, `{"event":"e"}`, `{"event":"e","expression":"false"}`, `{"event":"e"}`)
	fn := func(slug string) ids.UUID { return s.BySlug[slug].ID }
	a, b := arrived(1, "e", `{}`), arrived(2, "e", `{}`)
	gone := ids.UUID{1}
	r := &recorded{
		runs: map[ulid.ULID][]history.Run{a.ID: {
			{ID: ulid.ULID{14: 1}, Function: fn("f1")}, {ID: ulid.ULID{14: 2}, Function: fn("f1")},
			{ID: ulid.ULID{14: 3}, Function: fn("f4"), Original: ulid.ULID{14: 1}}, // a replay is no answer
		}},
		skips: []history.Skip{
			{Event: a.ID, Function: fn("f1"), Reason: engine.SkipDebounce, Pending: true, At: 1}, // it has run since
			{Event: a.ID, Function: fn("f2"), Reason: engine.SkipRateLimit, At: 1},
			{Event: a.ID, Function: fn("f3"), Reason: engine.SkipBatch, Pending: true, At: 1},
			{Event: a.ID, Function: fn("f5"), Reason: engine.SkipDebounce, Pending: true, At: 1},
			{Event: a.ID, Function: fn("f5"), Reason: engine.SkipDraining, At: 2},
			{Event: b.ID, Function: gone, Reason: engine.SkipSingleton, At: 1}, // not registered any more
		},
	}
	got, err := Explain(t.Context(), r, s, []*history.Event{a, b})
	if err != nil {
		t.Fatal(err)
	}
	want := "f1 RUN\nf2 SKIPPED rate limit\nf3 PENDING batch\nf4 NOT_MATCHED the trigger's condition is false: false\nf5 SKIPPED draining"
	if text := show(s, got[a.ID]); text != want {
		t.Errorf("%s\nwant\n%s", text, want)
	}
	if d := got[a.ID][0]; d.Run != (ulid.ULID{14: 1}) {
		t.Errorf("run %s", d.Run)
	}
	if text := show(s, got[b.ID]); !strings.HasPrefix(text, "- SKIPPED singleton\nf1 NOT_MATCHED no record") {
		t.Error(text)
	}
	if r.calls != 2 {
		t.Errorf("%d queries", r.calls)
	}
}

func TestNothingToExplain(t *testing.T) {
	t.Parallel()
	r := &recorded{err: errors.New("away")}
	if got, err := Explain(t.Context(), r, snapshot(t, `{"event":"e"}`), nil); got != nil || err != nil || r.calls != 0 {
		t.Errorf("%v %v", got, err)
	}
	if _, err := Explain(t.Context(), r, snapshot(t, `{"event":"e"}`), []*history.Event{arrived(1, "e", `{}`)}); !errors.Is(err, r.err) {
		t.Errorf("%v", err)
	}
}
