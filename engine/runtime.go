package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ingot/engine/event"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Config is what an Engine is made of. Zero numbers mean the defaults.
type Config struct {
	Store     Store
	Catalog   *Catalog
	Transport Transport
	Logger    *slog.Logger
	// RetryInterval replaces the back-off table if positive (spec 01 §11.4).
	RetryInterval time.Duration
	// MaxInFlight bounds each partition's simultaneous calls; default 1000.
	MaxInFlight int
	// MailboxSize bounds the commands that wait for a partition; default 8192.
	MailboxSize int
	// History writes lifecycle records to the outbox, whence a consumer takes them
	// (ReadOutbox, ReleaseOutbox).
	History bool
	// MaxOutbox bounds the outboxes in bytes: above it events are refused at ingest
	// (Admit), since the consumer is too far behind. 0 is no bound.
	MaxOutbox int64
	// MaxBacklog and MaxFunctionBacklog bound the runs that are ready or being called,
	// in all and per function: above them events are refused at ingest (Admit). 0 is no
	// bound.
	MaxBacklog, MaxFunctionBacklog int64
	// Now is the clock in unix ms; nil is the wall clock. The simulator has its own.
	Now func() int64
	// OnRest is called when nothing has come in for a while after much work: the
	// moment to give memory back. It may take some time, but holds up a partition.
	OnRest func()
	// OnFailure is told once when storage has failed and the engine has stopped.
	OnFailure func(error)

	crash  bool // panics end the process
	window int  // entries of ready and timer windows, a quarter of the lanes; 0 means the defaults
}

// Engine owns the partitions' goroutines and the routers.
type Engine struct {
	conf     Config
	set      settings
	log      *slog.Logger
	names    *waitNames
	feed     feed
	table    atomic.Pointer[triggerTable]
	workers  []*worker
	logs     []*delivery // by log: 0 is the WAL, i+1 partition i's messages
	marks    []*deliveredMark
	inbox    *inbox
	inFlight atomic.Int64
	lastWork atomic.Int64 // unix ns
	work     atomic.Int64 // commands since the last rest

	ctx     context.Context
	cancel  context.CancelFunc
	stopped chan struct{}
	once    sync.Once
	wg      sync.WaitGroup
	failure atomic.Pointer[error]
}

var _ API = (*Engine)(nil)

// New opens the partitions of the store and loads what they hold. Start sets
// them to work.
func New(c Config) (*Engine, error) {
	e := &Engine{conf: c, log: c.Logger, stopped: make(chan struct{})}
	if e.log == nil {
		e.log = slog.Default()
	}
	n := c.Store.Partitions()
	e.set = settings{
		partitions: n, retryInterval: c.RetryInterval,
		maxInFlight: or(c.MaxInFlight, 1000), maxUndelivered: 65536,
		history:     c.History,
		readyWindow: or(c.window, readyWindow), timerWindow: or(c.window, timerWindow),
		maxLanes: or(4*c.window, maxLanes), maxFlows: or(4*c.window, maxFlows), maxGuests: or(4*c.window, maxGuests), maxDead: maxDead, crash: c.crash,
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.names = newWaitNames(n)
	e.table.Store(newTriggerTable(&Snapshot{}))
	e.names.setTriggers(func(name string) bool { return e.table.Load().triggered(name) })
	e.inbox = newInbox()
	e.feed.init(c.History)
	e.set.outboxBytes = &e.feed.bytes
	e.logs = append(e.logs, &delivery{delivered: func(next uint64) {
		e.feed.delivered.Store(next)
		e.trimLog()
	}})
	epoch := uint64(max(1, e.now()))
	for i := range n {
		ps, err := c.Store.Partition(i)
		if err != nil {
			return nil, fmt.Errorf("open partition %d: %w", i, err)
		}
		w := &worker{e: e, p: newPartition(i, epoch, &e.set, ps, e.names, e.log), box: newMailbox(or(c.MailboxSize, 8192))}
		undelivered, err := w.p.recover()
		if err != nil {
			return nil, fmt.Errorf("load partition %d: %w", i, err)
		}
		w.outboxEnd.Store(w.p.outbox.next)
		mark := &deliveredMark{box: w.box}
		e.workers = append(e.workers, w)
		e.marks = append(e.marks, mark)
		e.logs = append(e.logs, &delivery{delivered: mark.set})
		e.inbox.put(i, undelivered)
	}
	return e, nil
}

func or[T int | int64](v, def T) T {
	if v > 0 {
		return v
	}
	return def
}

// Start sets the engine to work. Stop ends it.
func (e *Engine) Start() {
	e.conf.Catalog.Subscribe(e.configure)
	for _, w := range e.workers {
		e.wg.Add(1)
		go func() { defer e.wg.Done(); w.run() }()
	}
	e.wg.Add(2)
	go func() { defer e.wg.Done(); e.routeMessages() }()
	go func() { defer e.wg.Done(); e.routeEvents() }()
}

// Stop starts no further calls, waits for those under way until ctx ends, and
// ends the engine's goroutines. Calls that are cut off are made again at the
// next start.
func (e *Engine) Stop(ctx context.Context) {
	e.set.draining.Store(true)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for e.inFlight.Load() > 0 && e.failure.Load() == nil {
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
		}
		break
	}
	e.halt()
	e.wg.Wait()
}

// halt ends the goroutines without waiting for them.
func (e *Engine) halt() {
	e.once.Do(func() {
		e.cancel()
		close(e.stopped)
		e.inbox.close()
		for _, w := range e.workers {
			for _, c := range w.box.close() {
				if c.request != nil {
					c.request.done <- answer{err: ErrClosed}
				}
			}
		}
	})
}

// fail stops the engine after a storage failure: memory is ahead of the disk, so
// nothing may go on from it.
func (e *Engine) fail(err error) {
	if !e.failure.CompareAndSwap(nil, &err) {
		return
	}
	select {
	case <-e.stopped:
		return // a store that closes while the engine stops
	default:
	}
	e.log.Error("storage has failed; the engine stops", "error", err)
	e.halt()
	if e.conf.OnFailure != nil {
		e.conf.OnFailure(err)
	}
}

// configure passes a new catalog on.
func (e *Engine) configure(s *Snapshot) {
	e.table.Store(newTriggerTable(s))
	for _, w := range e.workers {
		w.box.put(command{kind: cmdSnapshot, snapshot: s})
	}
}

func (e *Engine) now() int64 {
	if e.conf.Now != nil {
		return e.conf.Now()
	}
	return time.Now().UnixMilli()
}

// routeEvents follows the write-ahead log.
func (e *Engine) routeEvents() {
	r := newRouter(e.set.partitions, e.names, e.log)
	r.crash = e.set.crash
	log := e.conf.Store.Log()
	var from uint64
	for {
		g, err := log.Next(e.ctx, from)
		if err != nil {
			if e.ctx.Err() == nil && !errors.Is(err, ErrClosed) {
				e.fail(fmt.Errorf("read the event log: %w", err))
			}
			return
		}
		from = g.First + uint64(g.Count)
		if !e.routeGroup(r, &g) {
			return
		}
	}
}

func (e *Engine) routeGroup(r *router, g *LogGroup) bool {
	unit := e.logs[0].begin(g.First + uint64(g.Count))
	defer unit.done()
	r.table = e.table.Load()
	rest := g.Data
	var ev event.Event
	bury := func(seq uint64, reason string, body []byte) bool {
		unit.add()
		dead := &DeadLetter{ID: ids.Derive(e.now(), appendUint64(nil, seq)), Kind: DeadEntry, Reason: reason, Body: bytes.Clone(body)}
		return e.workers[0].box.offer(e.ctx, command{kind: cmdDead, log: 0, seq: seq, unit: unit, dead: dead}) == nil
	}
	for seq := g.First; len(rest) > 0; seq++ {
		next, err := event.DecodeRecord(rest, &ev)
		if err != nil {
			return bury(seq, fmt.Sprintf("entry %d of the event log cannot be read, nor can those after it in its group: %v", seq, err), rest)
		}
		ok := true
		err = r.route(&ev, func(i int, re *routedEvent) {
			unit.add()
			if e.workers[i].box.offer(e.ctx, command{kind: cmdEvent, log: 0, seq: seq, unit: unit, event: re}) != nil {
				ok = false
			}
		})
		if err != nil {
			ok = bury(seq, err.Error(), rest[:len(rest)-len(next)])
		}
		rest = next
		if !ok {
			return false
		}
	}
	return true
}

// routeMessages follows the partitions' outgoing logs.
func (e *Engine) routeMessages() {
	r := newRouter(e.set.partitions, e.names, e.log)
	r.crash = e.set.crash
	for {
		batch, ok := e.inbox.take()
		if !ok {
			return
		}
		r.table = e.table.Load()
		for i := range batch {
			e.routeMessage(r, batch[i].from, &batch[i].sentMessage)
		}
	}
}

func (e *Engine) routeMessage(r *router, from int, m *sentMessage) {
	unit := e.logs[from+1].begin(m.seq + 1)
	defer unit.done()
	if m.kind != msgEvent && m.kind != msgUnreadable {
		unit.add()
		e.workers[m.to].box.put(command{kind: cmdMessage, log: from + 1, seq: m.seq, unit: unit, message: &m.message})
		return
	}
	err := errRecord
	if m.kind == msgEvent {
		var ev *event.Event
		if ev, err = internalEvent(m.body); err == nil {
			err = r.route(ev, func(i int, re *routedEvent) {
				unit.add()
				e.workers[i].box.put(command{kind: cmdEvent, log: from + 1, seq: m.seq, unit: unit, event: re})
			})
		}
	}
	if err != nil {
		unit.add()
		kind := DeadEntry
		if m.kind == msgUnreadable {
			kind = DeadMessage
		}
		dead := &DeadLetter{ID: ids.Derive(e.now(), appendUint64(nil, m.seq)), Kind: kind,
			Reason: fmt.Sprintf("message %d of partition %d: %v", m.seq, from, err), Body: m.body}
		e.workers[0].box.put(command{kind: cmdDead, log: from + 1, seq: m.seq, unit: unit, dead: dead})
	}
}

// release lets a durable round's effects go.
func (e *Engine) release(w *worker, eff *effects) {
	if eff.outbox != 0 {
		w.outboxEnd.Store(eff.outbox)
		e.feed.notify()
	}
	for _, c := range eff.calls {
		e.inFlight.Add(1)
		e.conf.Transport.Call(c, func(res Result) {
			e.inFlight.Add(-1)
			w.box.put(command{kind: cmdResult, result: &res})
		})
	}
	for _, g := range eff.gateways {
		e.inFlight.Add(1)
		e.conf.Transport.Gateway(g, func(res GatewayResult) {
			e.inFlight.Add(-1)
			w.box.put(command{kind: cmdGatewayResult, gateway: &res})
		})
	}
	e.inbox.put(w.p.id, eff.messages)
	for _, u := range eff.units {
		u.done()
	}
	for _, r := range eff.replies {
		r.req.done <- answer{r.val, r.err}
	}
}

// deliver passes messages about shared limits on.
func (e *Engine) deliver(messages []*leaseMessage) {
	for _, m := range messages {
		e.workers[m.to].box.put(command{kind: cmdLease, lease: m})
	}
}

// ask sends a request to a partition and waits for its answer.
func (e *Engine) ask(ctx context.Context, partition int, req *request) (any, error) {
	req.done = make(chan answer, 1)
	if err := e.workers[partition].box.offer(ctx, command{kind: cmdRequest, request: req}); err != nil {
		return nil, err
	}
	select {
	case a := <-req.done:
		return a.val, a.err
	case <-ctx.Done():
		if req.kind == reqOutput {
			e.workers[partition].box.put(command{kind: cmdRequest, request: &request{kind: reqForget, target: req}})
		}
		return nil, ctx.Err()
	case <-e.stopped:
		return nil, ErrClosed
	}
}

func (e *Engine) home(run ulid.ULID) int { return runPartition(run, e.set.partitions) }

// Send implements API.
func (e *Engine) Send(_ context.Context, events ...*event.Event) error {
	var b []byte
	for _, ev := range events {
		b = ev.AppendRecord(b)
	}
	return e.conf.Store.Log().Append(b, len(events))
}

// Cancel implements API.
func (e *Engine) Cancel(ctx context.Context, run ulid.ULID) error {
	_, err := e.ask(ctx, e.home(run), &request{kind: reqCancel, run: run})
	return err
}

// Signal implements API.
func (e *Engine) Signal(ctx context.Context, signal string, data []byte) (ulid.ULID, bool, error) {
	if len(data) == 0 {
		data = jsonNull
	}
	v, err := e.ask(ctx, signalPartition(signal, e.set.partitions), &request{kind: reqSignal, name: signal, data: data})
	if errors.Is(err, ErrRunNotFound) {
		return ulid.ULID{}, false, nil
	}
	if err != nil {
		return ulid.ULID{}, false, err
	}
	return v.(ulid.ULID), true, nil
}

// Checkpoint implements API.
func (e *Engine) Checkpoint(ctx context.Context, c *Checkpoint) error {
	_, err := e.ask(ctx, e.home(c.RunID), &request{kind: reqCheckpoint, checkpoint: c})
	return err
}

// StartSync implements API. The event is published like a user's, and starts
// whatever it triggers; the run itself is created here.
func (e *Engine) StartSync(ctx context.Context, r *SyncRun) error {
	if _, err := e.ask(ctx, e.home(r.RunID), &request{kind: reqStartSync, sync: r, event: r.Event.AppendJSON(nil)}); err != nil {
		return err
	}
	return e.Send(ctx, &r.Event)
}

// State implements API.
func (e *Engine) State(ctx context.Context, run ulid.ULID) (*RunState, error) {
	v, err := e.ask(ctx, e.home(run), &request{kind: reqState, run: run})
	if err != nil {
		return nil, err
	}
	return v.(*RunState), nil
}

// Output implements API.
func (e *Engine) Output(ctx context.Context, run ulid.ULID) (*RunOutput, error) {
	v, err := e.ask(ctx, e.home(run), &request{kind: reqOutput, run: run})
	if err != nil {
		return nil, err
	}
	return v.(*RunOutput), nil
}

// SetStepLimit implements API.
func (e *Engine) SetStepLimit(ctx context.Context, fn [16]byte, limit int) error {
	return e.setLimit(ctx, reqStepLimit, fn, limit)
}

// SetStateLimit implements API.
func (e *Engine) SetStateLimit(ctx context.Context, fn [16]byte, limit int) error {
	return e.setLimit(ctx, reqStateLimit, fn, limit)
}

// setLimit tells every partition: a sync function's runs may be in any.
func (e *Engine) setLimit(ctx context.Context, kind requestKind, fn [16]byte, limit int) error {
	for i := range e.workers {
		if _, err := e.ask(ctx, i, &request{kind: kind, fn: fn, limit: limit}); err != nil {
			return err
		}
	}
	return nil
}
