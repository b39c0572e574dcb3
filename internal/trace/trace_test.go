package trace

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ingot/engine"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// TestSpanIDs checks the values that the reference made (spec 02 §10.2).
func TestSpanIDs(t *testing.T) {
	t.Parallel()
	run := ulid.MustParse("01M80C330EG4JADTP9PPG2Y52Z")
	if trace, span := runTrace(run); trace != "061da732244c4e0448e5b7b5d4e7a1ae" || span != "c68c2918747378ed" {
		t.Errorf("trace %s span %s", trace, span)
	}
	if got := seededSpan("sleep-step:ad782ecdac770fc6eb9a62e44f90873fb97fb26b"); got != "fbc5135e2d72719e" {
		t.Errorf("span of a sleep %s", got)
	}
	p := twoAndSleep()
	root := Tree(p.trace(), p.env)
	if want := seededSpan("sleep-step:" + hashOf("nap")); root.Children[2].SpanID != want {
		t.Errorf("the sleep's span is %s, want %s", root.Children[2].SpanID, want)
	}
	if want := seededSpan(hashOf("one")); root.Children[1].SpanID != want {
		t.Errorf("the step's span is %s, want %s", root.Children[1].SpanID, want)
	}
}

func TestOutputID(t *testing.T) {
	t.Parallel()
	p := twoAndSleep()
	id := parse(t, Tree(p.trace(), p.env).Children[0].OutputID)
	if id.Run != p.run.ID || !id.Preview || id.Span == "" || id.Input != "" || !id.App.IsZero() {
		t.Errorf("preview id %+v", id)
	}
	legacy := parse(t, Legacy(p.trace(), p.env).OutputID)
	if legacy.Run != p.run.ID || legacy.Preview || legacy.Function != p.run.Function || legacy.App != p.env.Function.AppID || len(legacy.Trace) != 32 {
		t.Errorf("legacy id %+v", legacy)
	}
	for text, want := range map[string]string{
		"zzz":                      "illegal base64 data at input byte 0",
		"e30=x":                    "illegal base64",
		"W10=":                     "not valid",
		"":                         "not valid",
		strings.Repeat("A", 5_000): "longer than 4096 bytes",
	} {
		if _, err := ParseOutputID(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.10s: %v", text, err)
		}
	}
	for _, unknown := range []*OutputID{
		{Run: ulidAt(1, 1), Span: id.Span, Preview: true}, {Run: p.run.ID, Span: "0000000000000000", Preview: true}, {Run: p.run.ID, Span: "x"}, {Run: p.run.ID, Preview: true},
	} {
		if o := OutputOf(p.trace(), p.env, unknown); o.Data != nil || o.Error != nil || o.Input != nil {
			t.Errorf("%+v has the output %+v", unknown, o)
		}
	}
}

func TestUnwrap(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"data":{"a":1}}`:              `{"a":1}`,
		`{"data":{},"name":"e","id":1}`: `{"data":{},"name":"e","id":1}`,
		`null`:                          `null`,
		`7`:                             `7`,
		`{"x":1}`:                       `{"x":1}`,
	} {
		var out Output
		(&output{data: []byte(raw)}).unwrap(&out)
		if string(out.Data) != want || out.Error != nil {
			t.Errorf("%s: data %s error %v", raw, out.Data, out.Error)
		}
	}
	var out Output
	(&output{data: []byte(`{"error":{"name":"E"}}`)}).unwrap(&out)
	if out.Error == nil || out.Error.Message != "" || *out.Error.Stack != `{"name":"E"}` {
		t.Errorf("an error without a message: %+v", out.Error)
	}
	e := parseError([]byte(`{"message":"m","cause":{"message":"inner"}}`))
	if e.Message != "m" || e.Name != nil || e.Stack != nil || string(e.Cause) != `{"message":"inner"}` {
		t.Errorf("an error with a cause: %+v", e)
	}
}

func TestResponseHidesSecrets(t *testing.T) {
	t.Parallel()
	p := secrets()
	headers := Tree(p.trace(), p.env).Children[0].Response.Headers
	if len(headers) != 2 || headers["Set-Cookie"] != redacted || headers["Vary"] != "a, b" {
		t.Errorf("headers %v", headers)
	}
}

func TestMetadataOps(t *testing.T) {
	t.Parallel()
	m := Metadata{Values: map[string]json.RawMessage{}}
	apply := func(op, values string) {
		u := update{Op: op}
		if err := json.Unmarshal([]byte(values), &u.Values); err != nil {
			t.Fatal(err)
		}
		m.apply(&u)
	}
	for _, c := range []struct{ op, values, want string }{
		{"merge", `{"a":1,"b":"x"}`, `{"a":1,"b":"x"}`},
		{"", `{"a":2}`, `{"a":2,"b":"x"}`},
		{"add", `{"a":0.5,"b":3,"c":true,"d":4}`, `{"a":2.5,"b":3,"d":4}`},
		{"delete", `{"b":null,"z":1}`, `{"a":2.5,"d":4}`},
		{"add", `{"a":1e308}`, `{"a":1e+308,"d":4}`},
		{"add", `{"a":1e308}`, `{"a":1e+308,"d":4}`}, // no number that JSON has
		{"set", `{"q":[1]}`, `{"q":[1]}`},
	} {
		apply(c.op, c.values)
		if got, _ := json.Marshal(m.Values); string(got) != c.want {
			t.Fatalf("%s %s: %s, want %s", c.op, c.values, got, c.want)
		}
	}
}

func TestDefers(t *testing.T) {
	t.Parallel()
	p := deferring()
	p.add(engine.Lifecycle{Kind: engine.DeferAdded, Step: "x", Name: "mine", Target: "f"})
	p.add(engine.Lifecycle{Kind: engine.DeferEnded, Step: "x", Expr: "aborted"})
	p.add(engine.Lifecycle{Kind: engine.DeferAdded, Step: "y", Target: "f", Expr: "rejected"})
	p.add(engine.Lifecycle{Kind: engine.DeferAdded, Step: "y", Target: "f"})
	p.add(engine.Lifecycle{Kind: engine.DeferEnded, Step: "unknown", Expr: "aborted"})
	got := Defers(p.trace(), p.env)
	want := []Defer{
		{HashedID: hashOf("d"), Slug: "golden-defer-d", Status: "SCHEDULED", Run: childRun},
		{HashedID: "x", UserID: "mine", Slug: "f", Status: "ABORTED"},
		{HashedID: "y", Slug: "f", Status: "REJECTED"},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
}

func TestDeferredFrom(t *testing.T) {
	t.Parallel()
	p := newTape(1)
	if _, ok := DeferredFrom(p.trace(), p.env); ok {
		t.Error("a run that nobody deferred")
	}
	p.run.Deferred = true
	p.events[testEvent] = json.RawMessage(`{"data":{"_inngest":{"parent_run_id":"` + childRun.String() + `"}}}`)
	if parent, ok := DeferredFrom(p.trace(), p.env); !ok || parent != childRun {
		t.Errorf("parent %s %v", parent, ok)
	}
	p.events[testEvent] = json.RawMessage(`{"data":[]}`)
	if _, ok := DeferredFrom(p.trace(), p.env); ok {
		t.Error("an event without a parent")
	}
}

func TestHasAI(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tape func() *tape
		want bool
	}{"wrapped": {displayName, true}, "gateway": {aiGateway, true}, "fetch": {gatewayFetch, false}, "steps": {twoAndSleep, false}} {
		if got := HasAI(c.tape().trace()); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestMemosBefore(t *testing.T) {
	t.Parallel()
	memos, planned, ok := MemosBefore(twoAndSleep().trace(), hashOf("two"))
	if !ok || planned || len(memos) != 2 || memos[0].ID != hashOf("one") || string(memos[1].Memo) != "null" {
		t.Errorf("%+v %v %v", memos, planned, ok)
	}
	if _, _, ok := MemosBefore(twoAndSleep().trace(), "unknown"); ok {
		t.Error("a step that the run does not have")
	}
	// A retried step begins with its first attempt.
	memos, planned, ok = MemosBefore(retryOfPlanned().trace(), hashOf("p1"))
	if !ok || !planned || len(memos) != 0 {
		t.Errorf("%+v %v %v", memos, planned, ok)
	}
}

// TestReturnEvent checks that the event of an invocation's end is the one that the engine
// publishes.
func TestReturnEvent(t *testing.T) {
	t.Parallel()
	p := invokeOK()
	info := Tree(p.trace(), p.env).Children[0].StepInfo.(*InvokeInfo)
	c := p.children[otherEvent]
	if want := ids.Derive(c.EndedAt, c.Run[:], []byte("inngest/function.finished")); info.ReturnEvent != want || info.Run != childRun {
		t.Errorf("%+v, want the event %s", info, want)
	}
}

// TestTraceID checks that a run belongs to the trace of what led to it.
func TestTraceID(t *testing.T) {
	t.Parallel()
	p, q := newTape(1), newTape(1)
	q.out[0].Target = otherEvent.String()
	if TraceID(p.trace()) == TraceID(q.trace()) || Legacy(q.start().trace(), q.env).TraceID != TraceID(q.trace()) {
		t.Error("the trace is not the one that the run was scheduled in")
	}
	p.run.Events = nil
	p.out[0].Target = otherEvent.String()
	if TraceID(p.trace()) != TraceID(q.trace()) {
		t.Error("two runs of one trace differ")
	}
}

// TestWithoutEnv checks that nothing of Env is needed.
func TestWithoutEnv(t *testing.T) {
	t.Parallel()
	for i := range scenarios {
		all(t, scenarios[i].tape().trace(), Env{})
	}
}

// TestCancelledBy checks that the history names what cancelled the run.
func TestCancelledBy(t *testing.T) {
	t.Parallel()
	p := cancelOnEvent()
	h := History(p.trace(), p.env)
	if c := h[len(h)-1].Cancel; c == nil || c.Event != otherEvent || c.Expression != `async.data.id == "x"` {
		t.Errorf("%+v", c)
	}
	if int64(h[0].ID.Time()) != h[0].CreatedAt {
		t.Error("an item's id does not have its time")
	}
}

// TestTreeWithOutputs checks that the outputs that are made at once are those of OutputOf.
func TestTreeWithOutputs(t *testing.T) {
	t.Parallel()
	for i := range scenarios {
		p := scenarios[i].tape()
		tr := p.trace()
		root, of := TreeWithOutputs(tr, p.env)
		ids := outputIDs(root)
		if want := outputIDs(Tree(tr, p.env)); !slices.Equal(ids, want) {
			t.Errorf("%s: output ids %v, want %v", scenarios[i].name(), ids, want)
		}
		for _, id := range ids {
			got, want := of(parse(t, id)), OutputOf(tr, p.env, parse(t, id))
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v, want %+v", scenarios[i].name(), got, want)
			}
		}
	}
}
