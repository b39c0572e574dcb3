// Package mock is an engine.Transport without a network: user code is a Go
// function per function slug. Tests and the simulator script it.
//
// What does not live here: time and faults. A test that wants delays, loss or
// other orders defers answers and releases them as it likes.
package mock

import (
	"fmt"
	"sync"

	"ingot/engine"
	"ingot/transport/wire"
)

// Func answers one call of a function.
type Func func(*engine.Call) engine.Result

// Transport calls scripted functions. The zero value is ready: it answers at
// once, on a goroutine of its own.
type Transport struct {
	mu       sync.Mutex
	funcs    map[string]Func
	gateway  func(*engine.GatewayCall) engine.GatewayResult
	deferred bool
	pending  []Pending
}

var _ engine.Transport = (*Transport)(nil)

// Pending is a call that waits for its answer. Exactly one of Call and Gateway is set.
type Pending struct {
	Call    *engine.Call
	Gateway *engine.GatewayCall
	answer  func()
}

// Answer runs the scripted function and hands its result to the engine, on the
// caller's goroutine. It must be called at most once.
func (p Pending) Answer() { p.answer() }

// Handle sets the function of a slug. Without one a call fails as if no app were
// there.
func (t *Transport) Handle(slug string, f Func) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.funcs == nil {
		t.funcs = make(map[string]Func)
	}
	t.funcs[slug] = f
}

// HandleGateway sets what answers gateway steps.
func (t *Transport) HandleGateway(f func(*engine.GatewayCall) engine.GatewayResult) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gateway = f
}

// Defer makes calls wait until they are taken with Take and answered.
func (t *Transport) Defer() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deferred = true
}

// Take returns and forgets the calls that wait, in order of arrival.
func (t *Transport) Take() []Pending {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.pending
	t.pending = nil
	return p
}

// Call implements engine.Transport.
func (t *Transport) Call(c *engine.Call, done func(engine.Result)) {
	t.add(Pending{Call: c, answer: func() {
		t.mu.Lock()
		f := t.funcs[c.Fn.Slug]
		t.mu.Unlock()
		res := wire.Failure(wire.TextUnreachable)
		if f != nil {
			res = f(c)
		}
		res.Ref = c.Ref
		done(res)
	}})
}

// Gateway implements engine.Transport.
func (t *Transport) Gateway(c *engine.GatewayCall, done func(engine.GatewayResult)) {
	t.add(Pending{Gateway: c, answer: func() {
		t.mu.Lock()
		f := t.gateway
		t.mu.Unlock()
		res := engine.GatewayResult{Error: wire.AppendError(nil, "GatewayError", "Error making gateway request: "+wire.TextUnreachable, nil, "")}
		if f != nil {
			res = f(c)
		}
		res.Ref = c.Ref
		done(res)
	}})
}

func (t *Transport) add(p Pending) {
	t.mu.Lock()
	if t.deferred {
		t.pending = append(t.pending, p)
		t.mu.Unlock()
		return
	}
	t.mu.Unlock()
	go p.answer()
}

// Return answers with a function result, given as canonical JSON.
func Return(json string) engine.Result {
	return engine.Result{Output: []byte(json), Status: 200, SDK: "mock", RequestVersion: 2}
}

// Ops answers with operations, as a 206 does.
func Ops(ops ...engine.Op) engine.Result {
	if ops == nil {
		ops = []engine.Op{}
	}
	return engine.Result{Ops: ops, Status: 206, SDK: "mock", RequestVersion: 2}
}

// Fail answers with a function error, as an SDK sends it.
func Fail(name, message string, retriable bool) engine.Result {
	res := engine.Result{
		Error: "invalid status code: 500", Status: 500, SDK: "mock", RequestVersion: 2,
		Output: wire.AppendError(nil, name, message, nil, fmt.Sprintf("%s: %s", name, message)),
	}
	if !retriable {
		res.Error, res.NoRetry = "NonRetriableError", true
	}
	return res
}
