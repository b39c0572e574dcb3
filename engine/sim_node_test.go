package engine

import (
	"context"
	"fmt"

	"ingot/engine/event"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// SimNode is an engine without goroutines, for the simulator: whoever holds it
// decides what happens next.
type SimNode struct {
	e    *Engine
	r    *router
	from uint64
	// OnArrival is told of each event that a round takes for functions, before the
	// round; nil tells nobody.
	OnArrival func(Arrival)
}

// Arrival is an event on its way into the functions of a partition. Its place in a
// log tells whether a crash has undone it: see Applied.
type Arrival struct {
	Partition, Log int
	Seq            uint64
	// History is the key that the lifecycle records of the round will have.
	History uint64
	Event   *event.Event
	Fns     []ids.UUID
}

// NewSimNode opens an engine whose loops are not running. window bounds its
// ready and timer windows; 0 leaves the defaults.
func NewSimNode(c Config, window int) (*SimNode, error) {
	c.window, c.crash = window, true
	e, err := New(c)
	if err != nil {
		return nil, err
	}
	n := &SimNode{e: e, r: newRouter(e.set.partitions, e.names, e.log)}
	n.r.crash = true
	c.Catalog.Subscribe(e.configure)
	return n, nil
}

// Catch lets the engine go on after panics, as it does outside tests.
func (n *SimNode) Catch() { n.e.set.crash, n.r.crash = false, false }

// Faults is the number of panics that were caught in partitions.
func (n *SimNode) Faults() (total int) {
	for _, w := range n.e.workers {
		total += w.p.faults.total
	}
	return total
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
	for i := range cmds {
		w.box.bytes -= cmds[i].size()
	}
	n.arrivals(w.p, cmds)
	if err := w.round(cmds); err != nil {
		n.e.fail(err)
	}
}

// arrivals tells of the events among a round's commands that take effect.
func (n *SimNode) arrivals(p *partition, cmds []command) {
	if n.OnArrival == nil {
		return
	}
	for i := range cmds {
		c := &cmds[i]
		if c.kind != cmdEvent || len(c.event.fns) == 0 || c.seq <= p.cursors[c.log] {
			continue
		}
		a := Arrival{Partition: p.id, Log: c.log, Seq: c.seq, History: p.outbox.next, Event: &c.event.Event}
		for _, fn := range c.event.fns {
			a.Fns = append(a.Fns, fn.ID)
		}
		n.OnArrival(a)
	}
}

// Applied is how far a partition has applied a log (0 is the log of events, i+1 the
// messages of partition i).
func (n *SimNode) Applied(partition, log int) uint64 {
	return n.e.workers[partition].p.cursors[log]
}

// Commands is the number of commands that wait for a partition.
func (n *SimNode) Commands(partition int) int { return len(n.e.workers[partition].box.queue) }

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
			TableReady: "ready", TableTimer: "timer", TablePause: "pause", TableMessage: "message", TableSignal: "signal",
			TableLane: "lane", TableBatch: "batch"} {
			err := ps.Scan(t, nil, nil, func(k, _ []byte) bool {
				out = append(out, fmt.Sprintf("partition %d: %s %x", i, name, k))
				return len(out) < 20
			})
			if err != nil {
				out = append(out, err.Error())
			}
		}
		out = append(out, keysInUse(i, ps)...)
	}
	return out
}

// keysInUse describes the states of keys that some run or event is still in. States
// of rates are left out: they stay until their time has passed.
func keysInUse(partition int, ps PartitionStore) (out []string) {
	err := ps.Scan(TableFlow, nil, nil, func(k, v []byte) bool {
		var f flow
		if err := f.decode(v); err != nil || (f.kind != flowRate && f.kind != flowThrottle) {
			out = append(out, fmt.Sprintf("partition %d: key %x of kind %d: %v", partition, k, f.kind, err))
		}
		return len(out) < 20
	})
	if err != nil {
		out = append(out, err.Error())
	}
	return out
}

// used counts the single runs that memory is kept for.
func (t *singles) used() int { return max(0, len(t.pieces)*singlesPerPiece-1) - len(t.unused) }

// InMemory counts what a node still holds of runs.
func (n *SimNode) InMemory() string {
	runs, calls, waits, lanes, gates, held := 0, 0, len(n.e.names.counts), 0, 0, 0
	var kept int64
	for _, w := range n.e.workers {
		runs += len(w.p.runs)
		kept += w.p.keptBytes
		calls += len(w.p.calls)
		lanes += w.p.lanes + w.p.singles.used() + w.p.guests
		gates += len(w.p.gates) + len(w.p.throttled)
		for _, q := range w.p.order {
			for _, n := range q.held {
				held += max(n, -n)
			}
		}
	}
	if runs+calls+waits+lanes+gates+held == 0 && kept == 0 {
		return ""
	}
	return fmt.Sprintf("%d runs, %d bytes of queued runs, %d calls, %d names waited for, %d lanes, %d gates, %d counted as held up", runs, kept, calls, waits, lanes, gates, held)
}

// SetLimits overrides limits of the function with that slug (its id being derived from it).
func (n *SimNode) SetLimits(slug string, steps, state int) {
	fn := ids.UUIDv5([]byte(slug))
	for i := range n.e.workers {
		n.ask(i, &request{kind: reqStepLimit, fn: fn, limit: steps})
		n.ask(i, &request{kind: reqStateLimit, fn: fn, limit: state})
	}
}

// ForgetRead lets partitions read again what somebody else has changed in the store.
func (n *SimNode) ForgetRead() {
	for _, w := range n.e.workers {
		w.p.ahead = readAhead{}
	}
}
