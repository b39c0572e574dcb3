package transport

import (
	"fmt"
	"time"

	"ingot/transport/wire"

	"github.com/panjf2000/ants/v2"
)

// keepWorkers is how long a worker, and the pool itself, is kept that nothing needs.
const keepWorkers = time.Minute

// workers are the pool that does the jobs. A pool has clocks, which would wake an idle
// server some times a second for ever; so there is one only while there are jobs, and for a
// while after that.
type workers struct {
	pool    *ants.PoolWithFuncGeneric[*job]
	used    bool // since the last look
	resting *time.Timer
}

// init ends the pool that ants starts for those who have none of their own.
func init() { ants.Release() }

// awake returns the pool, which it makes if there is none. h.mu is held.
func (h *HTTP) awake() *ants.PoolWithFuncGeneric[*job] {
	if h.workers == nil {
		pool, err := ants.NewPoolWithFuncGeneric(h.opts.Workers, h.work, ants.WithExpiryDuration(keepWorkers),
			// A panic can only come out of a callback, which leaves the engine in a state
			// that nobody knows. ants would swallow it.
			ants.WithPanicHandler(func(p any) { panic(p) }))
		if err != nil {
			panic(err) // only for sizes and durations that cannot occur here
		}
		h.workers = &workers{pool: pool, resting: time.AfterFunc(keepWorkers, h.rest)}
	}
	h.workers.used = true
	return h.workers.pool
}

// rest ends the pool if there has been no job for a while.
func (h *HTTP) rest() {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.workers
	switch {
	case h.closed: // Close ends it
	case w.used || h.running > 0:
		w.used = false
		w.resting.Reset(keepWorkers)
	default:
		w.pool.Release()
		h.workers = nil
	}
}

// submit gives j to a worker, or puts it on the queue if all are busy.
func (h *HTTP) submit(j *job) {
	h.mu.Lock()
	switch {
	case h.closed:
		h.mu.Unlock()
		go j.refuse(shutdownResult()) // the caller may hold what done needs
	case h.running < h.opts.Workers:
		h.running++
		pool := h.awake()
		h.mu.Unlock()
		// There is a free worker, or one that is about to be.
		if err := pool.Invoke(j); err != nil {
			go j.refuse(shutdownResult())
		}
	case h.queued >= h.opts.Queue:
		h.mu.Unlock()
		res := wire.Failure(fmt.Sprintf("the transport's queue is at its limit of %d calls", h.opts.Queue))
		go j.refuse(res)
	default:
		h.queued++
		if h.tail == nil {
			h.head = j
		} else {
			h.tail.next = j
		}
		h.tail = j
		h.mu.Unlock()
	}
}

// next takes a job off the queue, or ends the worker's turn.
func (h *HTTP) next() *job {
	h.mu.Lock()
	defer h.mu.Unlock()
	j := h.head
	if j == nil {
		h.running--
		return nil
	}
	if h.head = j.next; h.head == nil {
		h.tail = nil
	}
	h.queued--
	j.next = nil
	return j
}

// work is the ants worker: it does jobs until the queue is empty.
func (h *HTTP) work(j *job) {
	for ; j != nil; j = h.next() {
		h.run(j)
	}
}
