package trace

import (
	"strings"
	"time"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

const (
	second = time.Second
	tick   = 10 * time.Millisecond
)

// scenario is a run of the recordings, with the records that the engine writes of it.
type scenario struct {
	// file is the recording in runs/; view the moment, "final" if empty; run the place of
	// the run in it.
	file, view string
	run        int
	tape       func() *tape
	// legacyDiffers and historyDiffers say why the recording shows something else.
	legacyDiffers, historyDiffers string
}

func (s *scenario) name() string {
	name := s.file
	if s.view != "" {
		name += "-" + s.view
	}
	if s.run > 0 {
		name += "-child"
	}
	return name
}

var scenarios = []scenario{
	{file: "steps-two-and-sleep", tape: twoAndSleep},
	{file: "steps-parallel-v2", tape: parallelV2},
	{file: "steps-parallel-v1", tape: parallelV1},
	{file: "steps-parallel-mixed", tape: parallelMixed, legacyDiffers: "what one answer begins is in the order of its ops; in the reference that is a race"},
	{file: "steps-error-retry-fail", tape: errorRetryFail},
	{file: "steps-error-then-success", tape: errorThenSuccess},
	{file: "steps-error-final-failed", tape: errorFinalFailed, historyDiffers: "the reference calls the attempt that ends with the op StepFailed completed"},
	{file: "steps-failed-op", tape: failedOp},
	{file: "steps-displayname-opts", tape: displayName},
	{file: "wait-match", view: "while-waiting", tape: waiting},
	{file: "wait-match", tape: waitMatch},
	{file: "wait-timeout", tape: waitTimeout},
	{file: "signal-match", view: "while-waiting", tape: signalWaiting},
	{file: "signal-match", tape: signalMatch},
	{file: "invoke-ok", tape: invokeOK},
	{file: "invoke-ok", run: 1, tape: invokedChild},
	{file: "invoke-failing", tape: invokeFailing},
	{file: "invoke-failing", run: 1, tape: noRetriesLeft},
	{file: "invoke-timeout", tape: invokeTimeout},
	{file: "invoke-parallel", tape: invokeParallel},
	{file: "resp-500-then-200", tape: failedThenOK},
	{file: "resp-500-error", tape: failedAlways},
	{file: "resp-500-no-retry", tape: failedNoRetry},
	{file: "resp-200-text", tape: textResult},
	{file: "resp-204", tape: noContent},
	{file: "resp-500-text", tape: failedWithText},
	{file: "resp-206-garbage", tape: notUnderstood, historyDiffers: "the next attempt is told after the one that failed"},
	{file: "resp-200-retry-after", tape: retryAfterResult},
	{file: "resp-206-step-op-wrapped", tape: oldStepOp},
	{file: "step-op-none", tape: nothingTwice},
	{file: "send-event", tape: sendsEvent},
	{file: "gateway-fetch", tape: gatewayFetch},
	{file: "gateway-fetch-error", tape: gatewayError},
	{file: "ai-gateway", tape: aiGateway},
	{file: "checkpoint-async", tape: checkpointAsync},
	{file: "defer", tape: deferring},
	{file: "batch-size", tape: batch},
	{file: "cancel-on-event", tape: cancelOnEvent},
	{file: "cancel-in-backoff", tape: cancelInBackoff},
	{file: "cancel-while-queued", run: 1, tape: cancelQueued},
	{file: "run-metadata", tape: runMetadata},
	{file: "run-views-while-running", view: "queued-and-running", tape: running},
}

func twoAndSleep() *tape {
	p := newTape(4).start()
	p.call(1, 0, "").answer(206, 114, 1).ran("one", `{"x":1}`)
	p.call(2, 0, "one").answer(206, 121, 1).op(engine.StepSleeping, engine.OpSleep, "nap", p.until(second), opts(`{"duration":"1s"}`))
	p.wait(second).woke(engine.StepCompleted, 3, "nap", "null", ulid.ULID{})
	p.call(3, 0, "nap").answer(206, 112, 1).ran("two", `"str"`)
	return p.call(4, 0, "two").completed(`{"memo":{"one":1}}`, 176)
}

// planned begins steps at once, the job of the first one being 2, and calls for them.
func planned(names []string, calls ...uint32) *tape {
	p := newTape(4).start()
	p.call(1, 0, "").answer(206, 301, 3)
	for _, s := range names {
		p.op(engine.StepPlanned, engine.OpStepPlanned, s, opts("{}"))
	}
	p.wait(tick)
	for _, job := range calls {
		p.callPlanned(job, 0, names[job-2])
	}
	return p
}

func (p *tape) ranIn(job uint32, name, data string, size int) *tape {
	p.last.Job, p.last.Attempt = job, 0
	return p.answer(206, size, 1).ran(name, data)
}

func parallelV2() *tape {
	p := planned([]string{"p2", "p3", "p1"}, 2, 4, 3).ranIn(4, "p1", `{"v":"p1"}`, 115).ranIn(3, "p3", `{"v":"p3"}`, 115)
	return p.wait(400*time.Millisecond).ranIn(2, "p2", `{"v":"p2"}`, 115).call(5, 0, "p2").completed("{}", 190)
}

func parallelV1() *tape {
	p := planned([]string{"p3", "p2", "p1"}, 4, 2, 3)
	plan := func(job uint32, cause string) { // a discovery that finds nothing new
		p.call(job, 0, cause).answer(206, 101, 1)
	}
	p.ranIn(4, "p1", `{"v":"p1"}`, 115)
	p.ranIn(2, "p3", `{"v":"p3"}`, 115)
	plan(5, "p1")
	plan(6, "p3")
	return p.wait(400*time.Millisecond).ranIn(3, "p2", `{"v":"p2"}`, 115).call(7, 0, "p2").completed("{}", 190)
}

func parallelMixed() *tape {
	p := newTape(4).start()
	p.call(1, 0, "").answer(206, 322, 3)
	p.op(engine.StepSleeping, engine.OpSleep, "1s", p.until(second), opts("{}"))
	p.op(engine.StepWaiting, engine.OpWaitForEvent, "nothing/ever", p.until(2*second), target("nothing/ever"))
	p.op(engine.StepPlanned, engine.OpStepPlanned, "run", opts("{}"))
	p.wait(tick).callPlanned(4, 0, "run").answer(206, 88, 1).ran("run", "1")
	p.call(5, 0, "run").answer(206, 240, 2)
	p.wait(second).woke(engine.StepCompleted, 2, "1s", "null", ulid.ULID{}).call(2, 0, "1s").answer(206, 140, 1)
	p.wait(second).woke(engine.StepTimedOut, 3, "nothing/ever", "null", ulid.ULID{})
	return p.call(6, 0, "nothing/ever").completed("{}", 151)
}

// erring answers with a StepError that is made again.
func (p *tape) erring(attempt int, message string) *tape {
	p.call(1, attempt, "").answer(206, 203, 1)
	return p.op(engine.StepErrored, engine.OpStepError, "bad", payload(errorJSON(message)), p.retryIn(second)).wait(second)
}

func errorRetryFail() *tape {
	p := newTape(3).start().erring(0, "attempt 0").erring(1, "attempt 1")
	p.call(1, 2, "").answer(206, 203, 1).op(engine.StepFailed, engine.OpStepError, "bad", payload(`{"error":`+errorJSON("attempt 2")+`}`))
	return p.call(2, 0, "bad").answer(500, 93, 0, isOutput, failedWith("invalid status code: 500", "")).end(engine.RunFailed, runError("attempt 2"))
}

func errorThenSuccess() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 173, 1)
	p.op(engine.StepErrored, engine.OpStepError, "bad", payload(errorJSON("once")), p.retryIn(second)).wait(second)
	p.call(1, 1, "").answer(206, 88, 1).ran("bad", "1")
	return p.call(2, 0, "bad").completed("{}", 55)
}

func errorFinalFailed() *tape {
	p := newTape(3).start().erring(0, "attempt 0").erring(1, "attempt 1")
	p.call(1, 2, "").answer(206, 203, 1).op(engine.StepFailed, engine.OpStepFailed, "bad", payload(`{"error":`+errorJSON("attempt 2")+`}`))
	return p.call(2, 0, "bad").completed("{}", 163)
}

func failedOp() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 216, 1)
	p.op(engine.StepFailed, engine.OpStepFailed, "bad", payload(`{"error":{"message":"fatal","name":"NonRetriableError","stack":"NonRetriableError: fatal\n    at fn (app.js:1:1)"}}`))
	return p.call(2, 0, "bad").completed("{}", 160)
}

func displayName() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 185, 1)
	p.ran("Shown name", `{"out":1}`, opts(`{"input":[{"prompt":"hi"}],"type":"step.ai.wrap"}`))
	return p.call(2, 0, "Shown name").completed("{}", 63)
}

func waiting() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 161, 1)
	return p.op(engine.StepWaiting, engine.OpWaitForEvent, "w", p.until(30*second), target("wait-match/cb"))
}

func waitMatch() *tape {
	p := waiting().wait(second)
	p.woke(engine.StepCompleted, 2, "w", `{"data":{"hello":"x"},"id":"<ULID:event2>","name":"wait-match/cb","ts":1,"user":{"u":1},"v":"1"}`, otherEvent)
	return p.call(3, 0, "w").completed("{}", 166)
}

func waitTimeout() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 156, 1)
	p.op(engine.StepWaiting, engine.OpWaitForEvent, "w", p.until(2*second), target("never/comes"))
	p.wait(2*second).woke(engine.StepTimedOut, 2, "w", "null", ulid.ULID{})
	return p.call(3, 0, "w").completed("{}", 49)
}

func signalWaiting() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 168, 1)
	return p.op(engine.StepWaiting, engine.OpWaitForSignal, "s", p.until(30*second), target("golden-sig-1"))
}

func signalMatch() *tape {
	p := signalWaiting().wait(second).woke(engine.StepCompleted, 2, "s", `{"data":{"data":{"n":1},"signal":"golden-sig-1"}}`, ulid.ULID{})
	return p.call(3, 0, "s").completed("{}", 94)
}

func invoking(p *tape, name, fn string, id ulid.ULID) *tape {
	p.children[id] = Child{Run: childRun, EndedAt: p.now + 600}
	return p.op(engine.StepInvoking, engine.OpInvokeFunction, name, p.until(20*second), target(fn), child(id))
}

func invokeOK() *tape {
	p := invoking(newTape(4).start().call(1, 0, "").answer(206, 204, 1), "i", "golden-invoke-ok-b", otherEvent)
	p.wait(600*time.Millisecond).woke(engine.StepCompleted, 2, "i", `{"data":{"from":"b"}}`, ulid.ULID{})
	return p.call(3, 0, "i").completed("{}", 66)
}

func invokedChild() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 112, 1).ran("inner", "7")
	return p.call(2, 0, "inner").completed(`{"from":"b"}`, 12)
}

func invokeFailing() *tape {
	p := invoking(newTape(4).start().call(1, 0, "").answer(206, 189, 1), "i", "golden-invoke-failing-b", otherEvent)
	p.wait(600*time.Millisecond).woke(engine.StepCompleted, 2, "i", `{"error":`+runError("inner failed")+`}`, ulid.ULID{})
	return p.call(3, 0, "i").completed("{}", 189)
}

func noRetriesLeft() *tape {
	p := newTape(1).start().call(1, 0, "").answer(500, 99, 0, isOutput, failedWith("invalid status code: 500", ""))
	return p.end(engine.RunFailed, runError("inner failed"))
}

func invokeTimeout() *tape {
	p := invoking(newTape(4).start().call(1, 0, "").answer(206, 188, 1), "i", "golden-invoke-timeout-b", otherEvent)
	const text = "Timed out waiting for invoked function to complete"
	p.wait(2*second).woke(engine.StepTimedOut, 2, "i", `{"error":{"error":"InngestInvokeTimeoutError: `+text+`","message":"`+text+`","name":"InngestInvokeTimeoutError"}}`, ulid.ULID{})
	return p.call(3, 0, "i").completed("{}", 242)
}

func invokeParallel() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 393, 2)
	invoking(p, "i2", "golden-invoke-parallel-b", ulidAt(p.now, 4))
	invoking(p, "i1", "golden-invoke-parallel-b", ulidAt(p.now, 5))
	p.wait(460*time.Millisecond).woke(engine.StepCompleted, 3, "i1", `{"data":1}`, ulid.ULID{})
	p.wait(3*time.Millisecond).woke(engine.StepCompleted, 2, "i2", `{"data":2}`, ulid.ULID{})
	return p.call(4, 0, "i2").completed("{}", 109)
}

// failing answers with an error after which the call is made again.
func (p *tape) failing(attempt, size int, message string) *tape {
	p.call(1, attempt, "").answer(500, size, 0, failedWith("invalid status code: 500", runError(message)), p.retryIn(second))
	return p.wait(second)
}

func failedThenOK() *tape {
	return newTape(4).start().failing(0, 83, "boom").call(1, 1, "").completed(`{"attempt":1}`, 13)
}

func failedAlways() *tape {
	p := newTape(3).start().failing(0, 83, "boom").failing(1, 83, "boom").call(1, 2, "")
	return p.answer(500, 83, 0, isOutput, failedWith("invalid status code: 500", "")).end(engine.RunFailed, runError("boom"))
}

func failedNoRetry() *tape {
	p := newTape(4).start().call(1, 0, "")
	return p.answer(500, 105, 0, isOutput, failedWith("invalid status code: 500", "")).end(engine.RunFailed, strings.ReplaceAll(runError("fatal"), "MyError", "NonRetriableError"))
}

// request is a request that the server makes for a step.
func (p *tape) request(job uint32, attempt int, code engine.Opcode, name string) *tape {
	return p.add(engine.Lifecycle{Kind: engine.CallStarted, Op: code, Job: job, Attempt: attempt, Step: hashOf(name), Name: name, Input: []byte(`{"method":"GET","url":"http://up/"}`)})
}

func gatewayFetch() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 238, 1).request(1, 0, engine.OpGateway, "fetch").wait(tick)
	p.woke(engine.StepCompleted, 1, "fetch", `{"data":{"body":"{\"upstream\":true}","headers":{"Content-Type":"application/json","Date":"<HTTPDATE>","X-Up":"1"},"status_code":200,"url":"http://<APP>/api/inngest/gateway-fetch?fnId=up"}}`, ulid.ULID{})
	return p.call(2, 0, "fetch").completed("{}", 262)
}

func gatewayError() *tape {
	const failed = `{"message":"Error making gateway request: Unable to reach SDK URL","name":"GatewayError"}`
	p := newTape(2).start().call(1, 0, "").answer(206, 197, 1).request(1, 0, engine.OpGateway, "fetch").wait(tick)
	p.woke(engine.StepCompleted, 1, "fetch", `{"data":{"body":"{\"upstream\":\"bad\"}","headers":{"Content-Type":"application/json","Date":"<HTTPDATE>"},"status_code":500,"url":"http://<APP>/api/inngest/gateway-fetch-error?fnId=up"}}`, ulid.ULID{})
	p.call(2, 0, "fetch").answer(206, 161, 1).request(2, 0, engine.OpGateway, "fetch2").wait(tick)
	p.add(engine.Lifecycle{Kind: engine.StepErrored, Job: 2, Step: hashOf("fetch2"), Name: "fetch2", Payload: []byte(failed), Due: p.now + 1000})
	p.wait(second).call(2, 1, "fetch").answer(206, 161, 1).request(2, 1, engine.OpGateway, "fetch2").wait(tick)
	p.add(engine.Lifecycle{Kind: engine.StepFailed, Job: 2, Attempt: 1, Step: hashOf("fetch2"), Name: "fetch2", Payload: []byte(`{"error":` + failed + `}`)})
	return p.call(3, 0, "fetch2").completed("{}", 403)
}

func aiGateway() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 321, 1).request(1, 0, engine.OpAIGateway, "ai")
	p.out[len(p.out)-1].Input = []byte(`{"auth_key":"sk-test","body":{"messages":[{"content":"hello","role":"user"}],"model":"gpt-x"},"format":"openai-chat","type":"step.ai.infer"}`)
	p.wait(tick).woke(engine.StepCompleted, 1, "ai", `{"data":{"choices":[{"finish_reason":"stop","index":0,"message":{"content":"hi","role":"assistant"}}],"id":"chatcmpl-1"}}`, ulid.ULID{})
	return p.call(2, 0, "ai").completed("{}", 276)
}

func checkpoint(l *engine.Lifecycle) { l.Flags |= engine.FlagCheckpoint }

func checkpointAsync() *tape {
	p := newTape(4).start().call(1, 0, "")
	for _, s := range []string{"c1", "c2", "stale"} {
		at := p.wait(2 * time.Millisecond).now
		p.ran(s, `{"v":1}`, checkpoint, func(l *engine.Lifecycle) { l.Started, l.Duration = at-1, 2 })
	}
	p.answer(206, 119, 1).op(engine.StepSleeping, engine.OpSleep, "z", p.until(second), opts("{}"))
	p.wait(second).woke(engine.StepCompleted, 2, "z", "null", ulid.ULID{})
	return p.call(2, 0, "z").completed("{}", 223)
}

func deferring() *tape {
	p := newTape(1).start().call(1, 0, "").answer(206, 233, 2).ran("s", "1")
	p.add(engine.Lifecycle{Kind: engine.DeferAdded, Step: hashOf("d"), Target: "golden-defer-d"})
	p.children[deferEvent(p.run.ID, hashOf("d"))] = Child{Run: childRun}
	return p.call(2, 0, "s").completed(`{"defers":{}}`, 74)
}

func batch() *tape {
	p := newTape(1)
	p.run.Batch, p.run.Events = true, []ulid.ULID{ulidAt(epoch-9, 1), ulidAt(epoch-8, 2), ulidAt(epoch-7, 3)}
	return p.start().call(1, 0, "").completed(`{"n":3}`, 7)
}

func cancelOnEvent() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 121, 1).op(engine.StepSleeping, engine.OpSleep, "z", p20())
	p.wait(second).end(engine.RunCancelled, "")
	p.out[len(p.out)-1].Child, p.out[len(p.out)-1].Expr = otherEvent, `async.data.id == "x"`
	return p
}

func p20() func(*engine.Lifecycle) {
	return func(l *engine.Lifecycle) { l.Due = epoch + 20_011 }
}

func cancelInBackoff() *tape {
	p := newTape(4).start().call(1, 0, "").answer(500, 83, 0, failedWith("invalid status code: 500", runError("boom")))
	p.out[len(p.out)-1].Due = p.now + 60_000
	return p.wait(second).end(engine.RunCancelled, "")
}

func cancelQueued() *tape { return newTape(4).wait(second).end(engine.RunCancelled, "") }

func runMetadata() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 108, 1).ran("one", "1")
	p.call(2, 0, "one").answer(206, 119, 1).op(engine.StepSleeping, engine.OpSleep, "z", p.until(2*second), opts("{}"))
	about := func(step string, attempt int, raw string) {
		p.wait(tick).add(engine.Lifecycle{Kind: engine.StepMetadata, Step: hashOf(step), Attempt: attempt, Payload: []byte(raw)})
	}
	about("", -1, `[{"scope":"run","kind":"userland.foo","op":"merge","values":{"a":1,"b":"x"}}]`)
	about("one", -1, `[{"scope":"step","kind":"userland.foo","op":"set","values":{"n":1}}]`)
	about("one", -1, `[{"scope":"step","kind":"userland.foo","op":"add","values":{"n":2,"m":1,"x":"no"}}]`)
	about("", -1, `[{"scope":"run","kind":"userland.foo","op":"delete","values":{"b":null}}]`)
	about("unknown", -1, `[{"scope":"step","kind":"userland.foo","op":"set","values":{"n":1}}]`)
	p.wait(2*second-5*tick).woke(engine.StepCompleted, 3, "z", "null", ulid.ULID{})
	return p.call(3, 0, "z").completed("1", 1)
}

func running() *tape { return newTape(4).start().call(1, 0, "").wait(second) }
