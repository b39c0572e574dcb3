package history

import (
	"cmp"
	"fmt"
	"slices"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"
	"ingot/internal/pace"

	"github.com/oklog/ulid/v2"
)

// Batch is what one Store adds. Byte slices and strings have to be valid during the call
// only: nothing may keep them.
type Batch struct {
	// Events are event records (event.AppendRecord) of the log, in order.
	Events [][]byte
	// Records of the outboxes, in order per run.
	Records []*engine.Lifecycle
	// LogNext is the first number of the event log that the database does not contain
	// then; 0 if that does not change.
	LogNext uint64
	// OutboxNext is the same for outboxes, by partition.
	OutboxNext map[int]uint64
	// Park allows runs that have not ended to have no row yet: readers do not see them.
	// Without it every run has one, also those that earlier batches parked.
	Park bool
	// Hurry says that somebody waits for the batch. Until then, storing it rests now and then
	// (package pace); it does not if Hurry is nil.
	Hurry func() bool
}

// fold is a batch by row: what all its records say of a run together. It is used again
// for the next batch, so that it hardly allocates.
type fold struct {
	pace    pace.Pace // of storing the batch
	records []*engine.Lifecycle
	next    []int32 // the next record of the same run; -1 at the end
	runs    []foldedRun
	byID    map[ulid.ULID]int32 // index in runs
	events  []foldedEvent
	skips   []*engine.Lifecycle
	// The order of the tables, as indexes.
	runOrder, eventOrder []int32
	pending              []pendingRun
	packer               packer
	bundler              bundler
	scratch              []byte
	arena                arena
	// parked is where runs of earlier batches may be, lot where this one's go.
	parked *parked
	lot    *lot
	// parking is the memory of lot's data until it is included.
	parking []byte
	slab    slab // what was parked
	// damaged is why something that was parked is left out; nil if nothing is.
	damaged error
}

// foldedEvent is an event of the batch.
type foldedEvent struct {
	key
	rec  []byte // as it came
	text []byte // the name
	name int64  // its number
	// again says that the same id may come a second time.
	again bool
	// known says that the database has the event.
	known bool
}

// row makes the row of an event that is not packed.
func (e *foldedEvent) row() (*eventRow, error) {
	var ev event.Event
	if _, err := event.DecodeRecord(e.rec, &ev); err != nil {
		return nil, err
	}
	return &eventRow{
		key: e.key, name: e.name, received: ev.ReceivedAt, ts: ev.TS, external: ev.ID, data: ev.Data, user: ev.User, v: ev.V,
		sessions: ev.Sessions,
	}, nil
}

// foldedRun is what a batch says of one run.
type foldedRun struct {
	key
	fn             ids.UUID
	first, last    int32 // records
	scheduled      *engine.Lifecycle
	status         Status
	started, ended int64
	parked         bool // until now
	due            bool // it has to get a row
}

func newFold(p *parked) *fold { return &fold{byID: map[ulid.ULID]int32{}, parked: p} }

// read takes a batch, and what was parked of its runs. The error is about events that
// cannot be read and are left out.
func (f *fold) read(b *Batch) error {
	var faults error
	f.records, f.next, f.runs, f.events = f.records[:0], f.next[:0], f.runs[:0], f.events[:0]
	f.damaged = nil
	f.skips, f.pending, f.lot = f.skips[:0], f.pending[:0], &lot{data: f.parking[:0]}
	clear(f.byID)
	f.arena.reset()
	f.slab.reset()
	for _, rec := range b.Events {
		f.pace.Step()
		faults = cmp.Or(faults, f.event(rec, false))
	}
	at := int32(-1) // the run of the record before
	for _, l := range b.Records {
		f.pace.Step()
		switch l.Kind {
		case engine.EventSkipped, engine.EventPending:
			f.skips = append(f.skips, l)
		case engine.InternalEvent:
			faults = cmp.Or(faults, f.event(l.Payload, true))
		default:
			if at < 0 || f.runs[at].id != l.Run {
				at = f.run(l.Run)
			}
			f.add(&f.runs[at], f.push(l), l)
		}
	}
	return faults
}

// push adds a record that has no run yet.
func (f *fold) push(l *engine.Lifecycle) int32 {
	f.records, f.next = append(f.records, l), append(f.next, -1)
	return int32(len(f.records) - 1)
}

// done lets go of the batch.
func (f *fold) done() {
	clear(f.records)
	f.records = f.records[:0]
}

func (f *fold) event(rec []byte, internal bool) error {
	var e event.Event
	if _, err := event.DecodeRecord(rec, &e); err != nil {
		return fmt.Errorf("an event is left out of history: %w", err)
	}
	f.events = append(f.events, foldedEvent{key: keyOf(e.InternalID), rec: rec, text: e.Name, again: e.Seeded || internal})
	return nil
}

// run returns the index of a run in runs.
func (f *fold) run(id ulid.ULID) int32 {
	i, ok := f.byID[id]
	if !ok {
		i = int32(len(f.runs))
		f.byID[id] = i
		f.runs = append(f.runs, foldedRun{key: keyOf(id), first: -1, last: -1})
		f.take(&f.runs[i])
	}
	return i
}

// add takes a record of the run.
func (f *fold) add(r *foldedRun, i int32, l *engine.Lifecycle) {
	if r.last < 0 {
		r.first = i
	} else {
		f.next[r.last] = i
	}
	r.last = i
	if l.Fn != (ids.UUID{}) {
		r.fn = l.Fn
	}
	status := Running
	switch l.Kind {
	case engine.RunScheduled:
		status, r.scheduled = Scheduled, l
	case engine.RunStarted:
		if r.started == 0 {
			r.started = l.At
		}
	case engine.RunCompleted:
		status = Completed
	case engine.RunFailed:
		status = Failed
	case engine.RunCancelled:
		status = Cancelled
	case engine.StepMetadata, engine.UserSpan, engine.DeferAdded, engine.DeferEnded:
		return
	}
	if status.Ended() && !r.status.Ended() {
		r.ended = l.At
	}
	r.status = later(r.status, status)
}

// later is the status of a run that was in one and gets records of the other. An ended
// run remains as it is.
func later(old, status Status) Status {
	if old.Ended() {
		return old
	}
	return max(old, status)
}

// frame packs records. The result is valid until the next batch.
func (f *fold) frame(records []byte) []byte {
	return f.arena.add(frameRoom(len(records)), func(dst []byte) []byte { return appendFrame(dst, records) })
}

// runFrame packs the records of a run. The result is valid until the next batch.
func (f *fold) runFrame(r *foldedRun) []byte {
	f.scratch = f.encode(f.scratch[:0], r)
	return f.frame(f.scratch)
}

// encode appends the records of a run.
func (f *fold) encode(dst []byte, r *foldedRun) []byte {
	for i := r.first; i >= 0; i = f.next[i] {
		dst = engine.AppendLifecycle(dst, f.records[i])
	}
	return dst
}

// sort finds the order of the tables.
func (f *fold) sort() {
	f.runOrder = ordered(f.runOrder, len(f.runs), func(a, b int32) int { return f.runs[a].compare(&f.runs[b].key) })
	f.eventOrder = ordered(f.eventOrder, len(f.events), func(a, b int32) int {
		return cmp.Or(f.events[a].compare(&f.events[b].key), cmp.Compare(a, b))
	})
}

// ordered returns the indexes up to n in the order of compare.
func ordered(dst []int32, n int, compare func(a, b int32) int) []int32 {
	dst = dst[:0]
	for i := range n {
		dst = append(dst, int32(i))
	}
	slices.SortFunc(dst, compare)
	return dst
}

// arena holds byte slices until the next batch.
type arena struct {
	blocks [][]byte
	used   int // blocks
}

const arenaBlock = 1 << 20

func (a *arena) reset() {
	a.used = 0
	if len(a.blocks) > 32 {
		a.blocks = a.blocks[:32] // what an extraordinary batch needed
	}
	for i := range a.blocks {
		a.blocks[i] = a.blocks[i][:0]
	}
}

// add returns what f appends to a slice that has room for size bytes.
func (a *arena) add(size int, f func(dst []byte) []byte) []byte {
	for a.used < len(a.blocks) && cap(a.blocks[a.used])-len(a.blocks[a.used]) < size {
		a.used++
	}
	if a.used == len(a.blocks) {
		a.blocks = append(a.blocks, make([]byte, 0, max(arenaBlock, size)))
	}
	b := a.blocks[a.used]
	grown := f(b)
	a.blocks[a.used] = grown
	return grown[len(b):len(grown):len(grown)]
}
