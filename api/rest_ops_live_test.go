package api_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// bulkAnswer is what tests look at in an answer about a bulk operation.
type bulkAnswer struct {
	Data struct {
		ID        string `json:"id"`
		Status    string `json:"status"`
		Cancelled int    `json:"cancelled"`
		Matched   int    `json:"matched"`
		Replayed  int    `json:"replayed"`
	} `json:"data"`
}

// TestOperateLive does on a whole server what operators do.
func TestOperateLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.populate()
	t.Run("decisions", func(t *testing.T) { w.decides(t) })
	t.Run("pause", func(*testing.T) { w.pauses() })
	t.Run("cancellation", func(t *testing.T) { w.cancels(t) })
	t.Run("replay", func(t *testing.T) { w.replays(t) })
	t.Run("rerun", func(t *testing.T) { w.reruns(t) })
	t.Run("invoke", func(t *testing.T) { w.invokes(t) })
	t.Run("additions", func(t *testing.T) { w.adds(t) })
}

// decides reads why events started runs or not.
func (w *world) decides(t *testing.T) {
	run := w.awaitEvent(`{"name":"views/ok2","data":{"a":1}}`)
	for event, want := range map[string]string{
		run[0]: `"function":"golden-views-ok","outcome":"RUN","run_id":"` + run[1] + `"}]`,
		w.send(`{"name":"views/ok2","data":{"a":2}}`):    `"function":"golden-views-ok","outcome":"NOT_MATCHED","reason":"the trigger's condition is false: event.data.a == 1"}]`,
		w.send(`{"name":"views/unused","data":{"a":2}}`): `{"data":[],`,
	} {
		if got := w.want(200, "GET", "/v1/events/"+event+"/decisions", ""); !strings.Contains(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	w.want(404, "GET", "/v1/events/01HZZZZZZZZZZZZZZZZZZZZZZZ/decisions", "")
	w.want(400, "GET", "/v1/events/zz/decisions", "")
}

// awaitEvent sends an event and returns its id and that of the run that it starts.
func (w *world) awaitEvent(event string) [2]string {
	w.t.Helper()
	id := w.send(event)
	return [2]string{id, w.await(id, "Completed")}
}

func (w *world) pauses() {
	w.t.Helper()
	const fn = "/v1/functions/golden-views-bad/"
	mode := func(body string) string {
		var f struct {
			Data struct {
				Slug, Mode string
			} `json:"data"`
		}
		w.decode(body, &f)
		return f.Data.Slug + " " + f.Data.Mode
	}
	if got := mode(w.want(200, "POST", fn+"pause", "")); got != "golden-views-bad paused" {
		w.t.Error(got)
	}
	if body := w.want(200, "GET", "/api/v2/apps/golden-views/functions/bad", ""); !strings.Contains(body, `"isPaused":true`) {
		w.t.Error(body)
	}
	event := w.send(`{"name":"views/bad","data":{}}`)
	w.await(event, "Scheduled")
	if got := mode(w.want(200, "POST", fn+"unpause", "")); got != "golden-views-bad active" {
		w.t.Error(got)
	}
	w.await(event, "Failed")
	if got := mode(w.want(200, "POST", fn+"drain", "")); got != "golden-views-bad draining" {
		w.t.Error(got)
	}
	w.want(200, "POST", fn+"unpause", "")
	if body := w.want(200, "GET", "/v1/functions", ""); strings.Count(body, `"mode":"active"`) != 7 {
		w.t.Error(body)
	}
}

func (w *world) cancels(t *testing.T) {
	var slow []string
	for range 3 {
		slow = append(slow, w.await(w.send(`{"name":"views/slow","data":{"n":7}}`), "Running"))
	}
	// What is about to come must not be cancelled.
	time.Sleep(2 * time.Millisecond)
	before := time.Now().UTC().Format(time.RFC3339Nano)
	body := fmt.Sprintf(`{"app_id":"golden-views","function_id":"golden-views-slow","started_before":%q,"if":"event.data.n == 7"}`, before)
	var a bulkAnswer
	w.decode(w.want(200, "POST", "/v1/cancellations", body), &a)
	if a.Data.Status != "completed" || a.Data.Cancelled != len(slow) {
		t.Errorf("%+v", a)
	}
	for _, run := range slow {
		var r struct {
			Data struct {
				Status string `json:"status"`
			} `json:"data"`
		}
		w.decode(w.want(200, "GET", "/v1/runs/"+run, ""), &r)
		if r.Data.Status != "Cancelled" {
			t.Errorf("run %s is %s", run, r.Data.Status)
		}
	}
	if list := w.want(200, "GET", "/v1/cancellations", ""); !strings.Contains(list, a.Data.ID) {
		t.Error(list)
	}
	w.want(204, "DELETE", "/v1/cancellations/"+a.Data.ID, "")
	w.want(404, "DELETE", "/v1/cancellations/"+a.Data.ID, "")
	w.want(400, "DELETE", "/v1/cancellations/zz", "")
}

// failedRuns counts the failed runs of golden-views-bad.
func (w *world) failedRuns() int {
	w.t.Helper()
	var list struct {
		Data []json.RawMessage `json:"data"`
	}
	w.decode(w.want(200, "GET", "/v2/apps/golden-views/functions/bad/runs?status=FAILED&limit=100", ""), &list)
	return len(list.Data)
}

func (w *world) replays(t *testing.T) {
	before := w.failedRuns()
	from := w.began.Add(-time.Minute).UTC().Format(time.RFC3339Nano)
	body := fmt.Sprintf(`{"app_id":"golden-views","function_id":"golden-views-bad","from":%q,"per_second":1000,"if":"event.data.b == \"x\""%%s}`, from)
	var dry bulkAnswer
	w.decode(w.want(200, "POST", "/v1/replays", fmt.Sprintf(body, `,"dry_run":true`)), &dry)
	w.settled(t, &dry)
	if dry.Data.Matched != 1 || dry.Data.Replayed != 0 || w.failedRuns() != before {
		t.Errorf("dry run: %+v", dry)
	}
	var a bulkAnswer
	w.decode(w.want(200, "POST", "/v1/replays", fmt.Sprintf(body, "")), &a)
	w.settled(t, &a)
	if a.Data.Matched != 1 || a.Data.Replayed != 1 {
		t.Errorf("%+v", a)
	}
	for end := time.Now().Add(patience); w.failedRuns() != before+1; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d failed runs, want %d", w.failedRuns(), before+1)
		}
	}
	w.want(204, "DELETE", "/v1/replays/"+a.Data.ID, "")
	w.want(404, "GET", "/v1/replays/"+a.Data.ID, "")
}

// settled waits until a replay has ended.
func (w *world) settled(t *testing.T, a *bulkAnswer) {
	t.Helper()
	for end := time.Now().Add(patience); a.Data.Status == "running"; time.Sleep(20 * time.Millisecond) {
		w.decode(w.want(200, "GET", "/v1/replays/"+a.Data.ID, ""), a)
		if time.Now().After(end) {
			t.Fatal("the replay does not end")
		}
	}
	if a.Data.Status != "completed" {
		t.Errorf("%+v", a)
	}
}

// runID reads the answer of what makes a run.
func (w *world) runID(body string) string {
	w.t.Helper()
	var a struct {
		Data struct {
			RunID string `json:"runId"`
		} `json:"data"`
	}
	w.decode(body, &a)
	return a.Data.RunID
}

// awaitRun waits until a run has a status, and returns its view.
func (w *world) awaitRun(run, status string) string {
	w.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		body := w.want(200, "GET", "/v2/runs/"+run+"?includeOutput=true", "")
		if strings.Contains(body, `"status":"`+status+`"`) {
			return body
		}
		if time.Now().After(end) {
			w.t.Fatalf("the run does not get to %s: %s", status, body)
		}
	}
}

func (w *world) reruns(t *testing.T) {
	run := w.await(w.send(`{"name":"views/ok","data":{"a":2}}`), "Completed")
	again := w.runID(w.want(200, "POST", "/v2/runs/"+run+"/rerun", `{"fromStep":{"stepId":"z"}}`))
	if body := w.awaitRun(again, "COMPLETED"); !strings.Contains(body, `"output":{"done":true}`) {
		t.Error(body)
	}
	if v1 := w.want(200, "GET", "/v1/runs/"+again, ""); !strings.Contains(v1, `"original_run_id":"`+run+`"`) {
		t.Error(v1)
	}
	// The step before was not called again, so the new run has no memo of its own of it.
	if trace := w.want(200, "GET", "/v2/runs/"+again+"/trace", ""); strings.Contains(trace, `"name":"one"`) {
		t.Error(trace)
	}
	third := w.runID(w.want(200, "POST", "/v2/runs/"+again+"/rerun", ""))
	if v1 := w.want(200, "GET", "/v1/runs/"+third, ""); !strings.Contains(v1, `"original_run_id":"`+run+`"`) {
		t.Errorf("the chain of reruns is lost: %s", v1)
	}
	for body, want := range map[string]string{
		`{"fromStep":{}}`:                            `{"errors":[{"code":"missing_field","message":"Step ID is required"}]}`,
		`{"fromStep":{"stepId":"nope"}}`:             `{"errors":[{"code":"invalid_request","message":"Step not found in original run"}]}`,
		`{"fromStep":{"stepId":"one","input":{}}}`:   `{"errors":[{"code":"invalid_field_format","message":"fromStep.input: input is not a valid JSON array"}]}`,
		`{"fromStep":{"stepId":"one","inputs":[1]}}`: `{"errors":[{"code":"api_error","message":"fromStep: json: unknown field \"inputs\""}]}`,
	} {
		if got := w.want(400, "POST", "/v2/runs/"+run+"/rerun", body); got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
}

func (w *world) invokes(t *testing.T) {
	const path = "/v2/apps/golden-views/functions/ok/invoke"
	run := w.runID(w.want(200, "POST", path, `{"data":{},"idempotency_key":"k1"}`))
	if again := w.runID(w.want(409, "POST", path, `{"data":{},"idempotencyKey":"k1"}`)); again != run {
		t.Errorf("run %s, then %s", run, again)
	}
	w.awaitRun(run, "COMPLETED")
	w.want(409, "POST", "/v2/runs/"+run+"/cancel", "")
	w.want(400, "POST", path, `{}`)
	w.want(404, "POST", "/v2/apps/nope/functions/ok/invoke", `{"data":{}}`)
}

// adds tells the API of things about a run, which its trace then has.
func (w *world) adds(t *testing.T) {
	run := w.await(w.send(`{"name":"views/ok","data":{"a":3}}`), "Completed")
	w.want(200, "POST", "/v1/runs/"+run+"/metadata", `{"target":{},"metadata":[{"kind":"userland.foo","op":"merge","values":{"a":1,"b":"x"}}]}`)
	w.want(200, "POST", "/v1/runs/"+run+"/metadata", `{"target":{"step_id":"one"},"metadata":[{"kind":"userland.foo","op":"add","values":{"n":2}}]}`)
	w.want(200, "POST", "/v1/runs/"+run+"/metadata", `{"target":{"step_id":"one"},"metadata":[{"kind":"userland.foo","op":"add","values":{"n":3}}]}`)
	score := w.want(200, "POST", "/v2/runs/"+run+"/scores", `[{"name":"good","value":0.5},{"name":"seen","value":true,"stepId":"one"}]`)
	if want := fmt.Sprintf(`{"data":[{"name":"good","runId":%q,"value":0.5},{"name":"seen","runId":%q,"stepId":"one","value":true}],`, run, run); !strings.HasPrefix(score, want) {
		t.Errorf("%s, want %s", score, want)
	}
	var fns []struct {
		ID   string `json:"internal_id"`
		Slug string `json:"id"`
	}
	w.decode(w.want(200, "GET", "/v1/apps/golden-views/functions", ""), &fns)
	fn := fns[slices.IndexFunc(fns, func(f struct {
		ID   string `json:"internal_id"`
		Slug string `json:"id"`
	}) bool {
		return f.Slug == "golden-views-ok"
	})].ID
	span := fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"svc"}}]},"scopeSpans":[{"scope":{"name":"lib"},"spans":[
		{"traceId":"0123456789abcdef0123456789abcdef","spanId":"00F067AA0BA902B7","name":"db query","kind":1,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000005000000",
		"attributes":[{"key":"inngest.traceref","value":{"stringValue":%q}},{"key":"sys.function.id","value":{"stringValue":%q}},{"key":"sdk.run.id","value":{"stringValue":%q}},
		{"key":"inngest.step.id","value":{"stringValue":"one"}},{"key":"rows","value":{"intValue":"3"}},{"key":"_inngest.x","value":{"boolValue":true}}]}]}]}]}`,
		url.QueryEscape(`{"tp":"x"}`), fn, run)
	req := w.wantType("application/json", "/v1/traces/userland", span)
	if req != "{}" {
		t.Error(req)
	}
	trace := w.want(200, "GET", "/v2/runs/"+run+"/trace", "")
	for _, part := range []string{
		`"kind":"userland.foo","scope":"run"`, `"values":{"a":"1","b":"x"}`, `"values":{"n":"5"}`,
		`"kind":"inngest.score","scope":"run"`, `"kind":"inngest.score","scope":"step"`, `"id":"00f067aa0ba902b7","name":"db query"`,
	} {
		if !strings.Contains(trace, part) {
			t.Errorf("the trace has no %s: %s", part, trace)
		}
	}
}
