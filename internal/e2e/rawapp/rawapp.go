// Package rawapp is an app that speaks the SDK protocol without an SDK (spec 01
// §5 to §9): fast enough to load the server, and under the control of the test
// that runs it.
//
// What does not live here: checks and scenarios; those are the callers'.
package rawapp

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// SDK is the identity that the app shows.
const SDK = "go:v0.15.1"

// SigningKey is that of servers in production mode, which the app shows; eventKey is the
// one that events are sent with.
const (
	SigningKey = "0123456789abcdef0123456789abcdef"
	eventKey   = "test"
)

// Function is one function to register, with its trigger.
type Function struct {
	ID      string
	Event   string // trigger
	If      string // optional condition of the trigger
	Retries int    // retries after the first attempt
}

// App is a running app.
type App struct {
	name string
	ln   *listener
	srv  *fasthttp.Server
}

// Start serves handler on a free local port. The path of a call is /<function id>.
func Start(name string, handler fasthttp.RequestHandler) (*App, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the app: %w", err)
	}
	a := &App{name: name, ln: &listener{Listener: ln}, srv: &fasthttp.Server{
		Handler: func(ctx *fasthttp.RequestCtx) {
			if string(ctx.Path()) != cutPath {
				handler(ctx)
			}
		},
		NoDefaultServerHeader: true,
		NoDefaultDate:         true,
		MaxRequestBodySize:    8 << 20,
	}}
	go func() { _ = a.srv.Serve(a.ln) }()
	return a, nil
}

// Close stops serving.
func (a *App) Close() error { return a.srv.Shutdown() }

// Cut begins a new epoch: Epoch of calls over connections that were made before is
// below the one that it returns.
func (a *App) Cut(ctx context.Context) (epoch int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL()+cutPath, nil)
	if err != nil {
		return 0, fmt.Errorf("making a request: %w", err)
	}
	// Connections are accepted in order, so all earlier ones are when this one is.
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, fmt.Errorf("connecting to the app: %w", err)
	}
	_ = res.Body.Close()
	return a.ln.epoch.Add(1), nil
}

// cutPath is what Cut asks for; no function has it.
const cutPath = "/-/cut"

// Epoch says between which calls of Cut the connection of a call was accepted.
func Epoch(ctx *fasthttp.RequestCtx) int64 {
	return ctx.Conn().(*conn).epoch
}

// listener notes the epoch of each connection.
type listener struct {
	net.Listener
	epoch atomic.Int64
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{c, l.epoch.Load()}, nil
}

type conn struct {
	net.Conn
	epoch int64
}

// URL is where the app is.
func (a *App) URL() string { return "http://" + a.ln.Addr().String() }

// Register syncs the functions with the server, as an SDK does.
func (a *App) Register(ctx context.Context, server string, fns ...Function) error {
	type object = map[string]any
	var configs []object
	for _, f := range fns {
		trigger := object{"event": f.Event}
		if f.If != "" {
			trigger["expression"] = f.If
		}
		configs = append(configs, object{
			"id": a.name + "-" + f.ID, "name": f.ID, "triggers": []object{trigger},
			"steps": object{"step": object{
				"id": "step", "name": "step",
				"runtime": object{"type": "http", "url": a.URL() + "/" + f.ID + "?fnId=" + a.name + "-" + f.ID + "&stepId=step"},
				"retries": object{"attempts": f.Retries},
			}},
		})
	}
	body, err := json.Marshal(object{
		"url": a.URL() + "/", "v": "1", "deployType": "ping", "sdk": SDK, "framework": "", "appName": a.name, "functions": configs,
	})
	if err != nil {
		return err
	}
	return Post(ctx, server+"/fn/register", body)
}

// Send posts events (an array or one object) and returns once they are acknowledged.
func Send(ctx context.Context, server string, events []byte) error {
	return Post(ctx, server+"/e/"+eventKey, events)
}

var client = &fasthttp.Client{
	MaxConnsPerHost:     1024,
	MaxIdleConnDuration: time.Minute,
	// Sending again is the caller's decision: it must know what was acknowledged.
	RetryIfErr: func(*fasthttp.Request, int, error) (bool, bool) { return false, false },
}

// Post makes a request with the key, and expects 200.
func Post(ctx context.Context, url string, body []byte) error {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.SetRequestURI(url)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/json")
	req.Header.Set("X-Inngest-SDK", SDK)
	req.Header.Set("Authorization", "Bearer "+SigningKey)
	req.SetBodyRaw(body)
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(30 * time.Second)
	}
	if err := client.DoDeadline(req, res, deadline); err != nil {
		return fmt.Errorf("POST %s: %w", url, err)
	}
	if res.StatusCode() != fasthttp.StatusOK {
		return fmt.Errorf("POST %s: status %d: %s", url, res.StatusCode(), res.Body())
	}
	return nil
}

// Call is what a handler needs of a call request (spec 01 §7.3).
type Call struct {
	Ctx struct {
		RunID   string `json:"run_id"`
		FnID    string `json:"fn_id"`
		Attempt int    `json:"attempt"`
		Stack   struct {
			Current int      `json:"current"`
			Stack   []string `json:"stack"`
		} `json:"stack"`
	} `json:"ctx"`
	Event struct {
		ID   string          `json:"id"`
		Name string          `json:"name"`
		Data json.RawMessage `json:"data"`
	} `json:"event"`
	Steps map[string]json.RawMessage `json:"steps"`
}

// ParseCall reads a call request.
func ParseCall(body []byte) (*Call, error) {
	c := new(Call)
	if err := json.Unmarshal(body, c); err != nil {
		return nil, fmt.Errorf("parsing a call: %w", err)
	}
	return c, nil
}

// StepID is the id of a step on the wire.
func StepID(name string) string {
	sum := sha1.Sum([]byte(name))
	return hex.EncodeToString(sum[:])
}

// Op is one operation of a reply.
type Op struct {
	Op   string `json:"op"`
	ID   string `json:"id"`
	Name string `json:"name"`
	Data any    `json:"data,omitempty"`
	Opts any    `json:"opts,omitempty"`
}

// StepRun reports a step that ran.
func StepRun(name string, data any) Op {
	return Op{Op: "StepRun", ID: StepID(name), Name: name, Data: data}
}

// StepPlanned asks for a call of its own for a step.
func StepPlanned(name string) Op { return Op{Op: "StepPlanned", ID: StepID(name), Name: name} }

// Sleep asks to be called again after d.
func Sleep(name string, d time.Duration) Op {
	return Op{Op: "Sleep", ID: StepID(name), Name: d.String(), Opts: map[string]string{"duration": d.String()}}
}

// ReplyOps answers a call with operations.
func ReplyOps(ctx *fasthttp.RequestCtx, ops ...Op) {
	body, err := json.Marshal(ops)
	if err != nil {
		panic(err) // a test gave data that is no JSON
	}
	Reply(ctx, fasthttp.StatusPartialContent, body)
}

// Reply answers a call with a status and a JSON body.
func Reply(ctx *fasthttp.RequestCtx, status int, body []byte) {
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	ctx.Response.Header.Set("X-Inngest-SDK", SDK)
	ctx.Response.Header.Set("X-Inngest-Req-Version", "2")
	ctx.SetBody(body)
}
