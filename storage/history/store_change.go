package history

import (
	"context"

	"ingot/engine"
)

// change adds the batch's records to runs that exist.
func (s *store) change(ctx context.Context, f *fold, runs []*pendingRun) error {
	if len(runs) == 0 {
		return nil
	}
	var join []int64 // runs whose chunks are put together
	for _, p := range runs {
		p.merge()
		if p.joins() {
			join = append(join, p.no)
		}
	}
	var chunks map[int64][]byte
	if len(join) > 0 {
		var err error
		if chunks, err = s.tx.takeChunks(ctx, join); err != nil {
			return err
		}
	}
	rows := make([]*runRow, 0, len(runs))
	var added []chunkRow
	for _, p := range runs {
		frame := f.runFrame(p.folded)
		switch {
		case p.joins():
			p.trace = append(append(p.old.trace, chunks[p.no]...), frame...)
			p.chunks = 0
		case p.chunks == 0 && len(p.old.trace)+len(frame) <= growTrace:
			p.trace = append(p.old.trace, frame...)
		default:
			p.trace = p.old.trace
			added = append(added, chunkRow{p.no, p.chunks, frame})
			p.chunks++
		}
		rows = append(rows, &p.runRow)
		if err := s.changed(ctx, p); err != nil {
			return err
		}
	}
	if err := s.tx.insertChunks(ctx, added); err != nil {
		return err
	}
	return s.tx.updateRuns(ctx, rows)
}

// merge makes the row of the old one and what the batch says.
func (p *pendingRun) merge() {
	row := *p.old
	if p.folded.scheduled != nil {
		row.event, row.flags, row.extra = p.event, p.flags, p.extra
	}
	if row.started == 0 {
		row.started = p.started
	}
	if !row.status().Ended() {
		row.ended = p.ended
	}
	row.class = classOf(classFunction(row.class), later(row.status(), p.folded.status), row.flags&engine.FlagDeferred != 0)
	p.runRow = row
}

// joins reports whether the records of the run are put together: it has just ended.
func (p *pendingRun) joins() bool {
	return p.status().Ended() && !p.old.status().Ended() && p.old.chunks <= joinChunks
}

// changed counts what a change of the row means.
func (s *store) changed(ctx context.Context, p *pendingRun) error {
	if p.class != p.old.class || p.ended != p.old.ended {
		s.count(p.old.class, p.old, -1)
		s.count(p.class, &p.runRow, 1)
	}
	if p.folded.scheduled != nil && len(p.old.event) == 0 {
		if err := s.batchEvents(ctx, p); err != nil {
			return err
		}
	}
	return s.mark(ctx, p.fn.id, 1<<(p.class&stateMask))
}
