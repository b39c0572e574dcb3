package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// worker is the goroutine of one partition: it takes commands, runs a round of
// the state machine, hands the batch to the store, and goes on with the next
// round while the disk works. Effects leave in order, each behind its commit.
type worker struct {
	e   *Engine
	p   *partition
	box *mailbox

	// outboxEnd is the number behind the last durable value of the outbox.
	outboxEnd atomic.Uint64

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
	busy := false // since the last time that the engine came to rest
	for {
		taken := w.box.take(spare)
		if len(taken) > 0 {
			busy = true
			w.e.lastWork.Store(time.Now().UnixNano())
		} else if busy && w.e.resting() {
			busy = false
		}
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
		if busy {
			wait = min(wait, restAfter)
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

// restAfter is how long nothing must come in before the engine is at rest.
const restAfter = 2 * time.Second

// resting reports whether the engine is at rest, and says so once after each
// time of much work.
func (e *Engine) resting() bool {
	if time.Since(time.Unix(0, e.lastWork.Load())) < restAfter {
		return false
	}
	if e.work.Swap(0) >= muchWork && e.conf.OnRest != nil {
		e.conf.OnRest()
	}
	return true
}

// muchWork is the number of commands after which memory is worth giving back.
const muchWork = 10_000

// round applies commands and commits what they changed.
func (w *worker) round(cmds []command) error {
	w.e.work.Add(int64(len(cmds)))
	batch, eff, err := w.try(cmds)
	if err != nil {
		return err
	}
	w.e.deliver(eff.leases)
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
