package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"ingot/engine"
	"ingot/transport/wire"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

const (
	testRun   = "01K1V7Q2K4E7Z0S1Q2W3E4R5T6"
	otherRun  = "01HZZZZZZZZZZZZZZZZZZZZZZZ"
	stepRunOp = `{"op":"StepRun","id":"2f22765d04931a078909145ca628d2264c852d7d","name":"c1","displayName":"c1","data":{"v":1},"timing":{"a":1,"b":2}}`
)

// fakeEngine answers with what a test gives it and remembers what it was asked.
type fakeEngine struct {
	engine.API
	err    error // of every call
	state  *engine.RunState
	output *engine.RunOutput
	// signalRun is who waits for the signal of that name.
	signalRun map[string]ulid.ULID
	// block makes Output wait until its context ends.
	block bool

	mu          sync.Mutex
	checkpoints []engine.Checkpoint
	syncRuns    []engine.SyncRun
	cancelled   []ulid.ULID
	signals     []string
}

func (e *fakeEngine) Checkpoint(_ context.Context, c *engine.Checkpoint) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.checkpoints = append(e.checkpoints, *c)
	return e.err
}

func (e *fakeEngine) StartSync(_ context.Context, r *engine.SyncRun) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.syncRuns = append(e.syncRuns, *r)
	return e.err
}

func (e *fakeEngine) Cancel(_ context.Context, run ulid.ULID) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cancelled = append(e.cancelled, run)
	return e.err
}

func (e *fakeEngine) State(context.Context, ulid.ULID) (*engine.RunState, error) {
	return e.state, e.err
}

func (e *fakeEngine) Output(ctx context.Context, _ ulid.ULID) (*engine.RunOutput, error) {
	if e.block {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return e.output, e.err
}

func (e *fakeEngine) Signal(_ context.Context, signal string, data []byte) (ulid.ULID, bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.signals = append(e.signals, signal+"="+string(data))
	run, ok := e.signalRun[signal]
	return run, ok, e.err
}

// sdkServer returns a dev server on a fake engine.
func sdkServer(t testing.TB, e *fakeEngine) *Server {
	t.Helper()
	return NewServer(Options{Mode: ModeDev, Engine: e, Catalog: testCatalog(t)})
}

// sdkCall sends one request through the server's handler.
func sdkCall(s *Server, method, target, body string, headers ...string) *fasthttp.Response {
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(target)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if body != "" {
		req.SetBodyString(body)
	}
	var ctx fasthttp.RequestCtx
	ctx.Init(&req, nil, nil)
	s.Handler(&ctx)
	return &ctx.Response
}

// expect compares an answer's status and body.
func expect(t *testing.T, r *fasthttp.Response, status int, body string) {
	t.Helper()
	if r.StatusCode() != status || string(r.Body()) != body {
		t.Fatalf("answer %d %q, want %d %q", r.StatusCode(), r.Body(), status, body)
	}
}

func asyncBody(run, steps string) string {
	return `{"run_id":"` + run + `","fn_id":"6ba7b812-9dad-11d1-80b4-00c04fd430c8","qi_id":"` +
		base64.StdEncoding.EncodeToString([]byte("job:1::default")) +
		`","request_id":"01K1V7Q2M8V6H1N3M9T5X0C4RD","generation_id":3,"request_started_at":1754300000000,"steps":` + steps + `,"ts":1754300000001}`
}

func TestCheckpointAsync(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"/v1/checkpoint/", "/v1/http/runs/"} {
		e := &fakeEngine{}
		s := sdkServer(t, e)
		// The path's run id counts for nothing.
		r := sdkCall(s, "POST", prefix+otherRun+"/async", asyncBody(testRun, "["+stepRunOp+"]"))
		expect(t, r, 200, "")
		if got := string(r.Header.ContentType()); got != contentTypeJSON {
			t.Errorf("content type %q", got)
		}
		if len(e.checkpoints) != 1 {
			t.Fatalf("%d checkpoints", len(e.checkpoints))
		}
		c := e.checkpoints[0]
		if c.RunID.String() != testRun || c.JobID != "job:1" || c.Generation != 3 || c.Sync || len(c.Ops) != 1 {
			t.Fatalf("checkpoint %+v", c)
		}
		if op := c.Ops[0]; op.Code != engine.OpStepRun || string(op.Data) != `{"v":1}` || op.ID != "2f22765d04931a078909145ca628d2264c852d7d" {
			t.Fatalf("op %+v", op)
		}
	}
}

func TestCheckpointAsyncRefusals(t *testing.T) {
	t.Parallel()
	data := `"data":{"run_id":"` + testRun + `"}`
	good := asyncBody(testRun, "["+stepRunOp+"]")
	big := asyncBody(testRun, `[{"op":"StepRun","id":"x","data":"`+strings.Repeat("y", wire.MaxStepBytes)+`"}]`)
	for name, c := range map[string]struct {
		body   string
		err    error
		status int
		want   string
	}{
		"not JSON":         {"{", nil, 400, `{"error":"invalid request body: unexpected EOF","data":null,"status":400}`},
		"empty":            {"", nil, 400, `{"error":"invalid request body: EOF","data":null,"status":400}`},
		"an array":         {"[]", nil, 400, `{"error":"invalid request body: json: cannot unmarshal array into Go value of type api.checkpointJSON","data":null,"status":400}`},
		"bad run id":       {`{"run_id":"x"}`, nil, 400, `{"error":"invalid request body: ulid: bad data size when unmarshaling","data":null,"status":400}`},
		"run id no string": {`{"run_id":7}`, nil, 400, `{"error":"invalid request body: json: cannot unmarshal number into Go struct field checkpointJSON.run_id of type ulid.ULID","data":null,"status":400}`},
		"bad generation":   {`{"generation_id":"1"}`, nil, 400, `{"error":"invalid request body: json: cannot unmarshal string into Go struct field checkpointJSON.generation_id of type int","data":null,"status":400}`},
		"unknown op": {asyncBody(testRun, `[{"op":"Fly","id":"x"}]`), nil, 400,
			`{"error":"invalid request body: error reading generator opcode response: Fly does not belong to Opcode values","data":null,"status":400}`},
		"steps no array": {asyncBody(testRun, `7`), nil, 400,
			`{"error":"invalid request body: error reading generator opcode response: expected JSON object or array","data":null,"status":400}`},
		"big step":    {big, nil, 413, `{"error":"error validating generator opcode x: step output size is greater than the limit",` + data + `,"status":413}`},
		"unknown run": {good, engine.ErrRunNotFound, 400, `{"error":"run not found in state store",` + data + `,"status":400}`},
		"async op": {good, &engine.CheckpointError{Status: 400, Message: "cannot checkpoint async steps"}, 400,
			`{"error":"cannot checkpoint async steps",` + data + `,"status":400}`},
		"stale": {good, &engine.CheckpointError{Status: 409, Message: "stale dispatch: 1 is not 2"}, 409,
			`{"error":"stale dispatch: 1 is not 2",` + data + `,"status":409}`},
		"state full": {good, fmt.Errorf("step 7: %w", engine.ErrStateTooLarge), 413,
			`{"error":"step 7: the run's state would exceed its size limit",` + data + `,"status":413}`},
		"busy":    {good, engine.ErrBusy, 503, `{"error":"checkpoint failed: try again","data":null,"status":503}`},
		"timeout": {good, context.DeadlineExceeded, 503, `{"error":"checkpoint failed: try again","data":null,"status":503}`},
		"fault":   {good, errors.New("boom"), 500, `{"error":"checkpoint failed","data":null,"status":500}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &fakeEngine{err: c.err}
			r := sdkCall(sdkServer(t, e), "POST", "/v1/checkpoint/x/async", c.body)
			expect(t, r, c.status, c.want+"\n")
			if after := r.Header.Peek("Retry-After"); (c.status == 503) != (len(after) > 0) {
				t.Errorf("Retry-After %q", after)
			}
			if c.err == nil && len(e.checkpoints) > 0 {
				t.Error("the engine got it nevertheless")
			}
		})
	}
}

func TestCheckpointTooLarge(t *testing.T) {
	t.Parallel()
	r := sdkCall(sdkServer(t, &fakeEngine{}), "POST", "/v1/checkpoint/x/async", strings.Repeat(" ", maxCheckpointBody+1))
	expect(t, r, 413, `{"error":"request body exceeds 41943040 bytes","data":null,"status":413}`+"\n")
}

func TestCheckpointSteps(t *testing.T) {
	t.Parallel()
	body := func(steps string) string {
		return `{"run_id":"` + testRun + `","fn_id":"x","app_id":"y","steps":` + steps + `,"ts":1}`
	}
	for name, c := range map[string]struct {
		body   string
		err    error
		status int
		calls  int
	}{
		"taken":               {body("[" + stepRunOp + `,{"op":"Sleep","id":"z","name":"1s"}]`), nil, 200, 1},
		"no steps":            {body("[]"), nil, 200, 0},
		"unknown run":         {body("[" + stepRunOp + "]"), engine.ErrRunNotFound, 200, 1},
		"refused":             {body("[" + stepRunOp + "]"), &engine.CheckpointError{Status: 400, Message: "no"}, 200, 1},
		"too large":           {body("[" + stepRunOp + "]"), engine.ErrStateTooLarge, 200, 1},
		"bad JSON":            {"{", nil, 400, 0},
		"busy: send it again": {body("[" + stepRunOp + "]"), engine.ErrBusy, 503, 1},
		"fault":               {body("[" + stepRunOp + "]"), errors.New("boom"), 500, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &fakeEngine{err: c.err}
			r := sdkCall(sdkServer(t, e), "POST", "/v1/http/runs/"+testRun+"/steps", c.body)
			if r.StatusCode() != c.status || c.status == 200 && len(r.Body()) > 0 {
				t.Fatalf("answer %d %q", r.StatusCode(), r.Body())
			}
			if len(e.checkpoints) != c.calls {
				t.Fatalf("%d calls of the engine, want %d", len(e.checkpoints), c.calls)
			}
			if c.calls > 0 && !e.checkpoints[0].Sync {
				t.Error("not marked as the steps of a sync run")
			}
		})
	}
}

func TestCheckpointNeedsTheKey(t *testing.T) {
	t.Parallel()
	e := &fakeEngine{}
	s := NewServer(Options{Mode: ModeStart, Engine: e, Catalog: testCatalog(t), SigningKey: "ee12"})
	for _, path := range []string{
		"/v1/checkpoint", "/v1/checkpoint/x/steps", "/v1/checkpoint/x/async", "/v1/http/runs", "/v1/http/runs/x/steps", "/v1/http/runs/x/async",
	} {
		expect(t, sdkCall(s, "POST", path, asyncBody(testRun, "[]")), 401, authFailedText)
	}
	expect(t, sdkCall(s, "POST", "/v1/checkpoint/x/async", asyncBody(testRun, "[]"), "Authorization", "Bearer ee12"), 200, "")
}

// TestParseCheckpoint holds the fast way and encoding/json against each other.
func TestParseCheckpoint(t *testing.T) {
	t.Parallel()
	for _, body := range checkpointSeeds {
		compareParsers(t, []byte(body))
	}
	c, err := parseCheckpoint([]byte(`{"run\u005fid":"` + testRun + `","qi_id":null,"steps":null} trailing`))
	if err != nil || c.runID.String() != testRun || c.ops != nil {
		t.Fatalf("escaped key: %+v, %v", c, err)
	}
}

func TestJobOf(t *testing.T) {
	t.Parallel()
	enc := base64.StdEncoding.EncodeToString
	for in, want := range map[string]string{
		enc([]byte("abc::default")):                         "abc",
		enc([]byte("a::b::default")):                        "a::b",
		enc([]byte("abc")):                                  "",
		enc([]byte(strings.Repeat("j", 300) + "::default")): strings.Repeat("j", 300),
		"": "", "!": "", "x": "",
	} {
		if got := jobOf([]byte(in)); got != want {
			t.Errorf("jobOf(%q) = %q, want %q", in, got, want)
		}
	}
}

var checkpointSeeds = []string{
	asyncBody(testRun, "["+stepRunOp+"]"),
	`{}`, ` { } `, `{"a":1}`, `{"a":tru}`, `{"a":[1,{"b":"]}"}],"steps":[]}`, `{"run_id":"` + testRun + `"`,
	`{"run_id" : "` + testRun + `" , "generation_id" : -0}`, `{"generation_id":01}`, `{"generation_id":1.0}`, `{"generation_id":1e2}`,
	`{"generation_id":+1}`, `{"qi_id":"a\u0062"}`, `{"qi_id":"\\"}`, `{"qi_id":"\\\""}`, `{"steps":[],"steps":null}`, `{"steps":[x],"steps":[]}`,
	`{"a":"\x00"}`, "{\"a\":\"\xff\"}", `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1}x`, `[]`, `null`, `{"RUN_ID":"` + testRun + `"}`,
	`{"run_id":""}`, `{"generation_id":99999999999999999999}`, `{"ſteps":[1]}`,
}

// compareParsers fails if the fast way takes a body that encoding/json does not
// take, or reads it otherwise.
func compareParsers(t *testing.T, body []byte) {
	t.Helper()
	fast, steps, ok := scanCheckpoint(body)
	if !ok {
		return
	}
	if len(steps) > 0 && !json.Valid(steps) {
		if _, err := wire.ParseOpArray(steps); err == nil {
			t.Fatalf("%q: steps %q were taken", body, steps)
		}
		return
	}
	var slow checkpointJSON
	if err := json.Unmarshal(body, &slow); err != nil {
		t.Fatalf("%q: taken, but: %v", body, err)
	}
	if fast.runID != slow.RunID || fast.jobID != jobOf([]byte(slow.QueueItem)) || fast.generation != slow.Generation || !bytes.Equal(steps, slow.Steps) {
		t.Fatalf("%q: read %+v %q, encoding/json %+v", body, fast, steps, slow)
	}
}

func FuzzParseCheckpoint(f *testing.F) {
	for _, s := range checkpointSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		compareParsers(t, body)
		_, _ = parseCheckpoint(body)
	})
}

// The fast path of the parser makes no garbage but the job's id. (The race
// detector lets encoding/json's pool forget, which costs one more.)
func TestScanCheckpointAllocations(t *testing.T) {
	body := []byte(asyncBody(testRun, "["+stepRunOp+"]"))
	if n := testing.AllocsPerRun(100, func() {
		if _, _, ok := scanCheckpoint(body); !ok {
			t.Fatal("not plain")
		}
	}); n > 2 {
		t.Fatalf("%v allocations, want at most 2", n)
	}
}

// nopEngine accepts every checkpoint.
type nopEngine struct{ engine.API }

func (nopEngine) Checkpoint(context.Context, *engine.Checkpoint) error { return nil }

func BenchmarkCheckpointAsync(b *testing.B) {
	s := NewServer(Options{Mode: ModeDev, Engine: nopEngine{}})
	// The body is one of the TypeScript SDK 4.
	body := `{"run_id":"` + testRun + `","fn_id":"6ba7b812-9dad-11d1-80b4-00c04fd430c8","qi_id":"MTU3OTA4NDMyNjUxMDkyMzg0NzY6OmRlZmF1bHQ=",` +
		`"request_id":"01K1V7Q2M8V6H1N3M9T5X0C4RD","generation_id":1,"request_started_at":1754300000000,"steps":[` +
		`{"id":"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8","mode":"sync","op":"StepRun","name":"a","displayName":"a","userland":{"id":"a"},"opts":{},` +
		`"rawArgs":["a",null],"hashedId":"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8","promise":{},"fulfilled":true,"hasStepState":true,"handled":true,` +
		`"middleware":{"stepInfo":{"hashedId":"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8","memoized":false,"options":{"id":"a","name":"a"},"stepType":"run"}},` +
		`"memoizationDeferred":{"promise":{}},"transformedResultPromise":{},"data":{"n":1},"timing":{"a":1754300000000000000,"b":0}}],"ts":1754300000000}`
	var req fasthttp.Request
	req.Header.SetMethod("POST")
	req.SetRequestURI("/v1/checkpoint/" + testRun + "/async")
	req.SetBodyString(body)
	var ctx fasthttp.RequestCtx
	ctx.Init(&req, nil, nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		ctx.Response.Reset()
		s.Handler(&ctx)
		if ctx.Response.StatusCode() != 200 {
			b.Fatalf("answer %d %s", ctx.Response.StatusCode(), ctx.Response.Body())
		}
	}
}

// readAll returns a client's response body.
func readAll(t testing.TB, r *http.Response) string {
	t.Helper()
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
