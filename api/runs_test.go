package api

import (
	"errors"
	"strings"
	"testing"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

func TestRunState(t *testing.T) {
	t.Parallel()
	s := sdkServer(t, &fakeEngine{state: &engine.RunState{
		Events: [][]byte{
			[]byte(`{"data":{"user":{}},"id":"a","name":"n","ts":1,"user":{}}`),
			[]byte(`{"data":{},"id":"b","name":"n","ts":1,"user":{"u":{}},"v":"2"}`),
			[]byte(`{"data":{},"id":"c","name":"\"user\":{}","ts":1,"user":{},"v":"2"}`),
		},
		Steps:  []engine.Step{{ID: "zz", Memo: []byte(`{"data":1}`)}, {ID: "aa", Memo: []byte(`null`)}, {ID: `q"é`, Memo: []byte(`{"error":{}}`)}},
		Inputs: []engine.Step{{ID: "in", Memo: []byte(`{"input":[1]}`)}},
	}})
	r := sdkCall(s, "GET", "/v0/runs/"+testRun+"/batch", "")
	expect(t, r, 200, `[{"data":{"user":{}},"id":"a","name":"n","ts":1},{"data":{},"id":"b","name":"n","ts":1,"user":{"u":{}},"v":"2"},`+
		`{"data":{},"id":"c","name":"\"user\":{}","ts":1,"v":"2"}]`+"\n")
	// The order is that of the stack, not of the keys.
	r = sdkCall(s, "GET", "/v0/runs/"+testRun+"/actions", "")
	expect(t, r, 200, `{"zz":{"data":1},"aa":null,"q\"é":{"error":{}},"in":{"input":[1]}}`+"\n")
	if got := string(r.Header.ContentType()); got != contentTypeJSON {
		t.Errorf("content type %q", got)
	}
}

func TestRunStateEmpty(t *testing.T) {
	t.Parallel()
	s := sdkServer(t, &fakeEngine{state: &engine.RunState{}})
	expect(t, sdkCall(s, "GET", "/v0/runs/"+testRun+"/batch", ""), 200, "[]\n")
	expect(t, sdkCall(s, "GET", "/v0/runs/"+testRun+"/actions", ""), 200, "{}\n")
}

// TestRunCalls has every answer of the calls that name a run in their path.
func TestRunCalls(t *testing.T) {
	t.Parallel()
	gone := `{"error":"runtime state is no longer available for runID: ` + testRun + `","data":null,"status":410}` + "\n"
	badV0 := `{"error":"The run ID specified is invalid","data":null,"status":400}` + "\n"
	missingV0 := `{"error":"A function run with the given ID could not be found","data":null,"status":404}` + "\n"
	boom := errors.New("boom")
	for _, c := range []struct {
		method, path string
		err          error
		status       int
		body         string
	}{
		{"GET", "/v0/runs/" + testRun + "/batch", engine.ErrRunNotFound, 410, gone},
		{"GET", "/v0/runs/" + testRun + "/actions", engine.ErrRunNotFound, 410, gone},
		{"GET", "/v0/runs/zz/batch", nil, 400, badV0},
		{"GET", "/v0/runs/" + strings.Repeat("z", 26) + "/actions", nil, 400, badV0},
		{"GET", "/v0/runs/" + testRun + "/batch", engine.ErrBusy, 503, `{"error":"Unable to load the run's state: try again","data":null,"status":503}` + "\n"},
		{"GET", "/v0/runs/" + testRun + "/actions", boom, 500, `{"error":"Unable to load the run's state","data":null,"status":500}` + "\n"},

		{"DELETE", "/v0/runs/" + testRun, nil, 204, ""},
		{"DELETE", "/v0/runs/" + testRun, engine.ErrRunNotFound, 404, missingV0},
		{"DELETE", "/v0/runs/" + testRun, engine.ErrRunEnded, 404, missingV0},
		{"DELETE", "/v0/runs/x", nil, 400, badV0},
		{"DELETE", "/v0/runs/" + testRun, boom, 500, `{"error":"Unable to cancel function run","data":null,"status":500}` + "\n"},

		{"DELETE", "/v1/runs/" + testRun, nil, 200, ""},
		{"DELETE", "/v1/runs/" + testRun, engine.ErrRunEnded, 200, ""},
		{"DELETE", "/v1/runs/" + testRun, engine.ErrRunNotFound, 404, `{"error":"Unable to load function run: ` + testRun + `","data":null,"status":404}` + "\n"},
		{"DELETE", "/v1/runs/a%20b", nil, 400, `{"error":"Invalid run ID: a b","data":null,"status":400}` + "\n"},
		{"DELETE", "/v1/runs/" + testRun, engine.ErrBusy, 503, `{"error":"Unable to cancel function run: try again","data":null,"status":503}` + "\n"},
		{"DELETE", "/v1/runs/" + testRun, boom, 500, `{"error":"Unable to cancel function run","data":null,"status":500}` + "\n"},
	} {
		e := &fakeEngine{err: c.err, state: &engine.RunState{}}
		r := sdkCall(sdkServer(t, e), c.method, c.path, "")
		if r.StatusCode() != c.status || string(r.Body()) != c.body {
			t.Errorf("%s %s with %v: %d %q, want %d %q", c.method, c.path, c.err, r.StatusCode(), r.Body(), c.status, c.body)
		}
		if c.method == "DELETE" && c.status != 400 && (len(e.cancelled) != 1 || e.cancelled[0] != ulid.MustParse(testRun)) {
			t.Errorf("%s %s: cancelled %v", c.method, c.path, e.cancelled)
		}
	}
}

func TestRunCallsNeedTheKey(t *testing.T) {
	t.Parallel()
	s := NewServer(Options{Mode: ModeStart, Engine: &fakeEngine{}, SigningKey: "ee12"})
	for _, c := range [][2]string{
		{"GET", "/v0/runs/" + testRun + "/batch"}, {"GET", "/v0/runs/" + testRun + "/actions"}, {"DELETE", "/v0/runs/" + testRun},
		{"DELETE", "/v1/runs/" + testRun}, {"POST", "/v1/runs/" + testRun + "/metadata"}, {"POST", "/v1/traces/userland"}, {"POST", "/v1/signals"},
		{"POST", "/v1/realtime/token"},
	} {
		if r := sdkCall(s, c[0], c[1], "{}"); r.StatusCode() != 401 || string(r.Body()) != authFailedText {
			t.Errorf("%s %s: %d %q", c[0], c[1], r.StatusCode(), r.Body())
		}
	}
}

func TestRunMetadata(t *testing.T) {
	t.Parallel()
	update := func(kind, op, values string) string {
		return `{"target":{},"metadata":[{"kind":"` + kind + `","op":"` + op + `","values":` + values + `}]}`
	}
	long := strings.Repeat("k", maxMetadataKind)
	for name, c := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"nothing":             {`{}`, 200, ""},
		"for the run":         {update("userland.x", "merge", `{"a":1}`), 200, ""},
		"for a step":          {`{"target":{"step_id":"one","step_index":0,"step_attempt":-1,"span_id":"00f067aa0ba902b7"},"metadata":[]}`, 200, ""},
		"of the SDK":          {update("inngest.http.timing", "set", `{}`), 200, ""},
		"a score":             {update("inngest.score", "add", `{"good":{"value":0.5},"seen":{"value":true}}`), 200, ""},
		"a score taken back":  {update("inngest.score", "delete", `{"good":null}`), 400, "Invalid metadata"},
		"an index alone":      {`{"target":{"step_index":1}}`, 400, "Invalid metadata target"},
		"a span alone":        {`{"target":{"span_id":"x"}}`, 400, "Invalid metadata target"},
		"an attempt alone":    {`{"target":{"step_attempt":1}}`, 400, "Invalid metadata target"},
		"not JSON":            {`{`, 400, "Invalid metadata target"},
		"target of a type":    {`{"target":7}`, 400, "Invalid metadata target"},
		"unknown op":          {update("userland.x", "drop", `{}`), 400, "Invalid metadata target"},
		"values of a type":    {update("userland.x", "set", `[1]`), 400, "Invalid metadata target"},
		"no kind":             {update("", "set", `{}`), 400, "Invalid metadata"},
		"long kind":           {update("userland."+long, "set", `{}`), 400, "Invalid metadata"},
		"reserved kind":       {update("inngest.secret", "set", `{}`), 400, "Invalid metadata"},
		"kind of nobody":      {update("mine", "set", `{}`), 400, "Invalid metadata"},
		"score of text":       {update("inngest.score", "set", `{"good":{"value":"x"}}`), 400, "Invalid metadata"},
		"score without value": {update("inngest.score", "set", `{"good":{}}`), 400, "Invalid metadata"},
		"score no object":     {update("inngest.score", "set", `{"good":1}`), 400, "Invalid metadata"},
		"score without name":  {update("inngest.score", "set", `{"":{"value":1}}`), 400, "Invalid metadata"},
		"score with quote":    {update("inngest.score", "set", `{"a'b":{"value":1}}`), 400, "Invalid metadata"},
		"score out of range":  {update("inngest.score", "set", `{"a":{"value":1e999}}`), 400, "Invalid metadata"},
		"large span":          {update("userland.x", "set", `{"a":"`+strings.Repeat("v", maxMetadataSpan)+`"}`), 413, metadataTooLarge},
		"large body":          {strings.Repeat(" ", maxMetadataBody+1), 413, "Cumulative metadata size exceeds limit"},
	} {
		r := sdkCall(sdkServer(t, &fakeEngine{}), "POST", "/v1/runs/"+testRun+"/metadata", c.body)
		if c.want != "" {
			c.want = `{"error":"` + c.want + `","data":null,"status":` + map[int]string{400: "400", 413: "413"}[c.status] + "}\n"
		}
		if r.StatusCode() != c.status || string(r.Body()) != c.want {
			t.Errorf("%s: %d %q, want %d %q", name, r.StatusCode(), r.Body(), c.status, c.want)
		}
	}
	r := sdkCall(sdkServer(t, &fakeEngine{}), "POST", "/v1/runs/x/metadata", `{}`)
	expect(t, r, 400, `{"error":"Invalid run ID: x","data":null,"status":400}`+"\n")
}

func TestTraces(t *testing.T) {
	t.Parallel()
	const pb = "application/x-protobuf"
	large := strings.Repeat(" ", maxTraceBody+1)
	for name, c := range map[string]struct {
		path, contentType, body string
		status                  int
		want                    string
	}{
		"JSON":                  {"/v1/traces/userland", "application/json; charset=utf-8", `{"resourceSpans":[]}`, 200, "{}"},
		"JSON of no run":        {"/v1/traces/userland", "application/json", `{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x"}]}]}]}`, 200, `{"partialSuccess":{"rejectedSpans":"1"}}`},
		"deep JSON":             {"/v1/traces/userland", "application/json", strings.Repeat("[", 1000), 400, `{"message":"Invalid payload"}`},
		"no JSON":               {"/v1/traces/userland", "application/json", `{`, 400, `{"message":"Invalid payload"}`},
		"other JSON":            {"/v1/traces/userland", "application/json", `{"resourceSpans":7}`, 400, `{"message":"Invalid payload"}`},
		"large JSON":            {"/v1/traces/userland", "application/json", large, 413, `{"message":"Request body too large"}`},
		"protobuf":              {"/v1/traces/userland", pb, "\x0a\x02\x0a\x00", 200, ""},
		"protobuf of no run":    {"/v1/traces/userland", pb, "\x0a\x04\x12\x02\x12\x00", 200, "\x0a\x02\x08\x01"},
		"no protobuf":           {"/v1/traces/userland", pb, "\x0a\x05\x00", 400, "\x12\x0fInvalid payload"},
		"large protobuf":        {"/v1/traces/userland", pb, large, 413, "\x12\x16Request body too large"},
		"dev, JSON":             {"/dev/traces", "application/json", `{}`, 200, ""},
		"dev, no JSON":          {"/dev/traces", "application/json", `x`, 400, `{"error":"unable to decode traces","data":null,"status":400}` + "\n"},
		"dev, protobuf":         {"/dev/traces", pb, "", 200, ""},
		"dev, no protobuf":      {"/dev/traces", pb, "\xff", 400, `{"error":"unable to decode traces","data":null,"status":400}` + "\n"},
		"dev, other type":       {"/dev/traces", "text/plain", "", 400, `{"error":"unable to handle unknown content type for traces: text/plain","data":null,"status":400}` + "\n"},
		"dev, type with params": {"/dev/traces", "application/json; x=y", "{}", 400, `{"error":"unable to handle unknown content type for traces: application/json; x=y","data":null,"status":400}` + "\n"},
		"dev, large":            {"/dev/traces", pb, large, 413, `{"error":"Request body too large","data":null,"status":413}` + "\n"},
	} {
		r := sdkCall(sdkServer(t, &fakeEngine{}), "POST", c.path, c.body, "Content-Type", c.contentType)
		if r.StatusCode() != c.status || string(r.Body()) != c.want {
			t.Errorf("%s: %d %q, want %d %q", name, r.StatusCode(), r.Body(), c.status, c.want)
		}
	}
}
