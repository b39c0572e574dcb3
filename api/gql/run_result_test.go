package gql

import (
	"testing"

	"ingot/engine"
	"ingot/storage/history"
)

// TestTextResults: what was text and no JSON is shown as it came, a JSON string as JSON;
// functionRun shows errors without quotes either way.
func TestTextResults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		output     string
		text       bool
		status     history.Status
		run, short string
	}{
		"text":        {`"hi \"you\""`, true, history.Completed, `hi "you"`, `hi "you"`},
		"JSON string": {`"hi"`, false, history.Completed, `"hi"`, `"hi"`},
		"error text":  {`"oops"`, true, history.Failed, `oops`, `oops`},
		"error":       {`"oops"`, false, history.Failed, `"oops"`, `oops`},
		"object":      {`{"a":1}`, false, history.Failed, `{"a":1}`, `{"a":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.populate(1)
			run := &r.history.runs[0]
			run.Status, run.EndedAt, run.Output, run.Text = test.status, run.StartedAt+1, []byte(test.output), test.text
			var got struct{ Run, FunctionRun struct{ Output string } }
			r.data(&got, `query($id:String!,$f:ID!){run(runID:$id){output} functionRun(query:{functionRunId:$f}){output}}`,
				map[string]any{"id": run.ID.String(), "f": run.ID.String()})
			if got.Run.Output != test.run || got.FunctionRun.Output != test.short {
				t.Errorf("run shows %s and functionRun %s, want %s and %s", got.Run.Output, got.FunctionRun.Output, test.run, test.short)
			}
		})
	}
}

// TestNeverStarted: a run that ended before it began started when it ended.
func TestNeverStarted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(1)
	run := &r.history.runs[0]
	run.Status, run.StartedAt, run.EndedAt = history.Cancelled, 0, run.QueuedAt+5000
	var got struct {
		Run struct{ StartedAt, EndedAt string }
	}
	r.data(&got, `query($id:String!){run(runID:$id){startedAt endedAt}}`, map[string]any{"id": run.ID.String()})
	if got.Run.StartedAt == "" || got.Run.StartedAt != got.Run.EndedAt {
		t.Errorf("%+v", got)
	}
}

// TestInvokedRun: an invocation's run is the one of the function that it names, whatever else
// listens to the event.
func TestInvokedRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(3)
	r.register("other", `{"id":"other-listener","name":"listener","triggers":[{"event":"inngest/function.invoked"}],`+
		`"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"http://app/x?fnId=other-listener"}}}}`)
	listener := r.history.runs[1]
	listener.ID, listener.Function, listener.Deferred = r.id('q', 1), r.fn("other-listener"), false
	r.history.runs = append([]history.Run{listener}, r.history.runs...)
	r.history.traces[listener.ID] = []engine.Lifecycle{{Kind: engine.RunScheduled, Run: listener.ID, Fn: listener.Function, At: listener.QueuedAt, Events: listener.Events}}
	var got struct {
		Run struct {
			Trace struct {
				ChildrenSpans []struct {
					StepInfo struct{ RunID *string }
				}
			}
		}
	}
	r.data(&got, `query($id:String!){run(runID:$id){trace(preview:true){childrenSpans{stepInfo{...on InvokeStepInfo{runID}}}}}}`,
		map[string]any{"id": r.id('r', 0).String()})
	found := ""
	for _, s := range got.Run.Trace.ChildrenSpans {
		if s.StepInfo.RunID != nil {
			found += *s.StepInfo.RunID
		}
	}
	if found != r.id('r', 1).String() {
		t.Errorf("the invocation's run is %s, want %s", found, r.id('r', 1))
	}
}
