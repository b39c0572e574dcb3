package transport

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/internal/jcs"
)

// gateway performs a gateway request and waits for its outcome.
func gateway(t *testing.T, h *HTTP, ai bool, opts string) engine.GatewayResult {
	t.Helper()
	c := &engine.GatewayCall{Ref: engine.CallRef{Job: 7}, AI: ai, StepID: "s", Opts: []byte(opts)}
	done := make(chan engine.GatewayResult, 1)
	h.Gateway(c, func(r engine.GatewayResult) { done <- r })
	select {
	case r := <-done:
		if r.Ref != c.Ref || (r.Data == nil) == (r.Error == nil) {
			t.Errorf("outcome %+v", r)
		}
		for _, raw := range [][]byte{r.Data, r.Error} {
			if raw != nil && !jcs.Canonical(raw) {
				t.Errorf("not canonical: %s", raw)
			}
		}
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("the request is not answered")
		return engine.GatewayResult{}
	}
}

func TestGateway(t *testing.T) {
	t.Parallel()
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header()["Date"] = nil
		w.Header().Set("X-Seen", fmt.Sprintf("%s %s %s %s %s", r.Method, r.Header.Get("X-Custom"), r.Header.Get("User-Agent"), body, r.Header.Get("Content-Type")))
		w.Header().Add("X-Two", "a")
		w.Header().Add("X-Two", "b")
		switch r.URL.Path {
		case "/500":
			w.WriteHeader(500)
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xabV\xcaR\xb2\x32\xac\x05\x00"))
			return
		case "/br":
			w.Header().Set("Content-Encoding", "br")
			_, _ = w.Write([]byte("packed"))
			return
		case "/large":
			_, _ = io.WriteString(w, strings.Repeat("x", 5<<20))
			return
		}
		_, _ = io.WriteString(w, `{"upstream":"<b>"}`)
	})
	var published string
	h := newDriver(t, Options{Publish: func(channel, topic string, body []byte) { published = channel + topic + string(body) }})
	opts := fmt.Sprintf(`{"url":"%s/x","method":"put","headers":{"x-custom":"c","Host":"evil","user-agent":"mine","Accept-Encoding":"br"},"body":"{\"a\":1}","publish":{"channel":"ch","topic":"to"}}`, app.URL)
	got := gateway(t, h, false, opts)
	want := fmt.Sprintf(`{"body":"{\"upstream\":\"<b>\"}","headers":{"Content-Length":"18","Content-Type":"text/plain; charset=utf-8","X-Seen":"PUT c mine {\"a\":1}","X-Two":"a,b"},"status_code":200,"url":"%s/x"}`, app.URL)
	if string(got.Data) != want {
		t.Errorf("data  %s %s\nwant  %s", got.Data, got.Error, want)
	}
	if published != `chto{"upstream":"<b>"}` {
		t.Errorf("published %q", published)
	}
	if got := gateway(t, h, false, fmt.Sprintf(`{"url":"%s/500"}`, app.URL)); !strings.Contains(string(got.Data), `"status_code":500`) || !strings.Contains(string(got.Data), "POST  Inngest") {
		t.Errorf("status 500: %s %s", got.Data, got.Error)
	}
	if got := gateway(t, h, false, fmt.Sprintf(`{"url":"%s/br","body":{"raw":1}}`, app.URL)); !strings.Contains(string(got.Data), `"body":"packed"`) || !strings.Contains(string(got.Data), `{\"raw\":1}`) {
		t.Errorf("an encoding that was not asked for: %s %s", got.Data, got.Error)
	}
	for name, c := range map[string]struct{ opts, want string }{
		"broken gzip":  {fmt.Sprintf(`{"url":"%s/gzip"}`, app.URL), "error decoding gzip response body: "},
		"too large":    {fmt.Sprintf(`{"url":"%s/large"}`, app.URL), "step output size is greater than the limit"},
		"bad header":   {fmt.Sprintf(`{"url":"%s","headers":{"a":"b\r\nc: d"}}`, app.URL), `invalid header \"a\"`},
		"bad method":   {fmt.Sprintf(`{"url":"%s","method":"GE T"}`, app.URL), `invalid method \"GE T\"`},
		"bad URL":      {`{"url":"gopher://x"}`, `unsupported protocol scheme \"gopher\"`},
		"bad options":  {`[]`, "invalid options: "},
		"closed port":  {`{"url":"http://127.0.0.1:1/x","method":"GET"}`, "Unable to reach SDK URL"},
		"control code": {`{"url":"http://127.0.0.1:1/\n"}`, "invalid control character"},
	} {
		got := gateway(t, h, false, c.opts)
		if prefix := `{"message":"Error making gateway request: `; !strings.HasPrefix(string(got.Error), prefix) || !strings.Contains(string(got.Error), c.want) ||
			!strings.HasSuffix(string(got.Error), `","name":"GatewayError"}`) {
			t.Errorf("%s: %s", name, got.Error)
		}
	}
}

func TestHeadRequest(t *testing.T) {
	t.Parallel()
	app := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1000") })
	h := newDriver(t, Options{})
	for range 2 {
		if got := gateway(t, h, false, fmt.Sprintf(`{"url":%q,"method":"HEAD"}`, app.URL)); !strings.Contains(string(got.Data), `"body":""`) {
			t.Errorf("got %s %s", got.Data, got.Error)
		}
	}
}

func TestAIGateway(t *testing.T) {
	t.Parallel()
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/429":
			w.WriteHeader(429)
			_, _ = io.WriteString(w, `{"z":1,"error":"slow"}`)
			return
		case "/text":
			_, _ = io.WriteString(w, "no json")
			return
		}
		_, _ = fmt.Fprintf(w, `{"seen":%q,"body":%s}`, strings.Join([]string{
			r.Method, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"), r.URL.RawQuery, r.Header.Get("Anthropic-Version"),
		}, "|"), body)
	})
	h := newDriver(t, Options{})
	for format, want := range map[string]string{
		"openai-chat": "POST|application/json|Bearer key||x=1|v1",
		"other":       "POST|application/json|Bearer key||x=1|v1",
		"anthropic":   "POST|application/json||key|x=1|v1",
		"bedrock":     "POST|application/json|key||x=1|v1",
		"gemini":      "POST|application/json|||key=key&x=1|v1",
	} {
		opts := fmt.Sprintf(`{"url":"%s?x=1","auth_key":"key","format":%q,"headers":{"anthropic-version":"v1"},"body":{"model":"m"}}`, app.URL, format)
		if got := gateway(t, h, true, opts); string(got.Data) != fmt.Sprintf(`{"body":{"model":"m"},"seen":%q}`, want) {
			t.Errorf("%s: %s %s", format, got.Data, got.Error)
		}
	}
	for url, want := range map[string]string{
		app.URL + "/429":       `{"data":{"error":"slow","z":1},"message":"Error making AI request: unsuccessful status code: 429","name":"AIGatewayError","stack":"{\"z\":1,\"error\":\"slow\"}"}`,
		"http://127.0.0.1:1/x": `{"data":{"error":"Error making AI request"},"message":"Error making AI request: Unable to reach SDK URL","name":"AIGatewayError","stack":"{\"error\":\"Error making AI request\"}"}`,
	} {
		if got := gateway(t, h, true, fmt.Sprintf(`{"url":%q,"body":{}}`, url)); string(got.Error) != want {
			t.Errorf("%s:\ngot  %s\nwant %s", url, got.Error, want)
		}
	}
	if got := gateway(t, h, true, fmt.Sprintf(`{"url":"%s/text","body":{}}`, app.URL)); string(got.Data) != `"no json"` {
		t.Errorf("text: %s %s", got.Data, got.Error)
	}
	for _, opts := range []string{`{"url":"\u0001"}`, `{"url":"ftp://x"}`, fmt.Sprintf(`{"url":%q,"auth_key":"a\nb"}`, app.URL)} {
		if got := gateway(t, h, true, opts); len(got.Error) == 0 {
			t.Errorf("%s passes", opts)
		}
	}
}

// TestGatewayFaults: what the server itself has failed at, or given up, says so.
func TestGatewayFaults(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 1)
	app := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			arrived <- struct{}{}
			<-r.Context().Done()
		}
	})
	h := NewHTTP(Options{Workers: 1, Publish: func(string, string, []byte) { panic("broken") }, Logger: slog.New(slog.DiscardHandler)})
	got := gateway(t, h, false, fmt.Sprintf(`{"url":%q,"publish":{"channel":"c","topic":"t"}}`, app.URL))
	if got.ErrorCode != engine.CodeFault || !strings.Contains(string(got.Error), "internal error: broken") {
		t.Errorf("a panic is answered with %q %s", got.ErrorCode, got.Error)
	}
	if got := gateway(t, h, false, fmt.Sprintf(`{"url":%q}`, app.URL)); got.Data == nil || got.ErrorCode != "" {
		t.Errorf("after it: %q %s", got.ErrorCode, got.Error)
	}
	if got := gateway(t, h, false, `{"url":"ftp://x"}`); got.ErrorCode != "" {
		t.Errorf("the step's own failure has code %q", got.ErrorCode)
	}
	results := make(chan engine.GatewayResult, 3)
	request := func() {
		h.Gateway(&engine.GatewayCall{Opts: fmt.Appendf(nil, `{"url":"%s/slow"}`, app.URL)}, func(r engine.GatewayResult) { results <- r })
	}
	request() // is under way
	<-arrived
	request() // waits
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	request() // is too late
	for range 3 {
		if r := <-results; r.ErrorCode != engine.CodeShutdown || len(r.Error) == 0 {
			t.Errorf("at the end: %q %s", r.ErrorCode, r.Error)
		}
	}
}
