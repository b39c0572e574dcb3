package engine_test

import (
	"testing"
	"time"

	"ingot/engine"
)

// TestHistoryOfAnswers checks what is kept of answers that are text, empty operations, or the
// function's result as an operation.
func TestHistoryOfAnswers(t *testing.T) {
	t.Parallel()
	answers := []engine.Result{
		{Status: 500, Error: "invalid status code: 500", Output: []byte(`"oops"`), Text: true},
		{Status: 500, Error: "invalid status code: 500"},
		{Status: 206, Ops: []engine.Op{{Code: engine.OpNone}}, SDK: "js:v4", RequestVersion: 2},
		{Status: 200, Output: []byte(`"plain"`), Text: true},
	}
	n := 0
	d := newDesk(t, func(*engine.Call) engine.Result {
		n++
		return answers[n-1]
	}, "f")
	d.send("f", `{}`)
	d.pass(2 * time.Minute)
	var ends []engine.Lifecycle
	for _, l := range d.history() {
		if l.Kind == engine.CallEnded || l.Kind == engine.RunCompleted {
			ends = append(ends, l)
		}
	}
	if len(ends) != 5 {
		t.Fatalf("%d records of answers and the end: %+v", len(ends), ends)
	}
	const message = `{"error":"invalid status code: 500","message":"invalid status code: 500","name":"Error"}`
	for i, want := range []struct {
		flags   engine.LifecycleFlags
		payload string
		ops     int
	}{
		{engine.FlagText, `"oops"`, 0}, {0, message, 0}, {0, "", 0}, {engine.FlagOutput, "", 0}, {engine.FlagText, `"plain"`, 0},
	} {
		if l := &ends[i]; l.Flags != want.flags || string(l.Payload) != want.payload || l.Count != want.ops {
			t.Errorf("record %d has flags %b, payload %s and %d ops, want %+v", i, l.Flags, l.Payload, l.Count, want)
		}
	}
}
