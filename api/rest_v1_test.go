package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// restServer is a dev server with the function app-f, on fakes.
func restServer(t *testing.T, h *fakeHistory, o *fakeOperator) *Server {
	t.Helper()
	s := NewServer(Options{Mode: ModeDev, Engine: &fakeEngine{}, Catalog: testCatalog(t), History: h, Operator: o})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	const functions = `{"url":"http://localhost:1/x","appName":"app","sdk":"js:v4","v":"0.1","functions":[
		{"id":"app-f","name":"F","triggers":[{"event":"e"}],"steps":{"step":{"id":"step","name":"step","runtime":{"url":"http://localhost:1/x?fnId=app-f&stepId=step"}}}},
		{"id":"app-f-failure","name":"F fails","triggers":[{"event":"inngest/function.failed"}],"steps":{"step":{"id":"step","name":"step","runtime":{"url":"http://localhost:1/x?fnId=app-f-failure&stepId=step"}}}}]}`
	expectStatus(t, sdkCall(s, "POST", "/fn/register", functions).StatusCode(), 200)
	return s
}

func expectStatus(t *testing.T, got, want int) {
	t.Helper()
	if got != want {
		t.Fatalf("status %d, want %d", got, want)
	}
}

// TestV1BadInput: the status is in the body, the HTTP status is 200.
func TestV1BadInput(t *testing.T) {
	t.Parallel()
	s := restServer(t, &fakeHistory{}, &fakeOperator{})
	for path, want := range map[string]string{
		"/v1/events?cursor=zzz":             "400 Invalid cursor query parameter",
		"/v1/events?received_after=zzz":     "400 Invalid received_after query parameter",
		"/v1/events?received_before=1":      "400 Invalid received_after query parameter",
		"/v1/events/zz":                     "400 Invalid event ID: zz",
		"/v1/events/zz/runs":                "400 Invalid event ID: zz",
		"/v1/events/" + otherRun:            "404 Event not found",
		"/v1/runs/zz":                       "400 Invalid run ID: zz",
		"/v1/runs/" + otherRun:              "500 Unable to load function run: " + otherRun,
		"/v1/runs/zz/jobs":                  "400 Invalid run ID: zz",
		"/v1/runs/" + otherRun + "/jobs":    "500 Unable to load function run: " + otherRun,
		"/v1/prom/x":                        "501 not implemented",
		"/v1/runs/" + otherRun + "%00":      "400 Invalid run ID: " + otherRun + "\\u0000",
		"/v1/events/" + otherRun + "?x=%zz": "404 Event not found",
	} {
		status, text, _ := strings.Cut(want, " ")
		expect(t, sdkCall(s, "GET", path, ""), 200, fmt.Sprintf(`{"error":"%s","data":null,"status":%s}`+"\n", text, status))
	}
}

func TestV1EventQuery(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for query, want := range map[string]history.EventQuery{
		"":                                     {Limit: 20, From: now.Add(-time.Hour).UnixMilli()},
		"limit=0&received_after=2025-01-02":    {Limit: 20, From: time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC).UnixMilli()},
		"limit=-5":                             {Limit: 1, From: now.Add(-time.Hour).UnixMilli()},
		"limit=abc":                            {Limit: 20, From: now.Add(-time.Hour).UnixMilli()},
		"limit=52&name=a%2Fb":                  {Limit: 51, Names: []string{"a/b"}, From: now.Add(-time.Hour).UnixMilli()},
		"received_before=2026-01-02T03:04:05Z": {Limit: 20, From: now.Add(-time.Hour).UnixMilli(), Until: now.UnixMilli()},
		"received_before=Fri, 02 Jan 2026 03:04:05 UTC": {Limit: 20, From: now.Add(-time.Hour).UnixMilli(), Until: now.UnixMilli()},
		"cursor=" + otherRun:                            {Limit: 20, From: now.Add(-time.Hour).UnixMilli(), Before: ulid.MustParse(otherRun)},
	} {
		s := restServer(t, &fakeHistory{}, nil)
		h := s.opts.History.(*fakeHistory)
		expectStatus(t, sdkCall(s, "GET", "/v1/events?"+strings.ReplaceAll(query, " ", "%20"), "").StatusCode(), 200)
		got := h.events1
		if !strings.Contains(query, "received_after") {
			// The window ends now, whose time is not the test's.
			if age := time.Since(time.UnixMilli(got.From)); age < time.Hour || age > 2*time.Hour {
				t.Errorf("%s: from %s ago", query, age)
			}
			got.From = want.From
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, want %+v", query, got, want)
		}
	}
}

// TestUnavailable: a database that is away is a real 503, with the reason.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	away := restServer(t, &fakeHistory{err: fmt.Errorf("dial: %w", history.ErrUnavailable)}, &fakeOperator{})
	none := NewServer(Options{Engine: &fakeEngine{}, Catalog: testCatalog(t)})
	late := restServer(t, &fakeHistory{err: context.DeadlineExceeded}, &fakeOperator{})
	broken := restServer(t, &fakeHistory{err: errors.New("boom")}, &fakeOperator{})
	for _, path := range []string{"/v1/events", "/v1/runs/" + testRun, "/v1/events/" + testRun + "/runs", "/v1/runs/" + testRun + "/jobs"} {
		for s, want := range map[*Server]string{
			away:   `503 {"error":"history is not available: the database does not answer","data":null,"status":503}`,
			none:   `503 {"error":"this server keeps no history","data":null,"status":503}`,
			late:   `503 {"error":"the request took longer than 15s and was given up","data":null,"status":503}`,
			broken: `500 {"error":"Internal server error","data":null,"status":500}`,
		} {
			r := sdkCall(s, "GET", path, "")
			if got := fmt.Sprintf("%d %s", r.StatusCode(), strings.TrimSpace(string(r.Body()))); got != want {
				t.Errorf("%s: %s, want %s", path, got, want)
			}
		}
	}
	for _, path := range []string{"/v2/runs", "/v2/runs/" + testRun, "/api/v2/runs/" + testRun + "/trace"} {
		expect(t, sdkCall(away, "GET", path, ""), 503, `{"errors":[{"code":"internal_error","message":"history is not available: the database does not answer"}]}`)
		expect(t, sdkCall(broken, "GET", path, ""), 500, `{"errors":[{"code":"internal_error","message":"Internal server error"}]}`)
	}
	expectStatus(t, sdkCall(away, "POST", "/v1/runs/"+testRun+"/metadata", `{"metadata":[{"kind":"userland.x","op":"set","values":{"a":1}}]}`).StatusCode(), 503)
	expectStatus(t, sdkCall(none, "GET", "/v1/dead-letters", "").StatusCode(), 503)
}

// TestRESTNeedsTheKey: everything but the catalog of operations needs the key.
func TestRESTNeedsTheKey(t *testing.T) {
	t.Parallel()
	s := NewServer(Options{Mode: ModeStart, Engine: &fakeEngine{}, Catalog: testCatalog(t), SigningKey: "ee12", History: &fakeHistory{}, Operator: &fakeOperator{}})
	for _, c := range []string{
		"GET /v1/events", "GET /v1/events/x", "GET /v1/events/x/runs", "GET /v1/runs/x", "GET /v1/runs/x/jobs", "GET /v1/prom/x",
		"GET /v1/apps/x/functions", "GET /v1/events/x/decisions", "GET /v1/functions", "POST /v1/functions/x/pause", "POST /v1/functions/x/unpause",
		"POST /v1/functions/x/drain", "GET /v1/cancellations", "POST /v1/cancellations", "DELETE /v1/cancellations/x",
		"GET /v1/replays", "POST /v1/replays", "GET /v1/replays/x", "DELETE /v1/replays/x", "GET /v1/dead-letters",
		"POST /v1/dead-letters/redrive", "POST /v1/dead-letters/x/redrive", "DELETE /v1/dead-letters/x",
		"GET /v2/health", "GET /api/v2/runs", "GET /api/v2/nope", "GET /api/v2", "POST /v2/events", "DELETE /v2/account",
	} {
		method, path, _ := strings.Cut(c, " ")
		r := sdkCall(s, method, path, "{}")
		if r.StatusCode() != 401 || string(r.Body()) != authFailedText {
			t.Errorf("%s: %d %q", c, r.StatusCode(), r.Body())
		}
	}
	for _, path := range []string{"/v2/operations", "/api/v2/operations"} {
		r := sdkCall(s, "GET", path, "")
		if r.StatusCode() != 200 || string(r.Header.Peek("Access-Control-Allow-Origin")) != "*" || !strings.Contains(string(r.Body()), `"id":"GetFunctionRun"`) {
			t.Errorf("%s: %d %.100s", path, r.StatusCode(), r.Body())
		}
		expectStatus(t, sdkCall(s, "POST", path, "").StatusCode(), 405)
	}
}

func TestV1RunForms(t *testing.T) {
	t.Parallel()
	id := ulid.MustParse(testRun)
	e := ulid.MustParse(otherRun)
	for name, c := range map[string]struct {
		run  history.Run
		want string // part of the answer
	}{
		"scheduled": {history.Run{Status: history.Scheduled, QueuedAt: 1000}, `"run_started_at":"1970-01-01T00:00:01Z"`},
		"running":   {history.Run{Status: history.Running, QueuedAt: 1000, StartedAt: 2500, Output: []byte("1")}, `"status":"Running","ended_at":null}`},
		"nothing":   {history.Run{Status: history.Completed, EndedAt: 3000}, `"ended_at":"1970-01-01T00:00:03Z","output":null}`},
		"cancelled": {history.Run{Status: history.Cancelled, EndedAt: 3000}, `"status":"Cancelled","ended_at":"1970-01-01T00:00:03Z","output":{}}`},
		"cron":      {history.Run{Status: history.Failed, Cron: "* * * * *", Original: e, EndedAt: 1, Output: []byte(`{"m":1}`)}, `"original_run_id":"` + otherRun + `","cron":"* * * * *","status":"Failed"`},
		"unknown":   {history.Run{Status: 77}, `"status":"Unknown"`},
		"batch":     {history.Run{Batch: true, Status: history.Running}, `"batch_id":"01`},
	} {
		c.run.ID, c.run.Events = id, []ulid.ULID{e}
		s := restServer(t, &fakeHistory{runs: []history.Run{c.run}}, nil)
		r := sdkCall(s, "GET", "/v1/runs/"+testRun, "")
		if !strings.Contains(string(r.Body()), c.want) {
			t.Errorf("%s: %s, want %s", name, r.Body(), c.want)
		}
	}
}

// TestShownOutput has recorded outputs (golden runs/resp-…).
func TestShownOutput(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status    history.Status
		raw, want string
	}{
		{history.Completed, `"hello"`, `"hello"`},
		{history.Completed, `"{\"a\":1}"`, `{"a":1}`},
		{history.Completed, `"{not json"`, `"{not json"`},
		{history.Completed, `{"error":"x","message":"x","name":"Error"}`, `{"error":"x","message":"x","name":"Error"}`},
		{history.Completed, ``, ``},
		{history.Failed, `{"message":"bad","name":"E"}`, `{"message":"bad","name":"E"}`},
		{history.Failed, `{"error":"invalid status code: 500","message":"invalid status code: 500","name":"Error"}`, `"invalid status code: 500"`},
		{history.Failed, `"{\"error\":{\"error\":\"no response data\",\"name\":\"Error\"}}"`, `{"error":{"error":"no response data","name":"Error"}}`},
		{history.Failed, `{"error":"{\"error\":{}}","message":"{\"error\":{}}","name":"Error"}`, `{"error":{}}`},
		{history.Failed, `[1,2]`, `[1,2]`},
	} {
		if got := string(shownOutput(&history.Run{Status: c.status, Output: []byte(c.raw)})); got != c.want {
			t.Errorf("%s: %s, want %s", c.raw, got, c.want)
		}
	}
}

// TestMetadataBound: what was kept before counts, and what was refused does not.
func TestMetadataBound(t *testing.T) {
	t.Parallel()
	run := ulid.MustParse(testRun)
	old := engine.Lifecycle{Kind: engine.StepMetadata, Payload: make([]byte, maxRunMetadata-1000)}
	h := &fakeHistory{traces: []history.Trace{{Run: history.Run{ID: run}, Records: []engine.Lifecycle{old, {Kind: engine.RunStarted, Payload: make([]byte, 1<<20)}}}}}
	s := restServer(t, h, nil)
	post := func(size int) int {
		body := `{"target":{"step_id":"one","step_index":2,"step_attempt":1},"metadata":[{"kind":"userland.x","values":{"a":"` + strings.Repeat("v", size) + `"}}]}`
		return sdkCall(s, "POST", "/v1/runs/"+testRun+"/metadata", body).StatusCode()
	}
	for i, c := range []struct{ size, want int }{{2000, 413}, {400, 200}, {800, 413}, {200, 200}} {
		if got := post(c.size); got != c.want {
			t.Errorf("%d: status %d, want %d", i, got, c.want)
		}
	}
	if len(h.appended) != 2 {
		t.Fatalf("%d records", len(h.appended))
	}
	l := h.appended[1]
	if l.Run != run || l.Kind != engine.StepMetadata || l.Attempt != 1 || l.Step != hashStep("one:2", 0) || l.Target != "" ||
		!strings.HasPrefix(string(l.Payload), `[{"scope":"step","kind":"userland.x","op":"merge","values":{"a":"v`) {
		t.Errorf("%+v %s", l, l.Payload)
	}
}

func TestMetadataOfASpan(t *testing.T) {
	t.Parallel()
	h := &fakeHistory{}
	s := restServer(t, h, nil)
	expectStatus(t, sdkCall(s, "POST", "/v1/runs/"+testRun+"/metadata",
		`{"target":{"step_id":"one","step_attempt":0,"span_id":"00f067aa0ba902b7"},"metadata":[{"kind":"inngest.ai","op":"set","values":{}}]}`).StatusCode(), 200)
	if l := h.appended[0]; l.Target != "00f067aa0ba902b7" || l.Attempt != -1 || !strings.Contains(string(l.Payload), `"extended_trace"`) {
		t.Errorf("%+v %s", l, l.Payload)
	}
}

func TestEventWithoutData(t *testing.T) {
	t.Parallel()
	e := history.Event{ID: ulid.MustParse(testRun), Name: "n", TS: 5, User: []byte("{}")}
	s := restServer(t, &fakeHistory{events: []history.Event{e}}, nil)
	r := sdkCall(s, "GET", "/v1/events/"+testRun, "")
	if body := string(r.Body()); !strings.Contains(body, `"name":"n","data":null,"ts":5}`) {
		t.Error(body)
	}
	if got := string(r.Header.Peek("Cache-Control")); got != "private, max-age=0" {
		t.Error(got)
	}
}
