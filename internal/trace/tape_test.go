package trace

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// epoch is when tapes begin, unix ms.
const epoch = 1_790_000_000_000

// tape writes the records of a run by hand, as the engine does. Its clock moves only when
// it is told to.
type tape struct {
	run  history.Run
	out  []engine.Lifecycle
	now  int64
	env  Env
	last engine.Lifecycle // the latest CallStarted of any job
	// children are the runs that events started.
	children map[ulid.ULID]Child
	left     map[uint32]int64 // when the latest call of a job left
	events   map[ulid.ULID]json.RawMessage
}

var (
	testEvent  = ulidAt(epoch-3, 1)
	otherEvent = ulidAt(epoch+7, 2)
	childRun   = ulidAt(epoch+9, 3)
)

func ulidAt(ms int64, n byte) ulid.ULID {
	var u ulid.ULID
	_ = u.SetTime(uint64(ms))
	u[15] = n
	return u
}

// newTape begins a run of a function with the given attempts that has started.
func newTape(maxAttempts int) *tape {
	p := &tape{now: epoch, left: map[uint32]int64{}, children: map[ulid.ULID]Child{}, events: map[ulid.ULID]json.RawMessage{}}
	p.run = history.Run{ID: ulidAt(epoch, 9), Function: ids.UUIDv5([]byte("fn")), QueuedAt: epoch, Status: history.Scheduled, Events: []ulid.ULID{testEvent}}
	p.env = Env{
		Function: &function.Function{
			ID: p.run.Function, AppID: ids.UUIDv5([]byte("app")), Slug: "app-fn", Name: "fn", URL: "http://app/api/inngest?fnId=app-fn", MaxAttempts: maxAttempts,
		},
		Started: func(ev ulid.ULID, _ string) (Child, bool) { c, ok := p.children[ev]; return c, ok },
		Event:   func(ev ulid.ULID) json.RawMessage { return p.events[ev] },
	}
	p.events[testEvent] = json.RawMessage(`{"data":{},"id":"e1","name":"t/a","ts":1}`)
	p.add(engine.Lifecycle{Kind: engine.RunScheduled, Events: p.run.Events})
	return p
}

func (p *tape) add(l engine.Lifecycle) *tape {
	l.At, l.Run, l.Fn = p.now, p.run.ID, p.run.Function
	p.out = append(p.out, l)
	return p
}

// wait lets time pass.
func (p *tape) wait(d time.Duration) *tape {
	p.now += d.Milliseconds()
	return p
}

// start begins the run, 5 ms after what was before.
func (p *tape) start() *tape {
	p.wait(5 * time.Millisecond)
	p.run.Status, p.run.StartedAt = history.Running, p.now
	return p.add(engine.Lifecycle{Kind: engine.RunStarted})
}

// call sends the first call (cause "") or the one that the completion of a step led to.
func (p *tape) call(job uint32, attempt int, cause string) *tape {
	p.wait(2 * time.Millisecond)
	return p.callOf(engine.Lifecycle{Job: job, Attempt: attempt, Step: hashOf(cause), Flags: engine.FlagDiscovery})
}

// callPlanned calls for a planned step.
func (p *tape) callPlanned(job uint32, attempt int, step string) *tape {
	return p.callOf(engine.Lifecycle{Job: job, Attempt: attempt, Step: hashOf(step)})
}

func (p *tape) callOf(l engine.Lifecycle) *tape {
	l.Kind = engine.CallStarted
	p.last = l
	p.left[l.Job] = p.now
	return p.add(l)
}

const sdkHeader = "X-Inngest-Sdk: js:v4.24.0\r\nContent-Type: application/json\r\n"

// answer brings the response of the latest call, or of another job, after 4 ms.
func (p *tape) answer(status, size, ops int, more ...func(*engine.Lifecycle)) *tape {
	p.wait(4 * time.Millisecond)
	started := p.left[p.last.Job]
	l := engine.Lifecycle{
		Kind: engine.CallEnded, Job: p.last.Job, Attempt: p.last.Attempt, Started: started, Duration: (p.now - started) * 1e6,
		Status: status, Size: size, Count: ops, Header: []byte(sdkHeader),
	}
	for _, f := range more {
		f(&l)
	}
	return p.add(l)
}

func failedWith(name, payload string) func(*engine.Lifecycle) {
	return func(l *engine.Lifecycle) { l.Name, l.Payload = name, []byte(payload) }
}

func (p *tape) retryIn(d time.Duration) func(*engine.Lifecycle) {
	return func(l *engine.Lifecycle) { l.Due = p.now + d.Milliseconds() }
}

func isOutput(l *engine.Lifecycle) { l.Flags |= engine.FlagOutput }

// op records what an op of the latest answer did.
func (p *tape) op(kind engine.LifecycleKind, code engine.Opcode, name string, more ...func(*engine.Lifecycle)) *tape {
	l := engine.Lifecycle{Kind: kind, Op: code, Step: hashOf(name), Name: name, Job: p.last.Job, Attempt: p.last.Attempt}
	for _, f := range more {
		f(&l)
	}
	return p.add(l)
}

// ran is the StepRun of an answer.
func (p *tape) ran(name, data string, more ...func(*engine.Lifecycle)) *tape {
	more = append([]func(*engine.Lifecycle){func(l *engine.Lifecycle) { l.Payload = []byte(`{"data":` + data + `}`) }}, more...)
	return p.op(engine.StepCompleted, engine.OpStepRun, name, more...)
}

func target(s string) func(*engine.Lifecycle) { return func(l *engine.Lifecycle) { l.Target = s } }

func payload(s string) func(*engine.Lifecycle) {
	return func(l *engine.Lifecycle) { l.Payload = []byte(s) }
}

func opts(s string) func(*engine.Lifecycle) { return func(l *engine.Lifecycle) { l.Input = []byte(s) } }

func child(id ulid.ULID) func(*engine.Lifecycle) { return func(l *engine.Lifecycle) { l.Child = id } }

// until is a record's Due, from now on.
func (p *tape) until(d time.Duration) func(*engine.Lifecycle) { return p.retryIn(d) }

// woke ends what a step waited for. job is the wait's own.
func (p *tape) woke(kind engine.LifecycleKind, job uint32, name, memo string, by ulid.ULID) *tape {
	return p.add(engine.Lifecycle{Kind: kind, Step: hashOf(name), Name: name, Job: job, Payload: []byte(memo), Child: by})
}

// end ends the run.
func (p *tape) end(kind engine.LifecycleKind, payload string) *tape {
	p.run.Status = map[engine.LifecycleKind]history.Status{
		engine.RunCompleted: history.Completed, engine.RunFailed: history.Failed, engine.RunCancelled: history.Cancelled,
	}[kind]
	p.run.EndedAt, p.run.Output = p.now, []byte(payload)
	return p.add(engine.Lifecycle{Kind: kind, Payload: []byte(payload)})
}

// completed answers the latest call with the function's result.
func (p *tape) completed(output string, size int) *tape {
	return p.answer(200, size, 0, isOutput).end(engine.RunCompleted, output)
}

func (p *tape) trace() *history.Trace {
	p.env.Now = p.now
	return &history.Trace{Run: p.run, Records: p.out}
}

// recordedIDs are the ids of steps whose shown name is not what the id was made of.
var recordedIDs = map[string]string{
	"": "", "fetch": "54fd1711209fb1c0781092374132c66e79e2241b", "fetch2": "27d5482eebd075de44389774fce28c69f45c8a75",
	"Shown name": "141a92417f71895e56c4a5da05f3e98fc78e2220", "ai": "141a92417f71895e56c4a5da05f3e98fc78e2220",
}

// hashOf is a step's hashed id.
func hashOf(name string) string {
	if id, ok := recordedIDs[name]; ok {
		return id
	}
	h := sha1.Sum([]byte(name))
	return hex.EncodeToString(h[:])
}

func errorJSON(message string) string {
	return fmt.Sprintf(`{"message":%q,"name":"MyError","stack":"MyError: %s\n    at fn (app.js:1:1)"}`, message, message)
}

// runError is the error object of a failed run.
func runError(message string) string {
	return fmt.Sprintf(`{"error":"invalid status code: 500","message":%q,"name":"MyError","stack":"MyError: %s\n    at fn (app.js:1:1)"}`, message, message)
}
