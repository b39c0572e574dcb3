package app

import (
	"time"

	"ingot/loadgen/ledger"
	"ingot/loadgen/record"

	"github.com/cespare/xxhash/v2"
)

// enter shows a call to the watch over the function's flow control.
func (a *App) enter(key uint64, body []byte, p *program, c *call, v ledger.Verdict, now time.Duration) {
	if !v.First {
		p.flow.Continue(c.mark.seq, now)
		return
	}
	rec := a.opts.Recorder
	if p.flow.Skips() && a.measured(c.mark.seq) {
		rec.Add(key, record.Expected, 1) // before, there was no telling
	}
	if cancels := p.flow.Start(c.mark.seq, now, v.Intended); cancels && a.measured(c.mark.seq) {
		rec.Add(key, record.Cancelled, 1)
	}
	if !p.flow.Batched() {
		return
	}
	seqs := a.batch(body)
	run := xxhash.Sum64(c.run) | 1
	for _, seq := range seqs {
		if seq != c.mark.seq {
			a.opts.Ledger.Join(seq, run)
		}
	}
	p.flow.StartBatch(seqs, now, v.Intended)
}

// leave shows the end of a run to the watch. A batch ends for each of its events.
func (a *App) leave(key uint64, body []byte, p *program, c *call, end time.Duration) {
	p.flow.End(c.mark.seq)
	if !p.flow.Batched() {
		return
	}
	for _, seq := range a.batch(body) {
		if seq != c.mark.seq && a.opts.Ledger.Answered(seq, end, true) && a.measured(seq) {
			a.opts.Recorder.Add(key, record.Completed, 1)
			a.opts.Recorder.Add(key, record.Joined, 1)
		}
	}
}

// batch are the events of a run, as far as they are of this session.
func (a *App) batch(body []byte) (seqs []int64) {
	scanEvents(body, func(m mark) {
		if a.ours(m) {
			seqs = append(seqs, m.seq)
		}
	})
	return seqs
}
