package wire

import (
	"testing"
	"time"

	"ingot/engine"
)

// benchAnswers are answers as the TypeScript SDK gives them.
var benchAnswers = []struct {
	name   string
	resp   Response
	allocs float64
	want   func(engine.Result) bool
}{
	{"step", Response{Status: 206, Body: []byte(`[{"displayName":"step-1","id":"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8","name":"step-1","op":"StepRun","opts":{"type":"step.run"},"data":{"n":1,"text":"some output"},"userland":{"id":"step-1"}}]`)}, 3,
		func(r engine.Result) bool { return len(r.Ops) == 1 }},
	{"parallel", Response{Status: 206, Body: []byte(`[{"id":"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8","name":"a","op":"StepPlanned"},{"id":"e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98","name":"b","op":"StepPlanned"},{"id":"84a516841ba77a5b4648de2cd0dfcb30ea46dbb4","name":"c","op":"StepPlanned"}]`)}, 3,
		func(r engine.Result) bool { return len(r.Ops) == 3 }},
	{"result", Response{Status: 200, Body: []byte(`{"ok":true,"order":{"id":"o-1","total":12.5},"text":"some output"}`)}, 2,
		func(r engine.Result) bool { return r.Error == "" && r.Output != nil }},
	{"error", Response{Status: 500, Body: []byte(`{"name":"Error","message":"it broke","stack":"Error: it broke\n    at fn (app.js:1:1)"}`)}, 4,
		func(r engine.Result) bool { return r.Error != "" }},
}

// classified is one classification of a benchmark answer, which Classify may change.
func classified(resp Response) engine.Result {
	resp.SDK, resp.ReqVersion = benchSDK, benchVersion
	return Classify(&resp, benchTime)
}

var (
	benchSDK     = []byte("inngest-js:v4.24.0")
	benchVersion = []byte("2")
	benchTime    = time.UnixMilli(1754300000000)
)

func BenchmarkClassify(b *testing.B) {
	for _, a := range benchAnswers {
		b.Run(a.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(a.resp.Body)))
			for b.Loop() {
				if res := classified(a.resp); !a.want(res) {
					b.Fatalf("%+v", res)
				}
			}
		})
	}
}

// TestClassifyAllocs: an answer costs what the engine keeps of it, which is the
// document, its operations and the SDK's name; an error also its text.
func TestClassifyAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector changes the number of allocations")
	}
	for _, a := range benchAnswers {
		if n := testing.AllocsPerRun(100, func() { classified(a.resp) }); n > a.allocs {
			t.Errorf("%s: %v allocations, want at most %v", a.name, n, a.allocs)
		}
	}
}

// TestLongBodyAllocatesNothing: the body of a run's 500th call goes into a used buffer.
func TestLongBodyAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector changes the number of allocations")
	}
	c := testCall(500)
	body := AppendBody(nil, c)
	if n := testing.AllocsPerRun(100, func() { body = AppendBody(body[:0], c) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
