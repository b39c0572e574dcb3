package front

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// processorsPerLoop is how many processors share a loop. One loop takes in more than a
// single disk syncs.
const processorsPerLoop = 4

// front is the listener of the server behind.
type front struct {
	net.Listener // the port itself
	opts         Options
	loops        []*loop
	count        atomic.Int64 // open connections, also those of the server behind
	draining     atomic.Bool
	warned       atomic.Int64  // the unix second of the last warning
	stop         chan struct{} // closed by Close
	closing      sync.Once
	closed       error
	// running are the acceptor, the sweeper and the loops: all who pass connections on.
	running sync.WaitGroup

	mu     sync.Mutex
	passed []net.Conn // for the server behind
	ended  bool       // there will be no more of them
	more   sync.Cond
}

// Listen puts a front before the server that accepts from what it returns: the
// connections that the front leaves alone. After Close, Accept goes on until the
// front has ended: requests that have arrived are logged and answered before, those that
// have arrived in part are passed on, and idle connections end.
//
// It returns ln itself if it cannot, as for listeners that are no TCP; the server then
// does all.
func Listen(ln net.Listener, o Options) net.Listener {
	if _, ok := ln.(*net.TCPListener); !ok {
		return ln
	}
	f := &front{Listener: ln, opts: o, stop: make(chan struct{})}
	f.more.L = &f.mu
	for range max(1, runtime.GOMAXPROCS(0)/processorsPerLoop) {
		l, err := newLoop(f)
		if err != nil {
			for _, l := range f.loops {
				l.release()
			}
			o.Logger.Warn("events are taken in without the front", "error", err)
			return ln
		}
		f.loops = append(f.loops, l)
	}
	for _, l := range f.loops {
		f.running.Go(l.run)
	}
	f.running.Go(f.accept)
	f.running.Go(f.sweep)
	return f
}

// Accept implements net.Listener.
func (f *front) Accept() (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.passed) == 0 {
		if f.ended {
			return nil, net.ErrClosed
		}
		f.more.Wait()
	}
	c := f.passed[0]
	f.passed[0] = nil
	f.passed = f.passed[1:]
	return c, nil
}

// offer gives a connection to the server behind.
func (f *front) offer(c net.Conn) {
	f.mu.Lock()
	f.passed = append(f.passed, c)
	f.mu.Unlock()
	f.more.Signal()
}

// Close implements net.Listener.
func (f *front) Close() error {
	f.closing.Do(func() {
		f.draining.Store(true)
		f.closed = f.Listener.Close()
		close(f.stop)
		for _, l := range f.loops {
			l.wake()
		}
		go f.end()
	})
	return f.closed
}

// end tells Accept when there is nothing more to wait for.
func (f *front) end() {
	f.running.Wait()
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	f.more.Broadcast()
}

// sweepEvery is how exact timeouts are.
const sweepEvery = 5 * time.Second

// sweep has the loops look for connections whose time is up.
func (f *front) sweep() {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-t.C:
			f.sweepLoops()
		}
	}
}

func (f *front) sweepLoops() {
	for _, l := range f.loops {
		l.sweepDue.Store(true)
		l.wake()
	}
}

// warn logs at most one line a second: clients can cause very many.
func (f *front) warn(text string, err error) {
	now := time.Now().Unix()
	if last := f.warned.Load(); now != last && f.warned.CompareAndSwap(last, now) {
		f.opts.Logger.Warn(text, "error", err)
	}
}
