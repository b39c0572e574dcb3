package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"ingot/engine/expr"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// What operators do to functions and runs: pausing and draining, cancelling many runs,
// replaying one.

// FunctionMode is what an operator has set for a function. Values are stored.
type FunctionMode uint8

const (
	// ModeActive is the normal one.
	ModeActive FunctionMode = 0
	// ModePaused calls nothing. What the function has is kept, events make runs that
	// wait, and all goes on once it is active again. Calls under way end, schedules pass.
	ModePaused FunctionMode = 1
	// ModeDraining starts no new runs: events are skipped. Those there are go on.
	ModeDraining FunctionMode = 2
)

func (m FunctionMode) String() string {
	switch m {
	case ModePaused:
		return "paused"
	case ModeDraining:
		return "draining"
	}
	return "active"
}

func (q *fnQueue) mode() FunctionMode {
	switch {
	case q.paused:
		return ModePaused
	case q.draining:
		return ModeDraining
	}
	return ModeActive
}

func (q *fnQueue) setMode(m FunctionMode) {
	q.paused, q.draining = m == ModePaused, m == ModeDraining
}

// modeKey is the key of a function's mode in TableFunction. No schedule begins with a
// zero byte.
func modeKey(fn ids.UUID) []byte { return append(append([]byte(nil), fn[:]...), "\x00mode"...) }

func (p *partition) storedMode(fn ids.UUID) (m FunctionMode) {
	p.check(p.store.Get(TableFunction, [][]byte{modeKey(fn)}, func(_ int, v []byte) {
		if len(v) == 2 {
			m = FunctionMode(v[1])
		}
	}))
	return m
}

func (p *partition) setMode(req *request) {
	q := p.queue(req.fn)
	q.setMode(req.mode)
	if req.mode == ModeActive {
		p.batch.Delete(TableFunction, modeKey(req.fn))
	} else {
		p.batch.Put(TableFunction, modeKey(req.fn), []byte{recordVersion, byte(req.mode)})
	}
	p.turn(q)
	p.look()
	p.answer(req, nil, nil)
}

// SetMode pauses, drains or activates a function. It is durable, and outlasts new
// registrations of the function.
func (e *Engine) SetMode(ctx context.Context, fn ids.UUID, m FunctionMode) error {
	_, err := e.ask(ctx, functionPartition(fn, e.set.partitions), &request{kind: reqSetMode, fn: fn, mode: m})
	return err
}

// Mode is what SetMode has set.
func (e *Engine) Mode(ctx context.Context, fn ids.UUID) (FunctionMode, error) {
	v, err := e.ask(ctx, functionPartition(fn, e.set.partitions), &request{kind: reqMode, fn: fn})
	if err != nil {
		return 0, err
	}
	return v.(FunctionMode), nil
}

// BulkCancel selects runs of a function to be cancelled.
type BulkCancel struct {
	Fn ids.UUID
	// After and Before bound the time of the run's id: After <= time < Before, unix ms.
	// Before 0 is now.
	After, Before int64
	// If is a condition on the run's first event; empty is all.
	If string
	// ID names the cancellation: asked for again, also after a restart, it goes on where it
	// was, with its count. It is remembered for 24 h. Zero is no name.
	ID ulid.ULID
	// Progress is kept at the number of runs so far; nil is nobody's interest.
	Progress *atomic.Int64
}

// ErrCondition says that a condition cannot be compiled.
var ErrCondition = errors.New("if is not a valid condition")

// bulk is a cancellation of many runs on its way.
type bulk struct {
	req  *request
	cond *expr.Expr
	from []byte // where the search goes on
	done int
}

// Bounds of bulk cancellations: how many at once, and of how many runs in one round.
const (
	maxBulks     = 16
	bulkPerRound = 256
)

func (p *partition) beginBulk(req *request) {
	if len(p.bulks) >= maxBulks {
		p.answer(req, nil, ErrBusy)
		return
	}
	b := &bulk{req: req, from: timePrefix(max(req.bulk.After, 0))}
	if src := req.bulk.If; src != "" {
		var err error
		if b.cond, err = expr.Compile(src); err != nil {
			p.answer(req, nil, fmt.Errorf("%w: %w", ErrCondition, err))
			return
		}
	}
	if req.bulk.Before == 0 || req.bulk.Before > p.now {
		c := *req.bulk
		c.Before = p.now + 1
		req.bulk = &c
	}
	if p.resumeBulk(b) {
		p.answer(req, b.done, nil)
		return
	}
	p.bulks = append(p.bulks, b)
	p.more = true
}

// timePrefix is the first bytes of ids of that time.
func timePrefix(ms int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(ms)<<16)[:6] }

// cancelBulks goes on with the oldest bulk cancellation.
func (p *partition) cancelBulks() {
	if len(p.bulks) == 0 {
		return
	}
	b := p.bulks[0]
	c := b.req.bulk
	hash := functionHash(c.Fn)
	var found []ulid.ULID
	n, whole := 0, true
	p.check(p.store.Scan(TableRun, b.from, timePrefix(c.Before), func(k, _ []byte) bool {
		if n++; n > 16*bulkPerRound || len(found) == bulkPerRound {
			b.from = append(b.from[:0], k...)
			whole = false
			return false
		}
		if len(k) == 16 && binary.BigEndian.Uint16(k[6:8]) == hash {
			found = append(found, ulid.ULID(k))
		}
		return true
	}))
	for _, id := range found {
		p.at = blame{run: id}
		r := p.load(id)
		if r == nil || r.fn != c.Fn {
			continue
		}
		if b.cond != nil {
			ok, err := b.cond.BoolJSON(expr.JSON{Event: firstEvent(r.events), Canonical: true, Now: time.UnixMilli(p.now)})
			if !ok || err != nil {
				continue
			}
		}
		p.finish(r, RunCancelled, nil, nil)
		b.done++
	}
	p.at = blame{}
	p.saveBulk(b, whole)
	if whole {
		p.bulks = p.bulks[1:]
		p.answer(b.req, b.done, nil)
	}
	p.more = p.more || len(p.bulks) > 0
}

// CancelBulk cancels the runs that b selects and returns how many there were. It goes
// on in steps beside other work; if ctx ends before it is done, it goes on all the same.
func (e *Engine) CancelBulk(ctx context.Context, b *BulkCancel) (int, error) {
	v, err := e.ask(ctx, functionPartition(b.Fn, e.set.partitions), &request{kind: reqCancelBulk, bulk: b})
	if err != nil {
		return 0, err
	}
	return v.(int), nil
}

// Replay is a new run made of a former one (spec 03 §18.2).
type Replay struct {
	// RunID is the new run's id, made by NewReplayID.
	RunID ulid.ULID
	Fn    ids.UUID
	// Events are the triggering events, canonical JSON, at least one.
	Events [][]byte
	// EventIDs are the events' internal ids, Original the former run.
	EventIDs []ulid.ULID
	Original ulid.ULID
	// Trace is the id that the distributed trace begins with; zero is the run's.
	Trace ulid.ULID
	// Steps are memos that the run begins with, in stack order.
	Steps []Step
	// Input is the edited input of a step, `{"input":[…]}`; empty ID is none.
	Input Step
	// Step is the planned step that is called first; empty lets the function go on by
	// itself after Steps.
	Step string
	// Once names the replay: another one of the function with that name is refused with
	// ErrRunExists, also when the run has ended, for 24 h. Zero is no name.
	Once ulid.ULID
}

// NewReplayID makes the id of a replay's run in a function.
func NewReplayID(ms int64, fn ids.UUID) ulid.ULID {
	id := ids.New(ms)
	return deriveRunID(ms, fn, id[:])
}

// replay creates the run. Rate limits do not hold for it; all other flow control does,
// but for what it was collected by, a debounce or batch.
func (p *partition) replay(c *Replay) error {
	fn := p.snapshot.ByID[c.Fn]
	if fn == nil {
		return ErrFunctionNotFound
	}
	if p.load(c.RunID) != nil || c.Once != (ulid.ULID{}) && p.remembered(replayKey(c)) {
		return ErrRunExists
	}
	p.begin(fn, &newRun{id: c.RunID, events: c.Events, ids: c.EventIDs, original: c.Original, source: c.RunID, trace: c.Trace, batch: len(c.Events) > 1})
	r := p.runs[c.RunID]
	if r == nil {
		return ErrSkipped
	}
	if c.Once != (ulid.ULID{}) {
		p.rememberKey(replayKey(c))
	}
	for _, s := range c.Steps {
		r.addStep(s, true)
		r.stateSize += int64(len(s.Memo))
	}
	if c.Input.ID != "" {
		r.inputs = []Step{c.Input}
	}
	j := r.jobFor(jobDiscovery, "")
	j.step = r.lastStep()
	if c.Step != "" {
		j.kind, j.step, j.originStep = jobPlanned, c.Step, j.step
	}
	return nil
}

// Errors of Replay.
var (
	// ErrFunctionNotFound says that the function is not in the catalog.
	ErrFunctionNotFound = errors.New("function not found")
	// ErrSkipped says that a singleton is running.
	ErrSkipped = errors.New("the function is a singleton that is running already")
)

// Replay runs a function once more with the events, and the steps that are given, of a
// former run. ErrFunctionNotFound, ErrRunExists or ErrSkipped if it does not start.
func (e *Engine) Replay(ctx context.Context, c *Replay) error {
	_, err := e.ask(ctx, functionPartition(c.Fn, e.set.partitions), &request{kind: reqReplay, replay: c})
	return err
}
