package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/internal/jcs"

	"github.com/oklog/ulid/v2"
)

// knownRequests are raw requests of the reference with their signatures.
type knownRequests struct {
	Key      string `json:"signing_key_flag"`
	Requests []struct {
		Headers map[string]string `json:"headers"`
		Body    []byte            `json:"body_base64"`
	} `json:"requests"`
}

func loadKnown(t testing.TB) (k knownRequests) {
	t.Helper()
	raw, err := os.ReadFile("testdata/signature-known-answers.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &k); err != nil {
		t.Fatal(err)
	}
	if len(k.Requests) == 0 {
		t.Fatal("no requests in the file")
	}
	return k
}

// callOf rebuilds the engine's call from a recorded body.
func callOf(t testing.TB, body []byte) *engine.Call {
	t.Helper()
	var b struct {
		Ctx struct {
			Attempt          int    `json:"attempt"`
			DisableImmediate bool   `json:"disable_immediate_execution"`
			FnID             string `json:"fn_id"`
			GenerationID     uint32 `json:"generation_id"`
			JobID            string `json:"job_id"`
			MaxAttempts      int    `json:"max_attempts"`
			RequestID        string `json:"request_id"`
			RunID            string `json:"run_id"`
			Stack            struct {
				Current int      `json:"current"`
				Stack   []string `json:"stack"`
			} `json:"stack"`
		} `json:"ctx"`
		Events  []json.RawMessage          `json:"events"`
		Steps   map[string]json.RawMessage `json:"steps"`
		Version int                        `json:"version"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatal(err)
	}
	fn, ok := ids.ParseUUID(b.Ctx.FnID)
	if !ok {
		t.Fatalf("fn_id %q", b.Ctx.FnID)
	}
	c := &engine.Call{
		Fn:    &function.Function{ID: fn},
		JobID: b.Ctx.JobID, StepID: "step", Attempt: b.Ctx.Attempt, MaxAttempts: b.Ctx.MaxAttempts, RequestVersion: b.Version,
		DisableImmediate: b.Ctx.DisableImmediate, Current: b.Ctx.Stack.Current,
		RequestID: ulid.MustParse(b.Ctx.RequestID),
		Ref:       engine.CallRef{RunID: ulid.MustParse(b.Ctx.RunID), Generation: b.Ctx.GenerationID},
	}
	for _, e := range b.Events {
		c.Events = append(c.Events, e)
	}
	for _, id := range b.Ctx.Stack.Stack {
		c.Steps = append(c.Steps, engine.Step{ID: id, Memo: b.Steps[id]})
	}
	return c
}

func TestBodyAsRecorded(t *testing.T) {
	t.Parallel()
	for i, r := range loadKnown(t).Requests {
		if r.Headers["X-Run-Id"] == "" {
			continue // a ping
		}
		if got := AppendBody(nil, callOf(t, r.Body)); string(got) != string(r.Body) {
			t.Errorf("request %d:\ngot  %s\nwant %s", i, got, r.Body)
		}
	}
}

func TestSignatureAsRecorded(t *testing.T) {
	t.Parallel()
	known := loadKnown(t)
	for _, key := range []string{known.Key, "signkey-test-" + known.Key, "signkey-prod-" + known.Key} {
		signer := NewSigner(key)
		for i, r := range known.Requests {
			want := r.Headers["X-Inngest-Signature"]
			unix, err := strconv.ParseInt(strings.TrimPrefix(strings.Split(want, "&")[0], "t="), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(signer.Append([]byte("x"), r.Body, unix)); got != "x"+want {
				t.Errorf("request %d: got %s, want %s", i, got, want)
			}
			spaced := strings.Replace(string(r.Body), ":", " : ", 1)
			if got := string(signer.AppendCanonical(nil, []byte(spaced), unix)); got != want {
				t.Errorf("request %d, other spelling: got %s, want %s", i, got, want)
			}
		}
	}
	if NewSigner("") != nil {
		t.Error("there is a signer without a key")
	}
	if got := NewSigner("ab").AppendCanonical(nil, nil, 1); !strings.HasPrefix(string(got), "t=1&s=") {
		t.Errorf("empty body: %s", got)
	}
}

func testCall(steps int) *engine.Call {
	c := &engine.Call{
		Fn:    &function.Function{ID: ids.UUIDv5([]byte("fn")), AppID: ids.UUIDv5([]byte("app"))},
		JobID: "15790843265109238476", StepID: "step", MaxAttempts: 5, RequestVersion: 2, Current: steps,
		RequestID: ids.Derive(1754300000000, []byte("request")),
		Ref:       engine.CallRef{RunID: ids.Derive(1754300000000, []byte("run")), Generation: 1},
		Events:    [][]byte{[]byte(`{"data":{"n":1},"id":"01K1V7Q2JZ3T9A8B7C6D5E4F3G","name":"demo/hi","ts":1754300000000,"user":{}}`)},
	}
	for i := range steps {
		id := fmt.Sprintf("%x", ids.UUIDv5([]byte(strconv.Itoa(i))))
		c.Steps = append(c.Steps, engine.Step{ID: id, Memo: []byte(`{"data":{"step":"some output"}}`)})
	}
	return c
}

// ordered is testCall as the engine makes calls of long runs: it tells the order, and
// the stack.
func ordered(c *engine.Call) *engine.Call {
	for i := range c.Steps {
		c.Order = append(c.Order, int32(i))
		if i > 0 {
			c.Stack = append(c.Stack, ',')
		}
		c.Stack = jcs.AppendString(c.Stack, c.Steps[i].ID)
	}
	slices.SortFunc(c.Order, func(a, b int32) int { return jcs.Compare(c.Steps[a].ID, c.Steps[b].ID) })
	return c
}

func TestBodyIsTheSameWhenTheOrderIsKnown(t *testing.T) {
	t.Parallel()
	c := testCall(60)
	for i, id := range []string{"z", "\ufb33", "😀\"", ""} {
		c.Steps[7*i].ID = id
	}
	want := string(AppendBody(nil, c))
	if got := string(AppendBody(nil, ordered(c))); got != want || !jcs.Canonical([]byte(got)) {
		t.Errorf("with the order known\n%s\nwithout\n%s", got, want)
	}
	c.Inputs = []engine.Step{{ID: "a", Memo: []byte(`{"input":[1]}`)}, {ID: "z", Memo: []byte(`{"input":[2]}`)}}
	if got := AppendBody(nil, c); !jcs.Canonical(got) || !bytes.Contains(got, []byte(`"a":{"input":[1]}`)) || bytes.Contains(got, []byte(`[2]`)) {
		t.Errorf("with inputs besides\n%s", got)
	}
}

func TestBodyParts(t *testing.T) {
	t.Parallel()
	c := testCall(0)
	c.JobID, c.Ref.Generation, c.DisableImmediate, c.Attempt = "", 0, true, 3
	c.Steps = []engine.Step{{ID: "z", Memo: []byte("null")}, {ID: "\ufb33", Memo: []byte(`{"data":2}`)}, {ID: "😀\"", Memo: []byte(`{"data":1}`)}}
	c.Inputs = []engine.Step{{ID: "a", Memo: []byte(`{"input":[1]}`)}, {ID: "z", Memo: []byte(`{"input":[2]}`)}}
	c.Defers = []engine.DeferRef{{ID: "y", Abortable: true}, {ID: "b"}}
	body := AppendBody([]byte("prefix"), c)[len("prefix"):]
	if !jcs.Canonical(body) {
		t.Fatalf("not canonical: %s", body)
	}
	for _, want := range []string{
		`"steps":{"a":{"input":[1]},"z":null,"😀\"":{"data":1},"` + "\ufb33" + `":{"data":2}},`,
		`"stack":["z","` + "\ufb33" + `","😀\""]}`,
		`"defers":{"b":{"abortable":false},"y":{"abortable":true}},`,
		`{"ctx":{"attempt":3,"disable_immediate_execution":true,"env":"","fn_id":"`,
		`","max_attempts":5,"qi_id":"` + base64.StdEncoding.EncodeToString([]byte("::default")) + `",`,
		`"use_api":false,"version":2}`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("%s\nis not in %s", want, body)
		}
	}
	if strings.Contains(string(body), "generation_id") || strings.Contains(string(body), "job_id") {
		t.Errorf("empty fields are in %s", body)
	}
	if c.Defers[0].ID != "y" {
		t.Error("the engine's list was sorted in place")
	}
	c.Events = nil
	if body := AppendBody(nil, c); !strings.Contains(string(body), `"event":null,"events":[],`) {
		t.Errorf("no events: %s", body)
	}
}

// Large state makes the SDK fetch it (spec 01 §7.6).
func TestUseAPI(t *testing.T) {
	t.Parallel()
	parts := func(c *engine.Call) (events int, steps int, useAPI, ctxUseAPI bool, size int) {
		body := AppendBody(nil, c)
		var b struct {
			Ctx struct {
				UseAPI bool `json:"use_api"`
			} `json:"ctx"`
			Event  map[string]any    `json:"event"`
			Events []json.RawMessage `json:"events"`
			Steps  map[string]any    `json:"steps"`
			UseAPI bool              `json:"use_api"`
		}
		if err := json.Unmarshal(body, &b); err != nil {
			t.Fatal(err)
		}
		if len(b.Event) == 0 {
			t.Fatal("the event is missing")
		}
		return len(b.Events), len(b.Steps), b.UseAPI, b.Ctx.UseAPI, len(body)
	}
	c := testCall(2)
	c.StateSize = maxInlineState
	if e, s, u, cu, _ := parts(c); e != 1 || s != 2 || u || cu {
		t.Errorf("at the limit: %d events, %d steps, use_api %v %v", e, s, u, cu)
	}
	c.StateSize++
	if e, s, u, cu, _ := parts(c); e != 1 || s != 0 || !u || !cu {
		t.Errorf("state above the limit: %d events, %d steps, use_api %v %v", e, s, u, cu)
	}
	c = testCall(2)
	c.Steps[0].Memo = []byte(`{"data":"` + strings.Repeat("x", MaxRequestBytes) + `"}`)
	if e, s, u, cu, size := parts(c); e != 0 || s != 0 || !u || !cu || size > MaxRequestBytes {
		t.Errorf("body above the limit: %d events, %d steps, use_api %v %v, %d bytes", e, s, u, cu, size)
	}
}

func TestTrace(t *testing.T) {
	t.Parallel()
	c := testCall(0)
	parent := string(AppendTraceparent(nil, c.Ref.RunID, c.RequestID))
	state := string(AppendTracestate(nil, c.Fn, c.Ref.RunID, c.RequestID))
	if len(parent) != 55 || !strings.HasPrefix(parent, "00-") || !strings.HasSuffix(parent, "-01") {
		t.Errorf("traceparent %s", parent)
	}
	trace, _ := ids.RunTrace(c.Ref.RunID)
	want := fmt.Sprintf("inngest@traceref=%%7B%%22tp%%22%%3A%%22%s%%22%%2C%%22ts%%22%%3A%%22%%22%%7D,inngest@fn=%s,inngest@app=%s",
		string(ids.AppendTraceparent(nil, trace, ids.SpanOf(c.RequestID, "run"), true)), c.Fn.ID, c.Fn.AppID)
	if state != want {
		t.Errorf("tracestate %s\nwant       %s", state, want)
	}
	other := string(AppendTraceparent(nil, c.Ref.RunID, ids.Derive(1, []byte("other"))))
	if parent[:35] != other[:35] || parent == other {
		t.Errorf("two requests of a run have %s and %s", parent, other)
	}
}

func TestRequestAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector changes the number of allocations")
	}
	c := testCall(10)
	signer := NewSigner("0123456789abcdef")
	body := AppendBody(nil, c)
	head := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() {
		body = AppendBody(body[:0], c)
		head = signer.Append(head[:0], body, 1754300000)
		head = AppendTraceparent(head, c.Ref.RunID, c.RequestID)
		head = AppendTracestate(head, c.Fn, c.Ref.RunID, c.RequestID)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppendBody(b *testing.B) {
	for _, steps := range []int{0, 3, 100, 500} {
		b.Run(fmt.Sprintf("steps=%d", steps), func(b *testing.B) {
			c := testCall(steps)
			if steps > 24 {
				c = ordered(c)
			}
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendBody(dst[:0], c)
			}
			b.SetBytes(int64(len(dst)))
		})
	}
}

func BenchmarkSign(b *testing.B) {
	body := AppendBody(nil, testCall(3))
	signer := NewSigner("0123456789abcdef")
	var dst []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		dst = signer.Append(dst[:0], body, 1754300000)
	}
}
