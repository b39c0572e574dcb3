package front

import (
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// eventsPerTurn bounds a turn: how many connections are read before what they brought
	// goes to the log.
	eventsPerTurn = 256
	// wakeSlot is the slot of the loop's own event, which has no connection.
	wakeSlot = -1
	// edge is EPOLLET as the events have it.
	edge = uint32(1) << 31
	// watched are the events of a connection.
	watched = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLPRI | edge
)

// loop reads the connections that it is given. Its epoll set is watched by the runtime's
// poller, as if it were a connection: so it parks without keeping a thread.
type loop struct {
	front   *front
	handler Handler
	file    *os.File // the epoll set
	poll    syscall.RawConn
	ep      int
	waker   int // eventfd that ends the wait

	sweepDue atomic.Bool

	mu    sync.Mutex
	slots []*conn
	free  []int32
	gen   int32
	again []*conn // to be looked at without an event
	idle  []*turn
	ended bool // ep and waker may be somebody else's descriptors now

	// What follows is the goroutine's.
	events []unix.EpollEvent
	seen   []*conn // connections of the events
	looked []*conn // what again was
	buf    []byte
	spare  [][]byte // buffers of requests that came in pieces
	req    Request
	turn   *turn
	now    time.Time
}

func newLoop(f *front) (*loop, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	waker, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		_ = unix.Close(ep)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	l := &loop{
		front: f, handler: f.opts.NewHandler(), ep: ep, waker: waker,
		events: make([]unix.EpollEvent, eventsPerTurn), buf: make([]byte, MaxRequest),
	}
	l.turn = &turn{loop: l}
	if err := l.watch(); err != nil {
		l.release()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return l, nil
}

// watch has the runtime watch the epoll set, and that the waker.
func (l *loop) watch() (err error) {
	if err := unix.SetNonblock(l.ep, true); err != nil { // or the runtime would not
		return err
	}
	l.file = os.NewFile(uintptr(l.ep), "epoll")
	if l.poll, err = l.file.SyscallConn(); err != nil {
		return err
	}
	wake := unix.EpollEvent{Events: unix.EPOLLIN | edge, Fd: wakeSlot}
	return unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, l.waker, &wake)
}

// release closes the loop's descriptors.
func (l *loop) release() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	_ = unix.Close(l.waker)
	if l.file != nil {
		_ = l.file.Close()
	} else {
		_ = unix.Close(l.ep)
	}
}

// add watches a connection; net.ErrClosed says that there may be no more.
func (l *loop) add(c *conn) error {
	c.since = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.front.draining.Load() {
		return net.ErrClosed
	}
	if n := len(l.free); n > 0 {
		c.slot, l.free = l.free[n-1], l.free[:n-1]
	} else {
		c.slot = int32(len(l.slots))
		l.slots = append(l.slots, nil)
	}
	l.gen++
	c.gen = l.gen
	e := unix.EpollEvent{Events: watched, Fd: c.slot, Pad: c.gen}
	if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, c.fd, &e); err != nil {
		l.free = append(l.free, c.slot)
		return fmt.Errorf("epoll: %w", err)
	}
	l.slots[c.slot] = c
	if len(c.in) > 0 {
		l.revisitSoon(c)
	}
	return nil
}

// remove forgets a connection; its descriptor is the caller's now.
func (l *loop) remove(c *conn) {
	c.gone = true
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slots[c.slot] = nil
	l.free = append(l.free, c.slot)
}

// drop ends a connection.
func (l *loop) drop(c *conn) {
	l.remove(c)
	_ = unix.Close(c.fd) // which also ends the watching
	l.recycle(c)
	l.front.count.Add(-1)
}

// pass leaves a connection to the server behind, with the bytes that were read from it.
func (l *loop) pass(c *conn, head []byte) {
	_ = unix.EpollCtl(l.ep, unix.EPOLL_CTL_DEL, c.fd, nil)
	l.remove(c)
	l.front.pass(c, head)
	l.recycle(c)
}

// push has the loop look at c.
func (l *loop) push(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revisitSoon(c)
}

// revisitSoon is push for those who have the lock.
func (l *loop) revisitSoon(c *conn) {
	l.again = append(l.again, c)
	if len(l.again) == 1 {
		l.signal()
	}
}

// wake ends the loop's wait.
func (l *loop) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.signal()
}

// signal is wake for those who have the lock.
func (l *loop) signal() {
	if l.ended {
		return
	}
	one := [8]byte{1}
	_, _ = rawWrite(l.waker, one[:]) // if it is full, the loop has been woken
}

// run is the loop.
func (l *loop) run() {
	defer l.release()
	n := 0
	poll := func(fd uintptr) bool { // outside of the loop, since it is on the heap
		n = rawPoll(int(fd), l.events)
		return n > 0
	}
	for {
		if err := l.poll.Read(poll); err != nil {
			// Cannot be: nobody else closes it, and it has no deadline.
			l.front.opts.Logger.Error("the front cannot wait for requests", "error", err)
			return
		}
		l.now = time.Now()
		l.resolve(l.events[:n])
		for i, c := range l.seen {
			if c != nil {
				l.touch(c, l.events[i].Events)
			}
		}
		for i, c := range l.looked {
			l.looked[i] = nil
			l.revisit(c)
		}
		if l.sweepDue.Swap(false) {
			l.sweep()
		}
		if l.front.draining.Load() && l.drain() {
			return
		}
		l.submit()
	}
}

// resolve finds the connections of events, and what else is to be looked at.
func (l *loop) resolve(events []unix.EpollEvent) {
	l.seen = l.seen[:0]
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		var c *conn
		if e.Fd != wakeSlot {
			// An event may be older than the connection that has its slot now.
			if c = l.slots[e.Fd]; c != nil && c.gen != e.Pad {
				c = nil
			}
		} else {
			var count [8]byte
			_, _ = rawRead(l.waker, count[:])
		}
		l.seen = append(l.seen, c)
	}
	l.looked, l.again = l.again, l.looked[:0]
}

// open returns the connections that there are.
func (l *loop) open() []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	open := make([]*conn, 0, len(l.slots)-len(l.free))
	for _, c := range l.slots {
		if c != nil {
			open = append(open, c)
		}
	}
	return open
}
