package transport

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"ingot/engine"
	"ingot/transport/wire"
)

func TestSyncReentry(t *testing.T) {
	t.Parallel()
	type seen struct {
		method, uri, body string
		header            http.Header
	}
	got := make(chan seen, 1)
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- seen{r.Method, r.RequestURI, string(body), r.Header}
		sdk(w, 206, `{"id":"0737","op":"RunComplete","data":{"status":200}}`)
	})
	c := testCall("unused")
	c.Sync = &engine.SyncCall{Method: "PUT", URL: app.URL + "/endpoint?sleep=1&b=2&a=1", ContentType: "text/plain", Body: []byte(`{ "x" : 1 }`)}
	c.DisableImmediate = true
	for _, key := range []string{"", "0123456789abcdef"} {
		h := newDriver(t, Options{SigningKey: key})
		if res := call(t, h, c); res.Error != "" || len(res.Ops) != 1 || res.Ops[0].Code != engine.OpRunComplete {
			t.Fatalf("result %+v", res)
		}
		s := <-got
		if s.method != "PUT" || s.uri != "/endpoint?sleep=1&b=2&a=1" || s.body != `{ "x" : 1 }` {
			t.Errorf("request %s %s %s", s.method, s.uri, s.body)
		}
		signature, present := s.header["X-Inngest-Signature"]
		if !present || (signature[0] == "") != (key == "") {
			t.Errorf("signature with key %q: %q", key, signature)
		}
		if key != "" {
			unix := strings.TrimPrefix(strings.Split(signature[0], "&")[0], "t=")
			var at int64
			_, _ = fmt.Sscan(unix, &at)
			if want := string(wire.NewSigner(key).Append(nil, []byte(`{"x":1}`), at)); want != signature[0] {
				t.Errorf("signature %s is not over the canonical body", signature[0])
			}
		}
		for name, want := range map[string]string{
			"Content-Type": "text/plain", "X-Run-Id": c.Ref.RunID.String(), "X-Inngest-Force-Step-Plan": "true",
			"X-Inngest-Step-Id": "", "Account-Id": "", "X-Inngest-Req-Version": "-1", "X-Inngest-Job-Id": c.JobID, "X-Inngest-Generation-Id": "2",
		} {
			if have := s.header.Get(name); have != want {
				t.Errorf("%s: %q, want %q", name, have, want)
			}
		}
	}
	// A planned step is named; what cannot stand in a header is replaced.
	h := newDriver(t, Options{})
	c.StepID, c.DisableImmediate = "abc", false
	c.Sync.ContentType, c.Sync.Method, c.Sync.Body = "a\r\nEvil: 1", "GET", nil
	call(t, h, c)
	if s := <-got; s.header.Get("X-Inngest-Step-Id") != "abc" || s.header.Get("Content-Type") != "application/json" || s.header.Get("Evil") != "" ||
		s.method != "GET" || s.header.Get("Content-Length") != "" || s.header.Get("X-Inngest-Force-Step-Plan") != "" {
		t.Errorf("request %+v", s)
	}
}

func TestSyncFailures(t *testing.T) {
	t.Parallel()
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			_, _ = io.WriteString(w, strings.Repeat("x", MaxResponseBytes+1))
			return
		}
		sdk(w, 500, `{"message":"m"}`)
	})
	h := newDriver(t, Options{})
	for url, want := range map[string]string{
		app.URL + "/x":       "invalid status code: 500",
		app.URL + "/large":   "SDK response too large: Your function's response body exceeds the maximum size limit",
		"http://127.0.0.1:1": "Unable to reach SDK: Unable to reach SDK URL",
		"ftp://x":            `error performing request: unsupported protocol scheme "ftp"`,
	} {
		c := testCall("unused")
		c.Sync = &engine.SyncCall{Method: "GET", URL: url}
		res := call(t, h, c)
		if res.Error != want || res.NoRetry != strings.HasSuffix(url, "/large") {
			t.Errorf("%s: %q, no retry %v", url, res.Error, res.NoRetry)
		}
	}
	c := testCall("unused")
	c.Sync = &engine.SyncCall{Method: "G ET", URL: app.URL}
	if res := call(t, h, c); res.Error != `error performing request: invalid method "G ET"` {
		t.Errorf("got %q", res.Error)
	}
}

func TestLambdaEmulator(t *testing.T) {
	t.Parallel()
	var answer string
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var event lambdaRequest
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
			t.Error(err)
		}
		if event.HTTPMethod != "POST" || event.Query["stepId"] != "step" || event.Query["fnId"] != "f" || event.Headers["X-Run-Id"] == "" ||
			event.Headers["Host"] != r.Host || !strings.HasPrefix(event.Body, `{"ctx":{`) || r.Header.Get("X-Run-Id") != "" {
			t.Errorf("event %+v", event)
		}
		_, _ = io.WriteString(w, answer)
	})
	h := newDriver(t, Options{SigningKey: "0123456789abcdef"})
	url := app.URL + "/2015-03-31/functions/function/invocations?fnId=f"
	for _, c := range []struct{ answer, err, output string }{
		{`{"statusCode":200,"headers":{"x-inngest-sdk":"x"},"body":"{\"a\":1}"}`, "", `{"a":1}`},
		{`{"statusCode":500,"headers":{"x-inngest-sdk":"x","x-inngest-no-retry":"true"},"isBase64Encoded":true,"body":"` +
			base64.StdEncoding.EncodeToString([]byte(`{"message":"m"}`)) + `"}`, "NonRetriableError", `{"message":"m"}`},
		{`{"errorMessage":"it crashed"}`, "error reading lambda response: no statusCode; it crashed", ""},
		{`oops`, "error reading lambda response: invalid character 'o' looking for beginning of value", ""},
		{`{"statusCode":200,"isBase64Encoded":true,"body":"!"}`, "error reading lambda response: illegal base64 data at input byte 0", ""},
	} {
		answer = c.answer
		if res := call(t, h, testCall(url)); res.Error != c.err || c.output != "" && string(res.Output) != c.output {
			t.Errorf("%s: error %q, output %s", c.answer, res.Error, res.Output)
		}
	}
}
