package engine

import (
	"sync"
	"time"
)

// worker is the goroutine of one partition: it takes commands, runs a round of
// the state machine, hands the batch to the store, and goes on with the next
// round while the disk works. Effects leave in order, each behind its commit.
type worker struct {
	e   *Engine
	p   *partition
	box *mailbox

	mu   sync.Mutex
	last *commit // the newest one that is not durable yet
}

// commit is a batch on its way to the disk with what it releases.
type commit struct {
	effects []*effects
}

// maxPerRound bounds the commands of one round, and so the size of a batch.
const maxPerRound = 512

func (w *worker) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var spare []command
	for {
		taken := w.box.take(spare)
		for rest := taken; ; {
			n := min(len(rest), maxPerRound)
			if err := w.round(rest[:n]); err != nil {
				w.e.fail(err)
				return
			}
			if rest = rest[n:]; len(rest) == 0 {
				break
			}
		}
		clear(taken)
		spare = taken
		now, at := w.p.wake()
		if now {
			select {
			case <-w.e.stopped:
				return
			default:
				continue
			}
		}
		wait := time.Hour
		if at != 0 {
			wait = max(0, time.Until(time.UnixMilli(at)))
		}
		timer.Reset(min(wait, time.Hour))
		select {
		case <-w.box.wake:
		case <-timer.C:
		case <-w.e.stopped:
			return
		}
	}
}

// round applies commands and commits what they changed.
func (w *worker) round(cmds []command) error {
	batch, eff, err := w.p.apply(w.e.now(), cmds)
	if err != nil {
		return err
	}
	if batch.Len() == 0 {
		w.p.committed()
		if !eff.empty() {
			w.behind(eff)
		}
		return nil
	}
	c := &commit{effects: []*effects{eff}}
	w.mu.Lock()
	w.last = c
	w.mu.Unlock()
	w.p.store.Commit(batch, func(err error) { w.durable(c, err) })
	w.p.committed()
	return nil
}

// behind releases effects that wrote nothing, but only after the commits before
// them: what they tell may rest on those.
func (w *worker) behind(eff *effects) {
	w.mu.Lock()
	if w.last != nil {
		w.last.effects = append(w.last.effects, eff)
		w.mu.Unlock()
		return
	}
	w.mu.Unlock()
	w.e.release(w, eff)
}

func (w *worker) durable(c *commit, err error) {
	if err != nil {
		w.e.fail(err)
		return
	}
	w.mu.Lock()
	if w.last == c {
		w.last = nil
	}
	effects := c.effects
	w.mu.Unlock()
	for _, eff := range effects {
		w.e.release(w, eff)
	}
}
