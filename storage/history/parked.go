package history

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"ingot/engine"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Parked runs. A row of a run that has not ended is written again when it has: in a burst
// most runs would cost two writes, since they wait for longer than the time between two
// stores. So while nobody reads, the records of young runs that have not ended are put
// aside, all those of a batch as one row of ingot_parked, a lot. A run gets its row when
// it ends, when it is no longer young, or when somebody wants to read (Batch.Park).
// What has left a lot is noted in the same transaction, so every record is in one place: in a
// row of ingot_parked_gone, since each batch changes many, and lots are large.

// Bounds of parking.
const (
	// parkFor is for how long after its beginning a run may be parked.
	parkFor = 15 * time.Second
	// maxParked bounds the records of all runs that are parked, bytes: about 100,000 runs that
	// are queued. Then it is the runs that come last, and will end last, which get rows.
	// Those that have left are in memory for parkFor at most, as long as one of their lot.
	maxParked = 8 << 20
	// maxIdle bounds those of a function of which no run has ended for idleFor: it may be held
	// up, and would for long leave no room to those that others are about to end.
	maxIdle = maxParked / 8
	idleFor = 3 * time.Second
	// maxParkedRun bounds the records of a parked run, bytes.
	maxParkedRun = 2 << 10
	// unparkAtOnce bounds the runs of a transaction that gives rows to those that were parked.
	unparkAtOnce = 20_000
)

// parked is all lots. DB.storing protects it.
type parked struct {
	lots   []*lot // the oldest first
	runs   map[ulid.ULID]spot
	shares map[ids.UUID]*share // by function
	bytes  int                 // of the records of those that have not left
	next   int64               // number of the next lot
	loaded bool
}

// share is what a function has parked.
type share struct {
	bytes int
	ended int64 // when a run of it was last seen to end, unix ms
}

// share returns that of a function.
func (p *parked) share(fn ids.UUID) *share {
	sh := p.shares[fn]
	if sh == nil {
		sh = &share{}
		p.shares[fn] = sh
	}
	return sh
}

// count changes how much of the function is parked.
func (p *parked) count(fn ids.UUID, bytes int) {
	p.bytes += bytes
	p.share(fn).bytes += bytes
}

// spot is where a run is parked.
type spot struct {
	lot *lot
	n   int
}

// lot holds the runs that a batch has parked.
type lot struct {
	no int64
	at int64 // unix ms
	// data is the runs one after the other: id, function, length, records.
	data []byte
	runs []parkedRun
	gone []byte // a bit for each run that has left
	left int    // runs that have not
	// changed says that gone is not what the database has.
	changed bool
}

// parkedRun is a run in a lot's data.
type parkedRun struct {
	id       ulid.ULID
	fn       ids.UUID
	from, to int // its records
}

var errLot = errors.New("parked records of runs are damaged, or from a newer version")

// add parks a run with its records, and reports whether they are few enough.
func (t *lot) add(id ulid.ULID, fn ids.UUID, records []byte) bool {
	if len(records) > maxParkedRun {
		return false
	}
	t.data = append(append(t.data, id[:]...), fn[:]...)
	t.data = binary.AppendUvarint(t.data, uint64(len(records)))
	from := len(t.data)
	t.data = append(t.data, records...)
	t.runs = append(t.runs, parkedRun{id, fn, from, len(t.data)})
	return true
}

// read finds the runs in the data.
func (t *lot) read() error {
	const head = len(ulid.ULID{}) + len(ids.UUID{})
	for at := 0; at < len(t.data); {
		if len(t.data)-at < head {
			return errLot
		}
		r := parkedRun{id: ulid.ULID(t.data[at : at+16]), fn: ids.UUID(t.data[at+16 : at+head])}
		n, size := binary.Uvarint(t.data[at+head:])
		if size <= 0 || n > uint64(len(t.data)-at-head-size) {
			return errLot
		}
		r.from = at + head + size
		r.to = r.from + int(n)
		t.runs = append(t.runs, r)
		at = r.to
	}
	return nil
}

func (t *lot) isGone(n int) bool { return t.gone[n/8]&(1<<(n%8)) != 0 }

// include takes a lot in: one that is new, or from the database.
func (p *parked) include(t *lot) {
	p.lots = append(p.lots, t)
	p.next = max(p.next, t.no+1)
	if t.gone == nil {
		t.gone = make([]byte, (len(t.runs)+7)/8)
	}
	for n := range t.runs {
		if !t.isGone(n) {
			p.runs[t.runs[n].id] = spot{t, n}
			p.count(t.runs[n].fn, t.runs[n].to-t.runs[n].from)
			t.left++
		}
	}
}

// leave takes a run out, and returns it with its records; ok is false if it is not parked.
func (p *parked) leave(id ulid.ULID) (r parkedRun, records []byte, ok bool) {
	s, ok := p.runs[id]
	if !ok {
		return r, nil, false
	}
	delete(p.runs, id)
	s.lot.gone[s.n/8] |= 1 << (s.n % 8)
	s.lot.left--
	s.lot.changed = true
	r = s.lot.runs[s.n]
	p.count(r.fn, r.from-r.to)
	return r, s.lot.data[r.from:r.to], true
}

// forget makes the next writer load the lots: what was done with them is undone.
func (p *parked) forget() { *p = parked{} }

// load reads the lots that an earlier process, or a failed transaction, has left.
func (p *parked) load(ctx context.Context, db *DB) error {
	if p.loaded {
		return nil
	}
	*p = parked{runs: map[ulid.ULID]spot{}, shares: map[ids.UUID]*share{}, next: 1}
	err := db.query(ctx, "SELECT p.no, p.at, p.data, coalesce(g.gone, p.gone) FROM ingot_parked p LEFT JOIN ingot_parked_gone g ON g.no = p.no ORDER BY p.no", nil, func(scan func(...any) error) error {
		t := &lot{}
		var frames []byte
		if err := scan(&t.no, &t.at, &frames, &t.gone); err != nil {
			return err
		}
		var err error
		if t.data, err = unpack(frames); err == nil {
			err = t.read()
		}
		if err == nil && len(t.gone) != (len(t.runs)+7)/8 {
			err = errLot
		}
		if err != nil { // which is no reason to store nothing any more
			db.log.Error("runs are left out of history", "error", fmt.Errorf("row %d of ingot_parked: %w", t.no, err))
			p.next = t.no + 1
			return nil
		}
		p.include(t)
		return nil
	})
	p.loaded = err == nil
	return err
}

// parkLots writes what has changed of the lots, and the new one.
func (s *store) parkLots(ctx context.Context, fresh *lot) error {
	p := &s.db.parked
	kept := p.lots[:0]
	for _, t := range p.lots {
		var err error
		switch {
		case t.left == 0:
			err = s.tx.unpark(ctx, t.no)
		case t.changed:
			t.changed = false
			err = s.tx.setGone(ctx, t.no, t.gone)
			kept = append(kept, t)
		default:
			kept = append(kept, t)
		}
		if err != nil {
			return err
		}
	}
	clear(p.lots[len(kept):])
	if len(kept) == 0 {
		clear(p.shares) // functions come and go
	}
	p.lots = kept
	if len(fresh.runs) == 0 {
		return nil
	}
	fresh.no, fresh.at = p.next, s.db.now()
	s.db.fold.parking, fresh.data = fresh.data, bytes.Clone(fresh.data)
	p.include(fresh)
	frame := appendFrame(make([]byte, 0, frameRoom(len(fresh.data))), fresh.data)
	return s.tx.park(ctx, fresh.no, fresh.at, frame, fresh.gone)
}

// unpark gives runs that may not be parked any longer to the batch, as if their records
// came with it: those of old lots, or of all. They are not more than unparkAtOnce.
func (f *fold) unpark(now int64, all bool) {
	left := unparkAtOnce
	for _, t := range f.parked.lots {
		if age := now - t.at; !all && age >= 0 && age < parkFor.Milliseconds() {
			return
		}
		for n := range t.runs {
			if t.isGone(n) {
				continue
			}
			if left--; left < 0 {
				return
			}
			f.runs[f.run(t.runs[n].id)].due = true
		}
	}
}

// take adds the records of a run that was parked to those of the batch.
func (f *fold) take(r *foldedRun) {
	parked, records, ok := f.parked.leave(r.id)
	if !ok {
		return
	}
	r.parked = true
	err := engine.DecodeRun(records, parked.id, parked.fn, func(l *engine.Lifecycle) error {
		l = f.slab.add(l)
		f.add(r, f.push(l), l)
		return nil
	})
	if err != nil {
		f.damaged = fmt.Errorf("parked records of run %s: %w", r.id, err)
	}
}

// parks reports whether a run of the batch that has no row may remain without one.
func (s *store) parks(r *foldedRun) bool {
	if r.scheduled == nil || r.due || r.status.Ended() {
		return false
	}
	if sh := s.db.parked.share(r.fn); sh.bytes > maxIdle && s.db.now()-sh.ended > idleFor.Milliseconds() {
		return false
	}
	age := s.db.now() - int64(r.id.Time())
	return age < parkFor.Milliseconds() && age > -parkFor.Milliseconds()
}

// park puts a run into the batch's lot. False: it is too big, and has to be written.
func (s *store) park(ctx context.Context, f *fold, r *foldedRun) (bool, error) {
	f.scratch = f.encode(f.scratch[:0], r)
	if !f.lot.add(r.id, r.fn, f.scratch) {
		return false, nil
	}
	if r.parked {
		return true, nil // and settled before
	}
	fn, err := s.function(ctx, r.fn)
	if err != nil {
		return false, err
	}
	return true, s.settle(ctx, fn, r.scheduled.Events)
}

// slab holds records at addresses that stay.
type slab struct {
	blocks [][]engine.Lifecycle
	used   int // blocks that are full, or have been
}

const slabBlock = 512

func (s *slab) reset() {
	if len(s.blocks) > 16 {
		s.blocks = s.blocks[:16] // what an extraordinary batch needed
	}
	for i := range s.blocks {
		clear(s.blocks[i])
		s.blocks[i] = s.blocks[i][:0]
	}
	s.used = 0
}

// add returns the address of a copy.
func (s *slab) add(l *engine.Lifecycle) *engine.Lifecycle {
	if s.used < len(s.blocks) && len(s.blocks[s.used]) == slabBlock {
		s.used++
	}
	if s.used == len(s.blocks) {
		s.blocks = append(s.blocks, make([]engine.Lifecycle, 0, slabBlock))
	}
	b := append(s.blocks[s.used], *l)
	s.blocks[s.used] = b
	return &b[len(b)-1]
}
