package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot/internal/e2e/rawapp"

	"github.com/valyala/fasthttp"
)

// operated is a server process, an app without an SDK, and an operator at the
// server's routes (docs/operating.md).
type operated struct {
	t    *testing.T
	bin  string
	port int
	dir  string
	p    *rawapp.Process
	app  *rawapp.App

	mu   sync.Mutex
	seen map[string][]seenCall // by function
	// held are functions whose calls wait until they are released; broken are those
	// that fail.
	held   map[string]chan struct{}
	broken map[string]bool
}

// seenCall is one call of the app.
type seenCall struct {
	Run, Key string // Key is the event's
	Steps    int
	Ended    bool // it returned
}

// napTime leaves room for what tests do while runs sleep, on a machine that is busy.
const napTime = 8 * time.Second

// The functions of the app. Their events are operate/<id>.
var (
	fnWork = rawapp.Function{ID: "work", Event: "operate/work", Retries: 0} // one step
	fnNap  = rawapp.Function{ID: "nap", Event: "operate/nap", Retries: 0}   // sleeps for napTime
	fnWait = rawapp.Function{ID: "wait", Event: "operate/wait", Retries: 0} // waits for operate/go
	fnIdle = rawapp.Function{ID: "idle", Event: "operate/idle", Retries: 0} // returns at once
)

func newOperated(t *testing.T) *operated {
	t.Helper()
	o := &operated{t: t, bin: serverBinary(t), dir: t.TempDir(), seen: map[string][]seenCall{}, held: map[string]chan struct{}{}, broken: map[string]bool{}}
	var err error
	if o.port, err = rawapp.FreePort(); err != nil {
		t.Fatal(err)
	}
	if o.app, err = rawapp.Start("operate", o.handle); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.app.Close() })
	o.start()
	t.Cleanup(func() {
		o.release()
		if t.Failed() {
			t.Logf("server's log:\n%s", o.p.Log())
		}
		o.p.Kill()
	})
	o.register(fnWork, fnNap, fnWait, fnIdle)
	return o
}

func (o *operated) start() {
	o.t.Helper()
	var err error
	if o.p, err = rawapp.StartProcess(o.bin, o.port, "--data-dir", o.dir, "--retry-interval", "1", "--log-level", "warn"); err != nil {
		o.t.Fatal(err)
	}
}

// kill ends the server as kill -9 does, and starts it anew on its data.
func (o *operated) kill() {
	o.t.Helper()
	o.p.Kill()
	o.start()
}

func (o *operated) register(fns ...rawapp.Function) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), caseLimit)
	defer cancel()
	// A connection to the server before a kill may be tried first.
	o.await("the app is registered", func() bool { return o.app.Register(ctx, o.p.URL, fns...) == nil })
}

// hold lets calls of a function wait until release.
func (o *operated) hold(fn rawapp.Function) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held[fn.ID] = make(chan struct{})
}

func (o *operated) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, c := range o.held {
		close(c)
		delete(o.held, id)
	}
}

// breakDown says whether a function fails.
func (o *operated) breakDown(fn rawapp.Function, broken bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken[fn.ID] = broken
}

// handle answers one call.
func (o *operated) handle(ctx *fasthttp.RequestCtx) {
	fn := strings.TrimPrefix(string(ctx.Path()), "/")
	call, err := rawapp.ParseCall(ctx.PostBody())
	var data struct{ Key string }
	if err != nil || json.Unmarshal(call.Event.Data, &data) != nil {
		rawapp.Reply(ctx, fasthttp.StatusBadRequest, []byte(`{"message":"unreadable call"}`))
		return
	}
	o.mu.Lock()
	held, broken := o.held[fn], o.broken[fn]
	first := map[string]rawapp.Op{
		fnWork.ID: rawapp.StepRun("a", data.Key),
		fnNap.ID:  rawapp.Sleep("z", napTime),
		fnWait.ID: {Op: "WaitForEvent", ID: rawapp.StepID("w"), Name: "operate/go", Opts: map[string]string{"event": "operate/go", "timeout": "1h"}},
	}[fn]
	ends := !broken && (first.Op == "" || len(call.Steps) > 0)
	o.seen[fn] = append(o.seen[fn], seenCall{call.Ctx.RunID, data.Key, len(call.Steps), ends})
	o.mu.Unlock()
	if held != nil {
		<-held
	}
	switch {
	case broken:
		rawapp.Reply(ctx, fasthttp.StatusInternalServerError, []byte(`{"name":"Error","message":"broken"}`))
	case ends:
		rawapp.Reply(ctx, fasthttp.StatusOK, []byte(`"ok"`))
	default:
		rawapp.ReplyOps(ctx, first)
	}
}

// calls is the number of calls of a function.
func (o *operated) calls(fn rawapp.Function) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.seen[fn.ID])
}

// ended are the keys of the distinct runs of a function that returned, in order.
func (o *operated) ended(fn rawapp.Function) (keys []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	runs := map[string]bool{}
	for _, c := range o.seen[fn.ID] {
		if c.Ended && !runs[c.Run] {
			runs[c.Run] = true
			keys = append(keys, c.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

// await waits until a condition holds.
func (o *operated) await(what string, ok func() bool) {
	o.t.Helper()
	for deadline := time.Now().Add(caseLimit); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			o.t.Fatalf("waited %v in vain until %s", caseLimit, what)
		}
	}
}

// awaitEnds waits until the runs with the keys have returned, and checks that a moment
// later it is those only.
func (o *operated) awaitEnds(fn rawapp.Function, keys ...string) {
	o.t.Helper()
	slices.Sort(keys)
	o.await(fmt.Sprintf("%d runs of %s have ended", len(keys), fn.ID), func() bool { return len(o.ended(fn)) >= len(keys) })
	o.settle()
	if got := o.ended(fn); !slices.Equal(got, keys) {
		o.t.Errorf("runs of %s that ended: %v, want %v", fn.ID, got, keys)
	}
}

// settle lets the server do what it has to do: another function's run goes all its way.
func (o *operated) settle() {
	o.t.Helper()
	before := len(o.ended(fnIdle))
	o.send(fnIdle, "settle")
	o.await("another function has run", func() bool { return len(o.ended(fnIdle)) > before })
	time.Sleep(quiet)
}

// send posts an event for a function, with a key, and returns its internal id.
func (o *operated) send(fn rawapp.Function, key string) (id string) {
	o.t.Helper()
	var out struct{ IDs []string }
	o.request(http.StatusOK, http.MethodPost, "/e/test", map[string]any{"name": fn.Event, "data": map[string]string{"key": key}}, &out)
	if len(out.IDs) != 1 {
		o.t.Fatalf("ids of one event: %v", out.IDs)
	}
	return out.IDs[0]
}

// sendAll posts one event per key.
func (o *operated) sendAll(fn rawapp.Function, keys ...string) {
	o.t.Helper()
	for _, k := range keys {
		o.send(fn, k)
	}
}

// request makes a request, checks its status and decodes the answer; in and out may be nil.
func (o *operated) request(status int, method, path string, in, out any) {
	o.t.Helper()
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			o.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), caseLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, o.p.URL+path, bytes.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		o.t.Fatalf("%s %s %s: status %d, want %d: %s %v", method, path, body, res.StatusCode, status, text, err)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			o.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
}

// do is request for the operators' routes, whose answers have an envelope.
func do[T any](o *operated, method, path string, in any) T {
	o.t.Helper()
	var out struct{ Data T }
	o.request(http.StatusOK, method, path, in, &out)
	return out.Data
}

// setMode pauses, drains or unpauses a function.
func (o *operated) setMode(fn rawapp.Function, verb, want string) {
	o.t.Helper()
	if got := do[operatedFn](o, http.MethodPost, "/v1/functions/operate-"+fn.ID+"/"+verb, nil); got.Mode != want {
		o.t.Errorf("%s of %s: mode %s, want %s", verb, fn.ID, got.Mode, want)
	}
}

type operatedFn struct {
	Slug, Mode string
	Backlog    int
}

// function is what the server tells of a function.
func (o *operated) function(fn rawapp.Function) operatedFn {
	o.t.Helper()
	for _, f := range do[[]operatedFn](o, http.MethodGet, "/v1/functions", nil) {
		if f.Slug == "operate-"+fn.ID {
			return f
		}
	}
	o.t.Fatalf("function %s is not listed", fn.ID)
	return operatedFn{}
}

// outcome is why an event started a run of a function, or none.
func (o *operated) outcome(event string, fn rawapp.Function) string {
	o.t.Helper()
	type decision struct{ Function, Outcome, Reason string }
	for _, d := range do[[]decision](o, http.MethodGet, "/v1/events/"+event+"/decisions", nil) {
		if d.Function == "operate-"+fn.ID {
			return strings.TrimSpace(d.Outcome + " " + d.Reason)
		}
	}
	return ""
}

// keys are prefix0, prefix1, … .
func keys(prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(prefix, i))
	}
	return out
}
