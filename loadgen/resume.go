package loadgen

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"ingot/loadgen/ledger"
	"ingot/loadgen/record"
	"ingot/loadgen/sender"
)

// resumeEvent is the name of the events that end waits.
const resumeEvent = "lg/resume"

const (
	// resumeAgain is after how long a run that still waits gets its event once more:
	// the server may not have known of the wait when the first one came.
	resumeAgain = 5 * time.Second
	// resumeTries bounds that.
	resumeTries = 6
	// resumeWorkers send at once.
	resumeWorkers = 8
	resumeBatch   = 100
	resumeTick    = time.Millisecond
)

// waiting is a run that is to be resumed.
type waiting struct {
	seq      int64
	position int
	at       time.Duration
	tries    int
}

// resumer sends the events that end waits. Its queues are bounded by the events of
// the measurement: each is in one of them once.
type resumer struct {
	session int64
	after   time.Duration
	clock   record.Clock
	ledger  *ledger.Ledger
	again   atomic.Int64 // events that had to be sent once more
	failed  atomic.Int64

	mu    sync.Mutex
	first queue // delays are constant, so each queue is in order
	later queue

	jobs chan []waiting
	all  sync.WaitGroup
}

// queue is first in, first out.
type queue struct {
	items []waiting
	head  int
}

func (q *queue) push(w waiting) { q.items = append(q.items, w) }

// pop moves what is due to out, at most max.
func (q *queue) pop(now time.Duration, out []waiting, max int) []waiting {
	for q.head < len(q.items) && q.items[q.head].at <= now && len(out) < max {
		out = append(out, q.items[q.head])
		q.head++
	}
	if q.head > 1024 && q.head*2 > len(q.items) {
		q.items = q.items[:copy(q.items, q.items[q.head:])]
		q.head = 0
	}
	return out
}

// startResumer works until ctx ends; wait for it with r.all.
func startResumer(ctx context.Context, r *resumer, e *sender.Endpoint, timeout time.Duration) *resumer {
	r.jobs = make(chan []waiting)
	r.all.Go(func() { r.dispatch(ctx) })
	for range resumeWorkers {
		c := sender.NewConn(e)
		r.all.Go(func() {
			defer c.Close()
			for batch := range r.jobs {
				stop := time.AfterFunc(timeout, func() { c.Expire(time.Now()) })
				r.send(c, batch)
				stop.Stop()
			}
		})
	}
	return r
}

// wait is told by the app that a run waits.
func (r *resumer) wait(seq int64, position int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first.push(waiting{seq: seq, position: position, at: r.clock.Now() + r.after})
}

func (r *resumer) dispatch(ctx context.Context) {
	defer close(r.jobs)
	tick := time.NewTicker(resumeTick)
	defer tick.Stop()
	for {
		for batch := r.due(); len(batch) > 0; batch = r.due() {
			select {
			case r.jobs <- batch:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// due returns the runs to resume now.
func (r *resumer) due() []waiting {
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	batch := r.first.pop(now, nil, resumeBatch)
	var late []waiting
	late = r.later.pop(now, late, resumeBatch-len(batch))
	for _, w := range late {
		if r.ledger.Position(w.seq) == w.position { // it still waits there
			r.again.Add(1)
			batch = append(batch, w)
		}
	}
	for _, w := range batch {
		if w.tries++; w.tries < resumeTries {
			w.at = now + resumeAgain
			r.later.push(w)
		}
	}
	return batch
}

func (r *resumer) send(c *sender.Conn, batch []waiting) {
	b := c.Body()
	for i, w := range batch {
		b = append(b, "[,"[min(i, 1)])
		b = append(b, `{"name":"`+resumeEvent+`","data":{"key":"`...)
		b = appendKey(b, r.session, w.seq)
		b = append(b, `"}}`...)
	}
	now := r.clock.Now()
	for _, w := range batch {
		r.ledger.Resumed(w.seq, now)
	}
	if status, err := c.Do(append(b, ']')); err != nil || status/100 != 2 {
		r.failed.Add(1)
	}
}
