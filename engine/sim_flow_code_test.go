package engine_test

import (
	"encoding/json"
	"fmt"

	"ingot/engine"
)

// What the functions of the flow-control simulation do.

// answer follows the function's script, one letter per step: run a step, sleep (z),
// run two in parallel, ask the gateway, invoke another function.
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
			continue
		}
		if w.faults && w.rng.IntN(8) == 0 {
			return ops(2, engine.Op{Code: engine.OpStepError, ID: id, Error: []byte(`{"message":"no","name":"Error"}`)})
		}
		switch what {
		case 'z':
			return ops(2, engine.Op{Code: engine.OpSleep, ID: id, Name: fmt.Sprint(100+w.rng.IntN(2000), "ms")})
		case 'g':
			return ops(2, engine.Op{Code: engine.OpGateway, ID: id, Opts: []byte(`{"url":"http://y"}`)})
		case 'i':
			return ops(2, w.invocation(c, id))
		}
		return ops(2, ran(id))
	}
	return finalResult()
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

// invocation invokes one of the functions with limits.
func (w *flowWorld) invocation(c *engine.Call, id string) engine.Op {
	var ev struct{ Data flowData }
	_ = json.Unmarshal(c.Events[0], &ev) // the ledger has read it
	target := w.fns[ev.Data.N%(len(w.fns)-1)].slug
	ev.Data.N += invokedN
	data, _ := json.Marshal(ev.Data)
	return engine.Op{Code: engine.OpInvokeFunction, ID: id,
		Opts: fmt.Appendf(nil, `{"function_id":%q,"payload":{"data":%s},"timeout":"300h"}`, target, data)}
}
