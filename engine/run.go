package engine

import (
	"encoding/binary"
	"math"
	"slices"

	"ingot/internal/ids"
	"ingot/internal/jcs"

	"github.com/cespare/xxhash/v2"
	"github.com/oklog/ulid/v2"
)

// jobKind says what a job of a run stands for. Values are stored.
type jobKind uint8

const (
	jobDiscovery     jobKind = 1  // a call that replays and finds what comes next
	jobPlanned       jobKind = 2  // a call that runs one planned step
	jobSleep         jobKind = 3  // becomes a discovery at its due time
	jobWait          jobKind = 4  // wait for an event, until due
	jobInvoke        jobKind = 5  // wait for an invoked run, until due
	jobSignal        jobKind = 6  // wait for a signal, until due
	jobGateway       jobKind = 7  // an HTTP request made by the server
	jobCancelOn      jobKind = 8  // a cancellation by event, valid until due
	jobStartTimeout  jobKind = 9  // cancels the run if it has not started by due
	jobFinishTimeout jobKind = 10 // cancels the run at due
)

// keepsAlive says that a run with such a job will be called again.
func (k jobKind) keepsAlive() bool { return k <= jobGateway }

// jobState is where a job is. An in-flight job is stored as ready: after a
// restart its call is made again.
type jobState uint8

const (
	jobReady    jobState = 0 // may be dispatched
	jobTimed    jobState = 1 // has a timer at due
	jobIdle     jobState = 2 // waits for something that has no timer
	jobInFlight jobState = 3 // dispatched; volatile
)

// job is one pending piece of work of a run (a queue item of the reference).
type job struct {
	id      uint32
	kind    jobKind
	state   jobState
	race    bool
	attempt int
	// faults counts the calls in a row that the server has failed at, below maxFaults.
	faults uint8
	gen    uint32
	// due is the unix ms of the timer, or the expiry of a jobCancelOn.
	due int64
	// step is the planned, slept or awaited step; for a discovery the step whose
	// completion led to it.
	step string
	// name is the step's display name, for history.
	name string
	// event and expr describe waits and cancellations, signal a signal wait.
	event, expr, signal string
	// opts are a gateway's raw options, ai its kind; origin and originStep are what
	// the job was before it became a gateway's, and is again if that fails. A planned
	// step's originStep is the step whose completion led to the call that planned it.
	opts       []byte
	ai         bool
	origin     jobKind
	originStep string
}

type deferState uint8

const (
	deferAfterRun deferState = 0
	deferAborted  deferState = 1
	deferRejected deferState = 2
)

// deferred is a run that starts when this one ends (spec 03 §19.1).
type deferred struct {
	id    string
	slug  string
	input []byte
	meta  []byte
	state deferState
}

// syncInfo is the request that a durable endpoint's run began with.
type syncInfo struct {
	method, url, contentType string
	body                     []byte
}

// run is the state of one active run, loaded whole while it has work.
type run struct {
	id ulid.ULID
	fn ids.UUID
	// trace is the id that the distributed trace began with, usually the event's.
	trace ulid.ULID
	// reqVersion is -1 until the SDK has told its own (spec 01 §7.5).
	reqVersion int
	forcePlan  bool
	// startedAt is the unix ms of the first dispatch; 0 before.
	startedAt int64
	// score orders the run within its lane: ms << scoreShift, less its priority
	// (spec 03 §21.8). Records before version 3 have ms, so their runs come first.
	score     int64
	stateSize int64
	nextJob   uint32
	line      line // where its entry of the ready index belongs
	// redrives counts answers in a row that made no progress.
	redrives int
	// maxAttempts overrides the function's for sync runs; 0 otherwise.
	maxAttempts int
	// pending are the ids of the parallel group whose completion leads to one discovery.
	pending []string
	jobs    []job
	defers  []deferred
	// correlations name the invoke steps that wait for this run: "<run>.<step>".
	correlations []string
	sync         *syncInfo
	// keys are the values of its function's key expressions, limits what it holds.
	keys   *keySet
	limits *runLimits
	// inputs are edited inputs of steps of a replay.
	inputs []Step

	events [][]byte // canonical JSON of the triggering events
	// steps are the memos in stack order. followed says of each that the discovery
	// after it has been made, so that a repeated report changes nothing; checkpointed
	// steps are not followed, since their call goes on.
	steps    []Step
	followed []bool
	// Once there are many steps: the position of each by its id; all positions in the
	// order of ids, in which a call's body has them; and the ids as JSON strings with
	// commas between them.
	index map[string]int
	order []int32
	stack []byte

	// Volatile bookkeeping of the partition.
	stored  bool // has a record in TableRun, which goes when it ends
	edited  bool // its inputs are in TableInput
	apart   bool // its events are in TableTrigger, not in the record
	indexed bool // has an entry in the ready index
	at      line // where that entry is
	queued  bool // is in the function's in-memory window
	touched bool // is on the partition's list of changed runs
	ended   bool
	damaged bool  // has ended since its record cannot be read: nothing else is known of it
	kept    int64 // what the partition counts for it among the queued runs in memory
	saved   int   // steps that have a key in TableStep; the others are in the run's record
}

// memory is about what the run takes in memory, in bytes.
func (r *run) memory() int64 {
	return 512 + int64(size(r.events)) + int64(unsavedSize(r)) + r.stateSize + 192*int64(len(r.jobs))
}

// indexFrom is the number of steps from which a map beats a scan.
const indexFrom = 24

// position is stack.current for a call that a step's completion led to: 1 + the
// step's index, or 0 (spec 01 §7.3).
func (r *run) position(step string) int {
	if step == "" {
		return 0
	}
	return r.find(step) + 1
}

// find returns the position of a memoised step, or -1.
func (r *run) find(step string) int {
	if r.index != nil {
		if i, ok := r.index[step]; ok {
			return i
		}
		return -1
	}
	for i := range r.steps {
		if r.steps[i].ID == step {
			return i
		}
	}
	return -1
}

// addStep appends a memo to the stack.
func (r *run) addStep(s Step, followed bool) {
	r.steps = append(r.steps, s)
	r.followed = append(r.followed, followed)
	switch n := len(r.steps); {
	case r.index != nil:
		r.indexStep(n - 1)
	case n >= indexFrom:
		r.index = make(map[string]int, 2*indexFrom)
		for i := range r.steps {
			r.indexStep(i)
		}
	}
}

func (r *run) indexStep(i int) {
	id := r.steps[i].ID
	r.index[id] = i
	at, _ := slices.BinarySearchFunc(r.order, id, func(j int32, id string) int { return jcs.Compare(r.steps[j].ID, id) })
	r.order = slices.Insert(r.order, at, int32(i))
	if i > 0 {
		r.stack = append(r.stack, ',')
	}
	r.stack = jcs.AppendString(r.stack, id)
}

// job returns the job with the given id, or nil. The pointer is valid until jobs
// are added or removed.
func (r *run) job(id uint32) *job {
	for i := range r.jobs {
		if r.jobs[i].id == id {
			return &r.jobs[i]
		}
	}
	return nil
}

// jobFor returns the job of that kind for a step, or nil.
func (r *run) jobFor(kind jobKind, step string) *job {
	for i := range r.jobs {
		if r.jobs[i].kind == kind && r.jobs[i].step == step {
			return &r.jobs[i]
		}
	}
	return nil
}

// stepPending reports whether a job will complete the step.
func (r *run) stepPending(step string) bool {
	for i := range r.jobs {
		if j := &r.jobs[i]; j.kind != jobDiscovery && j.kind.keepsAlive() && j.step == step {
			return true
		}
	}
	return false
}

// active reports whether a job is ready or in flight.
func (r *run) active() bool {
	for i := range r.jobs {
		if s := r.jobs[i].state; s == jobReady || s == jobInFlight {
			return true
		}
	}
	return false
}

// inFlight reports whether a call is under way.
func (r *run) inFlight() bool {
	for i := range r.jobs {
		if r.jobs[i].state == jobInFlight {
			return true
		}
	}
	return false
}

// alive reports whether something will call the function again.
func (r *run) alive() bool {
	for i := range r.jobs {
		if r.jobs[i].kind.keepsAlive() {
			return true
		}
	}
	return false
}

// runPartition is the partition of a run: bytes 6 and 7 of its id, which hold a
// hash of the function's id (deriveRunID), so a run can be found by its id alone.
func runPartition(id ulid.ULID, n int) int {
	return int(binary.BigEndian.Uint16(id[6:8])) % n
}

func functionHash(fn ids.UUID) uint16 { return uint16(xxhash.Sum64(fn[:])) }

// functionPartition is the partition that owns a function's runs.
func functionPartition(fn ids.UUID, n int) int { return int(functionHash(fn)) % n }

// deriveRunID makes the id of the run that an event starts in a function. The
// same input gives the same id, so that replaying a log cannot start it twice.
func deriveRunID(ms int64, fn ids.UUID, source []byte) ulid.ULID {
	id := ids.Derive(ms, fn[:], source)
	binary.BigEndian.PutUint16(id[6:8], functionHash(fn))
	return id
}

// runVersion is the version of a run's record. Version 1 held neither events nor steps.
// Version 2 held nothing of flow control.
const runVersion = 3

// What of a run's events and steps is kept in its record, in bytes. A record is
// written anew with each change, so what it holds must be small; but then it costs
// less than keys of its own, which have to be inserted, deleted and compacted.
const (
	inlineEvents = 512
	inlineSteps  = 1024
)

// Flags of a run's record.
const (
	flagForcePlan = 1 << iota
	flagSync
	flagApart
	flagLimits
	flagEdited
)

// run writes the run's record: everything but steps below saved, and events that
// are apart.
func (e *encoder) run(r *run) {
	e.byte(runVersion)
	e.id(r.fn)
	e.id(r.trace)
	e.int(int64(r.reqVersion))
	e.byte(b2u(r.forcePlan)*flagForcePlan | b2u(r.sync != nil)*flagSync | b2u(r.apart)*flagApart | b2u(r.flowControlled())*flagLimits | b2u(r.edited)*flagEdited)
	e.int(r.startedAt)
	e.int(r.score)
	e.int(r.stateSize)
	e.uint(uint64(r.nextJob))
	e.uint(uint64(r.redrives))
	e.uint(uint64(r.maxAttempts))
	e.uint(uint64(r.saved))
	e.strs(r.pending)
	e.strs(r.correlations)
	e.uint(uint64(len(r.jobs)))
	for i := range r.jobs {
		e.job(&r.jobs[i])
	}
	e.uint(uint64(len(r.defers)))
	for i := range r.defers {
		d := &r.defers[i]
		e.str(d.id)
		e.str(d.slug)
		e.bytes(d.input)
		e.bytes(d.meta)
		e.byte(byte(d.state))
	}
	if s := r.sync; s != nil {
		e.str(s.method)
		e.str(s.url)
		e.str(s.contentType)
		e.bytes(s.body)
	}
	if r.flowControlled() {
		e.limits(r)
	}
	if !r.apart {
		e.events(r.events)
	}
	e.uint(uint64(len(r.steps) - r.saved))
	for i := r.saved; i < len(r.steps); i++ {
		e.stepFields(r.steps[i], r.followed[i])
	}
}

func (e *encoder) job(j *job) {
	state := j.state
	if state == jobInFlight {
		state = jobReady
	}
	e.uint(uint64(j.id))
	e.byte(byte(j.kind))
	e.byte(byte(state) | b2u(j.race)<<4 | b2u(j.ai)<<5 | j.faults<<6)
	e.uint(uint64(j.attempt))
	e.uint(uint64(j.gen))
	e.int(j.due)
	e.str(j.step)
	e.str(j.name)
	switch j.kind {
	case jobPlanned:
		e.str(j.originStep)
	case jobWait, jobCancelOn:
		e.str(j.event)
		e.str(j.expr)
	case jobSignal:
		e.str(j.signal)
	case jobGateway:
		e.bytes(j.opts)
		e.byte(byte(j.origin))
		e.str(j.originStep)
	}
}

// decodeRun reads a record. The first saved steps, and the events if they are
// apart, are still to be read. Its keys are shared with those of sets.
func decodeRun(id ulid.ULID, b []byte, sets *keySets) (*run, error) {
	d := decoder{b: b}
	version := d.byte()
	if version < 1 || version > runVersion {
		d.fail()
	}
	r := &run{id: id, stored: true}
	r.fn = d.id()
	r.trace = d.id()
	r.reqVersion = int(d.int())
	flags := d.byte()
	r.forcePlan = flags&flagForcePlan != 0
	r.apart = flags&flagApart != 0 || version == 1
	r.edited = flags&flagEdited != 0
	r.startedAt = d.int()
	r.score = d.int()
	r.stateSize = d.int()
	r.nextJob = uint32(d.uint())
	r.redrives = int(d.uint())
	r.maxAttempts = int(d.uint())
	saved := d.uint()
	if saved > math.MaxInt32 {
		d.fail()
	}
	r.saved = int(saved)
	r.pending = d.strs()
	r.correlations = d.strs()
	n := d.count(8)
	r.jobs = make([]job, n)
	for i := range r.jobs {
		d.job(&r.jobs[i])
	}
	n = d.count(5)
	if n > 0 {
		r.defers = make([]deferred, n)
	}
	for i := range r.defers {
		r.defers[i] = deferred{id: d.str(), slug: d.str(), input: d.bytes(), meta: d.bytes(), state: deferState(d.byte())}
	}
	if flags&flagSync != 0 {
		r.sync = &syncInfo{method: d.str(), url: d.str(), contentType: d.str(), body: d.bytes()}
	}
	if version == 1 {
		return r, d.err
	}
	if flags&flagLimits != 0 {
		d.limits(r, sets)
	}
	if !r.apart {
		r.events = d.events()
	}
	n = d.count(3)
	for range n {
		r.addStep(d.stepFields())
	}
	return r, d.err
}

func (d *decoder) job(j *job) {
	j.id = uint32(d.uint())
	j.kind = jobKind(d.byte())
	s := d.byte()
	j.state, j.race, j.ai, j.faults = jobState(s&15), s&16 != 0, s&32 != 0, s>>6
	j.attempt = int(d.uint())
	j.gen = uint32(d.uint())
	j.due = d.int()
	j.step = d.str()
	j.name = d.str()
	switch j.kind {
	case jobPlanned:
		j.originStep = d.str()
	case jobWait, jobCancelOn:
		j.event, j.expr = d.str(), d.str()
	case jobSignal:
		j.signal = d.str()
	case jobGateway:
		j.opts = d.bytes()
		j.origin = jobKind(d.byte())
		j.originStep = d.str()
	}
}

// step writes the value of one key of TableStep.
func (e *encoder) step(s Step, followed bool) {
	e.byte(recordVersion)
	e.stepFields(s, followed)
}

func (e *encoder) stepFields(s Step, followed bool) {
	e.bool(followed)
	e.str(s.ID)
	e.bytes(s.Memo)
}

func decodeStep(b []byte) (s Step, followed bool, err error) {
	d := decoder{b: b}
	d.version()
	s, followed = d.stepFields()
	return s, followed, d.err
}

func (d *decoder) stepFields() (s Step, followed bool) {
	followed = d.bool()
	s.ID, s.Memo = d.str(), d.bytes()
	return s, followed
}

// triggers writes the value of one key of TableTrigger.
func (e *encoder) triggers(events [][]byte) {
	e.byte(recordVersion)
	e.events(events)
}

func (e *encoder) events(events [][]byte) {
	e.uint(uint64(len(events)))
	for _, ev := range events {
		e.bytes(ev)
	}
}

// inputs writes the value of one key of TableInput.
func (e *encoder) inputs(inputs []Step) {
	e.byte(recordVersion)
	e.uint(uint64(len(inputs)))
	for i := range inputs {
		e.str(inputs[i].ID)
		e.bytes(inputs[i].Memo)
	}
}

func decodeInputs(b []byte) ([]Step, error) {
	d := decoder{b: b}
	d.version()
	inputs := make([]Step, d.count(2))
	for i := range inputs {
		inputs[i] = Step{ID: d.str(), Memo: d.bytes()}
	}
	return inputs, d.err
}

func decodeTriggers(b []byte) ([][]byte, error) {
	d := decoder{b: b}
	d.version()
	return d.events(), d.err
}

func (d *decoder) events() [][]byte {
	n := d.count(1)
	events := make([][]byte, n)
	for i := range events {
		events[i] = d.bytes()
	}
	return events
}
