package engine

import (
	"errors"
	"fmt"
	"log/slog"
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
	historyBytes   int64
	// readyWindow and timerWindow are how many entries of a function's backlog, and
	// of a partition's timers, are kept in memory.
	readyWindow, timerWindow int
	// draining stops new calls while the engine is being stopped.
	draining atomic.Bool
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
)

// command is one input of a partition.
type command struct {
	kind cmdKind
	// log and seq place commands that come from a log: those at or below the cursor
	// have been applied before.
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
// inputs it only reads its own store.
type partition struct {
	id    int
	set   *settings
	store PartitionStore
	names *waitNames
	log   *slog.Logger

	snapshot *Snapshot
	limits   map[ids.UUID]*limits

	runs   map[ulid.ULID]*run
	queues map[ids.UUID]*fnQueue
	order  []*fnQueue // all queues, oldest first
	// round holds the queues that have work and capacity, in turn.
	round  []*fnQueue
	timers timerQueue
	crons  cronTable
	waits  *waitIndex
	calls  map[CallRef]callInfo
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

	// Of the current apply.
	now          int64
	batch        Batch
	out          *effects
	touched      []*run
	claims       map[string]*claim   // signal claims written in this round; nil is deleted
	deduped      map[string]struct{} // idempotency keys written in this round
	dirtyCursors bool
	dirtySent    bool
	more         bool // there is work for another round at once
	enc          encoder
	key          []byte
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
	maxCallBytes    = 128 << 20
	maxUnackedBytes = 64 << 20
	maxWait         = 366 * 24 * time.Hour
	defaultWait     = 365 * 24 * time.Hour
	dedupeFor       = 24 * time.Hour
	outputFor       = time.Hour
)

func newPartition(id int, set *settings, store PartitionStore, names *waitNames, log *slog.Logger) *partition {
	return &partition{
		id: id, set: set, store: store, names: names, log: log,
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
		outbox:   outbox{enabled: set.history, max: set.historyBytes},
	}
}

// apply runs one round. The batch must be committed before the effects are
// released; an error means that the store failed and the partition is unusable.
func (p *partition) apply(now int64, cmds []command) (Batch, *effects, error) {
	p.now = now
	p.batch = p.store.NewBatch()
	p.out = &effects{}
	p.more = false
	p.page()
	for i := range cmds {
		p.command(&cmds[i])
	}
	p.fireTimers()
	p.fireCrons()
	p.expire()
	p.dispatch()
	p.flush()
	return p.batch, p.out, p.err
}

// committed forgets runs that have nothing to do; their records are readable now.
func (p *partition) committed() {
	for i, r := range p.touched {
		r.touched = false
		if r.ended || !r.inFlight() {
			delete(p.runs, r.id)
		}
		p.touched[i] = nil
	}
	p.touched = p.touched[:0]
	clear(p.claims)
	clear(p.deduped)
}

// wake returns when the partition must run again without a command: at once
// (true), or at the given time (0: never).
func (p *partition) wake() (bool, int64) {
	if p.more || p.timers.needsPage() {
		return true, 0
	}
	at := p.crons.next()
	for _, t := range [...]int64{p.timerDue(), p.expireAt} {
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
	for _, q := range p.round {
		if q.needsPage() {
			p.check(q.page(p.store))
		}
	}
}

func (p *partition) check(err error) {
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("partition %d: %w", p.id, err)
	}
}

func (p *partition) command(c *command) {
	if c.kind == cmdEvent || c.kind == cmdMessage {
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
		p.receive(c.message)
	case cmdResult:
		p.result(c.result)
	case cmdGatewayResult:
		p.gatewayResult(c.gateway)
	case cmdSnapshot:
		p.configure(c.snapshot)
	case cmdDelivered:
		p.delivered(c.mark.take())
	case cmdRequest:
		p.request(c.request)
	}
}

// configure takes a new catalog: limits may have changed, and schedules.
func (p *partition) configure(s *Snapshot) {
	p.snapshot = s
	for _, q := range p.order {
		q.limit = ownLimit(s.ByID[q.id])
		p.turn(q)
	}
	p.configureCrons()
}

// ownLimit is the function's concurrency limit without key; 0 is none. Limits
// with keys and wider scopes belong to flow control.
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
	for _, r := range p.touched {
		p.save(r)
	}
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
	p.outbox.flush(p.batch)
}

var (
	cursorKey = []byte("cursors")
	sentKey   = []byte("sent")
)

// save writes a changed run: its record, new steps, and its place in the ready index.
func (p *partition) save(r *run) {
	if r.ended {
		return // finish has deleted it
	}
	e := encoder{b: p.enc.b[:0]}
	e.run(r)
	p.batch.Put(TableRun, r.id[:], e.b)
	if !r.stored {
		r.stored = true
		e.b = e.b[:0]
		e.triggers(r.events)
		p.batch.Put(TableTrigger, r.id[:], e.b)
	}
	for ; r.saved < len(r.steps); r.saved++ {
		e.b = e.b[:0]
		e.step(r.steps[r.saved], r.followed[r.saved])
		p.batch.Put(TableStep, stepKey(p.key[:0], r.id, r.saved), e.b)
	}
	p.enc.b = e.b
	if active := r.active(); active != r.indexed {
		r.indexed = active
		p.key = readyKey(p.key[:0], r.fn, r.score, r.id)
		if active {
			p.batch.Put(TableReady, p.key, nil)
		} else {
			p.batch.Delete(TableReady, p.key)
		}
	}
}

// touch marks a run as changed.
func (p *partition) touch(r *run) {
	if !r.touched {
		r.touched = true
		p.touched = append(p.touched, r)
	}
}

// load returns an active run, from memory or the store; nil if there is none.
// A record that cannot be read is logged and treated as absent, so that it
// blocks nobody else.
func (p *partition) load(id ulid.ULID) *run {
	if r := p.runs[id]; r != nil {
		if r.ended {
			return nil
		}
		return r
	}
	return p.loadStored(id)
}

// loadStored is apart from load so that the way without a read does not allocate.
func (p *partition) loadStored(id ulid.ULID) *run {
	var r *run
	var steps int
	var bad error
	one := [1][]byte{id[:]}
	p.check(p.store.Get(TableRun, one[:], func(_ int, v []byte) {
		if v != nil {
			r, steps, bad = decodeRun(id, v)
		}
	}))
	if r == nil || bad != nil {
		if bad != nil {
			p.log.Error("run record cannot be read; the run is left alone", "run", id.String(), "error", bad)
		}
		return nil
	}
	p.check(p.store.Get(TableTrigger, one[:], func(_ int, v []byte) {
		if r.events, bad = decodeTriggers(v); v == nil {
			bad = errRecord
		}
	}))
	if steps > 0 {
		bad = errors.Join(bad, p.loadSteps(r))
	}
	if bad != nil || len(r.steps) != steps || p.err != nil {
		p.log.Error("run state cannot be read; the run is left alone", "run", id.String(), "error", bad, "steps", len(r.steps), "want", steps)
		return nil
	}
	r.saved = steps
	r.indexed = r.active()
	p.runs[id] = r
	p.touch(r) // so that committed forgets it again if it stays dormant
	return r
}

func (p *partition) loadSteps(r *run) (bad error) {
	p.check(p.store.Scan(TableStep, r.id[:], prefixEnd(r.id[:]), func(_, v []byte) bool {
		s, followed, err := decodeStep(v)
		if err != nil {
			bad = err
			return false
		}
		r.addStep(s, followed)
		return true
	}))
	return bad
}

// fn returns a run's function; nil if the catalog has lost it.
func (p *partition) fn(r *run) *function.Function { return p.snapshot.ByID[r.fn] }

func (p *partition) maxAttempts(r *run) int {
	if r.maxAttempts > 0 {
		return r.maxAttempts
	}
	if fn := p.fn(r); fn != nil && fn.MaxAttempts > 0 {
		return fn.MaxAttempts
	}
	return function.DefaultRetries + 1
}

// addJob gives a run a new job and puts it where its state says.
func (p *partition) addJob(r *run, j job) {
	r.nextJob++
	j.id = r.nextJob
	r.jobs = append(r.jobs, j)
	p.touch(r)
	switch j.state {
	case jobReady:
		p.enqueue(r)
	case jobTimed:
		p.schedule(r, j.due, j.id)
	}
	if j.kind == jobWait || j.kind == jobCancelOn {
		p.addPause(r, &j)
	}
}

// removeJob takes a job away, with its timer and index entries.
func (p *partition) removeJob(r *run, id uint32) {
	for i := range r.jobs {
		if r.jobs[i].id != id {
			continue
		}
		p.unlink(r, &r.jobs[i])
		r.jobs = append(r.jobs[:i], r.jobs[i+1:]...)
		p.touch(r)
		return
	}
}

// unlink removes what the store and the indexes hold of a job.
func (p *partition) unlink(r *run, j *job) {
	if j.state == jobTimed {
		p.batch.Delete(TableTimer, timerKey(p.key[:0], j.due, r.id, j.id))
	}
	switch j.kind {
	case jobWait, jobCancelOn:
		p.removePause(r, j)
	case jobSignal:
		p.send(message{kind: msgSignalRelease, to: signalPartition(j.signal, p.set.partitions), run: r.id, job: j.id, step: j.signal})
	}
}

// schedule writes a timer.
func (p *partition) schedule(r *run, due int64, jobID uint32) {
	p.batch.Put(TableTimer, timerKey(p.key[:0], due, r.id, jobID), nil)
	p.timers.add(timer{due: due, run: r.id, job: jobID})
}

// enqueue puts a run with a ready job into its function's queue.
func (p *partition) enqueue(r *run) {
	if r.queued {
		return
	}
	r.queued = true
	q := p.queue(r.fn)
	q.add(readyEntry{score: r.score, run: r.id})
	p.turn(q)
}

func (p *partition) queue(fn ids.UUID) *fnQueue {
	q := p.queues[fn]
	if q == nil {
		q = &fnQueue{window: window[readyEntry]{size: p.set.readyWindow}, id: fn, limit: ownLimit(p.snapshot.ByID[fn])}
		p.queues[fn] = q
		p.order = append(p.order, q)
	}
	return q
}

// turn gives a queue its place in the round if it has work and capacity.
func (p *partition) turn(q *fnQueue) {
	if !q.turning && !q.empty() && q.hasCapacity() {
		q.turning = true
		p.round = append(p.round, q)
	}
}

// fireTimers handles what is due. Never before its time: a timer of a
// millisecond fires when the clock shows that millisecond.
func (p *partition) fireTimers() {
	for n := 0; ; n++ {
		due, ok := p.timers.next()
		if !ok || due > p.now {
			return
		}
		if n == maxTimersPerRound {
			p.more = true
			return
		}
		t := p.timers.pop()
		r := p.load(t.run)
		if r == nil {
			// The run is gone, and its timer with it; a damaged one must not come back
			// at every start.
			p.batch.Delete(TableTimer, timerKey(p.key[:0], t.due, t.run, t.job))
			continue
		}
		j := r.job(t.job)
		if j == nil || j.state != jobTimed || j.due != t.due {
			continue
		}
		p.batch.Delete(TableTimer, timerKey(p.key[:0], t.due, t.run, t.job))
		j.state = jobIdle
		p.touch(r)
		p.due(r, j)
	}
}

// due handles a job whose time has come; its timer is gone already.
func (p *partition) due(r *run, j *job) {
	switch j.kind {
	case jobDiscovery, jobPlanned: // a delayed start or a retry
		j.state = jobReady
		p.enqueue(r)
	case jobGateway:
		j.state = jobReady
		p.enqueue(r)
	case jobSleep:
		p.wakeSleep(r, j)
	case jobWait, jobSignal:
		p.resume(r, j, jsonNull, StepTimedOut)
	case jobInvoke:
		p.resume(r, j, invokeTimeoutMemo, StepTimedOut)
	case jobStartTimeout:
		if r.startedAt == 0 {
			p.finish(r, RunCancelled, nil, nil)
			return
		}
		p.removeJob(r, j.id)
	case jobFinishTimeout:
		p.finish(r, RunCancelled, nil, nil)
	}
}

var jsonNull = []byte("null")

// callInfo is what a partition keeps of a call under way.
type callInfo struct {
	fn    ids.UUID
	bytes int64
}

// mayCall reports whether one more call keeps within the bounds of number and
// memory. One call is always possible, however large.
func (p *partition) mayCall() bool {
	return len(p.calls) < p.set.maxInFlight && (p.callBytes < maxCallBytes || len(p.calls) == 0)
}

// dispatch starts calls: functions in turn, one run of each at a time.
func (p *partition) dispatch() {
	if p.sent-p.acked > uint64(p.set.maxUndelivered) || p.unackedBytes > maxUnackedBytes || p.set.draining.Load() {
		return // turned again when messages are delivered, since that is a command
	}
	for len(p.round) > 0 && p.mayCall() {
		q := p.round[0]
		if len(q.heap) == 0 || !q.hasCapacity() {
			p.round = p.round[1:]
			q.turning = false
			if q.needsPage() && q.hasCapacity() {
				// The page is read at the beginning of the next round.
				q.turning = true
				p.round = append(p.round, q)
				if p.onlyPages() {
					p.more = true
					return
				}
			}
			continue
		}
		p.round = append(p.round[1:], q)
		e := q.pop()
		r := p.load(e.run)
		if r == nil {
			p.batch.Delete(TableReady, readyKey(p.key[:0], q.id, e.score, e.run))
			continue
		}
		r.queued = false
		p.dispatchRun(q, r)
	}
}

// onlyPages reports whether every queue in the round waits for its page.
func (p *partition) onlyPages() bool {
	for _, q := range p.round {
		if !q.needsPage() {
			return false
		}
	}
	return true
}

// dispatchRun starts the ready jobs of one run while there is capacity.
func (p *partition) dispatchRun(q *fnQueue, r *run) {
	for i := 0; i < len(r.jobs); i++ {
		if r.jobs[i].state != jobReady {
			continue
		}
		if !q.hasCapacity() || !p.mayCall() {
			p.enqueue(r)
			return
		}
		if !p.mayRun(r) {
			return // ended
		}
		p.call(q, r, r.jobs[i].id)
	}
}
