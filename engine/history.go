package engine

import (
	"bytes"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// LifecycleKind says what a record of the outbox tells. Values are stored.
type LifecycleKind uint8

const (
	// RunScheduled begins a run: Events, Due (the planned start, if later than At),
	// Name (the schedule of a cron run), Child (the run that it replays), Flags, and Target: the
	// id that the distributed trace began with, if that is not the first event's.
	RunScheduled LifecycleKind = 1
	// RunStarted is the run's first call.
	RunStarted LifecycleKind = 2
	// RunCompleted, RunFailed and RunCancelled end a run: Payload is the raw JSON output,
	// or what the failed answer brought, or the error object; empty if there is none. FlagText
	// says that it is a JSON string because it was text. Child of a cancellation is the event
	// that caused it, Expr its condition.
	RunCompleted LifecycleKind = 3
	RunFailed    LifecycleKind = 4
	RunCancelled LifecycleKind = 5
	// StepCompleted and StepFailed memoise a step: Op, Step, Name, Payload (the memo),
	// and Job, Attempt, Started, Duration, Input, Meta if an answer or checkpoint brought
	// it. What ends a sleep, wait or invocation names the Step only; Child is then the
	// event that matched. FlagCheckpoint marks steps of a call that went on.
	StepCompleted LifecycleKind = 7
	StepFailed    LifecycleKind = 8
	// StepErrored is a step's failed attempt, which will be made again: as StepFailed,
	// but Payload is the bare error object and Due the next attempt.
	StepErrored LifecycleKind = 9
	// StepPlanned announces a step that is called by itself: Op, Step, Name, Input.
	StepPlanned LifecycleKind = 10
	// StepSleeping, StepWaiting and StepInvoking begin what Due ends. Target is the event's
	// or signal's name or the invoked function as given, Expr a wait's condition, Child the
	// invoking event, Op what kind it is.
	StepSleeping LifecycleKind = 11
	StepWaiting  LifecycleKind = 12
	StepInvoking LifecycleKind = 13
	// StepTimedOut ends a wait or an invocation by its time: Step, Payload (the memo).
	StepTimedOut LifecycleKind = 14
	// EventSkipped: the event Run started no run of Fn; Name is the reason.
	EventSkipped LifecycleKind = 15
	// InternalEvent: Payload is the record of an event that the server made (package event).
	InternalEvent LifecycleKind = 16
	// EventPending: the event Run waits for its run of Fn; Name is the reason.
	EventPending LifecycleKind = 17
	// CallStarted: a call of Job leaves. Step is the planned step, or with FlagDiscovery
	// the step whose completion led to the call, empty for the first. Op is OpGateway for
	// requests that the server makes for a step; then Name and Input are the step's.
	CallStarted LifecycleKind = 18
	// CallEnded: its answer. Started (unix ms) and Duration (ns) are the exchange's,
	// Status and Header the response's, Size the bytes of its body. Name is the error of a failed
	// attempt; if there is a next one, Due is when, and Payload as that of RunFailed.
	// FlagOutput says that the answer was the function's result or final error, which the end of
	// the run has; Count is the number of ops that it carried, but for those that say nothing. A
	// second one for the same Job and Attempt amends the first.
	CallEnded LifecycleKind = 19
	// DeferAdded and DeferEnded: Step is the hashed id, Name the user's, Target the function's
	// slug; Expr of DeferEnded is "aborted", or of DeferAdded "rejected".
	DeferAdded LifecycleKind = 20
	DeferEnded LifecycleKind = 21
	// StepMetadata is what the API was told about a run: Payload is a raw JSON array of
	// {"scope","kind","op","values"}, Step the step that it is about (empty: the run),
	// Attempt its attempt or -1, Target a user's span.
	StepMetadata LifecycleKind = 22
	// UserSpan is a span of user code: Payload is JSON (package api).
	UserSpan LifecycleKind = 23
)

// LifecycleFlags mark records. Values are stored.
type LifecycleFlags uint8

const (
	FlagBatch      LifecycleFlags = 1 << iota // RunScheduled: the run of a batch
	FlagDeferred                              // RunScheduled: a deferred function's run
	FlagSync                                  // RunScheduled: a durable endpoint's run
	FlagDiscovery                             // CallStarted: no planned step
	FlagOutput                                // CallEnded
	FlagCheckpoint                            // StepCompleted
	FlagCached                                // reserved
	FlagText                                  // RunCompleted, RunFailed, CallEnded: the payload was text and no JSON
)

// Reasons why an event starts no run, or none yet.
const (
	SkipIdempotency = "idempotency"
	SkipRateLimit   = "rate limit"
	SkipDebounce    = "debounce"
	SkipBatch       = "batch"
	SkipSingleton   = "singleton"
	SkipDraining    = "draining"
	SkipPaused      = "paused"
	SkipDead        = "dead letter" // put aside; redriven, it starts a run after all
)

// Lifecycle is one record of the outbox, for the read model: what a commit did to a
// run or an event. Which fields a record has depends on its kind; absent ones are zero.
type Lifecycle struct {
	Kind  LifecycleKind
	Flags LifecycleFlags
	At    int64 // unix ms of the round
	Run   ulid.ULID
	Fn    ids.UUID
	// Job is the job (queue item) of the run that it is about, which groups the
	// attempts of one call; Attempt counts from 0.
	Job     uint32
	Attempt int
	Op      Opcode
	// Step is a step's hashed id, Name its display name, an error's text or a reason.
	Step, Name   string
	Target, Expr string
	Started      int64 // unix ms
	Duration     int64 // ns
	Due          int64 // unix ms
	Child        ulid.ULID
	Events       []ulid.ULID
	Status       int
	Size         int
	Count        int
	// Header is a response's header lines as they came, each ended by CRLF.
	Header []byte
	// Payload is raw JSON. Input is the raw `opts` of a step, Meta its raw `metadata`.
	Payload, Input, Meta []byte
}

// Fields that a record has, as bits.
const (
	hasFlags = 1 << iota
	hasJob
	hasAttempt
	hasOp
	hasStep
	hasName
	hasTarget
	hasExpr
	hasStarted
	hasDuration
	hasDue
	hasChild
	hasEvents
	hasResponse // Status, Size, Count, Header
	hasPayload
	hasInput
	hasMeta
	hasSameRun    // Run and Fn are those of the record before
	hasSameHeader // Header is the one before
	allFields     = hasSameHeader<<1 - 1
)

func (l *Lifecycle) fields() (f uint64) {
	for i, has := range [...]bool{
		l.Flags != 0, l.Job != 0, l.Attempt != 0, l.Op != 0, l.Step != "", l.Name != "", l.Target != "", l.Expr != "",
		l.Started != 0, l.Duration != 0, l.Due != 0, l.Child != ulid.ULID{}, len(l.Events) > 0,
		l.Status != 0 || l.Size != 0 || l.Count != 0 || len(l.Header) > 0,
		len(l.Payload) > 0, len(l.Input) > 0, len(l.Meta) > 0,
	} {
		if has {
			f |= 1 << i
		}
	}
	return f
}

// lifecycle appends a record. Its run is left out if prev is about the same one, and its
// header lines if they are prev's: those of an app's answers hardly differ.
func (e *encoder) lifecycle(l, prev *Lifecycle) {
	f := l.fields()
	if prev != nil && prev.Run == l.Run && prev.Fn == l.Fn {
		f |= hasSameRun
	}
	if prev != nil && f&hasResponse != 0 && len(l.Header) > 0 && bytes.Equal(prev.Header, l.Header) {
		f |= hasSameHeader
	}
	e.byte(byte(l.Kind))
	e.uint(f)
	e.int(l.At)
	if f&hasSameRun == 0 {
		e.id(l.Run)
		e.id(l.Fn)
	}
	if f&hasFlags != 0 {
		e.byte(byte(l.Flags))
	}
	if f&hasJob != 0 {
		e.uint(uint64(l.Job))
	}
	if f&hasAttempt != 0 {
		e.int(int64(l.Attempt))
	}
	if f&hasOp != 0 {
		e.byte(byte(l.Op))
	}
	for i, s := range [...]string{l.Step, l.Name, l.Target, l.Expr} {
		if f&(hasStep<<i) != 0 {
			e.str(s)
		}
	}
	for i, n := range [...]int64{l.Started, l.Duration, l.Due} {
		if f&(hasStarted<<i) != 0 {
			e.int(n)
		}
	}
	if f&hasChild != 0 {
		e.id(l.Child)
	}
	if f&hasEvents != 0 {
		e.uint(uint64(len(l.Events)))
		for _, id := range l.Events {
			e.id(id)
		}
	}
	if f&hasResponse != 0 {
		e.uint(uint64(l.Status))
		e.uint(uint64(l.Size))
		e.uint(uint64(l.Count))
		if f&hasSameHeader == 0 {
			e.bytes(l.Header)
		}
	}
	for i, b := range [...][]byte{l.Payload, l.Input, l.Meta} {
		if f&(hasPayload<<i) != 0 {
			e.bytes(b)
		}
	}
}

// lifecycle reads a record. Byte slices and strings alias the input: there are many.
func (d *decoder) lifecycle(prev *Lifecycle) (l Lifecycle) {
	l.Kind = LifecycleKind(d.byte())
	f := d.uint()
	l.At = d.int()
	if f&hasSameRun != 0 {
		l.Run, l.Fn = prev.Run, prev.Fn
	} else {
		l.Run, l.Fn = d.id(), d.id()
	}
	if f&hasFlags != 0 {
		l.Flags = LifecycleFlags(d.byte())
	}
	if f&hasJob != 0 {
		l.Job = uint32(d.uint())
	}
	if f&hasAttempt != 0 {
		l.Attempt = int(d.int())
	}
	if f&hasOp != 0 {
		l.Op = Opcode(d.byte())
	}
	for i, s := range [...]*string{&l.Step, &l.Name, &l.Target, &l.Expr} {
		if f&(hasStep<<i) != 0 {
			*s = d.alias()
		}
	}
	for i, n := range [...]*int64{&l.Started, &l.Duration, &l.Due} {
		if f&(hasStarted<<i) != 0 {
			*n = d.int()
		}
	}
	if f&hasChild != 0 {
		l.Child = d.id()
	}
	if f&hasEvents != 0 {
		l.Events = make([]ulid.ULID, d.count(16))
		for i := range l.Events {
			l.Events[i] = d.id()
		}
	}
	if f&hasResponse != 0 {
		l.Status, l.Size, l.Count = int(d.uint()), int(d.uint()), int(d.uint())
		if f&hasSameHeader != 0 {
			l.Header = prev.Header
		} else if h := d.span(); len(h) > 0 {
			l.Header = h
		}
	}
	for i, b := range [...]*[]byte{&l.Payload, &l.Input, &l.Meta} {
		if f&(hasPayload<<i) != 0 {
			*b = d.span()
		}
	}
	if f > allFields {
		d.fail()
	}
	return l
}

// follow makes l the record before the next one, as far as that depends on it.
func (prev *Lifecycle) follow(l *Lifecycle) {
	prev.Run, prev.Fn = l.Run, l.Fn
	if len(l.Header) > 0 {
		prev.Header = l.Header
	}
}

// AppendLifecycle appends a record to those of one run, which are in order. Its run and
// function are not part of what is written.
func AppendLifecycle(dst []byte, l *Lifecycle) []byte {
	e := encoder{b: dst}
	e.lifecycle(l, &Lifecycle{Run: l.Run, Fn: l.Fn})
	return e.b
}

// DecodeRun reads what AppendLifecycle wrote, as records of the run and function. A
// record is valid during the call of visit only, but may be copied: its byte slices and
// strings alias b, which must not change while they are used.
func DecodeRun(b []byte, run ulid.ULID, fn ids.UUID, visit func(*Lifecycle) error) error {
	return decodeLifecycles(b, Lifecycle{Run: run, Fn: fn}, visit)
}

// outboxVersion leads a value of TableHistory.
const outboxVersion = 2

// DecodeLifecycle reads one value of TableHistory: the records of one commit, in
// order, as DecodeRun does.
func DecodeLifecycle(b []byte, visit func(*Lifecycle) error) error {
	if len(b) == 0 || b[0] != outboxVersion {
		return errRecord
	}
	return decodeLifecycles(b[1:], Lifecycle{}, visit)
}

func decodeLifecycles(b []byte, prev Lifecycle, visit func(*Lifecycle) error) error {
	d := decoder{b: b}
	var l Lifecycle // one for all: there are many
	for len(d.b) > 0 {
		l = d.lifecycle(&prev)
		if d.err != nil {
			break
		}
		if err := visit(&l); err != nil {
			return err
		}
		prev.follow(&l)
	}
	return d.err
}
