package engine_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/storage/memstore"

	"github.com/oklog/ulid/v2"
)

// The simulator: the whole engine on one goroutine, with virtual time, a store
// that can lose power at any moment, and user code that fails, repeats itself and
// answers late. Everything follows from the seed.

var (
	simSeeds = flag.Int("sim.seeds", 2000, "number of seeds to simulate")
	simSeed  = flag.Uint64("sim.seed", 0, "simulate only this seed")
)

func TestSimulation(t *testing.T) { overSeeds(t, *simSeeds, simulate) }

// overSeeds simulates so many seeds, or the one that was asked for.
func overSeeds(t *testing.T, n int, simulate func(*testing.T, uint64)) {
	t.Helper()
	if testing.Short() {
		n = min(n, 100)
	}
	if *simSeed != 0 {
		simulate(t, *simSeed)
		return
	}
	for seed := uint64(1); seed <= uint64(n); seed++ {
		simulate(t, seed)
		if t.Failed() {
			t.Fatalf("replay with: go test ./engine -run '%s$' -sim.seed %d -v", t.Name(), seed)
		}
	}
	t.Logf("%d seeds", n)
}

// simCall is a call on its way through user code.
type simCall struct {
	at      int64
	call    *engine.Call
	gateway *engine.GatewayCall
	deliver func()
}

// simRun is what user code has seen of one run.
type simRun struct {
	fn    string
	steps []engine.Step // the longest stack seen
	// due is, by step, the earliest time at which its memo may be seen.
	due map[string]int64
}

type simEvent struct {
	name  string
	acked bool
	fns   []string // that must run
}

type world struct {
	t     *testing.T
	seed  uint64
	rng   *rand.Rand
	now   int64
	store *memstore.Store
	cats  *memstore.Store
	node  *engine.SimNode
	calls []simCall
	acks  []func()

	events   map[string]*simEvent            // by id
	started  map[string]map[string]ulid.ULID // by function, by event id
	ever     map[string]bool                 // by function and event id
	runs     map[ulid.ULID]*simRun
	finished map[string]int // finished events seen, by run id
	inFlight map[string]int // by function
	n        int
	faults   bool
	// lossy is the interval sync policy: a power cut takes back the last commits, and
	// with them steps that were seen, but never an acknowledged event.
	lossy bool
}

// simFn is a function of the simulated app.
type simFn struct {
	slug, trigger string
	limit         int
	cancel        bool
	answer        func(w *world, c *engine.Call, r *simRun) engine.Result
}

var simFns = []simFn{
	{slug: "seq", trigger: "t/seq", answer: sequence(3)},
	{slug: "long", trigger: "t/*", answer: sequence(1)},
	{slug: "limited", trigger: "t/limited", limit: 2, answer: sequence(2)},
	{slug: "par1", trigger: "t/par", answer: parallel(1)},
	{slug: "par2", trigger: "t/par", answer: parallel(2)},
	{slug: "sleepy", trigger: "t/sleepy", answer: sleepy},
	{slug: "waiter", trigger: "t/waiter", answer: waiter},
	{slug: "invoker", trigger: "t/invoker", answer: invoker},
	{slug: "signal", trigger: "t/signal", answer: signalled},
	{slug: "stopped", trigger: "t/stopped", cancel: true, answer: sleepy},
	{slug: "gate", trigger: "t/gate", answer: gateway},
	{slug: "ckpt", trigger: "t/ckpt", answer: checkpointed},
	{slug: "watch", trigger: event.NameFunctionFinished, answer: watch},
}

func simulate(t *testing.T, seed uint64) {
	w := &world{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), now: 1_700_000_000_000,
		events: map[string]*simEvent{}, started: map[string]map[string]ulid.ULID{},
		ever: map[string]bool{}, runs: map[ulid.ULID]*simRun{}, finished: map[string]int{}, inFlight: map[string]int{}, faults: true,
	}
	mode := memstore.Manual
	if w.lossy = seed%4 == 0; w.lossy {
		mode = memstore.Interval
	}
	w.store = memstore.New(seed, memstore.Options{Partitions: 1 + w.rng.IntN(3), Mode: mode})
	w.cats = memstore.New(0, memstore.Options{})
	w.register()
	w.boot()
	for range 150 + w.rng.IntN(250) {
		w.act()
		if t.Failed() {
			return
		}
	}
	w.settle()
}

func (w *world) errorf(format string, args ...any) {
	w.t.Errorf("seed %d, time +%d ms: %s", w.seed, w.now-1_700_000_000_000, fmt.Sprintf(format, args...))
}

func (w *world) register() {
	sys, _ := w.cats.Partition(engine.SystemPartition)
	cat, err := engine.OpenCatalog(sys)
	if err != nil {
		w.t.Fatal(err)
	}
	err = cat.Update(func(tx *engine.Tx) error {
		for _, f := range simFns {
			def := fmt.Sprintf(`{"slug":%q,"name":%q,"triggers":[{"event":%q}],"steps":[{"id":"step","name":"step","uri":"http://x","retries":3}]`, f.slug, f.slug, f.trigger)
			if f.limit > 0 {
				def += fmt.Sprintf(`,"concurrency":{"step":[{"limit":%d}]}`, f.limit)
			}
			if f.cancel {
				def += `,"cancel":[{"event":"go/stop","if":"event.data.k == async.data.k"}]`
			}
			fn, err := function.Restore(function.Identity{ID: ids.UUIDv5([]byte(f.slug)), AppName: "sim", Version: 1}, json.RawMessage(def+"}"))
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

// boot starts an engine on what the store holds.
func (w *world) boot() {
	sys, _ := w.cats.Partition(engine.SystemPartition)
	cat, err := engine.OpenCatalog(sys)
	if err != nil {
		w.t.Fatal(err)
	}
	w.calls, w.acks = nil, nil
	clear(w.inFlight)
	w.node, err = engine.NewSimNode(engine.Config{
		Store: w.store, Catalog: cat, Transport: w, RetryInterval: 700 * time.Millisecond,
		MaxInFlight: 1 + w.rng.IntN(20), History: true,
		Now: func() int64 { return w.now }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, 1+w.rng.IntN(6))
	if err != nil {
		w.t.Fatalf("seed %d: %v", w.seed, err)
	}
}

// act does one random thing that may happen now.
func (w *world) act() {
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
	case n < 80:
		w.complete()
	case n < 92:
		w.send()
	case n < 95:
		w.now += int64(w.rng.IntN(2000))
	case n < 96:
		w.cancelSome()
	case n < 97:
		w.node.Signal(fmt.Sprint("sig", w.rng.IntN(3)))
	case n < 98:
		w.crash()
	case n < 99:
		w.trip()
	}
	if err := w.node.Failed(); err != nil {
		w.errorf("engine failed: %v", err)
	}
}

// trip lets a partition panic in the middle of a round. Answers of its calls are lost.
func (w *world) trip() {
	i := w.rng.IntN(w.node.Partitions())
	w.store.Flush()
	w.node.Trip(i, 1+w.rng.IntN(8), 1+w.rng.IntN(12), 1, func() {
		calls := w.calls
		w.calls = nil
		for _, c := range calls {
			switch {
			case c.call != nil && c.call.Ref.Partition == i:
				w.inFlight[c.call.Fn.Slug]--
			case c.gateway != nil && c.gateway.Ref.Partition == i:
				w.inFlight["gate"]--
			default:
				w.calls = append(w.calls, c)
			}
		}
	})
}

func (w *world) crash() {
	w.store = w.store.Crash()
	if w.lossy {
		clear(w.started)
		clear(w.finished)
		for _, r := range w.runs {
			r.steps = nil
			clear(r.due)
		}
	}
	w.boot()
}

func (w *world) cancelSome() {
	for _, id := range slices.SortedFunc(maps.Keys(w.runs), ulid.ULID.Compare) {
		if w.rng.IntN(len(w.runs)) == 0 {
			w.node.Cancel(id)
			return
		}
	}
}

// send sends an event of the client; it is acknowledged when the store says so.
func (w *world) send() {
	kinds := []string{"t/seq", "t/limited", "t/par", "t/sleepy", "t/waiter", "t/invoker", "t/signal", "t/stopped", "t/gate", "t/ckpt", "go/wake", "go/stop"}
	w.n++
	id := ids.Derive(w.now, []byte(fmt.Sprint(w.seed, w.n)))
	ev := &event.Event{InternalID: id, Name: []byte(kinds[w.rng.IntN(len(kinds))]),
		Data: fmt.Appendf(nil, `{"k":%d}`, w.rng.IntN(4)), TS: w.now, ReceivedAt: w.now}
	key := id.String()
	if w.rng.IntN(5) == 0 {
		key = fmt.Sprint("user-id-", w.rng.IntN(30)) // may be a repeated one
		ev.ID = []byte(key)
	}
	if w.rng.IntN(20) == 0 {
		ev.TS = w.now + int64(w.rng.IntN(3000)) // starts in the future
	}
	se := w.events[key]
	if se == nil {
		se = &simEvent{name: string(ev.Name)}
		w.events[key] = se
	}
	var fns []string
	for _, f := range simFns {
		if f.trigger == string(ev.Name) || (f.trigger == "t/*" && ev.Name[0] == 't') {
			fns = append(fns, f.slug)
		}
	}
	w.store.AppendAsync(ev.AppendRecord(nil), 1, func(err error) {
		if err == nil {
			se.acked = true
			se.fns = append(se.fns, fns...)
		}
	})
}

// Call implements engine.Transport: user code begins.
func (w *world) Call(c *engine.Call, done func(engine.Result)) {
	slug := c.Fn.Slug
	w.inFlight[slug]++
	if f := fnBySlug(slug); f.limit > 0 && w.inFlight[slug] > f.limit {
		w.errorf("%d calls of %s in flight, limit %d", w.inFlight[slug], slug, f.limit)
	}
	r := w.observe(c)
	node := w.node
	res := fnBySlug(slug).answer(w, c, r)
	if w.faults {
		switch w.rng.IntN(25) {
		case 0:
			res = engine.Result{Error: "Unable to reach SDK URL"}
		case 1:
			res = engine.Result{Status: 500, Error: "invalid status code: 500", Output: []byte(`{"name":"Error","message":"boom"}`), NoRetry: w.rng.IntN(4) == 0}
		}
	}
	res.Ref = c.Ref
	w.calls = append(w.calls, simCall{at: w.now + int64(w.rng.IntN(300)), call: c, deliver: func() {
		w.inFlight[slug]--
		w.noteSleep(r, &res)
		done(res)
		if w.faults && w.rng.IntN(10) == 0 && w.node == node {
			done(res) // the same answer twice
		}
	}})
}

// noteSleep remembers when a sleep may end at the earliest.
func (w *world) noteSleep(r *simRun, res *engine.Result) {
	for i := range res.Ops {
		op := &res.Ops[i]
		if op.Code == engine.OpSleep {
			d, _ := time.ParseDuration(op.Name)
			if _, ok := r.due[op.ID]; !ok {
				r.due[op.ID] = w.now + d.Milliseconds()
			}
		}
	}
}

// Gateway implements engine.Transport.
func (w *world) Gateway(g *engine.GatewayCall, done func(engine.GatewayResult)) {
	res := engine.GatewayResult{Ref: g.Ref, Data: []byte(`{"body":"x"}`)}
	if w.faults && w.rng.IntN(4) == 0 {
		res = engine.GatewayResult{Ref: g.Ref, Error: []byte(`{"message":"no","name":"GatewayError"}`)}
	}
	w.inFlight["gate"]++
	w.calls = append(w.calls, simCall{at: w.now + int64(w.rng.IntN(300)), gateway: g, deliver: func() {
		w.inFlight["gate"]--
		done(res)
	}})
}

// complete lets a random call answer.
func (w *world) complete() {
	if len(w.calls) == 0 {
		return
	}
	i := w.rng.IntN(len(w.calls))
	c := w.calls[i]
	w.calls = append(w.calls[:i], w.calls[i+1:]...)
	w.now = max(w.now, c.at)
	c.deliver()
}

// observe checks what a call shows of its run against what was seen before.
func (w *world) observe(c *engine.Call) *simRun {
	slug := c.Fn.Slug
	var ev struct {
		ID   string
		Data struct {
			RunID string `json:"run_id"`
		}
	}
	if len(c.Events) != 1 || json.Unmarshal(c.Events[0], &ev) != nil {
		w.errorf("call of %s without its event", slug)
	}
	byEvent := w.started[slug]
	if byEvent == nil {
		byEvent = map[string]ulid.ULID{}
		w.started[slug] = byEvent
	}
	if id, ok := byEvent[ev.ID]; ok && id != c.Ref.RunID {
		w.errorf("event %s started %s twice: runs %s and %s", ev.ID, slug, id, c.Ref.RunID)
	}
	byEvent[ev.ID] = c.Ref.RunID
	w.ever[slug+ev.ID] = true
	r := w.runs[c.Ref.RunID]
	if r == nil {
		r = &simRun{fn: slug, due: map[string]int64{}}
		w.runs[c.Ref.RunID] = r
		if slug == "watch" {
			w.finished[ev.Data.RunID]++
		}
	}
	for i, s := range c.Steps {
		if i < len(r.steps) && (r.steps[i].ID != s.ID || string(r.steps[i].Memo) != string(s.Memo)) {
			w.errorf("step %d of run %s changed from %s=%s to %s=%s", i, c.Ref.RunID, r.steps[i].ID, r.steps[i].Memo, s.ID, s.Memo)
		}
		if due := r.due[s.ID]; w.now < due {
			w.errorf("step %s of run %s ended %d ms early", s.ID, c.Ref.RunID, due-w.now)
		}
	}
	if len(c.Steps) < len(r.steps) {
		w.errorf("run %s lost steps: %d were seen, now %d", c.Ref.RunID, len(r.steps), len(c.Steps))
	}
	r.steps = c.Steps
	if c.StepID != "step" {
		for _, s := range c.Steps {
			if s.ID == c.StepID {
				w.errorf("finished step %s of run %s is to run again", s.ID, c.Ref.RunID)
			}
		}
	}
	return r
}

// settle ends all faults and lets time pass until nothing is left to do.
func (w *world) settle() {
	w.faults = false
	for range 200_000 {
		if w.t.Failed() {
			return
		}
		busy := w.node.Work()
		for w.store.Step() {
			busy = true
		}
		if len(w.calls) > 0 {
			w.complete()
			busy = true
		}
		if busy {
			continue
		}
		next := w.node.Due()
		if next == 0 || next > w.now+(20*time.Hour).Milliseconds() {
			w.verify()
			return
		}
		w.now = max(w.now, next)
	}
	w.errorf("the engine does not come to rest")
}

func (w *world) verify() {
	for id, ev := range w.events {
		for _, slug := range ev.fns {
			if _, ok := w.ever[slug+id]; !ok && ev.acked && !fnBySlug(slug).cancel {
				w.errorf("acknowledged event %s (%s) never started %s", id, ev.name, slug)
			}
		}
	}
	for id, r := range w.runs {
		if n := w.finished[id.String()]; n != 1 && r.fn != "watch" && !w.lossy {
			w.errorf("run %s of %s was announced as finished %d times", id, r.fn, n)
		}
	}
	for _, s := range engine.Leftovers(w.store) {
		w.errorf("left in the store: %s", s)
	}
	if s := w.node.InMemory(); s != "" {
		w.errorf("left in memory: %s", s)
	}
}

func fnBySlug(slug string) *simFn {
	for i := range simFns {
		if simFns[i].slug == slug {
			return &simFns[i]
		}
	}
	panic("no function " + slug)
}

// What the functions do.

func has(c *engine.Call, step string) bool {
	for _, s := range c.Steps {
		if s.ID == step {
			return true
		}
	}
	return false
}

func ops(version int, list ...engine.Op) engine.Result {
	return engine.Result{Status: 206, RequestVersion: version, Ops: append([]engine.Op{}, list...)}
}

func ran(id string) engine.Op {
	return engine.Op{Code: engine.OpStepRun, ID: id, Data: []byte(`"` + id + `"`)}
}

func finalResult() engine.Result { return engine.Result{Status: 200, Output: []byte(`"done"`)} }

func sequence(n int) func(*world, *engine.Call, *simRun) engine.Result {
	return func(w *world, c *engine.Call, _ *simRun) engine.Result {
		for i := range n {
			id := fmt.Sprint("s", i)
			if has(c, id) {
				continue
			}
			if w.faults && w.rng.IntN(6) == 0 {
				return ops(2, engine.Op{Code: engine.OpStepError, ID: id, Error: []byte(`{"message":"no","name":"Error"}`)})
			}
			return ops(2, ran(id))
		}
		return finalResult()
	}
}

func parallel(version int) func(*world, *engine.Call, *simRun) engine.Result {
	return func(_ *world, c *engine.Call, _ *simRun) engine.Result {
		if c.StepID != "step" {
			return ops(version, ran(c.StepID))
		}
		var missing []engine.Op
		for _, id := range []string{"p0", "p1", "p2"} {
			if !has(c, id) {
				missing = append(missing, engine.Op{Code: engine.OpStepPlanned, ID: id})
			}
		}
		switch {
		case len(missing) > 0:
			return ops(version, missing...)
		case has(c, "join"):
			return finalResult()
		case c.DisableImmediate:
			return ops(version, engine.Op{Code: engine.OpStepPlanned, ID: "join"})
		}
		return ops(version, ran("join"))
	}
}

func sleepy(_ *world, c *engine.Call, _ *simRun) engine.Result {
	switch {
	case !has(c, "a"):
		return ops(2, ran("a"))
	case !has(c, "z"):
		return ops(2, engine.Op{Code: engine.OpSleep, ID: "z", Name: fmt.Sprint(int(c.Ref.RunID[15])*20, "ms")})
	case !has(c, "b"):
		return ops(2, ran("b"))
	}
	return finalResult()
}

func waiter(_ *world, c *engine.Call, _ *simRun) engine.Result {
	if !has(c, "w") {
		return ops(2, engine.Op{Code: engine.OpWaitForEvent, ID: "w", Name: "go/wake",
			Opts: []byte(`{"event":"go/wake","if":"event.data.k == async.data.k","timeout":"4s"}`)})
	}
	return finalResult()
}

func invoker(_ *world, c *engine.Call, _ *simRun) engine.Result {
	if !has(c, "i") {
		return ops(2, engine.Op{Code: engine.OpInvokeFunction, ID: "i", Opts: []byte(`{"function_id":"seq","payload":{"data":{"k":1}},"timeout":"1h"}`)})
	}
	if !has(c, "u") {
		return ops(2, engine.Op{Code: engine.OpInvokeFunction, ID: "u", Opts: []byte(`{"function_id":"nobody","payload":{},"timeout":"1h"}`)})
	}
	return finalResult()
}

func signalled(_ *world, c *engine.Call, _ *simRun) engine.Result {
	if !has(c, "g") {
		var ev struct{ Data struct{ K int } }
		_ = json.Unmarshal(c.Events[0], &ev)
		return ops(2, engine.Op{Code: engine.OpWaitForSignal, ID: "g", Opts: fmt.Appendf(nil, `{"signal":"sig%d","timeout":"3s"}`, ev.Data.K)})
	}
	return finalResult()
}

func gateway(_ *world, c *engine.Call, _ *simRun) engine.Result {
	if !has(c, "f") {
		return ops(2, engine.Op{Code: engine.OpGateway, ID: "f", Opts: []byte(`{"url":"http://y"}`)})
	}
	return finalResult()
}

func checkpointed(w *world, c *engine.Call, r *simRun) engine.Result {
	for _, id := range []string{"c0", "c1"} {
		if !has(c, id) && c.Attempt == 0 && w.rng.IntN(2) == 0 {
			w.node.Checkpoint(&engine.Checkpoint{RunID: c.Ref.RunID, JobID: c.JobID, Ops: []engine.Op{ran(id)}})
		} else if !has(c, id) {
			return ops(2, ran(id))
		}
	}
	return ops(2, engine.Op{Code: engine.OpRunComplete, ID: "0737", Data: []byte(`{"ok":true}`)})
}

func watch(*world, *engine.Call, *simRun) engine.Result { return finalResult() }
