package api

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"ingot/engine"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

func v2Refused(code, text string) string {
	return fmt.Sprintf(`{"errors":[{"code":%q,"message":%q}]}`, code, text)
}

func TestV2BadInput(t *testing.T) {
	t.Parallel()
	s := restServer(t, &fakeHistory{}, &fakeOperator{})
	const invalid, api = "invalid_field_format", "api_error"
	cursor := base64.StdEncoding.EncodeToString([]byte(`{"id":"` + testRun + `","c":{"end_time":{"f":"end_time","v":1}}}`))
	for _, c := range []struct {
		request string
		status  int
		code    string
		text    string
	}{
		{"GET /runs?limit=101", 400, invalid, "Limit cannot exceed 100"},
		{"GET /runs?limit=-1", 400, invalid, "Limit must be at least 1"},
		{"GET /runs?limit=x", 400, api, `parsing field "limit": strconv.ParseInt: parsing "x": invalid syntax`},
		{"GET /runs?status=NOPE", 400, invalid, "Status is invalid"},
		{"GET /runs?timeField=nope", 400, invalid, "timeField is invalid"},
		{"GET /runs?order=up", 400, invalid, "order is invalid"},
		{"GET /runs?cursor=zzz", 400, invalid, "Cursor is invalid"},
		{"GET /runs?cursor=" + cursor, 400, invalid, "Cursor is invalid"}, // of another order
		{"GET /runs?cursor=" + strings.Repeat("a", 2000), 400, invalid, "Cursor is invalid"},
		{"GET /runs?functionId=f", 400, invalid, "appId is required when filtering by functionId"},
		{"GET /runs?from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", 400, invalid, "from must be before until"},
		{"GET /runs?from=yesterday", 400, api, `parsing field "from": parsing time "yesterday" as "2006-01-02T15:04:05.999999999Z07:00": cannot parse "yesterday" as "2006"`},
		{"GET /runs?includeOutput=2", 400, api, `parsing field "include_output": strconv.ParseBool: parsing "2": invalid syntax`},
		{"GET /runs/zz", 400, invalid, "Run ID must be a valid ULID"},
		{"GET /runs/zz/trace", 400, invalid, "Run ID must be a valid ULID"},
		{"GET /runs/" + otherRun, 404, "not_found", "Run not found"},
		{"GET /runs/" + otherRun + "/trace", 404, "not_found", "Trace not found"},
		{"GET /events/zz/runs", 400, invalid, "Event ID must be a valid ULID"},
		{"GET /events/" + otherRun + "/runs?limit=41", 400, invalid, "Limit cannot exceed 40"},
		{"GET /apps?limit=0", 400, invalid, "Limit must be at least 1"},
		{"GET /apps?cursor=x", 400, invalid, "Cursor is invalid"},
		{"GET /apps/nope", 404, "not_found", "App not found"},
		{"GET /apps/app/functions/nope", 404, "not_found", "Function not found"},
		{"GET /envs?limit=251", 400, invalid, "Limit cannot exceed 250"},
		{"GET /keys/events?limit=101", 400, invalid, "Limit cannot exceed 100"},
		{"GET /nope", 404, api, "Not Found"},
		{"GET /", 404, api, "Not Found"},
		{"GET ", 400, api, "Bad Request"},
		{"POST /account {}", 501, api, "Method Not Allowed"},
		{"HEAD /account", 501, "", ""},
		{"POST /events {}", 400, "missing_field", "Event name is required"},
		{`POST /events {"name":5}`, 400, api, "proto:\u00a0(line 1:9): invalid value for name: must be a string"},
		{`POST /events {"name":"a","data":[]}`, 400, api, "proto:\u00a0(line 1:20): invalid value for data: must be an object"},
		{"POST /events {\n  \"näme\":1}", 400, api, "proto:\u00a0(line 2:3): unknown field \"näme\""},
		{`POST /events {"name":"a", "name":"b"}`, 400, api, "proto:\u00a0(line 1:14): duplicate field \"name\""},
		{`POST /events {"name":"a","ts":"x"}`, 400, api, "proto:\u00a0(line 1:18): invalid value for ts: must be a 64-bit integer"},
		{`POST /events []`, 400, api, "proto:\u00a0syntax error (line 1:1): unexpected token []"},
		{`POST /events x`, 400, api, "invalid character 'x' looking for beginning of value"},
		{`POST /events {"name":"inngest/x"}`, 400, invalid, "event name is reserved for internal use: inngest/x"},
		{`POST /events {"name":"` + strings.Repeat("n", 513) + `"}`, 400, invalid, "Event name cannot exceed 512 characters"},
		{`POST /events {"name":"n","ts":"5"}`, 400, "validation_error", "timestamp is before Jan 1, 1980"},
		{`POST /runs/zz/cancel`, 400, invalid, "Run ID must be a valid ULID"},
		{`POST /runs/zz/rerun`, 400, invalid, "Run ID must be a valid ULID"},
		{`POST /runs/` + otherRun + `/rerun`, 404, "not_found", "Run not found"},
		{`POST /runs/` + otherRun + `/rerun {"from_step":{"step_id":"x"}}`, 404, "not_found", "Run not found"},
		{`POST /runs/` + testRun + `/scores []`, 400, invalid, "At least one score is required"},
		{`POST /runs/` + testRun + `/scores [{"value":1}]`, 400, invalid, "scores[0]: Score name is required"},
		{`POST /runs/` + testRun + `/scores [{"name":"a","value":1},{"name":"b","value":"x"}]`, 400, invalid, "scores[1]: Score value must be a finite number or boolean"},
		{`POST /runs/` + testRun + `/scores [{"name":"a","value":1e999}]`, 400, invalid, "scores[0]: Score value must be a finite number or boolean"},
		{`POST /runs/` + testRun + `/scores [{"name":"a","value":1,"stepId":"s","experiment":{"id":"x","variant":"y"}}]`, 400, invalid, "scores[0]: stepId and experiment are mutually exclusive"},
		{`POST /runs/` + testRun + `/scores [{"name":"a","value":1,"experiment":{"id":"x"}}]`, 400, invalid, "scores[0]: experiment needs an id and a variant of up to 128 bytes"},
		{`POST /runs/` + testRun + `/scores [{"name":"a","worth":1}]`, 400, api, `scores[0]: json: unknown field "worth"`},
		{`POST /runs/` + testRun + `/scores [{"name":"a","value":1},7]`, 400, api, "invalid value for scores[1]: must be an object"},
		{`POST /runs/` + testRun + `/scores [{"name":7,"value":1}]`, 400, api, "invalid value for scores[0].name: must be a string"},
		{`POST /runs/` + testRun + `/scores [{"name":"a","value":1,"experiment":{"id":7}}]`, 400, api, "invalid value for scores[0].experiment.id: must be a string"},
		{`POST /runs/` + testRun + `/rerun {"fromStep":{"stepId":[]}}`, 400, api, "invalid value for fromStep.stepId: must be a string"},
		{`POST /apps/app/functions/f/invoke {}`, 400, "missing_field", "Input data is required"},
		{`POST /apps/app/functions/f/invoke {"data":{},"idempotencyKey":"` + strings.Repeat("k", 513) + `"}`, 400, invalid, "idempotencyKey cannot exceed 512 bytes"},
	} {
		method, rest, _ := strings.Cut(c.request, " ")
		path, body, _ := strings.Cut(rest, " ")
		if method == "POST" && strings.Contains(rest, "\n") {
			path, body = "/events", strings.TrimPrefix(rest, "/events ")
		}
		r := sdkCall(s, method, "/v2"+path, body)
		if want := v2Refused(c.code, c.text); r.StatusCode() != c.status || c.code != "" && string(r.Body()) != strings.ReplaceAll(want, `\u00a0`, "\u00a0") {
			t.Errorf("%s: %d %s, want %d %s", c.request, r.StatusCode(), r.Body(), c.status, want)
		}
	}
	large := sdkCall(s, "POST", "/v2/events", `{"name":"n","data":{"a":"`+strings.Repeat("x", 3<<20)+`"}}`)
	expect(t, large, 413, v2Refused("invalid_request", "Request body cannot exceed 3145728 bytes"))
}

func TestV2NotImplemented(t *testing.T) {
	t.Parallel()
	s := restServer(t, &fakeHistory{}, nil)
	for request, text := range map[string]string{
		"GET /partner/accounts": "Accounts", "POST /envs": "Environments", "PATCH /envs/x": "Environments", "POST /apps/a/syncs": "App sync",
		"GET /insights/tables": "Insights", "GET /insights/events/schemas": "Insights", "POST /insights/query": "Insights",
		"POST /insights/query/prompt": "Insights", "GET /experiments": "Experiments", "GET /apps/a/functions/f/experiments": "Experiments",
		"GET /apps/a/functions/f/experiments/x/y": "Experiments", "GET /sessions": "Sessions", "GET /sessions/k": "Sessions",
		"GET /sessions/k/a/b/runs": "Sessions",
	} {
		method, path, _ := strings.Cut(request, " ")
		expect(t, sdkCall(s, method, "/api/v2"+path, ""), 501, v2Refused("not_implemented", text+" not implemented in OSS"))
	}
	expect(t, sdkCall(s, "POST", "/v2/partner/accounts", ""), 501,
		`{"errors":[{"code":"not_implemented","message":"Accounts not implemented in OSS"},{"code":"not_implemented","message":"Partners not implemented in OSS"}]}`)
	expect(t, sdkCall(s, "GET", "/v2/env/webhooks", "", headerEnv, "dev"), 501, v2Refused("not_implemented", "Webhooks not implemented in OSS"))
	expect(t, sdkCall(s, "GET", "/v2/sessions/k/a", ""), 404, v2Refused("api_error", "Not Found"))
	for request, name := range map[string]string{
		"POST /sandboxes": "CreateSandbox", "GET /sandboxes/x/processes/1/output/stream": "StreamSandboxProcessOutput",
		"PUT /sandboxes/x/files": "WriteSandboxFile", "GET /_internal/schema-only": "XSchemaOnly",
	} {
		method, path, _ := strings.Cut(request, " ")
		expect(t, sdkCall(s, method, "/v2"+path, ""), 501, v2Refused("api_error", "method "+name+" not implemented"))
	}
}

// TestV2Pages goes through a list page by page.
func TestV2Pages(t *testing.T) {
	t.Parallel()
	s := restServer(t, &fakeHistory{}, nil)
	fn := s.opts.Catalog.Snapshot().BySlug["app-f"].ID
	h := s.opts.History.(*fakeHistory)
	for i := range 5 {
		h.runs = append(h.runs, history.Run{ID: ulid.ULID{5: byte(i + 1)}, Function: fn, Status: history.Completed, QueuedAt: int64(i + 1), Output: []byte(`[1]`)})
	}
	for _, order := range []string{"DESC", "ASC"} {
		var got []string
		path := "/v2/runs?limit=2&includeOutput=true&appId=app&functionId=f&order=" + order
		for cursor := ""; ; {
			r := sdkCall(s, "GET", path+cursor, "")
			expectStatus(t, r.StatusCode(), 200)
			body := string(r.Body())
			for _, part := range strings.Split(body, `"id":"000000`)[1:] {
				got = append(got, part[:4])
			}
			if !strings.Contains(body, `"output":{"data":[1]}`) {
				t.Error(body)
			}
			_, rest, more := strings.Cut(body, `"page":{"cursor":"`)
			if !more {
				break
			}
			cursor = "&cursor=" + strings.ReplaceAll(rest[:strings.IndexByte(rest, '"')], "+", "%2B")
		}
		want := []string{"0005", "0004", "0003", "0002", "0001"}
		if order == "ASC" {
			want = []string{"0001", "0002", "0003", "0004", "0005"}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v", order, got)
		}
	}
	if h.query.Functions[0] != fn || len(h.query.Functions) != 1 {
		t.Errorf("%+v", h.query)
	}
	h.query = history.RunQuery{}
	if body := string(sdkCall(s, "GET", "/v2/runs?app_id=nope", "").Body()); strings.Contains(body, `"data"`) || h.query.Limit != 0 {
		t.Errorf("an unknown app has runs: %s", body)
	}
	sdkCall(s, "GET", "/v2/runs?status=FAILED&status=QUEUED&timeField=ENDED_AT&isDeferred=false&from=2026-01-01T00:00:00Z&until=2026-01-01T00:00:01Z", "")
	if q := h.query; fmt.Sprint(q.Statuses) != fmt.Sprint([]history.Status{history.Failed, history.Scheduled}) || q.Field != history.ByEnded ||
		q.Deferred == nil || *q.Deferred || q.Until-q.From != 1000 || q.Functions != nil {
		t.Errorf("%+v", q)
	}
}

// TestV2FunctionForms compares a function with everything with the recorded view of it.
func TestV2FunctionForms(t *testing.T) {
	t.Parallel()
	s := restServer(t, &fakeHistory{}, &fakeOperator{})
	full := `{"url":"http://localhost:1/y","appName":"all","sdk":"js:v4","v":"0.1","functions":[{"id":"all-full","name":"full","priority":{"run":"event.data.p"},
		"concurrency":[{"limit":5,"key":"event.data.user","scope":"fn"},{"limit":10,"key":"\"global\"","scope":"env"}],
		"debounce":{"key":"event.data.user","period":"5s"},"triggers":[{"event":"x/full","expression":"event.data.a > 1"},{"cron":"TZ=Europe/Paris 0 12 * * *"}],
		"rateLimit":{"limit":10,"period":"1h","key":"event.data.user"},"throttle":{"burst":1,"limit":2,"period":"1m","key":"event.data.user"},
		"cancel":[{"event":"x/cancel","timeout":"1h","if":"async.data.id == event.data.id"}],"singleton":{"key":"event.data.user","mode":"skip"},
		"steps":{"step":{"id":"step","name":"step","runtime":{"url":"http://localhost:1/y?fnId=all-full&stepId=step"},"retries":{"attempts":3}}}}]}`
	expectStatus(t, sdkCall(s, "POST", "/fn/register", full).StatusCode(), 200)
	body := string(sdkCall(s, "GET", "/v2/apps/all/functions/full", "").Body())
	want := `{"data":{"app":{"id":"all"},"configuration":{"cancellations":[{"condition":"async.data.id == event.data.id","event":"x/cancel","timeout":"1h"}],` +
		`"concurrency":[{"key":"event.data.user","limit":{"isPlanLimit":false,"value":5},"scope":"FUNCTION"},{"key":"\"global\"","limit":{"isPlanLimit":false,"value":10},"scope":"ENVIRONMENT"}],` +
		`"debounce":{"key":"event.data.user","period":"5s"},"priority":"event.data.p","rateLimit":{"key":"event.data.user","limit":10,"period":"1h"},` +
		`"retries":{"isDefault":false,"value":3},"singleton":{"key":"event.data.user","mode":"SKIP"},"throttle":{"burst":1,"key":"event.data.user","limit":2,"period":"1m0s"}},` +
		`"id":"full","name":"full","slug":"full","triggers":[{"if":"event.data.a > 1","type":"EVENT","value":"x/full"},{"type":"CRON","value":"TZ=Europe/Paris 0 12 * * *"}]},"metadata"`
	if !strings.HasPrefix(body, want) {
		t.Errorf("%s\nwant %s", body, want)
	}
	body = string(sdkCall(s, "GET", "/v2/apps/app/functions/f", "").Body())
	for _, part := range []string{`"failureHandler":{"name":"F fails","slug":"f-failure"}`, `"retries":{"isDefault":true,"value":4}`} {
		if !strings.Contains(body, part) {
			t.Errorf("%s has no %s", body, part)
		}
	}
}

// TestV2InvokeSkipped: why an invocation led to no run.
func TestV2InvokeSkipped(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{
		engine.SkipRateLimit:   "422 rate_limited",
		engine.SkipDebounce:    "422 function_debounced",
		engine.SkipBatch:       "422 function_debounced",
		engine.SkipSingleton:   "422 function_skipped",
		engine.SkipIdempotency: "409 idempotency_conflict",
	} {
		err := v2Skipped(&history.Skip{Reason: reason, Pending: reason == engine.SkipBatch}).(*v2Error)
		if got := fmt.Sprintf("%d %s", err.status, err.Errors[0].Code); got != want {
			t.Errorf("%s: %s, want %s", reason, got, want)
		}
	}
}

func TestInvokeKeys(t *testing.T) {
	t.Parallel()
	var k invokeKeys
	fn := mustUUID("00000000-0000-4000-a000-000000000000")
	for i := range maxInvokeKeys + 1 {
		k.put(fn, fmt.Sprint(i), ulid.ULID{15: 1})
	}
	if _, ok := k.get(fn, "0"); ok {
		t.Error("the oldest key made no room")
	}
	if _, ok := k.get(fn, "1"); !ok {
		t.Error("a key is lost")
	}
	if k.put(fn, "", ulid.ULID{}); len(k.runs) != maxInvokeKeys || len(k.order) != maxInvokeKeys {
		t.Errorf("%d keys", len(k.runs))
	}
}

func TestV2CancelEnded(t *testing.T) {
	t.Parallel()
	run := history.Run{ID: ulid.MustParse(testRun), Status: history.Failed}
	for _, status := range []history.Status{history.Failed, history.Cancelled} {
		run.Status = status
		s := NewServer(Options{Engine: &fakeEngine{err: engine.ErrRunNotFound}, Catalog: testCatalog(t), History: &fakeHistory{runs: []history.Run{run}}})
		want := v2Refused("run_already_ended", "Cannot cancel an ended run")
		if status == history.Cancelled {
			want = v2Refused("run_already_cancelled", "Run is already cancelled")
		}
		expect(t, sdkCall(s, "POST", "/v2/runs/"+testRun+"/cancel", ""), 409, want)
		expect(t, sdkCall(s, "POST", "/v2/runs/"+otherRun+"/cancel", ""), 404, v2Refused("not_found", "Run not found"))
	}
}
