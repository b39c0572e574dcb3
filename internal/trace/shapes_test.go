package trace

import (
	"time"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// shapes are runs of which there is no recording.
var shapes = map[string]func() *tape{
	"queued":              func() *tape { return newTape(4) },
	"between-calls":       func() *tape { return newTape(4).start().call(1, 0, "").answer(206, 9, 1).ran("one", "1") },
	"no-steps":            func() *tape { return newTape(4).start().call(1, 0, "").completed(`{"ok":true}`, 9) },
	"planned-waiting":     plannedWaiting,
	"retry-of-planned":    retryOfPlanned,
	"gateway-under-way":   gatewayUnderWay,
	"user-spans":          userSpans,
	"two-ops-in-one":      twoOps,
	"invalid-sleep":       invalidSleep,
	"secrets-in-response": secrets,
	"middle-of-a-run":     middle,
	"sync":                syncRun,
	"delayed":             delayed,
	"step-metadata":       stepMetadata,
	"at-one-moment":       atOneMoment,
}

// plannedWaiting has one planned step that was not called yet, and one under way.
func plannedWaiting() *tape {
	p := planned([]string{"p1", "p2"}, 2)
	return p.wait(tick)
}

func retryOfPlanned() *tape {
	p := planned([]string{"p1"}, 2)
	p.answer(206, 50, 1).op(engine.StepErrored, engine.OpStepError, "p1", payload(errorJSON("once")), p.retryIn(second)).wait(second)
	p.callPlanned(2, 1, "p1").answer(206, 50, 1).ran("p1", "7")
	return p.call(3, 0, "p1").completed("7", 1)
}

func gatewayUnderWay() *tape {
	return newTape(4).start().call(1, 0, "").answer(206, 238, 1).request(1, 0, engine.OpGateway, "fetch").wait(tick)
}

func userSpans() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 20, 1).ran("one", "1")
	span := func(step, raw string) {
		p.add(engine.Lifecycle{Kind: engine.UserSpan, Step: hashOf(step), Payload: []byte(raw)})
	}
	span("one", `{"id":"00000000000000a1","name":"inngest.execution","start":1790000000008000000,"end":1790000000009000000,"scope":"inngest"}`)
	span("one", `{"id":"00000000000000a2","parent":"00000000000000a1","name":"GET /x","kind":"client","start":1790000000008200000,"end":1790000000008900000,"attributes":{"http.status":200}}`)
	span("one", `{"id":"00000000000000a3","parent":"00000000000000a1","name":"db","start":1790000000008100000,"end":1790000000008150000,"failed":true}`)
	span("", `{"id":"00000000000000a4","name":"outside","start":1790000000011000000,"end":1790000000012000000}`)
	span("", `{"id":"00000000000000a5","parent":"00000000000000a6","name":"circle","start":1,"end":2}`)
	span("", `{"id":"00000000000000a6","parent":"00000000000000a5","name":"circle","start":1,"end":2}`)
	span("one", `not JSON`)
	p.add(engine.Lifecycle{Kind: engine.StepMetadata, Step: hashOf("one"), Target: "00000000000000a2",
		Payload: []byte(`[{"scope":"extended_trace","kind":"inngest.http","op":"merge","values":{"status":200}}]`)})
	return p.call(2, 0, "one").completed("1", 1)
}

func twoOps() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 171, 2).ran("a", "1").ran("b", "2")
	return p.call(2, 0, "a").completed("{}", 2)
}

// invalidSleep fails a call after its ops were read.
func invalidSleep() *tape {
	p := newTape(2).start().call(1, 0, "").answer(206, 121, 1)
	failed := failedWith("time: invalid duration \"soon\"", runError("time: invalid duration"))
	p.answer(206, 121, 1, failed, p.retryIn(second)).wait(second)
	p.call(1, 1, "").answer(206, 121, 1).answer(206, 121, 1, failedWith("time: invalid duration \"soon\"", ""), isOutput)
	return p.end(engine.RunFailed, runError("time: invalid duration"))
}

func secrets() *tape {
	p := newTape(1).start().call(1, 0, "").completed("1", 1)
	p.out[len(p.out)-2].Header = []byte("set-cookie: s=1\r\nvary: a\r\nVary: b\r\nno colon\r\n")
	return p
}

// middle begins after the run did.
func middle() *tape {
	p := errorThenSuccess()
	p.out = p.out[5:]
	return p
}

func syncRun() *tape {
	p := newTape(1).start()
	p.ran("one", "1", checkpoint, func(l *engine.Lifecycle) { l.Started, l.Duration = p.now-3, 3e6 })
	return p.wait(tick).end(engine.RunCompleted, `{"body":"ok","status":200}`)
}

func delayed() *tape {
	p := newTape(1)
	p.out[0].Due = epoch + 60_000
	return p.wait(time.Minute).start().call(1, 0, "").completed("1", 1)
}

func stepMetadata() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 173, 1)
	meta := func(raw string) func(*engine.Lifecycle) {
		return func(l *engine.Lifecycle) { l.Meta = []byte(raw) }
	}
	p.op(engine.StepErrored, engine.OpStepError, "bad", payload(errorJSON("once")), p.retryIn(second),
		meta(`[{"scope":"step_attempt","kind":"userland.a","op":"merge","values":{"n":1}}]`)).wait(second)
	p.call(1, 1, "").answer(206, 88, 1).ran("bad", "1", meta(`[{"scope":"step","kind":"userland.b","values":{"n":2}},{"scope":"run","kind":"userland.c","op":"set","values":{"n":3}},7]`))
	p.woke(engine.StepCompleted, 9, "never begun", `{"data":1}`, ulid.ULID{})
	return p.call(2, 0, "bad").completed("1", 1)
}
