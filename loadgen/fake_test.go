package loadgen_test

import (
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ingot/loadgen/target"

	"github.com/valyala/fasthttp"
)

// fakeServer takes events and calls the app, step by step. It is wrong on purpose:
// each n-th event (from 1) is lost or doubled, or has its first step repeated.
type fakeServer struct {
	loseEvery, doubleEvery, repeatEvery int64
	// stall, if set, is called for each request with events, before the answer.
	stall func(request int64)

	urls     sync.Map // event name to the URL of its function
	requests atomic.Int64
	events   atomic.Int64
	runs     sync.WaitGroup
	client   fasthttp.Client
}

// open serves until the test ends.
func (f *fakeServer) open(t *testing.T) *target.Target {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &fasthttp.Server{Handler: f.handle}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	spec, err := target.Parse("fake=http://" + ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := spec.Open(t.Context(), target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.runs.Wait()
		f.client.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := srv.Shutdown(); err != nil {
			t.Error(err)
		}
		<-served
	})
	return s
}

func (f *fakeServer) handle(ctx *fasthttp.RequestCtx) {
	switch path := string(ctx.Path()); {
	case path == "/fn/register":
		f.register(ctx)
	case ctx.IsPost():
		f.accept(ctx)
	default: // health
		ctx.SetBodyString(`{"status":200}`)
	}
}

func (f *fakeServer) register(ctx *fasthttp.RequestCtx) {
	var body struct {
		Functions []struct {
			Triggers []struct{ Event string }
			Steps    map[string]struct{ Runtime struct{ URL string } }
		}
	}
	if err := json.Unmarshal(ctx.PostBody(), &body); err != nil {
		ctx.Error(err.Error(), fasthttp.StatusBadRequest)
		return
	}
	for _, fn := range body.Functions {
		f.urls.Store(fn.Triggers[0].Event, fn.Steps["step"].Runtime.URL)
	}
	ctx.SetBodyString(`{"ok":true}`)
}

func (f *fakeServer) accept(ctx *fasthttp.RequestCtx) {
	n := f.requests.Add(1)
	if f.stall != nil {
		f.stall(n)
	}
	var event struct{ Name string }
	raw := json.RawMessage(append([]byte(nil), ctx.PostBody()...))
	if err := json.Unmarshal(raw, &event); err != nil {
		ctx.Error(err.Error(), fasthttp.StatusBadRequest)
		return
	}
	ctx.SetBodyString(`{"ids":["x"],"status":200}`)
	url, ok := f.urls.Load(event.Name)
	if !ok {
		return
	}
	i := f.events.Add(1)
	if every(i, f.loseEvery) {
		return
	}
	f.runs.Go(func() { f.run(url.(string), fmt.Sprintf("RUN%d", i), raw, every(i, f.repeatEvery)) })
	if every(i, f.doubleEvery) {
		f.runs.Go(func() { f.run(url.(string), fmt.Sprintf("SECOND%d", i), raw, false) })
	}
}

func every(i, n int64) bool { return n > 0 && i%n == 0 }

// run calls the app until it returns a result.
func (f *fakeServer) run(url, id string, event json.RawMessage, repeat bool) {
	stack, steps := []string{}, map[string]any{}
	for range 100 {
		status, ops := f.call(url, id, event, stack, steps)
		if repeat && len(stack) == 0 {
			f.call(url, id, event, stack, steps)
		}
		if status != fasthttp.StatusPartialContent || len(ops) == 0 {
			return
		}
		for _, op := range ops {
			stack = append(stack, op.ID)
			steps[op.ID] = map[string]any{"data": op.Data}
		}
	}
}

type fakeOp struct {
	ID   string
	Data any
}

func (f *fakeServer) call(url, id string, event json.RawMessage, stack []string, steps map[string]any) (status int, ops []fakeOp) {
	type object = map[string]any
	body, err := json.Marshal(object{
		"ctx":   object{"run_id": id, "attempt": 0, "fn_id": "f", "stack": object{"stack": stack, "current": len(stack)}},
		"event": event, "events": []any{event}, "steps": steps, "version": -1,
	})
	if err != nil {
		panic(err)
	}
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.SetRequestURI(url)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.SetBodyRaw(body)
	if f.client.DoTimeout(req, res, 10*time.Second) != nil {
		return 0, nil
	}
	if res.StatusCode() == fasthttp.StatusPartialContent && json.Unmarshal(res.Body(), &ops) != nil {
		return 0, nil
	}
	return res.StatusCode(), ops
}
