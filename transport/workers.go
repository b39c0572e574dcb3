package transport

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// keepWorkers is how long workers that nothing needs are kept, to twice that.
const keepWorkers = time.Minute

// workers do jobs, a bounded number at once; further ones wait in a bounded queue. A
// goroutine that has done its job is kept for the next one, because its stack has grown to
// what a call needs. Without jobs nothing wakes up, and after a while nothing is left.
type workers struct {
	do    func(*job)
	limit int // of goroutines
	queue int // of jobs that wait

	mu     sync.Mutex
	closed bool
	alive  int      // goroutines that have not been told to end
	idle   []worker // those without a job, the one that rests the longest first
	// spare is the least number of idle workers since the last trim.
	spare    int
	trimming *time.Timer   // nil if nobody is idle
	ended    chan struct{} // closed when after close the last job is done

	// Jobs that found all workers busy.
	queued     int
	head, tail *job
}

// worker is what an idle goroutine gets its next job from; nil ends it.
type worker chan *job

func newWorkers(limit, queue int, do func(*job)) *workers {
	return &workers{do: do, limit: limit, queue: queue, ended: make(chan struct{})}
}

// verdict is what became of a job.
type verdict int

const (
	accepted verdict = iota
	queueFull
	workersClosed
)

// submit gives j to a worker, or puts it on the queue if all are busy. It does not block.
func (p *workers) submit(j *job) verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch n := len(p.idle); {
	case p.closed:
		return workersClosed
	case n > 0: // the last has the warmest stack
		w := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		p.spare = min(p.spare, n-1)
		w <- j // there is room: an idle worker gets one job
	case p.alive < p.limit:
		p.alive++
		go p.run(make(worker, 1), j)
	case p.queued >= p.queue:
		return queueFull
	default:
		p.queued++
		if p.tail == nil {
			p.head = j
		} else {
			p.tail.next = j
		}
		p.tail = j
	}
	return accepted
}

// run is a worker's life.
func (p *workers) run(w worker, j *job) {
	for ; j != nil; j = p.next(w) {
		p.do(j)
	}
}

// next is the worker's next job, for which it waits; nil ends it.
func (p *workers) next(w worker) *job {
	p.mu.Lock()
	if j := p.head; j != nil {
		if p.head = j.next; p.head == nil {
			p.tail = nil
		}
		p.queued--
		j.next = nil
		p.mu.Unlock()
		return j
	}
	if p.closed {
		if p.alive--; p.alive == 0 {
			close(p.ended)
		}
		p.mu.Unlock()
		return nil
	}
	p.idle = append(p.idle, w)
	if p.trimming == nil {
		p.spare = 0
		p.trimming = time.AfterFunc(keepWorkers, p.trim)
	}
	p.mu.Unlock()
	return <-w
}

// trim ends the workers that had nothing to do since the last trim.
func (p *workers) trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.end(p.spare)
	if p.spare = len(p.idle); p.spare > 0 {
		p.trimming.Reset(keepWorkers)
	} else {
		p.trimming = nil
	}
}

// end ends the n workers that have been idle the longest.
func (p *workers) end(n int) {
	for _, w := range p.idle[:n] {
		w <- nil
	}
	p.alive -= n
	p.idle = slices.Delete(p.idle, 0, n)
}

// close ends the workers that have nothing to do; the others do it when they are done,
// which wait waits for. It returns the jobs that no worker had got to, as a list. Only the
// first call does something.
func (p *workers) close() (waiting *job, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false
	}
	p.closed = true
	waiting = p.head
	p.head, p.tail, p.queued = nil, nil, 0
	if p.end(len(p.idle)); p.alive == 0 {
		close(p.ended)
	}
	if p.trimming != nil {
		p.trimming.Stop()
	}
	return waiting, true
}

// wait waits after close until all jobs are done, at most d.
func (p *workers) wait(d time.Duration) error {
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	select {
	case <-p.ended:
		return nil
	case <-timeout.C:
		return fmt.Errorf("calls are still under way after %s", d)
	}
}
