package engine_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ingot/engine"
	"ingot/internal/ids"
)

// What the functions of the flow-control simulation do.

// flowScripts are what functions do, see answer.
var flowScripts = []string{"r", "rr", "rrr", "rzr", "prr", "rgr", "rwr", "sr", ""}

func (w *flowWorld) define(slug, trigger string, c *flowConfig) {
	f := &flowFn{slug: slug, trigger: trigger, id: ids.UUIDv5([]byte(slug)), script: flowScripts[w.rng.IntN(len(flowScripts))]}
	if slug == "invoker" {
		f.script = "i"
	}
	w.fns = append(w.fns, f)
	w.byID[f.id] = f
	f.add(c, 0, w.now)
}

// answer follows the function's script, one letter per step: run a step, sleep (z),
// run two in parallel, ask the gateway, wait for an event or a signal, invoke another
// function.
func (w *flowWorld) answer(f *flowFn, c *engine.Call) engine.Result {
	if c.StepID != "step" {
		return ops(2, ran(c.StepID))
	}
	for i, what := range f.script {
		id := fmt.Sprint(string(what), i)
		if what == 'p' {
			if planned := w.plan(c, id); planned != nil {
				return ops(2, planned...)
			}
			continue
		}
		if has(c, id) {
			if what == 'i' && !w.died[c.Ref.RunID] { // or it may have missed the answer
				w.invoked[flowNumber(c)+invokedN] = memoOf(c, id)
			}
			continue
		}
		if what != 'i' && w.faults && w.rng.IntN(8) == 0 {
			return ops(2, engine.Op{Code: engine.OpStepError, ID: id, Error: []byte(`{"message":"no","name":"Error"}`)})
		}
		switch what {
		case 'z':
			return ops(2, engine.Op{Code: engine.OpSleep, ID: id, Name: fmt.Sprint(100+w.rng.IntN(2000), "ms")})
		case 'g':
			return ops(2, engine.Op{Code: engine.OpGateway, ID: id, Opts: []byte(`{"url":"http://y"}`)})
		case 'w':
			return ops(2, op(engine.OpWaitForEvent, id, `{"event":"go/wake","if":"event.data.k == async.data.k","timeout":"2s"}`))
		case 's':
			return ops(2, op(engine.OpWaitForSignal, id, fmt.Sprintf(`{"signal":"sig%d","timeout":"3s"}`, flowNumber(c)%4)))
		case 'i':
			return ops(2, w.invocation(c, id))
		}
		return ops(2, w.ranLong(id))
	}
	return finalResult()
}

// ranLong is a step's result that is sometimes too long for its run's record.
func (w *flowWorld) ranLong(id string) engine.Op {
	if w.frail() && w.rng.IntN(3) == 0 {
		return engine.Op{Code: engine.OpStepRun, ID: id, Data: []byte(`"` + strings.Repeat("x", 2000) + `"`)}
	}
	return ran(id)
}

func (w *flowWorld) plan(c *engine.Call, id string) (planned []engine.Op) {
	for _, half := range []string{"a", "b"} {
		if !has(c, id+half) {
			planned = append(planned, engine.Op{Code: engine.OpStepPlanned, ID: id + half})
		}
	}
	return planned
}

// invokedN makes the unique number of the event by which an invoker's event n invokes.
const invokedN = 1_000_000

// flowNumber is the number of a call's first event.
func flowNumber(c *engine.Call) int {
	events, _ := flowEvents(c.Events[0]) // the call has been checked
	return events[0].N
}

// invokeTimeout is longer than any run lasts.
const invokeTimeout = 300 * time.Hour

// target is the function that an invoker's event invokes.
func (w *flowWorld) target(n int) *flowFn { return w.fns[n%(len(w.fns)-1)] }

// invocation invokes one of the functions with limits.
func (w *flowWorld) invocation(c *engine.Call, id string) engine.Op {
	events, _ := flowEvents(c.Events[0])
	target := w.target(events[0].N).slug
	events[0].N += invokedN
	data, _ := json.Marshal(events[0])
	return engine.Op{Code: engine.OpInvokeFunction, ID: id,
		Opts: fmt.Appendf(nil, `{"function_id":%q,"payload":{"data":%s},"timeout":%q}`, target, data, invokeTimeout)}
}

// checkInvocations compares what invokers got with what became of their events.
func (w *flowWorld) checkInvocations() {
	texts := map[string]string{engine.SkipRateLimit: "rate limited", engine.SkipSingleton: "singleton", engine.SkipDraining: "draining"}
	for n, memo := range w.invoked {
		f := w.target(n - invokedN)
		fates := w.ledger.fates[flowFateKey{f, n}]
		if len(fates) != 1 {
			w.errorf("the invoked event %d of %s has %d fates", n, f.slug, len(fates))
			continue
		}
		if fates[0].reason == engine.SkipDebounce {
			continue // they get what the newest event's invoker gets
		}
		for reason, text := range texts {
			if said := strings.Contains(memo, `"error"`) && strings.Contains(memo, text); said != (fates[0].reason == reason) {
				w.errorf("event %d of %s ended as %v, but its invoker got %s", n, f.slug, fates[0], memo)
			}
		}
	}
}
