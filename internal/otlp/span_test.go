package otlp

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/internal/trace"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

func hexOf(id ids.TraceID) string { return hex.EncodeToString(id[:]) }

// lines are the spans of a tree as JSON.
func lines(run *history.Run, tree *trace.Span, fn *function.Function) string {
	e := Exporter{cfg: Config{Function: func(ids.UUID) *function.Function { return fn }}}
	var b strings.Builder
	for _, s := range e.encode(run, tree) {
		b.Write(append(s, '\n'))
	}
	return b.String()
}

func TestRunWithOneCall(t *testing.T) {
	t.Parallel()
	tr := oneCall(ulid.MustParse("01M80C330EG4JADTP9PPG2Y52Z"))
	var spans []wireSpan
	for line := range strings.Lines(lines(&tr.Run, trace.Tree(&tr, trace.Env{Function: testFunction}), testFunction)) {
		var s wireSpan
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		spans = append(spans, s)
	}
	if len(spans) != spansPerRun || spans[1].SpanID == spans[2].SpanID {
		t.Fatalf("spans %+v", spans)
	}
	root, call := spans[0], spans[1]
	// The ids are those of spec 02 §10.2.
	if root.TraceID != "061da732244c4e0448e5b7b5d4e7a1ae" || root.SpanID != "c68c2918747378ed" || root.ParentID != "" || root.Name != "shop-pay" {
		t.Errorf("run %+v", root)
	}
	if call.TraceID != root.TraceID || call.ParentID != root.SpanID || len(call.SpanID) != 16 || call.Kind != kindClient {
		t.Errorf("call %+v", call)
	}
	if call.End-call.Start != 25e6 || root.Start > call.Start || root.End < call.End {
		t.Errorf("run %d to %d, call %d to %d", root.Start, root.End, call.Start, call.End)
	}
}

// TestSpans compares every kind of span with what OTLP has to be.
func TestSpans(t *testing.T) {
	t.Parallel()
	late, on := true, false
	const tid, root = "0102030405060708090a0b0c0d0e0f10", "aaaaaaaaaaaaaaaa"
	child := func(id string, s trace.Span) *trace.Span {
		s.TraceID, s.SpanID, s.ParentID = tid, id, root
		return &s
	}
	run := &history.Run{ID: ulid.ULID{15: 1}, Function: ids.UUID{15: 2}, Cron: "* * * * *", Original: ulid.ULID{15: 3}}
	got := lines(run, &trace.Span{
		TraceID: tid, SpanID: root, Name: "Run", Status: trace.Cancelled, QueuedAt: 1000, StartedAt: 1010, EndedAt: 2000,
		Children: []*trace.Span{
			child("bbbbbbbbbbbbbbb1", trace.Span{
				Name: "pay", Status: trace.Failed, Attempts: 2, QueuedAt: 1010, StartedAt: 1020, EndedAt: 1030, StepID: "h", StepOp: "RUN",
				StepType: "step.ai.wrap", StepInfo: &trace.RunInfo{Type: "step.ai.wrap"}, OutputID: "o",
				Response: &trace.Response{Status: 500, Headers: map[string]string{"Private": "1"}},
				Children: []*trace.Span{child("ccccccccccccccc1", trace.Span{Userland: &trace.Userland{Name: "sql"}})},
			}),
			child("bbbbbbbbbbbbbbb2", trace.Span{Name: "nap", Status: trace.Completed, QueuedAt: 1100, StartedAt: 1100, EndedAt: 1200, StepInfo: &trace.SleepInfo{SleepUntil: 1200}}),
			child("bbbbbbbbbbbbbbb3", trace.Span{Name: "wait", Status: trace.Waiting, QueuedAt: 1200, StartedAt: 1200, StepInfo: &trace.EventInfo{EventName: "e", Expression: "private", FoundEvent: ulid.ULID{15: 4}, TimedOut: &on}}),
			child("bbbbbbbbbbbbbbb4", trace.Span{Name: "signal", QueuedAt: 1200, StepInfo: &trace.SignalInfo{Signal: "s", TimedOut: &late}}),
			child("bbbbbbbbbbbbbbb5", trace.Span{Name: "invoke", QueuedAt: 9000, StepInfo: &trace.InvokeInfo{FunctionID: "a-b", Run: ulid.ULID{15: 5}}}),
		},
	}, nil)
	compare(t, got, []string{
		span(root, "", "Run", 1, 1010, 2000, 0, `"inngest.function.id":s:00000000-0000-0000-0000-000000000002`, `"inngest.cron.schedule":s:* * * * *`,
			`"inngest.run.replay_original_run_id":s:00000000000000000000000003`, `"inngest.status":s:CANCELLED`, `"inngest.queued_ms":i:10`),
		span("bbbbbbbbbbbbbbb1", root, "pay", 3, 1020, 1030, 2, `"inngest.step.attempt":i:2`, `"inngest.status":s:FAILED`, `"inngest.queued_ms":i:10`,
			`"inngest.step.id":s:h`, `"inngest.step.op":s:RUN`, `"inngest.step.type":s:step.ai.wrap`, `"http.response.status_code":i:500`),
		span("bbbbbbbbbbbbbbb2", root, "nap", 1, 1100, 1200, 0, `"inngest.step.attempt":i:0`, `"inngest.status":s:COMPLETED`, `"inngest.step.sleep.until_ms":i:1200`),
		span("bbbbbbbbbbbbbbb3", root, "wait", 1, 1200, 2000, 0, `"inngest.step.attempt":i:0`, `"inngest.status":s:WAITING`,
			`"inngest.step.wait_for_event.name":s:e`, `"inngest.step.wait_for_event.matched_id":s:00000000000000000000000004`, `"inngest.step.wait.expired":b:false`),
		span("bbbbbbbbbbbbbbb4", root, "signal", 1, 1200, 2000, 0, `"inngest.step.attempt":i:0`, `"inngest.step.signal.name":s:s`, `"inngest.step.wait.expired":b:true`),
		span("bbbbbbbbbbbbbbb5", root, "invoke", 1, 9000, 9000, 0, `"inngest.step.attempt":i:0`, `"inngest.step.invoke.function.id":s:a-b`,
			`"inngest.step.invoke.run.id":s:00000000000000000000000005`),
	})
}

// span is a line as it is expected. Attributes are "key":type:value.
func span(id, parent, name string, kind int, start, end, code int, list ...string) string {
	number := func(n int) string { b, _ := json.Marshal(n); return string(b) }
	s := `{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"` + id + `",`
	if parent != "" {
		s += `"parentSpanId":"` + parent + `",`
	}
	s += `"name":"` + name + `","kind":` + number(kind) + `,"startTimeUnixNano":"` + number(start) + `000000","endTimeUnixNano":"` + number(end) + `000000","attributes":[` +
		`{"key":"inngest.run.id","value":{"stringValue":"00000000000000000000000001"}}`
	for _, a := range list {
		p := strings.SplitN(a, ":", 3)
		value := map[string]string{"s": `"stringValue":"` + p[2] + `"`, "i": `"intValue":"` + p[2] + `"`, "b": `"boolValue":` + p[2]}[p[1]]
		s += `,{"key":` + p[0] + `,"value":{` + value + `}}`
	}
	s += "]"
	if code != 0 {
		s += `,"status":{"code":` + number(code) + `}`
	}
	return s + "}\n"
}

func compare(t *testing.T, got string, want []string) {
	t.Helper()
	n := 0
	for line := range strings.Lines(got) {
		if n >= len(want) || line != want[n] {
			t.Errorf("span %d is\n%swant\n%s", n, line, want[min(n, len(want)-1)])
		}
		n++
	}
	if n != len(want) {
		t.Errorf("%d spans, want %d", n, len(want))
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "short", strings.Repeat("é", maxText), "x" + strings.Repeat("é", maxText), strings.Repeat("\x80", 2*maxText)} {
		got := clip(text)
		if len(got) > maxText || !strings.HasPrefix(text, got) || utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("clip(%q) = %q", text, got)
		}
		if len(text) <= maxText && got != text {
			t.Errorf("clip(%q) = %q", text, got)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	tr := oneCall(runID(1))
	e := Exporter{cfg: Config{Function: func(ids.UUID) *function.Function { return testFunction }}}
	for b.Loop() {
		e.encode(&tr.Run, trace.Tree(&tr, trace.Env{Function: testFunction}))
	}
}
