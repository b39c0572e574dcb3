package wire

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/internal/jcs"
)

// recorded is an app's answer and what the reference made of it: `error` and
// `result` of the final lifecycle event.
type recorded struct {
	Name       string            `json:"name"`
	Status     int               `json:"status"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
	Base64     string            `json:"base64"`
	WantError  *wantError        `json:"wantError"`
	WantResult json.RawMessage   `json:"wantResult"`
}

type wantError struct {
	Error string `json:"error"`
}

func loadRecorded(t testing.TB) (out []recorded) {
	t.Helper()
	raw, err := os.ReadFile("testdata/answers.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// response is the recorded answer as a driver hands it over.
func (r *recorded) response(t testing.TB) *Response {
	t.Helper()
	resp := &Response{Status: r.Status, Body: []byte(r.Body)}
	for k, v := range r.Headers {
		resp.SetHeader(k, v)
	}
	if r.Base64 != "" {
		packed, err := base64.StdEncoding.DecodeString(r.Base64)
		if err != nil {
			t.Fatal(err)
		}
		zr, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body, err = io.ReadAll(zr); err != nil {
			t.Fatal(err)
		}
	}
	return resp
}

func TestClassifyAsRecorded(t *testing.T) {
	t.Parallel()
	for _, r := range loadRecorded(t) {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			got := Classify(r.response(t), time.UnixMilli(1754300000000))
			if got.Ops != nil {
				t.Fatalf("unexpected operations: %+v", got.Ops)
			}
			var want []byte
			if r.WantResult != nil {
				var err error
				if want, err = jcs.Append(nil, r.WantResult); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got.Output, want) {
				t.Errorf("output is %s\nwant      %s", got.Output, want)
			}
			if (got.Error == "") != (r.WantError == nil) {
				t.Fatalf("error is %q, want %+v", got.Error, r.WantError)
			}
			if got.Error == "" {
				return
			}
			// An error text inside of the output goes before the attempt's (spec 01 §11.6).
			var own struct {
				Error any `json:"error"`
			}
			_ = json.Unmarshal(got.Output, &own)
			if s, ok := own.Error.(string); ok && s == r.WantError.Error {
				return
			}
			if got.Error != r.WantError.Error {
				t.Errorf("error is %q, want %q", got.Error, r.WantError.Error)
			}
		})
	}
}

func TestClassifyStatus(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1754300000123)
	sdk := []byte("inngest-js:v4.24.0")
	retryAt := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	cases := []struct {
		name string
		in   Response
		want engine.Result
	}{
		{"no retry before retry after", Response{Status: 500, SDK: sdk, NoRetry: []byte("true"), RetryAfter: []byte("5")},
			engine.Result{Error: "NonRetriableError", NoRetry: true}},
		{"no retry on a success", Response{Status: 200, SDK: sdk, NoRetry: []byte("true"), Body: []byte("1")},
			engine.Result{Error: "NonRetriableError", NoRetry: true, Output: []byte("1")}},
		{"retry after on an error", Response{Status: 500, SDK: sdk, RetryAfter: []byte("5")},
			engine.Result{Error: "invalid status code: 500", RetryAt: retryAt(5 * time.Second)}},
		{"retry after on operations", Response{Status: 206, SDK: sdk, RetryAfter: []byte("5"), Body: []byte("[]"), ReqVersion: []byte("2")},
			engine.Result{Ops: []engine.Op{}, RetryAt: retryAt(5 * time.Second), RequestVersion: 2}},
		{"old SDK, 4xx", Response{Status: 400, SDK: []byte("inngest-js:v2.4.0")},
			engine.Result{Error: "NonRetriableError", NoRetry: true}},
		{"bad operations keep the headers", Response{Status: 206, SDK: sdk, NoRetry: []byte("true"), Body: []byte("x")},
			engine.Result{Error: "error reading generator opcode response: expected JSON object or array", NoRetry: true}},
		{"redirect that was not followed", Response{Status: 304, SDK: sdk}, engine.Result{Error: "invalid status code: 304"}},
		{"text that is no UTF-8", Response{Status: 200, SDK: sdk, Body: []byte("a\xff")}, engine.Result{Output: []byte("\"a\ufffd\"")}},
		{"string that is no object", Response{Status: 200, SDK: sdk, Body: []byte(`"{oops"`)}, engine.Result{Output: []byte(`"{oops"`)}},
		{"string with an array", Response{Status: 200, SDK: sdk, Body: []byte(`"[1]"`)}, engine.Result{Output: []byte(`"[1]"`)}},
		{"number out of range is text", Response{Status: 200, SDK: sdk, Body: []byte(`1e999`)}, engine.Result{Output: []byte(`"1e999"`)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			status := c.in.Status
			wantSDK := string(c.in.SDK)
			got := Classify(&c.in, now)
			if got.Error != c.want.Error || got.NoRetry != c.want.NoRetry || got.RetryAt != c.want.RetryAt || got.RequestVersion != c.want.RequestVersion {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if c.want.Output != nil && !bytes.Equal(got.Output, c.want.Output) {
				t.Errorf("output is %s, want %s", got.Output, c.want.Output)
			}
			if (got.Ops == nil) != (c.want.Ops == nil) {
				t.Errorf("operations are %#v", got.Ops)
			}
			if got.Status != status || got.SDK != wantSDK {
				t.Errorf("status %d, SDK %q", got.Status, got.SDK)
			}
		})
	}
}

func TestStreamEnvelope(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, body, err, output string }{
		{"headers in any case", ` {"status":500,"headers":{"X-INNGEST-NO-RETRY":"true","Retry-After":"1","x-other":"y"},"body":"{}"}`, "NonRetriableError", `{}`},
		{"error", `{"status":200,"error":"lost"}`, "error parsing stream: lost", ""},
		{"structured error", `{"status":200,"error":{"a":1}}`, `error parsing stream: {"a":1}`, ""},
		{"null error", `{"status":200,"error":null,"body":1}`, "", `1`},
		{"cut off", `   {"status":200,"bo`, "error parsing stream: error reading response body to check for status code: unexpected end of JSON input", ""},
		{"only heartbeats", `    `, "error parsing stream: error reading response body to check for status code: unexpected end of JSON input", ""},
		{"no object", `[]`, "error parsing stream: error reading response body to check for status code: json: cannot unmarshal array into Go value of type StreamResponse", ""},
		{"no status", `{"body":1}`, `error parsing stream: error reading response body to check for status code: "" is not a status`, ""},
		{"no body", `{"status":200}`, "", ""},
		{"text body", `{"status":200,"body":"plain \"text\""}`, "", `"plain \"text\""`},
		{"201 inside", `{"status":201,"body":"{\"a\":1}"}`, "", `{"a":1}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := Classify(&Response{Status: 201, SDK: []byte("x"), Body: []byte(c.body)}, time.Now())
			if got.Error != c.err {
				t.Errorf("error is %q, want %q", got.Error, c.err)
			}
			if !strings.HasPrefix(c.err, "error parsing") && string(got.Output) != c.output {
				t.Errorf("output is %s, want %s", got.Output, c.output)
			}
			if got.Text != (c.name == "text body") {
				t.Errorf("is text: %v", got.Text)
			}
		})
	}
	// The SDK's header may come inside of the envelope only.
	got := Classify(&Response{Status: 201, Body: []byte(`{"status":206,"headers":{"x-inngest-sdk":"go:v1","x-inngest-req-version":"2"},"body":[{"op":"StepRun","id":"a","data":1}]}`)}, time.Now())
	if len(got.Ops) != 1 || got.SDK != "go:v1" || got.RequestVersion != 2 || got.Status != 206 {
		t.Errorf("got %+v", got)
	}
}

func TestClassifySync(t *testing.T) {
	t.Parallel()
	sdk := []byte("inngest-js:v4.24.0")
	cases := []struct {
		name   string
		in     Response
		ops    int
		err    string
		output string
	}{
		{"array with any status", Response{Status: 200, SDK: sdk, Body: []byte(`[{"op":"StepRun","id":"a"}]`)}, 1, "", ""},
		{"single operation", Response{Status: 206, SDK: sdk, Body: []byte(` {"id":"0737","op":"RunComplete","data":{"status":200}}`)}, 1, "", ""},
		{"object that is a result", Response{Status: 200, SDK: sdk, Body: []byte(`{"op":"multiply"}`)}, 0, "", `{"op":"multiply"}`},
		{"broken object", Response{Status: 200, SDK: sdk, Body: []byte(`{"op"`)}, 0, "", `"{\"op\""`},
		{"object with another op", Response{Status: 200, SDK: sdk, Body: []byte(`{"op":1}`)}, 0, "", `{"op":1}`},
		{"text", Response{Status: 200, SDK: sdk, Body: []byte(`hello`)}, 0, "", `"hello"`},
		{"error", Response{Status: 500, SDK: sdk, Body: []byte(`{"message":"m"}`)}, 0, "invalid status code: 500", `{"message":"m"}`},
		{"no retry", Response{Status: 400, SDK: sdk, NoRetry: []byte("true")}, 0, "NonRetriableError", ""},
		{"not an SDK", Response{Status: 200, Body: []byte(`[{"op":"StepRun","id":"a"}]`)}, 0, TextNotSDK, `[{"id":"a","op":"StepRun"}]`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := ClassifySync(&c.in, time.Now())
			if len(got.Ops) != c.ops || got.Error != c.err || string(got.Output) != c.output {
				t.Errorf("got %d ops, error %q, output %s", len(got.Ops), got.Error, got.Output)
			}
		})
	}
}

func TestForeignOutputIsCut(t *testing.T) {
	t.Parallel()
	got := Classify(&Response{Status: 502, ContentType: []byte("text/html"), Body: bytes.Repeat([]byte("x"), maxUpstreamBody+1)}, time.Now())
	var out struct{ Stack string }
	if err := json.Unmarshal(got.Output, &out); err != nil {
		t.Fatal(err)
	}
	want := "\n\nUpstream response (text/html):\n" + strings.Repeat("x", maxUpstreamBody) + "\n… (truncated)"
	if !strings.HasSuffix(out.Stack, want) {
		t.Errorf("stack ends %q", out.Stack[max(0, len(out.Stack)-60):])
	}
	if !jcs.Canonical(got.Output) {
		t.Error("the output is not canonical")
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	const want = `"{\"error\":{\"error\":\"output_too_large: Your function's response body exceeds the maximum size limit\",` +
		`\"name\":\"output_too_large\",\"message\":\"Your function's response body exceeds the maximum size limit\"}}"`
	if got := TooLarge(); got.Error != "output_too_large" || got.ErrorCode != CodeTooLarge || string(got.Output) != want {
		t.Errorf("got %+v\noutput %s", got, got.Output)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 5e8, time.UTC)
	cases := map[string]time.Time{
		"3":                             now.Add(3 * time.Second),
		" 3 ":                           now.Add(3 * time.Second),
		"99999":                         now.Add(24 * time.Hour).Truncate(time.Second),
		"2026-11-22T12:00:10.250Z":      now.Add(9750 * time.Millisecond),
		"Sun, 22 Nov 2026 12:05:00 GMT": time.Date(2026, 11, 22, 12, 5, 0, 0, time.UTC),
		"2020-01-01T00:00:00Z":          now.Add(time.Second).Truncate(time.Second),
		"2036-01-01":                    now.Add(24 * time.Hour).Truncate(time.Second),
	}
	for in, want := range cases {
		r := Response{RetryAfter: []byte(in)}
		if got := r.retryAt(now); got != want.UnixMilli() {
			t.Errorf("%q: got %v, want %v", in, time.UnixMilli(got).UTC(), want)
		}
	}
	for _, in := range []string{"", "soon", "0", "-5", "12345678"} {
		r := Response{RetryAfter: []byte(in)}
		if got := r.retryAt(now); got != 0 {
			t.Errorf("%q: got %v, want none", in, got)
		}
	}
}

func TestImpliesNoRetry(t *testing.T) {
	t.Parallel()
	for sdk, want := range map[string]bool{
		"inngest-js:v1.9.9": true, "inngest-js:v1.10.0": true, "inngest-js:v1.10.1": false, "inngest-js:v1.11.0": false,
		"inngest-js:v2.3.0": true, "inngest-js:v2.4.0": true, "inngest-js:v2.4.1": false, "inngest-js:v2.4.0-beta.1": true,
		"inngest-js:v3.0.0": false, "inngest-js:v0.1.0": false, "inngest-js:vX": false, "go:v1.0.0": false, "": false,
	} {
		if got := impliesNoRetry(sdk); got != want {
			t.Errorf("%q: got %v", sdk, got)
		}
	}
}

func TestAppendError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ data, stack, want string }{
		{"", "", `{"message":"m","name":"N"}`},
		{`{"b":1,"a":2}`, "s", `{"data":{"a":2,"b":1},"message":"m","name":"N","stack":"s"}`},
		{`1e999`, "", `{"message":"m","name":"N"}`},
	} {
		if got := AppendError(nil, "N", "m", []byte(c.data), c.stack); string(got) != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
