package sender

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"ingot/loadgen/record"
)

// MaxBacklog bounds the requests that are due and wait for a free client.
const MaxBacklog = 1 << 17

// Work says what the clients send. Its methods are called by one goroutine per
// client, for different clients at once.
type Work interface {
	// Append appends the body of a request that was due at `at`. Token is handed to
	// Done. ok is false when there is nothing more to send.
	Append(client int, b []byte, at time.Duration) (body []byte, token int64, ok bool)
	// Done hears what became of the request. o is valid during the call.
	Done(client int, o *Outcome)
}

// Schedule says when requests are due: package pacing has several.
type Schedule interface {
	// Next is the offset of the next request from the start; ok is false at the end.
	Next() (at time.Duration, ok bool)
}

// Outcome of one request. Times are of the session's clock.
type Outcome struct {
	Token               int64
	Due, Sent, Answered time.Duration
	Status              int // 0 if there was no answer
	Err                 error
	WaitedForClient     bool // it was due while all clients were busy
	Paced               bool // of an open loop
}

// Options of a Sender.
type Options struct {
	Endpoint *Endpoint
	Clients  int
	Timeout  time.Duration // of one request
	Clock    record.Clock
}

// Sender has connections, which live through several loads.
type Sender struct {
	opts  Options
	conns []*Conn
	stop  chan struct{}
	done  sync.WaitGroup
}

// New makes a sender; Close ends it.
func New(o Options) *Sender {
	s := &Sender{opts: o, stop: make(chan struct{})}
	for range o.Clients {
		s.conns = append(s.conns, NewConn(o.Endpoint))
	}
	s.done.Go(s.expire)
	return s
}

// Close ends all connections. No load may be under way.
func (s *Sender) Close() {
	close(s.stop)
	s.done.Wait()
	for _, c := range s.conns {
		c.Close()
	}
}

// expire ends requests that take too long.
func (s *Sender) expire() {
	tick := time.NewTicker(max(s.opts.Timeout/10, 5*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case now := <-tick.C:
			for _, c := range s.conns {
				c.Expire(now.Add(-s.opts.Timeout))
			}
		}
	}
}

// Load is one phase of sending.
type Load struct {
	Work Work
	// Schedule says when requests are due, as offsets from the start; nil is a closed loop.
	Schedule Schedule
	// Duration ends a closed loop. In an open loop the schedule ends; Grace is how
	// long after it what was due may still be sent.
	Duration, Grace time.Duration
}

// Stats of a load.
type Stats struct {
	Start, End time.Duration // of the session's clock
	// Unsent are requests that were due and could not be sent within the bounds.
	Unsent int64
	// Waited are requests that waited for a free client.
	Waited int64
}

// Run sends until the load's end or that of ctx, and returns when all requests have
// been answered or have failed. The requests under way when ctx ends are answered first.
func (s *Sender) Run(ctx context.Context, l Load) Stats {
	st := Stats{Start: s.opts.Clock.Now()}
	if l.Schedule == nil {
		s.closedLoop(ctx, l, st.Start+l.Duration)
	} else {
		s.openLoop(ctx, l, &st)
	}
	st.End = s.opts.Clock.Now()
	return st
}

func (s *Sender) closedLoop(ctx context.Context, l Load, end time.Duration) {
	var clients sync.WaitGroup
	for i, c := range s.conns {
		clients.Go(func() {
			o := new(Outcome)
			for ctx.Err() == nil {
				o.Due = s.opts.Clock.Now()
				if o.Due >= end || !s.send(c, i, l.Work, o) {
					return
				}
			}
		})
	}
	clients.Wait()
}

func (s *Sender) openLoop(ctx context.Context, l Load, st *Stats) {
	due := make(chan time.Duration, MaxBacklog)
	var unsent, waited atomic.Int64
	var last atomic.Int64 // after which nothing more is sent; 0 while the schedule goes on
	var all sync.WaitGroup
	for i, c := range s.conns {
		all.Go(func() {
			o := &Outcome{Paced: true}
			for {
				var open bool
				o.WaitedForClient = true
				select {
				case o.Due, open = <-due:
				default:
					o.WaitedForClient = false
					o.Due, open = <-due
				}
				if !open {
					return
				}
				if end := last.Load(); ctx.Err() != nil || end != 0 && s.opts.Clock.Now() > time.Duration(end) {
					unsent.Add(1)
					continue
				}
				if o.WaitedForClient {
					waited.Add(1)
				}
				if !s.send(c, i, l.Work, o) {
					unsent.Add(1)
				}
			}
		})
	}
	sl := newSleeper()
	defer sl.close()
	p := pacer{now: s.opts.Clock.Now, sleep: func(ctx context.Context, until time.Duration) { sl.sleep(ctx, s.opts.Clock.Now, until) }}
	dropped := p.run(ctx, l.Schedule, st.Start, due)
	last.Store(int64(s.opts.Clock.Now() + l.Grace))
	all.Wait()
	st.Unsent, st.Waited = dropped+unsent.Load(), waited.Load()
}

// send makes one request. It reports false if there was nothing to send.
func (s *Sender) send(c *Conn, client int, w Work, o *Outcome) bool {
	body, token, ok := w.Append(client, c.Body(), o.Due)
	if !ok {
		return false
	}
	o.Token, o.Sent = token, s.opts.Clock.Now()
	o.Status, o.Err = c.Do(body)
	o.Answered = s.opts.Clock.Now()
	w.Done(client, o)
	if o.Err != nil {
		time.Sleep(errorPause)
	}
	return true
}

// errorPause keeps a client from spinning against a server that is away.
const errorPause = 10 * time.Millisecond
