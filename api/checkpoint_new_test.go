package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/internal/jwt"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

func newRunBody(steps string) string {
	return `{"run_id":"` + testRun + `","event":{"name":"inngest/http.request","data":{"content_type":"text/x","domain":"https://shop.example","ip":"",` +
		`"method":"POST","path":"/buy","query_params":"x=1","body":"hi","fn":""}},"steps":` + steps + `,"ts":1754300000000,"request_version":2,"retries":3}`
}

// newRunAnswer reads the success envelope of a new run.
func newRunAnswer(t *testing.T, r *fasthttp.Response) newRunData {
	t.Helper()
	var out struct {
		Data     newRunData
		Metadata struct {
			FetchedAt time.Time `json:"fetched_at"`
		}
	}
	if err := json.Unmarshal(r.Body(), &out); err != nil || r.StatusCode() != 200 || out.Metadata.FetchedAt.IsZero() {
		t.Fatalf("answer %d %s: %v", r.StatusCode(), r.Body(), err)
	}
	return out.Data
}

func TestNewRun(t *testing.T) {
	t.Parallel()
	e := &fakeEngine{}
	s := sdkServer(t, e)
	before := time.Now().UnixMilli()
	got := newRunAnswer(t, sdkCall(s, "POST", "/v1/checkpoint", newRunBody("["+stepRunOp+"]")))

	appID := engine.SyncAppID("https://shop.example")
	fnID := engine.SyncFunctionID(appID, "POST /buy")
	if got.AppID != appID.String() || got.FnID != fnID.String() || got.RunID != testRun {
		t.Errorf("answer %+v", got)
	}
	if f := s.opts.Catalog.Snapshot().ByID[fnID]; f == nil || f.Method != "POST" || f.AppName != "https://shop.example" {
		t.Errorf("function %+v", f)
	}
	if len(e.syncRuns) != 1 {
		t.Fatalf("%d runs", len(e.syncRuns))
	}
	run := e.syncRuns[0]
	if run.RunID.String() != testRun || run.FnID != fnID || run.RequestVersion != 2 || run.MaxAttempts != 4 || len(run.Ops) != 1 {
		t.Errorf("run %+v", run)
	}
	ev := run.Event
	if string(ev.Name) != "inngest/http.request" || ev.TS < before || ev.ReceivedAt < before || ev.InternalID.IsZero() || len(ev.ID) != 0 ||
		!strings.Contains(string(ev.Data), `"query_params":"x=1"`) {
		t.Errorf("event %+v", ev)
	}

	now := time.Now()
	claims, err := s.verifyRealtimeToken(got.RealtimeToken, now)
	want := topicClaim{Kind: "run", EnvID: ids.EnvID, Channel: testRun, Name: "$stream"}
	if err != nil || len(claims.Topics) != 1 || claims.Topics[0] != want || claims.Publish || claims.ExpiresAt-claims.IssuedAt != 16*60 {
		t.Errorf("realtime token %+v, %v", claims, err)
	}
	c, err := s.verifyRunToken(got.Token, now)
	if err != nil || c.RunID != testRun || c.ExpiresAt-c.IssuedAt != 3600 {
		t.Errorf("run token %+v, %v", c, err)
	}
}

func TestNewRunVariants(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change   [2]string
		attempts int
		token    bool
	}{
		"no steps":           {[2]string{"[" + stepRunOp + "]", "[]"}, 4, false},
		"null steps":         {[2]string{"[" + stepRunOp + "]", "null"}, 4, false},
		"no retries":         {[2]string{`,"retries":3`, ""}, 1, true},
		"default retries":    {[2]string{`"retries":3`, `"retries":-1`}, 5, true},
		"more than allowed":  {[2]string{`"retries":3`, `"retries":99`}, 21, true},
		"own event id":       {[2]string{`"event":{`, `"event":{"id":"mine","v":"2","ts":1754300000001,`}, 4, true},
		"own slug":           {[2]string{`"fn":""`, `"fn":"my-fn"`}, 4, true},
		"unknown event name": {[2]string{"inngest/http.request", "other"}, 4, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &fakeEngine{}
			s := sdkServer(t, e)
			body := strings.Replace(newRunBody("["+stepRunOp+"]"), c.change[0], c.change[1], 1)
			got := newRunAnswer(t, sdkCall(s, "POST", "/v1/http/runs", body))
			if (got.Token != "") != c.token || got.RealtimeToken == "" {
				t.Errorf("tokens %+v", got)
			}
			run := e.syncRuns[0]
			if run.MaxAttempts != c.attempts {
				t.Errorf("%d attempts, want %d", run.MaxAttempts, c.attempts)
			}
			if name == "own event id" && (string(run.Event.ID) != "mine" || run.Event.TS != 1754300000001 || string(run.Event.V) != "2") {
				t.Errorf("event %+v", run.Event)
			}
			if name == "own slug" && s.opts.Catalog.Snapshot().BySlug["my-fn"] == nil {
				t.Error("no function of that slug")
			}
		})
	}
}

func TestNewRunRefusals(t *testing.T) {
	t.Parallel()
	good := newRunBody("[]")
	for name, c := range map[string]struct {
		body string
		want string
	}{
		"not JSON":          {"{", "Invalid request body"},
		"wrong type":        {`{"run_id":1}`, "Invalid request body"},
		"too large":         {good + strings.Repeat(" ", maxNewRunBody), "Invalid request body: more than 4194304 bytes"},
		"no run id":         {strings.Replace(good, testRun, "00000000000000000000000000", 1), "Invalid request body: run_id is missing"},
		"no data":           {`{"run_id":"` + testRun + `"}`, "Invalid request body: event.data is not an http request"},
		"data of a type":    {`{"run_id":"` + testRun + `","event":{"data":{"domain":1}}}`, "Invalid request body: event.data is not an http request"},
		"domain no URL":     {strings.Replace(good, "https://shop.example", "shop", 1), "Invalid request body: event.data.domain is not an http or https URL"},
		"domain of files":   {strings.Replace(good, "https://shop.example", "file:///etc", 1), "Invalid request body: event.data.domain is not an http or https URL"},
		"no method":         {strings.Replace(good, `"POST"`, `""`, 1), "Invalid request body: event.data.method is not an HTTP method in capitals"},
		"method with space": {strings.Replace(good, `"POST"`, `"PO ST"`, 1), "Invalid request body: event.data.method is not an HTTP method in capitals"},
		"relative path":     {strings.Replace(good, `"/buy"`, `"buy"`, 1), "Invalid request body: event.data.path does not begin with /"},
		"long path":         {strings.Replace(good, `"/buy"`, `"/`+strings.Repeat("p", maxEndpointText)+`"`, 1), "Invalid request body: event.data.path has more than 8192 bytes"},
		"unknown op": {newRunBody(`[{"op":"Fly"}]`),
			"Invalid request body: steps: error reading generator opcode response: Fly does not belong to Opcode values"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &fakeEngine{}
			r := sdkCall(sdkServer(t, e), "POST", "/v1/checkpoint", c.body)
			expect(t, r, 400, `{"error":"`+c.want+`","data":null,"status":400}`+"\n")
			if len(e.syncRuns) > 0 {
				t.Error("the engine got it nevertheless")
			}
		})
	}
}

func TestNewRunEngineErrors(t *testing.T) {
	t.Parallel()
	// A repeated request means that the answer to the first one was lost.
	got := newRunAnswer(t, sdkCall(sdkServer(t, &fakeEngine{err: engine.ErrRunExists}), "POST", "/v1/checkpoint", newRunBody("["+stepRunOp+"]")))
	if got.RunID != testRun || got.Token == "" || got.RealtimeToken == "" {
		t.Errorf("answer to a repeated request: %+v", got)
	}
	expect(t, sdkCall(sdkServer(t, &fakeEngine{err: errors.New("boom")}), "POST", "/v1/checkpoint", newRunBody("[]")),
		500, `{"error":"Failed to schedule run","data":null,"status":500}`+"\n")
	expect(t, sdkCall(sdkServer(t, &fakeEngine{err: engine.ErrBusy}), "POST", "/v1/checkpoint", newRunBody("[]")),
		503, `{"error":"Failed to schedule run: try again","data":null,"status":503}`+"\n")
}

func TestRunOutput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		output  string
		status  int
		body    string
		headers map[string]string
	}{
		"a value":             {`{"a":1}`, 200, `{"a":1}`, map[string]string{"Content-Type": "application/json"}},
		"null":                {`null`, 200, `null`, map[string]string{"Content-Type": "application/json"}},
		"a response":          {`{"body":"hi","headers":{"content-type":"text/x","X-A":"b\r\nc"},"status":201}`, 201, "hi", map[string]string{"Content-Type": "text/x", "X-A": "b  c"}},
		"a wrapped response":  {`{"data":{"body":"hi","headers":{},"status":404}}`, 404, "hi", map[string]string{}},
		"connection headers":  {`{"body":"hi","headers":{"content-length":"9","transfer-encoding":"chunked","connection":"close"},"status":200}`, 200, "hi", map[string]string{}},
		"no status":           {`{"body":"hi","headers":{},"status":0}`, 200, `{"body":"hi","headers":{},"status":0}`, nil},
		"a status of no use":  {`{"body":"hi","status":101}`, 200, `{"body":"hi","status":101}`, nil},
		"a value with status": {`{"status":200}`, 200, `{"status":200}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sdkServer(t, &fakeEngine{output: &engine.RunOutput{Output: json.RawMessage(c.output)}})
			token, err := s.runToken(testRun, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			r := sdkCall(s, "GET", "/v1/http/runs/"+otherRun+"/output?token="+token, "")
			expect(t, r, c.status, c.body)
			for k, v := range c.headers {
				if got := string(r.Header.Peek(k)); got != v {
					t.Errorf("header %s is %q, want %q", k, got, v)
				}
			}
			for _, k := range []string{"Transfer-Encoding", "Connection"} {
				if got := r.Header.Peek(k); len(got) > 0 {
					t.Errorf("header %s: %q", k, got)
				}
			}
		})
	}
}

func TestRunOutputErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		status int
		body   string
	}{
		"unknown run": {engine.ErrRunNotFound, 404, `{"error":"Unable to find run: ` + testRun + `","data":null,"status":404}` + "\n"},
		"timeout":     {fmt.Errorf("wait: %w", context.DeadlineExceeded), 200, stillRunning},
		"shutdown":    {context.Canceled, 503, `{"error":"Unable to read the run's output: try again","data":null,"status":503}` + "\n"},
		"fault":       {errors.New("boom"), 500, `{"error":"Unable to read the run's output","data":null,"status":500}` + "\n"},
	} {
		s := sdkServer(t, &fakeEngine{err: c.err})
		token, err := s.runToken(testRun, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		r := sdkCall(s, "POST", "/v1/checkpoint/x/output?token="+token, "")
		if r.StatusCode() != c.status || string(r.Body()) != c.body {
			t.Errorf("%s: answer %d %q, want %d %q", name, r.StatusCode(), r.Body(), c.status, c.body)
		}
	}
}

func TestRunOutputTokens(t *testing.T) {
	t.Parallel()
	s := sdkServer(t, &fakeEngine{output: &engine.RunOutput{Output: json.RawMessage("1")}})
	now := time.Now()
	sign := func(secret []byte, c runClaims) string {
		token, err := jwt.Sign(secret, c)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	claims := func(change func(*runClaims)) runClaims {
		c := runClaims{
			Claims: jwt.Claims{Issuer: runIssuer, Subject: runSubject, ExpiresAt: now.Add(time.Hour).Unix()},
			Env:    ids.EnvID, RunID: testRun,
		}
		change(&c)
		return c
	}
	realtimeToken, err := s.streamToken(testRun, now)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, sdkCall(s, "GET", "/v1/checkpoint/x/output?token="+sign(s.tokenSecret, claims(func(*runClaims) {})), ""), 200, "1")
	for name, token := range map[string]string{
		"none":             "",
		"garbage":          "abc.def.ghi",
		"realtime token":   realtimeToken,
		"alg none":         "eyJhbGciOiJub25lIn0.eyJpc3MiOiJhcGkuaW5uZ2VzdC5jb20ifQ.",
		"other secret":     sign([]byte("x"), claims(func(*runClaims) {})),
		"expired":          sign(s.tokenSecret, claims(func(c *runClaims) { c.ExpiresAt = now.Unix() - 1 })),
		"other subject":    sign(s.tokenSecret, claims(func(c *runClaims) { c.Subject = "x" })),
		"other env":        sign(s.tokenSecret, claims(func(c *runClaims) { c.Env = "x" })),
		"run id no ULID":   sign(s.tokenSecret, claims(func(c *runClaims) { c.RunID = "x" })),
		"run id too large": sign(s.tokenSecret, claims(func(c *runClaims) { c.RunID = strings.Repeat("Z", 26) })),
	} {
		r := sdkCall(s, "GET", "/v1/checkpoint/"+testRun+"/output?token="+token, "")
		if r.StatusCode() != 401 || string(r.Body()) != `{"error":"Unable to find run with auth token","data":null,"status":401}`+"\n" {
			t.Errorf("%s: answer %d %s", name, r.StatusCode(), r.Body())
		}
	}
}

// TestRunOutputEndsWithTheServer lets a client wait while the server shuts down.
func TestRunOutputEndsWithTheServer(t *testing.T) {
	t.Parallel()
	s := sdkServer(t, &fakeEngine{block: true})
	client := serve(t, s)
	token, err := s.runToken(testRun, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan int, 1)
	go func() {
		r, err := client.Get("http://x/v1/checkpoint/x/output?token=" + token)
		if err != nil {
			t.Error(err)
			waiting <- 0
			return
		}
		readAll(t, r)
		waiting <- r.StatusCode
	}()
	s.close() // the first thing that Shutdown does
	if status := <-waiting; status != http.StatusServiceUnavailable {
		t.Fatalf("status %d", status)
	}
}

// In start mode nobody can know the secret of the tokens.
func TestTokenSecret(t *testing.T) {
	t.Parallel()
	dev := NewServer(Options{Mode: ModeDev})
	if string(dev.tokenSecret) != "dev-mode-is-not-secret" {
		t.Errorf("dev's secret is %q", dev.tokenSecret)
	}
	a, b := NewServer(Options{Mode: ModeStart}), NewServer(Options{Mode: ModeStart})
	if len(a.tokenSecret) < 32 || string(a.tokenSecret) == string(b.tokenSecret) {
		t.Error("start mode's secret is not random")
	}
	own := NewServer(Options{Mode: ModeStart, TokenSecret: []byte("mine")})
	token, err := own.runToken(ulid.Make().String(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.verifyRunToken(token, time.Now()); err != nil {
		t.Error(err)
	}
	if _, err := a.verifyRunToken(token, time.Now()); err == nil {
		t.Error("another server accepts the token")
	}
}
