package history

import (
	"context"
	"slices"

	"ingot/engine"
)

// Bounds of what is rewritten when a run gets further records.
const (
	// growTrace: a row that is written anyway takes further records up to this size.
	growTrace = 1 << 10
	// joinChunks: when a run ends, its chunks are put together if they are not more than this.
	joinChunks = 64
)

// pendingRun is a run of the batch on its way to the table.
type pendingRun struct {
	runRow
	folded *foldedRun
	fn     functionRow
	old    *runRow // nil if it is new
}

// runsOf says what is done with a batch's runs.
type runsOf struct {
	onlyKnown bool // what is about runs that do not exist is dropped
	park      bool // those that have not ended may be parked
}

// runs adds the batch's runs.
func (s *store) runs(ctx context.Context, f *fold, of runsOf) error {
	if len(f.runs) == 0 {
		return nil
	}
	old, err := s.findOld(ctx, f, of.onlyKnown)
	if err != nil {
		return err
	}
	var changed []*pendingRun
	fresh := make([]*pendingRun, 0, len(f.runs))
	last := int64(-1)
	f.pending = slices.Grow(f.pending, len(f.runs)) // pointers into it stay valid
	for _, i := range f.runOrder {
		f.pace.Step()
		row := old[i]
		if row == nil && of.onlyKnown && !f.runs[i].parked {
			continue
		}
		if f.runs[i].status.Ended() {
			s.db.parked.share(f.runs[i].fn).ended = s.db.now()
		}
		if row == nil && of.park && s.parks(&f.runs[i]) {
			if ok, err := s.park(ctx, f, &f.runs[i]); err != nil || ok {
				if err != nil {
					return err
				}
				continue
			}
		}
		f.pending = append(f.pending, pendingRun{old: row})
		p := &f.pending[len(f.pending)-1]
		if err := s.prepare(ctx, p, &f.runs[i]); err != nil {
			return err
		}
		switch {
		case row != nil:
			changed = append(changed, p)
		case p.no <= last: // its number is taken
			if err := s.runAgain(ctx, f, p, &changed); err != nil {
				return err
			}
		default:
			last = p.no
			fresh = append(fresh, p)
		}
	}
	if err := s.insert(ctx, f, fresh, &changed); err != nil {
		return err
	}
	return s.change(ctx, f, changed)
}

// findOld looks for the runs that do not begin in the batch.
func (s *store) findOld(ctx context.Context, f *fold, all bool) (map[int32]*runRow, error) {
	var keys []key
	var at []int32
	for _, i := range f.runOrder {
		if all || f.runs[i].scheduled == nil {
			keys = append(keys, f.runs[i].key)
			at = append(at, i)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	found, err := s.tx.findRuns(ctx, keys)
	if err != nil {
		return nil, err
	}
	old := make(map[int32]*runRow, len(found))
	for i, row := range found {
		old[at[i]] = row
	}
	return old, nil
}

// prepare makes the row that the run would have if it were new, without its trace.
func (s *store) prepare(ctx context.Context, p *pendingRun, r *foldedRun) error {
	p.folded, p.key = r, r.key
	p.started, p.ended = r.started, r.ended
	id := r.fn
	if p.old != nil {
		id = s.db.functions.id(classFunction(p.old.class))
	}
	var err error
	if p.fn, err = s.function(ctx, id); err != nil {
		return err
	}
	status := r.status
	if status == 0 {
		status = Running // all that is known is that it has metadata
	}
	if l := r.scheduled; l != nil {
		p.schedule(l)
		if !r.parked { // else it is
			if err := s.settle(ctx, p.fn, l.Events); err != nil {
				return err
			}
		}
	}
	p.class = classOf(p.fn.no, status, p.flags&engine.FlagDeferred != 0)
	return nil
}

// schedule takes what begins a run.
func (r *runRow) schedule(l *engine.Lifecycle) {
	r.flags = l.Flags
	x := extra{cron: l.Name, original: l.Child}
	if len(l.Events) > 0 {
		r.event = l.Events[0][:]
		x.further = l.Events[1:]
	}
	r.extra = x.encode()
}

// insert adds new runs. Those that turn out to exist go to changed.
func (s *store) insert(ctx context.Context, f *fold, fresh []*pendingRun, changed *[]*pendingRun) error {
	if len(fresh) == 0 {
		return nil
	}
	bundles, err := s.bundle(ctx, f, fresh)
	if err != nil {
		return err
	}
	rows := make([]*runRow, len(fresh))
	for i, p := range fresh {
		rows[i] = &p.runRow
	}
	clashes, err := s.tx.insertRuns(ctx, rows)
	if err != nil {
		return err
	}
	var clashed []*pendingRun
	for _, i := range clashes {
		clashed = append(clashed, fresh[i])
		f.bundler.leave(fresh[i])
		fresh[i] = nil
	}
	if err := s.tx.insertBundles(ctx, bundles); err != nil {
		return err
	}
	for _, p := range fresh {
		if p == nil {
			continue
		}
		if err := s.inserted(ctx, p); err != nil {
			return err
		}
	}
	for _, p := range clashed {
		if err := s.runAgain(ctx, f, p, changed); err != nil {
			return err
		}
	}
	return nil
}

// inserted notes a new row.
func (s *store) inserted(ctx context.Context, p *pendingRun) error {
	s.count(p.class, &p.runRow, 1)
	if p.folded.scheduled != nil {
		if err := s.batchEvents(ctx, p); err != nil {
			return err
		}
	}
	return s.mark(ctx, p.fn.id, 1<<(p.class&stateMask))
}

// batchEvents lets the run be found by its events after the first.
func (s *store) batchEvents(ctx context.Context, p *pendingRun) error {
	events := p.folded.scheduled.Events
	if len(events) < 2 {
		return nil
	}
	rows := make([]batchEventRow, 0, len(events)-1)
	for _, id := range events[1:] {
		rows = append(rows, batchEventRow{id, p.no})
	}
	return s.tx.insertBatchEvents(ctx, rows)
}

// runAgain adds a run whose number is taken, or adds it to changed if it exists.
func (s *store) runAgain(ctx context.Context, f *fold, p *pendingRun, changed *[]*pendingRun) error {
	found, err := s.tx.findRuns(ctx, []key{keyOf(p.id)})
	if err != nil {
		return err
	}
	if row := found[0]; row != nil {
		p.old = row
		*changed = append(*changed, p)
		return nil
	}
	if p.no, err = s.free(ctx, tableRuns, number(p.id)); err != nil {
		return err
	}
	p.trace = f.runFrame(p.folded)
	clashes, err := s.tx.insertRuns(ctx, []*runRow{&p.runRow})
	if err != nil {
		return err
	}
	if len(clashes) > 0 {
		return errCrowded
	}
	return s.inserted(ctx, p)
}

// count changes the counts by n runs like row that are in a class.
func (s *store) count(class int64, row *runRow, n int64) {
	s.counts.add(countQueued, int64(row.id.Time()), class, n)
	if row.ended > 0 {
		s.counts.add(countEnded, row.ended, class, n)
	}
}
