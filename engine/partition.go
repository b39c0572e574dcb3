package engine

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"ingot/engine/event"
	"ingot/engine/function"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// settings are the rules' parameters; they do not change while a partition runs.
type settings struct {
	partitions int
	// retryInterval replaces the back-off table; 0 uses the table.
	retryInterval time.Duration
	// maxInFlight bounds a partition's simultaneous calls.
	maxInFlight int
	// maxUndelivered bounds messages on their way to other partitions: above it the
	// partition starts no further calls.
	maxUndelivered int
	history        bool
	outboxBytes    *atomic.Int64 // of all partitions
	// readyWindow and timerWindow are how many entries of a function's backlog, and
	// of a partition's timers, are kept in memory.
	readyWindow, timerWindow int
	// maxLanes and maxFlows are how many lanes, and states of keys, are kept in memory.
	maxLanes, maxFlows int
	// maxGuests is how many entries of lanes are in TableReady, and so in memory.
	maxGuests int
	// maxDead bounds a partition's list of dead letters.
	maxDead  int
	backlogs backlogs
	// draining stops new calls while the engine is being stopped.
	draining atomic.Bool
	// crash lets panics end the process, as tests want them to.
	crash bool
}

// cmdKind says what a command asks of a partition.
type cmdKind uint8

const (
	cmdEvent         cmdKind = iota + 1 // an event for functions or waits of this partition
	cmdMessage                          // a message from a partition
	cmdResult                           // what came of a call
	cmdGatewayResult                    // what came of a gateway request
	cmdSnapshot                         // the catalog changed
	cmdDelivered                        // messages up to seq have taken effect
	cmdRequest                          // an API call
	cmdLease                            // a partition's message about shared limits
	cmdDead                             // an entry of a log that cannot be read
	cmdOutbox                           // the outbox is not needed below seq
)

// command is one input of a partition.
type command struct {
	kind cmdKind
	// log and seq place commands that come from a log: those at or below the cursor
	// have been applied before. seq is also cmdOutbox's.
	log int
	seq uint64
	// unit is told when the command's effect is durable; nil if nobody waits.
	unit *logUnit

	event    *routedEvent
	message  *message
	result   *Result
	gateway  *GatewayResult
	snapshot *Snapshot
	request  *request
	mark     *deliveredMark
	lease    *leaseMessage
	dead     *DeadLetter
}

// routedEvent is an event with the functions of one partition that it starts.
type routedEvent struct {
	event.Event
	// json is the event as functions see it.
	json []byte
	fns  []*function.Function
	// invoked is the function that an invocation names, correlation the step that
	// waits for it.
	invoked     *function.Function
	correlation string
	// refused resumes the invoker of a function that does not exist.
	refused *refusal
}

type refusal struct {
	run  ulid.ULID
	step string
	memo []byte
}

// effects are what a commit releases once it is durable.
type effects struct {
	calls    []*Call
	gateways []*GatewayCall
	messages []sentMessage
	units    []*logUnit
	replies  []reply
	// outbox is the number behind the last value that the commit adds to the outbox; 0
	// if it adds none.
	outbox uint64
	// leases do not wait for the commit: they rest on nothing that is stored.
	leases []*leaseMessage
}

func (e *effects) empty() bool {
	return len(e.calls)+len(e.gateways)+len(e.messages)+len(e.units)+len(e.replies) == 0
}

// reply answers an API call.
type reply struct {
	req *request
	val any
	err error
}

// partition owns the runs of its functions: a single-threaded state machine.
// apply turns commands into one batch of writes and the effects to release when
// the batch is durable. It uses no clock, randomness or goroutine; besides its
// inputs it reads its own store, and the shared count of who waits for which
// event name (waitNames), which only decides whether a lifecycle event is sent.
type partition struct {
	id     int
	set    *settings
	store  PartitionStore
	names  *waitNames
	log    *slog.Logger
	gauges gauges
	faults faults
	memory
}

// memory is what a partition has read from its store, or decided since. It is made anew
// when a partition restarts.
type memory struct {
	snapshot *Snapshot
	limits   map[ids.UUID]*limits

	runs   map[ulid.ULID]*run
	queues map[ids.UUID]*fnQueue
	order  []*fnQueue // all queues, oldest first
	// round holds the queues that have work and capacity, in turn.
	round []*fnQueue
	// dry are lanes that wait for their next page, spilled functions with lanes that are
	// in the store only; lanes counts those in memory that are bounded.
	dry     []*lane
	spilled []*fnQueue
	lanes   int
	// guests counts the entries of keyed runs that lie in TableReady; singles are the runs
	// without a lane.
	guests  int
	singles singles
	// slots counts the places that lanes have had.
	slots uint64
	// spare are lanes that may make room for such; lookAt is when a throttle at which one
	// of those waited opens, unix ms, 0 if there is none.
	spare  []*lane
	lookAt int64
	idle   []*lane // have ended their last call in this round
	gates  map[gateKey]*gate
	// freeLanes and freeGates are such that are not in use, to be used again.
	freeLanes []*lane
	freeGates []*gate
	lender    lender
	// contended are gates that may have to give leases back.
	contended []*gate
	// throttled are the throttles at which lanes wait.
	throttled gateHeap
	// flows are keys' states in memory; sweepAt is when states without effect are looked
	// for, unix ms, 0 if there are none, and swept where the search goes on.
	flows      map[flowID]*flow
	dirtyFlows []dirtyFlow
	held       map[flowID]*flow    // locks that have no record
	known      map[flowID]struct{} // the states that are stored; nil if there are too many
	sweepAt    int64
	swept      []byte
	dead       int // dead letters
	recount    *recount
	bulks      []*bulk
	timers     timerQueue
	crons      cronTable
	waits      *waitIndex
	calls      map[CallRef]callInfo
	ahead      readAhead
	sets       keySets
	// keptBytes is what the queued runs in memory take.
	keptBytes int64
	// callBytes is the state that the calls under way hold in memory.
	callBytes int64
	cursors   []uint64 // by log: 0 is the WAL, i+1 partition i
	sent      uint64   // last message
	acked     uint64   // messages up to here are delivered and deleted
	// unacked are the sizes of the messages after acked, unackedBytes their sum.
	unacked      []uint32
	unackedBytes int64
	outbox       outbox
	outputs      map[ulid.ULID][]*request // who waits for a sync run's end
	ended        recentRuns
	expireAt     int64 // when the next expiry entry is due; 0 if unknown

	// runMS and runTick are the time of the id of the last run that was made, ms, and
	// how many had the same before it.
	runMS, runTick int64

	// Of the current apply.
	at           blame
	now          int64
	batch        Batch
	out          *effects
	touched      []*run
	claims       map[string]*claim   // signal claims written in this round; nil is deleted
	deduped      map[string]struct{} // idempotency keys written in this round
	taken        map[string]struct{} // dead letters taken off the list in this round
	dirtyCursors bool
	dirtySent    bool
	more         bool // there is work for another round at once
	picks        []picked
	moved        int      // runs moved to another lane by this round
	absent       [][]byte // ids of picks that are not in memory
	enc          encoder
	key          []byte
	text         []byte // of a key's value
	value        [1 + len(flowID{})]byte
	err          error
}

// limits are overrides for one function (spec 01 §16.2).
type limits struct {
	steps int
	state int64
}

// Limits of a run (spec 01 §16.1).
const (
	maxSteps          = 1000
	maxStateSize      = 32 << 20
	maxOpsPerResponse = 1000
	maxTimersPerRound = 1024
	// maxCallBytes bounds the state that a partition's calls hold in memory, and
	// maxUnackedBytes its messages that are not delivered yet.
	maxCallBytes = 128 << 20
	// maxKeptBytes bounds the queued runs that are kept in memory.
	maxKeptBytes    = 16 << 20
	maxUnackedBytes = 64 << 20
	maxWait         = 366 * 24 * time.Hour
	defaultWait     = 365 * 24 * time.Hour
	dedupeFor       = 24 * time.Hour
	outputFor       = time.Hour
)

func newPartition(id int, epoch uint64, set *settings, store PartitionStore, names *waitNames, log *slog.Logger) *partition {
	return &partition{id: id, set: set, store: store, names: names, log: log, memory: newMemory(epoch, set)}
}

func newMemory(epoch uint64, set *settings) memory {
	return memory{
		snapshot: &Snapshot{},
		limits:   map[ids.UUID]*limits{},
		runs:     map[ulid.ULID]*run{},
		queues:   map[ids.UUID]*fnQueue{},
		timers:   timerQueue{window[timer]{size: set.timerWindow}},
		waits:    newWaitIndex(),
		calls:    map[CallRef]callInfo{},
		cursors:  make([]uint64, set.partitions+1),
		outputs:  map[ulid.ULID][]*request{},
		claims:   map[string]*claim{},
		deduped:  map[string]struct{}{},
		taken:    map[string]struct{}{},
		gates:    map[gateKey]*gate{},
		lender:   newLender(epoch, set.partitions),
		flows:    map[flowID]*flow{},
		held:     map[flowID]*flow{},
		known:    map[flowID]struct{}{},
		outbox:   outbox{enabled: set.history, total: set.outboxBytes},
	}
}

// apply runs one round. The batch must be committed before the effects are
// released; an error means that the store failed and the partition is unusable.
func (p *partition) apply(now int64, cmds []command) (Batch, *effects, error) {
	if now < p.now {
		p.rewind(now)
	}
	p.now = now
	p.batch = p.store.NewBatch()
	p.out = &effects{}
	p.more = false
	p.greet()
	p.countOn()
	p.page()
	for i := range cmds {
		p.at = blame{request: cmds[i].request}
		p.command(&cmds[i])
	}
	p.at = blame{}
	p.fireTimers()
	p.fireCrons()
	p.expire()
	p.sweep()
	p.cancelBulks()
	p.openThrottles()
	p.dispatch()
	p.dropIdle()
	p.giveBack()
	p.flush()
	return p.batch, p.out, p.err
}

// committed forgets runs that have nothing to do; their records are readable now.
// Those whose turn will come are kept as far as memory allows, which saves reading
// them back.
func (p *partition) committed() {
	for i, r := range p.touched {
		r.touched = false
		p.keptBytes -= r.kept
		r.kept = 0
		switch {
		case r.ended:
			delete(p.runs, r.id)
		case r.inFlight():
		case r.queued && p.keptBytes < maxKeptBytes:
			r.kept = r.memory()
			p.keptBytes += r.kept
		default:
			delete(p.runs, r.id)
		}
		p.touched[i] = nil
	}
	p.touched = p.touched[:0]
	clear(p.claims)
	clear(p.deduped)
	clear(p.taken)
	p.forgetFlows()
	p.publishGauges()
}

// wake returns when the partition must run again without a command: at once
// (true), or at the given time (0: never).
func (p *partition) wake() (bool, int64) {
	if p.more || p.recount != nil || p.timers.needsPage() || p.lanesToFind() {
		return true, 0
	}
	at := p.crons.next()
	for _, t := range [...]int64{p.timerDue(), p.expireAt, p.sweepAt, p.throttleDue(), p.lookAt} {
		if t != 0 && (at == 0 || t < at) {
			at = t
		}
	}
	return false, at
}

func (p *partition) timerDue() int64 {
	if due, ok := p.timers.next(); ok {
		return due
	}
	return 0
}

// page refills windows that ran dry. It comes before this round's writes, so the
// store holds everything that the windows left to it.
func (p *partition) page() {
	if p.timers.needsPage() {
		p.check(p.timers.page(p.store))
	}
	p.pageLanes()
}

func (p *partition) check(err error) {
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("partition %d: %w", p.id, err)
	}
}

func (p *partition) command(c *command) {
	if c.kind == cmdEvent || c.kind == cmdMessage || c.kind == cmdDead {
		if c.unit != nil {
			p.out.units = append(p.out.units, c.unit)
		}
		if c.seq <= p.cursors[c.log] {
			return // applied before a restart
		}
		p.cursors[c.log] = c.seq
		p.dirtyCursors = true
	}
	switch c.kind {
	case cmdEvent:
		p.event(c.event)
	case cmdMessage:
		p.message(c)
	case cmdResult:
		p.at.run = c.result.Ref.RunID
		p.result(c.result)
	case cmdGatewayResult:
		p.at.run = c.gateway.Ref.RunID
		p.gatewayResult(c.gateway)
	case cmdSnapshot:
		p.configure(c.snapshot)
	case cmdDelivered:
		p.delivered(c.mark.take())
	case cmdRequest:
		p.request(c.request)
	case cmdLease:
		p.lease(c.lease)
	case cmdDead:
		p.bury(c.dead)
	case cmdOutbox:
		p.outbox.release(p.batch, c.seq)
	}
}

// configure takes a new catalog: limits may have changed, and schedules.
func (p *partition) configure(s *Snapshot) {
	p.snapshot = s
	for _, q := range p.order {
		p.reconfigure(q, s.ByID[q.id])
	}
	p.configureCrons()
}

// reconfigure gives a queue its function's current limits.
func (p *partition) reconfigure(q *fnQueue, fn *function.Function) {
	if q.fn != fn {
		q.fn, q.limit = fn, ownLimit(fn)
		p.dropFirsts(&q.zero)
		for _, id := range slices.SortedFunc(maps.Keys(q.lanes), laneID.compare) {
			l := q.lanes[id]
			if l.blocked != nil {
				p.unblock(l)
			}
			if l.known {
				p.setGates(l, l.keys, l.start)
			}
		}
	}
	p.turn(q)
	p.look()
}

// ownLimit is the function's concurrency limit without key; 0 is none. Limits with
// keys are gates.
func ownLimit(fn *function.Function) int {
	if fn == nil {
		return 0
	}
	for _, c := range fn.Concurrency {
		if c.Key == nil && c.Scope == function.ScopeFunction && c.Limit > 0 {
			return c.Limit // ascending: the first is the smallest
		}
	}
	return 0
}

// send appends a message to the outgoing log.
func (p *partition) send(m message) {
	p.sent++
	p.dirtySent = true
	e := encoder{b: p.enc.b[:0]}
	e.message(&m)
	p.enc.b = e.b
	p.batch.Put(TableMessage, appendUint64(p.key[:0], p.sent), e.b)
	p.unacked = append(p.unacked, uint32(len(e.b)))
	p.unackedBytes += int64(len(e.b))
	p.out.messages = append(p.out.messages, sentMessage{p.sent, m})
}

// delivered deletes messages that have taken effect everywhere.
func (p *partition) delivered(seq uint64) {
	for p.acked < seq {
		p.acked++
		p.batch.Delete(TableMessage, appendUint64(p.key[:0], p.acked))
		p.unackedBytes -= int64(p.unacked[0])
		p.unacked = p.unacked[1:]
	}
}

// flush writes what this round changed.
func (p *partition) flush() {
	// In the order of their keys, table by table: stores insert faster next to the last key.
	slices.SortFunc(p.touched, func(a, b *run) int { return a.id.Compare(b.id) })
	for _, r := range p.touched {
		p.at = blame{run: r.id}
		p.save(r)
	}
	for _, r := range p.touched {
		p.at = blame{run: r.id}
		p.index(r)
	}
	p.at = blame{}
	p.flushFlows()
	p.trimDead()
	if p.dirtyCursors {
		p.dirtyCursors = false
		e := encoder{b: p.enc.b[:0]}
		e.byte(recordVersion)
		for _, c := range p.cursors {
			e.uint(c)
		}
		p.enc.b = e.b
		p.batch.Put(TableCursor, cursorKey, e.b)
	}
	if p.dirtySent {
		p.dirtySent = false
		p.batch.Put(TableCursor, sentKey, appendUint64(p.enc.b[:0], p.sent))
	}
	if p.outbox.flush(p.batch) {
		p.out.outbox = p.outbox.next
	}
}

var (
	cursorKey = []byte("cursors")
	sentKey   = []byte("sent")
)
