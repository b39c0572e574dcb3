package api_test

import (
	"encoding/json"
	"testing"
	"time"
)

// gqlData sends a query, which must succeed, and decodes its data.
func (w *world) gqlData(to any, query string) {
	w.t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		w.t.Fatal(err)
	}
	answer := struct {
		Errors []json.RawMessage
		Data   any
	}{Data: to}
	text := w.wantType("application/json", "/v0/gql", string(body))
	w.decode(text, &answer)
	if answer.Errors != nil {
		w.t.Fatalf("%s: %s", query, text)
	}
}

// TestGraphQLLive uses what the recordings do not have against a whole server.
func TestGraphQLLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.populate()
	w.gqlDecides()
	w.gqlCancels()
	w.gqlReruns()
	w.gqlPauses()
}

// gqlDecides: an event tells why it started no run.
func (w *world) gqlDecides() {
	w.t.Helper()
	var got struct {
		Unmet, Met struct {
			Decisions []struct {
				Outcome  string
				Reason   *string
				RunID    *string
				Function struct{ Slug string }
			}
		}
	}
	unmet, met := w.send(`{"name":"views/ok2","data":{"a":2}}`), w.send(`{"name":"views/bad","data":{}}`)
	run := w.await(met, "Failed")
	w.gqlData(&got, `{unmet:eventV2(id:"`+unmet+`"){...d} met:eventV2(id:"`+met+`"){...d}} fragment d on EventV2{decisions{outcome reason runID function{slug}}}`)
	if d := got.Unmet.Decisions; len(d) != 1 || d[0].Outcome != "NOT_MATCHED" || *d[0].Reason != "the trigger's condition is false: event.data.a == 1" || d[0].Function.Slug != "golden-views-ok" {
		w.t.Errorf("%+v", d)
	}
	if d := got.Met.Decisions; len(d) != 1 || d[0].Outcome != "RUN" || d[0].Reason != nil || *d[0].RunID != run {
		w.t.Errorf("%+v", d)
	}
}

// gqlCancels: cancelRun answers with a run that is cancelled in all that is read afterwards.
func (w *world) gqlCancels() {
	w.t.Helper()
	run := w.await(w.send(`{"name":"views/slow","data":{}}`), "Running")
	var got struct {
		CancelRun struct{ Status, Output string }
	}
	w.gqlData(&got, `mutation{cancelRun(runID:"`+run+`"){status output}}`)
	if got.CancelRun.Status != "CANCELLED" || got.CancelRun.Output != "{}" {
		w.t.Errorf("%+v", got)
	}
	var again struct{ Run struct{ Status string } }
	if w.gqlData(&again, `{run(runID:"`+run+`"){status}}`); again.Run.Status != "CANCELLED" {
		w.t.Errorf("%+v", again)
	}
}

// gqlReruns: a rerun from a step has the memos of before.
func (w *world) gqlReruns() {
	w.t.Helper()
	run := w.await(w.send(`{"name":"views/ok","data":{"a":1}}`), "Completed")
	var rerun struct{ Rerun string }
	w.gqlData(&rerun, `mutation{rerun(runID:"`+run+`",fromStep:{stepID:"395df8f7c51f007019cb30201c49e884b46b92fa"})}`)
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		var got struct {
			Run struct {
				Status, Output string
				Trace          struct{ ChildrenSpans []struct{ Name string } }
			}
		}
		w.gqlData(&got, `{run(runID:"`+rerun.Rerun+`"){status output trace(preview:true){childrenSpans{name}}}}`)
		if got.Run.Status == "COMPLETED" {
			for _, s := range got.Run.Trace.ChildrenSpans {
				if s.Name == "one" {
					w.t.Errorf("the step before was called again: %+v", got)
				}
			}
			break
		}
		if time.Now().After(end) {
			w.t.Fatalf("the rerun does not end: %+v", got)
		}
	}
}

// gqlPauses: events of a paused function make runs that wait.
func (w *world) gqlPauses() {
	w.t.Helper()
	var fn struct{ FunctionBySlug struct{ ID string } }
	w.gqlData(&fn, `{functionBySlug(query:{functionSlug:"golden-views-bad"}){id}}`)
	set := func(mutation, mode string) {
		w.t.Helper()
		var got map[string]struct{ Mode string }
		if w.gqlData(&got, `mutation{`+mutation+`(fnID:"`+fn.FunctionBySlug.ID+`"){mode}}`); got[mutation].Mode != mode {
			w.t.Errorf("%s: %+v", mutation, got)
		}
	}
	set("pauseFunction", "PAUSED")
	event := w.send(`{"name":"views/bad","data":{}}`)
	var got struct {
		EventV2 struct{ Runs []struct{ Status string } }
	}
	for end := time.Now().Add(patience); len(got.EventV2.Runs) == 0; time.Sleep(20 * time.Millisecond) {
		if w.gqlData(&got, `{eventV2(id:"`+event+`"){runs{status}}}`); time.Now().After(end) {
			w.t.Fatal("the event makes no run")
		}
	}
	if got.EventV2.Runs[0].Status != "QUEUED" {
		w.t.Errorf("%+v", got)
	}
	set("unpauseFunction", "ACTIVE")
	w.await(event, "Failed")
}
