package engine

import (
	"context"
	"fmt"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// SimNode is an engine without goroutines, for the simulator: whoever holds it
// decides what happens next.
type SimNode struct {
	e    *Engine
	r    *router
	from uint64
}

// NewSimNode opens an engine whose loops are not running. window bounds its
// ready and timer windows; 0 leaves the defaults.
func NewSimNode(c Config, window int) (*SimNode, error) {
	c.window = window
	e, err := New(c)
	if err != nil {
		return nil, err
	}
	n := &SimNode{e: e, r: newRouter(e.set.partitions, e.names, e.log)}
	c.Catalog.Subscribe(e.configure)
	return n, nil
}

// Partitions is the number of partitions.
func (n *SimNode) Partitions() int { return len(n.e.workers) }

// Failed returns the storage failure that has stopped the engine.
func (n *SimNode) Failed() error {
	if err := n.e.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Runnable reports whether a partition has something to do now, and else when (0: never).
func (n *SimNode) Runnable(i int) (bool, int64) {
	w := n.e.workers[i]
	now, at := w.p.wake()
	if now || len(w.box.queue) > 0 || (at != 0 && at <= n.e.now()) {
		return true, 0
	}
	return false, at
}

// Round runs one round of a partition with at most max of its commands.
func (n *SimNode) Round(i, max int) {
	w := n.e.workers[i]
	cmds := append([]command(nil), w.box.queue[:min(max, len(w.box.queue))]...)
	w.box.queue = append([]command(nil), w.box.queue[len(cmds):]...)
	if err := w.round(cmds); err != nil {
		n.e.fail(err)
	}
}

// Messages is the number of messages that wait for the router.
func (n *SimNode) Messages() int { return len(n.e.inbox.queue) }

// RouteMessage routes the next message.
func (n *SimNode) RouteMessage() {
	m := n.e.inbox.queue[0]
	n.e.inbox.queue = n.e.inbox.queue[1:]
	n.r.table = n.e.table.Load()
	n.e.routeMessage(n.r, m.from, &m.sentMessage)
}

// RouteGroup routes the next group of the log; false if there is none.
func (n *SimNode) RouteGroup() bool {
	done, cancel := context.WithCancel(context.Background())
	cancel()
	g, err := n.e.conf.Store.Log().Next(done, n.from)
	if err != nil {
		return false
	}
	n.from = g.First + uint64(g.Count)
	return n.e.routeGroup(n.r, &g)
}

// Work runs every round and routes all that can be done now; false if there was
// nothing.
func (n *SimNode) Work() (busy bool) {
	for i := range n.Partitions() {
		if now, _ := n.Runnable(i); now {
			n.Round(i, 100)
			busy = true
		}
	}
	for n.RouteGroup() {
		busy = true
	}
	for n.Messages() > 0 {
		n.RouteMessage()
		busy = true
	}
	return busy
}

// Due returns when the earliest timer or schedule is due; 0 if none is.
func (n *SimNode) Due() (due int64) {
	for i := range n.Partitions() {
		if _, at := n.Runnable(i); at != 0 && (due == 0 || at < due) {
			due = at
		}
	}
	return due
}

// ask queues a request without waiting for its answer.
func (n *SimNode) ask(partition int, req *request) {
	req.done = make(chan answer, 1)
	n.e.workers[partition].box.put(command{kind: cmdRequest, request: req})
}

// Cancel asks for a run's cancellation.
func (n *SimNode) Cancel(run ulid.ULID) {
	n.ask(n.e.home(run), &request{kind: reqCancel, run: run})
}

// Signal sends a signal; taken tells later whether somebody waited for it.
func (n *SimNode) Signal(name string) (taken func() bool) {
	req := &request{kind: reqSignal, name: name, data: []byte("1")}
	n.ask(signalPartition(name, n.e.set.partitions), req)
	return func() bool {
		select {
		case a := <-req.done:
			return a.err == nil
		default:
			return false
		}
	}
}

// Checkpoint saves steps; acked tells later whether it was acknowledged.
func (n *SimNode) Checkpoint(c *Checkpoint) (acked func() bool) {
	req := &request{kind: reqCheckpoint, checkpoint: c}
	n.ask(n.e.home(c.RunID), req)
	state := 0
	return func() bool {
		if state == 0 {
			select {
			case a := <-req.done:
				if state = 1; a.err != nil {
					state = 2
				}
			default:
			}
		}
		return state == 1
	}
}

// Leftovers describes what is still stored of runs: nothing, once all have ended.
func Leftovers(s Store) []string {
	var out []string
	for i := range s.Partitions() {
		ps, err := s.Partition(i)
		if err != nil {
			return []string{err.Error()}
		}
		for t, name := range map[Table]string{TableRun: "run", TableTrigger: "trigger", TableStep: "step",
			TableReady: "ready", TableTimer: "timer", TablePause: "pause", TableMessage: "message", TableSignal: "signal"} {
			err := ps.Scan(t, nil, nil, func(k, _ []byte) bool {
				out = append(out, fmt.Sprintf("partition %d: %s %x", i, name, k))
				return len(out) < 20
			})
			if err != nil {
				out = append(out, err.Error())
			}
		}
	}
	return out
}

// InMemory counts what a node still holds of runs.
func (n *SimNode) InMemory() string {
	runs, calls, waits := 0, 0, len(n.e.names.counts)
	var kept int64
	for _, w := range n.e.workers {
		runs += len(w.p.runs)
		kept += w.p.keptBytes
		calls += len(w.p.calls)
	}
	if runs+calls+waits == 0 && kept == 0 {
		return ""
	}
	return fmt.Sprintf("%d runs, %d bytes of queued runs, %d calls, %d names waited for", runs, kept, calls, waits)
}

// SetLimits overrides limits of the function with that slug (its id being derived from it).
func (n *SimNode) SetLimits(slug string, steps, state int) {
	fn := ids.UUIDv5([]byte(slug))
	for i := range n.e.workers {
		n.ask(i, &request{kind: reqStepLimit, fn: fn, limit: steps})
		n.ask(i, &request{kind: reqStateLimit, fn: fn, limit: state})
	}
}
