package mock

import (
	"testing"

	"ingot/engine"
	"ingot/engine/function"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	var m Transport
	m.Handle("app-fn", func(c *engine.Call) engine.Result {
		if c.Attempt == 0 {
			return Ops(engine.Op{Code: engine.OpStepRun, ID: "a"})
		}
		return Return(`{"done":true}`)
	})
	results := make(chan engine.Result, 1)
	call := func(slug string, attempt int) engine.Result {
		c := &engine.Call{Fn: &function.Function{Slug: slug}, Attempt: attempt, Ref: engine.CallRef{Job: 9}}
		m.Call(c, func(r engine.Result) { results <- r })
		r := <-results
		if r.Ref != c.Ref {
			t.Errorf("answer for %+v", r.Ref)
		}
		return r
	}
	if r := call("app-fn", 0); len(r.Ops) != 1 || r.Status != 206 {
		t.Errorf("got %+v", r)
	}
	if r := call("app-fn", 1); string(r.Output) != `{"done":true}` || r.Error != "" {
		t.Errorf("got %+v", r)
	}
	if r := call("other", 0); r.Error != "Unable to reach SDK URL" {
		t.Errorf("got %+v", r)
	}
	gateway := make(chan engine.GatewayResult, 1)
	answer := func(r engine.GatewayResult) { gateway <- r }
	m.Gateway(&engine.GatewayCall{}, answer)
	if r := <-gateway; r.Error == nil {
		t.Errorf("got %+v", r)
	}
	m.HandleGateway(func(*engine.GatewayCall) engine.GatewayResult { return engine.GatewayResult{Data: []byte("1")} })
	m.Gateway(&engine.GatewayCall{Ref: engine.CallRef{Job: 4}}, answer)
	if r := <-gateway; string(r.Data) != "1" || r.Ref.Job != 4 {
		t.Errorf("got %+v", r)
	}
}

func TestDeferredAnswers(t *testing.T) {
	t.Parallel()
	var m Transport
	m.Defer()
	m.Handle("f", func(*engine.Call) engine.Result { return Ops() })
	var order []uint32
	for job := range uint32(3) {
		m.Call(&engine.Call{Fn: &function.Function{Slug: "f"}, Ref: engine.CallRef{Job: job}}, func(r engine.Result) {
			if r.Ops == nil {
				t.Error("no operations are not empty operations")
			}
			order = append(order, r.Ref.Job)
		})
	}
	m.Gateway(&engine.GatewayCall{}, func(engine.GatewayResult) { order = append(order, 99) })
	pending := m.Take()
	if len(pending) != 4 || len(order) != 0 || pending[0].Call == nil || pending[3].Gateway == nil || len(m.Take()) != 0 {
		t.Fatalf("pending %+v, answered %v", pending, order)
	}
	for i := len(pending) - 1; i >= 0; i-- {
		pending[i].Answer()
	}
	if len(order) != 4 || order[0] != 99 || order[1] != 2 || order[3] != 0 {
		t.Errorf("answered in order %v", order)
	}
}

func TestFail(t *testing.T) {
	t.Parallel()
	if r := Fail("E", "m", true); r.NoRetry || r.Error != "invalid status code: 500" || string(r.Output) != `{"message":"m","name":"E","stack":"E: m"}` {
		t.Errorf("got %+v %s", r, r.Output)
	}
	if r := Fail("E", "m", false); !r.NoRetry || r.Error != "NonRetriableError" {
		t.Errorf("got %+v", r)
	}
}
