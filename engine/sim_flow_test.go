package engine_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"
	"ingot/storage/memstore"

	"github.com/oklog/ulid/v2"
)

// The simulation of flow control: functions with random limits, whose
// configurations change while events come in, calls fail and the power goes. What
// the engine decides is read from its lifecycle records, which commit with the
// decisions, and compared with models of the rules (flowLedger while it happens,
// flowFates at the end).

// flowSeeds divides -sim.seeds for the simulation of flow control.
const flowSeeds = 5

func TestFlowSimulation(t *testing.T) { overSeeds(t, *simSeeds/flowSeeds, simulateFlow) }

// flowEvent is an event that a client sent.
type flowEvent struct {
	data  flowData
	name  string
	acked bool
}

// flowCall is a call in flight.
type flowCall struct {
	run *flowRun
	// config is that by which it was decided; nil for a gateway's, which does not tell.
	config    *flowConfig
	partition int
	decided   int64
	at        int64 // when it answers
	deliver   func()
}

type flowWorld struct {
	t           *testing.T
	seed        uint64
	rng         *rand.Rand
	now         int64
	store, cats *memstore.Store
	cat         *engine.Catalog
	node        *engine.SimNode
	fns         []*flowFn
	byID        map[ids.UUID]*flowFn
	random      flowRandom
	// gen counts the versions of the catalog.
	gen         int
	maxInFlight int

	calls    []*flowCall
	ledger   *flowLedger
	sent     map[int]*flowEvent // by n
	n        int
	arrivals [][]flowArrival // by partition
	events   map[ulid.ULID]flowData
	stamps   map[ulid.ULID]int64 // their timestamps
	invoked  map[int]string      // what invokers got, by the number of the event
	// damaged are runs whose records may not be readable any more. If keys are damaged too,
	// nobody knows what such runs hold.
	damaged     map[ulid.ULID]bool
	keysDamaged bool
	flowDeaths
	faults bool
	// lossy is the interval sync policy, see world.
	lossy bool
	// back is by how many ms the clock has been set back in all.
	back int64
	// settled is when the faults ended.
	settled int64
}

const flowStart = int64(1_700_000_000_000)

func simulateFlow(t *testing.T, seed uint64) {
	w := newFlowWorld(t, seed)
	for range 200 + w.rng.IntN(300) {
		w.act()
		if t.Failed() {
			return
		}
	}
	w.settle()
	if w.frail() {
		w.clearDead()
	}
	if !t.Failed() {
		w.verify()
	}
}

// restless worlds often restart partitions, while functions crowd at shared limits.
func (w *flowWorld) restless() bool { return w.seed%7 == 0 }

func newFlowWorld(t *testing.T, seed uint64) *flowWorld {
	w := &flowWorld{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 2)), now: flowStart,
		byID: map[ids.UUID]*flowFn{}, sent: map[int]*flowEvent{}, events: map[ulid.ULID]flowData{}, stamps: map[ulid.ULID]int64{}, invoked: map[int]string{}, damaged: map[ulid.ULID]bool{}, flowDeaths: newFlowDeaths(), faults: true}
	mode := memstore.Manual
	if w.lossy = seed%4 == 0; w.lossy {
		mode = memstore.Interval
	}
	w.store = memstore.New(seed, memstore.Options{Partitions: 1 + w.rng.IntN(3), Mode: mode})
	w.cats = memstore.New(0, memstore.Options{})
	w.arrivals = make([][]flowArrival, w.store.Partitions())
	w.ledger = newFlowLedger(w)
	w.random = flowRandom{w.rng, w.rng.IntN(5), w.restless(), 4}
	if w.frail() && seed%2 == 0 {
		w.random.runs = 1
	}
	for i := range 2 + w.rng.IntN(3) {
		w.define(fmt.Sprint("f", i), fmt.Sprint("e/", i), w.random.config())
	}
	w.define("all", "e/*", w.random.config())
	w.define("invoker", "go/invoke", &flowConfig{})
	w.publish(w.fns...)
	w.boot()
	return w
}

func (f *flowFn) add(c *flowConfig, gen int, now int64) {
	c.gen, c.since, c.version = gen, now, len(f.configs)+1
	f.configs = append(f.configs, c)
}

// publish puts the newest versions of functions into the catalog.
func (w *flowWorld) publish(fns ...*flowFn) {
	if w.cat == nil {
		w.openCatalog()
	}
	err := w.cat.Update(func(tx *engine.Tx) error {
		for _, f := range fns {
			fn, err := f.build()
			if err != nil {
				return err
			}
			tx.PutFunction(fn)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *flowWorld) openCatalog() {
	sys, _ := w.cats.Partition(engine.SystemPartition)
	cat, err := engine.OpenCatalog(sys)
	if err != nil {
		w.t.Fatal(err)
	}
	w.cat = cat
}

// boot starts an engine on what the store holds.
func (w *flowWorld) boot() {
	w.openCatalog()
	w.calls = nil
	w.maxInFlight = 1 + w.rng.IntN(20)
	var err error
	w.node, err = engine.NewSimNode(engine.Config{
		Store: w.store, Catalog: w.cat, Transport: w, RetryInterval: 700 * time.Millisecond,
		MaxInFlight: w.maxInFlight, History: true,
		Now: func() int64 { return w.now }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, 1+w.rng.IntN(6))
	if err != nil {
		w.t.Fatalf("seed %d: %v", w.seed, err)
	}
	w.node.OnArrival = w.arrive
	for i := range w.arrivals {
		w.arrivals[i] = slices.DeleteFunc(w.arrivals[i], func(a flowArrival) bool { return a.seq > w.node.Applied(i, a.log) })
	}
	w.ledger.rebuild()
	for i := range w.node.Partitions() {
		w.checkAware(i)
	}
}

func (w *flowWorld) errorf(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("seed %d, time +%d ms: %s", w.seed, w.now-flowStart, fmt.Sprintf(format, args...))
}

// act does one random thing that may happen now.
func (w *flowWorld) act() {
	if w.restless() && w.rng.IntN(20) == 0 {
		w.restart(w.rng.IntN(w.node.Partitions()))
	}
	if w.frail() {
		w.mishap()
	}
	switch n := w.rng.IntN(100); {
	case n < 30:
		i := w.rng.IntN(w.node.Partitions())
		if now, _ := w.node.Runnable(i); now {
			w.node.Round(i, 1+w.rng.IntN(8))
		}
	case n < 50:
		w.store.Step()
	case n < 58:
		w.node.RouteGroup()
	case n < 68:
		if w.node.Messages() > 0 {
			w.node.RouteMessage()
		}
	case n < 78:
		w.complete()
	case n < 91:
		w.send()
	case n < 94:
		w.now += int64(w.rng.IntN(2000))
	case n < 95:
		w.cancelSome()
	case n < 97:
		w.change()
	case n < 98:
		w.crash()
	case n < 99:
		w.operate()
	case w.seed%5 == 0:
		d := int64(w.rng.IntN(20))
		w.now -= d
		w.back += d
	}
	if err := w.node.Failed(); err != nil {
		w.errorf("engine failed: %v", err)
	}
}

// send sends an event of the client; it is acknowledged when the store says so.
func (w *flowWorld) send() {
	name := fmt.Sprint("e/", w.rng.IntN(len(w.fns)-2))
	switch w.rng.IntN(20) {
	case 0, 1:
		name = "go/invoke"
	case 2:
		name = "go/wake"
	case 3:
		w.node.Signal(fmt.Sprint("sig", w.rng.IntN(4)))
		return
	}
	w.sendNamed(name)
}

func (w *flowWorld) sendNamed(name string) {
	w.n++
	data := flowData{N: w.n, K: w.rng.IntN(4), S: []string{"a", "b", "7"}[w.rng.IntN(3)], P: w.rng.IntN(10) - 5}
	if w.rng.IntN(20) == 0 {
		data.P *= 100_000 // beyond the bounds
	}
	if w.frail() && w.rng.IntN(3) == 0 {
		data.Long = strings.Repeat("x", 1000)
	}
	raw, _ := json.Marshal(data)
	ev := &event.Event{InternalID: ids.Derive(w.now, []byte(fmt.Sprint(w.seed, w.n))), Name: []byte(name), Data: raw, TS: w.now, ReceivedAt: w.now}
	if w.rng.IntN(8) == 0 {
		ev.ID = fmt.Append(nil, "user-id-", w.rng.IntN(20)) // may be a repeated one
	}
	switch w.rng.IntN(15) {
	case 0:
		ev.TS += int64(w.rng.IntN(3000)) // starts in the future
	case 1:
		ev.TS -= int64(w.rng.IntN(3000)) // came late
	}
	se := &flowEvent{data: data, name: name}
	w.sent[w.n] = se
	w.store.AppendAsync(ev.AppendRecord(nil), 1, func(err error) { se.acked = err == nil })
}

// Call implements engine.Transport: user code begins.
func (w *flowWorld) Call(c *engine.Call, done func(engine.Result)) {
	f := w.byID[c.Fn.ID]
	call := w.begin(c.Ref)
	if call == nil {
		return
	}
	if f.mode == engine.ModePaused {
		w.errorf("call of %s, which is paused", call.run)
	}
	call.config, call.decided = f.configs[c.Fn.Version-1], int64(c.RequestID.Time())
	w.checkCall(call)
	events, err := flowEvents(c.Events...)
	if err != nil || !slices.Equal(events, call.run.events) {
		w.errorf("call of %s has events %v, want %v: %v", call.run, events, call.run.events, err)
	}
	res := w.answer(f, c)
	if w.curse(c.Ref.RunID) {
		res = engine.Result{Error: "internal error: broken", ErrorCode: engine.CodeFault}
	} else if w.faults {
		switch w.rng.IntN(25) {
		case 0:
			res = engine.Result{Error: "Unable to reach SDK URL"}
		case 1:
			res = engine.Result{Status: 500, Error: "invalid status code: 500", NoRetry: w.rng.IntN(4) == 0}
		}
	}
	res.Ref = c.Ref
	node := w.node
	goesOn := !w.faults && len(res.Ops) == 1 && res.Ops[0].Code == engine.OpStepRun && !strings.Contains(f.script, "p")
	lives := call.run.lives
	call.deliver = func() {
		call.run.ready = goesOn && lives == call.run.lives
		done(res)
		if w.faults && w.rng.IntN(10) == 0 && w.node == node {
			done(res) // the same answer twice
		}
	}
}

// Gateway implements engine.Transport.
func (w *flowWorld) Gateway(g *engine.GatewayCall, done func(engine.GatewayResult)) {
	if call := w.begin(g.Ref); call != nil {
		call.deliver = func() { done(engine.GatewayResult{Ref: g.Ref, Data: []byte(`{"body":"x"}`)}) }
	}
}

// begin notes a call in flight.
func (w *flowWorld) begin(ref engine.CallRef) *flowCall {
	w.ledger.read(ref.Partition)
	r := w.ledger.runs[ref.RunID]
	if r == nil {
		w.errorf("call of run %s, which was never scheduled", ref.RunID)
		return nil
	}
	r.ready = false
	call := &flowCall{run: r, partition: ref.Partition, at: w.now + int64(w.rng.IntN(300))}
	w.calls = append(w.calls, call)
	return call
}

// complete lets a random call answer.
func (w *flowWorld) complete() {
	if len(w.calls) > 0 {
		w.deliver(w.rng.IntN(len(w.calls)))
	}
}

func (w *flowWorld) deliver(i int) {
	c := w.calls[i]
	w.calls = slices.Delete(w.calls, i, i+1)
	w.now = max(w.now, c.at)
	c.deliver()
}

// settle ends all faults and lets time pass, from one thing that is due to the next,
// until nothing is left to do.
func (w *flowWorld) settle() {
	w.faults = false
	w.activate()
	w.quiesce()
	w.settled = w.now
	for range 100_000 {
		w.quiesce()
		w.checkWaiting()
		if w.t.Failed() {
			return
		}
		next := w.node.Due()
		if next > w.now+w.horizon().Milliseconds() {
			next = 0
		}
		first := -1
		for i, c := range w.calls {
			if first < 0 || c.at < w.calls[first].at {
				first = i
			}
		}
		switch {
		case first >= 0 && (next == 0 || w.calls[first].at <= next):
			w.deliver(first)
		case next == 0:
			return
		default:
			w.now = max(w.now, next)
		}
	}
	w.errorf("the engine does not come to rest")
}

// quiesce does all that can be done without time passing.
func (w *flowWorld) quiesce() {
	for range 100_000 {
		busy := w.node.Work()
		for w.store.Step() {
			busy = true
		}
		if !busy || w.t.Failed() {
			return
		}
	}
	w.errorf("the engine is busy for ever")
}
