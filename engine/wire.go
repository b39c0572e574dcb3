package engine

import (
	"ingot/engine/function"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Opcode is what an SDK asks of the engine (spec 01 §9.1).
type Opcode uint8

// The complete set, in the reference's order.
const (
	OpNone Opcode = iota
	OpStep
	OpStepRun
	OpStepError
	OpStepPlanned
	OpSleep
	OpWaitForEvent
	OpInvokeFunction
	OpAIGateway
	OpGateway
	OpWaitForSignal
	OpRunComplete
	OpStepFailed
	OpSyncRunComplete
	OpDiscoveryRequest
	OpDeferAdd
	OpDeferAbort
)

var opcodeNames = [...]string{
	"None", "Step", "StepRun", "StepError", "StepPlanned", "Sleep", "WaitForEvent",
	"InvokeFunction", "AIGateway", "Gateway", "WaitForSignal", "RunComplete", "StepFailed",
	"SyncRunComplete", "DiscoveryRequest", "DeferAdd", "DeferAbort",
}

// String returns the name on the wire.
func (o Opcode) String() string { return opcodeNames[o] }

// Lazy ops ride along with others and do not count as parallel work.
func (o Opcode) Lazy() bool { return o == OpDeferAdd || o == OpDeferAbort }

// Plan ops make a response with several ops a parallel group (spec 01 §10.4).
func (o Opcode) Plan() bool {
	switch o {
	case OpAIGateway, OpGateway, OpInvokeFunction, OpSleep, OpStepPlanned, OpWaitForEvent, OpWaitForSignal:
		return true
	}
	return false
}

// Sync ops may be checkpointed (spec 01 §9.1).
func (o Opcode) Sync() bool {
	switch o {
	case OpStep, OpStepRun, OpStepPlanned, OpRunComplete, OpSyncRunComplete, OpStepFailed, OpDeferAdd, OpDeferAbort:
		return true
	}
	return false
}

// Op is one parsed operation. Raw JSON fields are canonical (RFC 8785) and must
// not be changed: the engine keeps them as they are.
type Op struct {
	Code        Opcode
	ID          string
	Name        string
	DisplayName string
	// Data is the op's raw `data`; nil if absent.
	Data []byte
	// Opts is the raw `opts` object; nil if absent.
	Opts []byte
	// Error is the memo form of `error`: only name, message, stack, data, noRetry
	// and cause survive (spec 01 §9.3); nil if absent.
	Error []byte
	// Race is opts.parallelMode == "race".
	Race bool
	// TimingStart and TimingDuration are `timing.a` and `timing.b` in ns; 0 if absent.
	TimingStart, TimingDuration int64
	// Userland is the raw `userland` object, Metadata the raw `metadata` array; nil if absent.
	Userland []byte
	Metadata []byte
}

// ParseOpcode reads a name, ignoring case.
func ParseOpcode(name string) (Opcode, bool) {
	for i, n := range opcodeNames {
		if equalFold(n, name) {
			return Opcode(i), true
		}
	}
	return 0, false
}

func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if a[i]|0x20 != b[i]|0x20 {
			return false
		}
	}
	return true
}

// Step is a memoised step as the SDK sees it.
type Step struct {
	ID   string
	Memo []byte // canonical JSON
}

// DeferRef is one entry of a call's `defers`.
type DeferRef struct {
	ID        string
	Abortable bool
}

// CallRef names one dispatch of one job, so that its result finds its way back
// and a stale one is recognised.
type CallRef struct {
	Partition  int
	RunID      ulid.ULID
	Job        uint32
	Generation uint32
}

// Call is one request to user code (spec 01 §7). Its slices are shared with the
// engine and must not be changed.
type Call struct {
	Ref CallRef
	Fn  *function.Function
	// URL is what to call; without the stepId parameter, which the driver sets.
	URL string
	// JobID is the opaque queue item id; the driver sends it in ctx.job_id,
	// ctx.qi_id and the X-Inngest-Job-Id header.
	JobID string
	// Trace is the id that the distributed trace of the call began with.
	Trace ulid.ULID
	// RequestID is unique per dispatch.
	RequestID ulid.ULID
	// StepID is "step" for discovery, else the id of the planned step.
	StepID      string
	Attempt     int
	MaxAttempts int
	// RequestVersion is -1 until the SDK has told its own.
	RequestVersion   int
	DisableImmediate bool
	// Events are the triggering events as canonical JSON.
	Events [][]byte
	// Steps are the memos in completion order; Inputs are the edited inputs of a
	// rerun (`{"input":…}`), which are not part of the stack.
	Steps  []Step
	Inputs []Step
	// Order has the positions of Steps in the canonical order of their ids, and Stack
	// the ids in the order of Steps, as JSON strings with commas. Both are nil for few
	// steps: then whoever needs them makes them.
	Order  []int32
	Stack  []byte
	Defers []DeferRef
	// Current is stack.current.
	Current int
	// StateSize is the accumulated size of the run's state in bytes (use_api).
	StateSize int64
	// Sync is set for re-entry into a durable endpoint: no state is sent.
	Sync *SyncCall
}

// SyncCall is the original request of a durable endpoint (spec 01 §14.5).
type SyncCall struct {
	Method      string
	URL         string // with the original query
	ContentType string
	Body        []byte
}

// CodeShutdown is the ErrorCode of a call or gateway request that this server gave up
// because it is stopping. It is no attempt.
const CodeShutdown = "shutdown"

// CodeFault is the ErrorCode of a call or gateway request that a defect of this server has
// prevented or cut off. It is no attempt of the function either; after maxFaults in a row
// the run is put aside as a dead letter.
const CodeFault = "fault"

// Result is what came of a Call, classified (spec 01 §8, §11; spec 03 §11.4).
// Exactly one of Ops, Output-without-Error and Error describes the outcome.
type Result struct {
	Ref CallRef
	// Ops are the operations of a 206; non-nil (maybe empty) if and only if the
	// response carried ops that parsed.
	Ops []Op
	// Output is the function's result (2xx), or the body to store for a failed
	// attempt; raw JSON, canonical. nil if there was none.
	Output []byte
	// Error is the attempt error's text ("invalid status code: 500",
	// "NonRetriableError", "Unable to reach SDK URL", …); empty on success.
	Error string
	// ErrorCode is the reference's code of the error, if it has one ("not_sdk", "output_too_large").
	ErrorCode string
	// NoRetry is the SDK's no-retry determination (spec 01 §8.6). With ops it marks
	// a contained StepError.
	NoRetry bool
	// Text says that Output is a JSON string because the body was text and no JSON.
	Text bool
	// RetryAt is the unix ms of a Retry-After header, clamped; 0 if none.
	RetryAt int64
	// RequestVersion is the SDK's x-inngest-req-version; 0 if absent.
	RequestVersion int
	// SDK is the x-inngest-sdk header.
	SDK string
	// Status is the HTTP status (after a streamed 201 was unwrapped); 0 if none arrived.
	Status int
	// Size is the length of the answer's body in bytes; Header its header lines, each
	// ended by CRLF, without those about the connection, and with secrets removed.
	Size   int
	Header []byte
	// StartedAt is the unix ms at which the request was sent, Duration its length in ns.
	StartedAt int64
	Duration  int64
}

// GatewayCall is an HTTP request that the server makes for a step (spec 01
// §9.12, §9.13).
type GatewayCall struct {
	Ref    CallRef
	FnID   ids.UUID
	AI     bool
	StepID string
	// Opts is the op's raw options.
	Opts []byte
}

// GatewayResult is the outcome of a GatewayCall.
type GatewayResult struct {
	Ref CallRef
	// Data is the memo's data (raw canonical JSON) on success.
	Data []byte
	// Error is the memo's error object (raw canonical JSON) on failure.
	Error []byte
	// ErrorCode is CodeShutdown or CodeFault if it is this server that has failed; Error then
	// tells how, but no step gets it.
	ErrorCode string
}

// Transport reaches user code. Its methods return at once; each call is answered
// exactly once through the callback, from any goroutine, within the call's
// time limit (2 h).
type Transport interface {
	Call(c *Call, done func(Result))
	Gateway(c *GatewayCall, done func(GatewayResult))
}
