package engine

import (
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// LifecycleKind says what happened to a run. Values are stored.
type LifecycleKind uint8

const (
	RunScheduled  LifecycleKind = 1
	RunStarted    LifecycleKind = 2
	RunCompleted  LifecycleKind = 3
	RunFailed     LifecycleKind = 4
	RunCancelled  LifecycleKind = 5
	AttemptFailed LifecycleKind = 6 // a call failed and will be made again
	StepCompleted LifecycleKind = 7
	StepFailed    LifecycleKind = 8
	StepErrored   LifecycleKind = 9 // a step's attempt failed and will be made again
	StepPlanned   LifecycleKind = 10
	StepSleeping  LifecycleKind = 11
	StepWaiting   LifecycleKind = 12
	StepInvoking  LifecycleKind = 13
	StepTimedOut  LifecycleKind = 14
	EventSkipped  LifecycleKind = 15 // an event started no run; Run is its id, Name the reason
	InternalEvent LifecycleKind = 16 // Payload is the event's record
	EventPending  LifecycleKind = 17 // an event waits for its run; Run is its id, Name the reason
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
)

// Lifecycle is one record of the outbox, for the read model.
type Lifecycle struct {
	Kind LifecycleKind
	At   int64 // unix ms
	Run  ulid.ULID
	Fn   ids.UUID
	// Step is the step's id, Name its display name or a reason.
	Step, Name string
	Attempt    int
	// Payload is raw JSON: the triggering events, a step's memo, an output or an error.
	Payload []byte
}

func (e *encoder) lifecycle(l *Lifecycle) {
	e.byte(byte(l.Kind))
	e.int(l.At)
	e.id(l.Run)
	e.id(l.Fn)
	e.str(l.Step)
	e.str(l.Name)
	e.uint(uint64(l.Attempt))
	e.bytes(l.Payload)
}

// DecodeLifecycle reads one value of TableHistory: the records of one commit, in
// order. Payloads alias b.
func DecodeLifecycle(b []byte, fn func(Lifecycle) error) error {
	d := decoder{b: b}
	d.version()
	for len(d.b) > 0 && d.err == nil {
		l := Lifecycle{Kind: LifecycleKind(d.byte()), At: d.int(), Run: d.id(), Fn: d.id()}
		l.Step, l.Name = d.str(), d.str()
		l.Attempt = int(d.uint())
		l.Payload = d.span()
		if d.err != nil {
			break
		}
		if err := fn(l); err != nil {
			return err
		}
	}
	return d.err
}

// outbox collects the lifecycle records of a commit and bounds what the outbox
// holds: while nothing consumes it, the oldest records are dropped.
type outbox struct {
	enabled bool
	enc     encoder
	// first and next delimit the stored keys; sizes are the stored values' lengths
	// from first on.
	first, next uint64
	sizes       []uint32
	bytes, max  int64
}

func (o *outbox) add(l *Lifecycle) {
	if !o.enabled {
		return
	}
	if len(o.enc.b) == 0 {
		o.enc.byte(recordVersion)
	}
	o.enc.lifecycle(l)
}

// flush adds this commit's records to the batch and drops the oldest ones above the bound.
func (o *outbox) flush(b Batch) {
	if len(o.enc.b) == 0 {
		return
	}
	var key [8]byte
	b.Put(TableHistory, appendUint64(key[:0], o.next), o.enc.b)
	o.next++
	o.sizes = append(o.sizes, uint32(len(o.enc.b)))
	o.bytes += int64(len(o.enc.b))
	o.enc.b = o.enc.b[:0]
	for o.bytes > o.max && len(o.sizes) > 1 {
		b.Delete(TableHistory, appendUint64(key[:0], o.first))
		o.bytes -= int64(o.sizes[0])
		o.first++
		o.sizes = o.sizes[1:]
	}
}
