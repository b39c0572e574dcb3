package engine_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/storage/memstore"

	"github.com/oklog/ulid/v2"
)

// desk runs an engine by hand, with virtual time, and answers calls from a script.
type desk struct {
	t       *testing.T
	now     int64
	store   *memstore.Store
	node    *engine.SimNode
	cat     *engine.Catalog
	conf    engine.Config
	handler func(c *engine.Call) engine.Result
	gateway func(g *engine.GatewayCall) engine.GatewayResult
	calls   []*engine.Call
	queue   []func()
	seq     int
}

const deskStart = int64(1_700_000_000_000) // 2023-11-14T22:13:20Z

// newDesk starts an engine with functions given as stored configurations, in
// short: slug, then further JSON fields.
func newDesk(t *testing.T, handler func(c *engine.Call) engine.Result, fns ...string) *desk {
	t.Helper()
	d := &desk{t: t, now: deskStart, handler: handler, store: memstore.New(1, memstore.Options{Partitions: 3})}
	sys, err := d.store.Partition(engine.SystemPartition)
	if err != nil {
		t.Fatal(err)
	}
	if d.cat, err = engine.OpenCatalog(sys); err != nil {
		t.Fatal(err)
	}
	d.define(fns...)
	d.conf = engine.Config{Store: d.store, Catalog: d.cat, Transport: d, RetryInterval: time.Second, History: true,
		Now: func() int64 { return d.now }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	d.open()
	return d
}

func (d *desk) define(fns ...string) {
	d.t.Helper()
	err := d.cat.Update(func(tx *engine.Tx) error {
		for _, f := range fns {
			slug, rest, _ := strings.Cut(f, " ")
			if rest == "" {
				rest = `"triggers":[{"event":"` + slug + `"}]`
			}
			def := fmt.Sprintf(`{"slug":%q,"name":%q,"steps":[{"id":"step","name":"step","uri":"http://x","retries":2}],%s}`, slug, slug, rest)
			fn, err := function.Restore(function.Identity{ID: ids.UUIDv5([]byte(slug)), AppName: "desk", Version: 1}, json.RawMessage(def))
			if err != nil {
				return err
			}
			tx.PutFunction(fn)
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// open starts an engine on the store; a second time it is a restart.
func (d *desk) open() {
	d.t.Helper()
	var err error
	d.queue = nil
	if d.node, err = engine.NewSimNode(d.conf, 0); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) Call(c *engine.Call, done func(engine.Result)) {
	d.calls = append(d.calls, c)
	res := d.handler(c)
	if res.Status == -1 {
		return // never answers
	}
	res.Ref = c.Ref
	d.queue = append(d.queue, func() { done(res) })
}

func (d *desk) Gateway(g *engine.GatewayCall, done func(engine.GatewayResult)) {
	res := engine.GatewayResult{Data: []byte(`{"status_code":200}`)}
	if d.gateway != nil {
		res = d.gateway(g)
	}
	res.Ref = g.Ref
	d.queue = append(d.queue, func() { done(res) })
}

// send appends an event to the log and lets the engine work.
func (d *desk) send(name, data string, change ...func(*event.Event)) ulid.ULID {
	d.t.Helper()
	ev := d.event(name, data)
	for _, f := range change {
		f(ev)
	}
	if err := d.store.Log().Append(ev.AppendRecord(nil), 1); err != nil {
		d.t.Fatal(err)
	}
	d.work()
	return ev.InternalID
}

// event makes an event with an id of its own.
func (d *desk) event(name, data string) *event.Event {
	d.seq++
	return &event.Event{InternalID: ids.Derive(d.now, []byte(fmt.Sprint(d.seq))), Name: []byte(name), Data: []byte(data), TS: d.now, ReceivedAt: d.now}
}

// work runs everything that can be done at this time.
func (d *desk) work() {
	d.t.Helper()
	for range 100_000 {
		busy := d.node.Work()
		for len(d.queue) > 0 {
			f := d.queue[0]
			d.queue = d.queue[1:]
			f()
			busy = true
		}
		if !busy || d.node.Failed() != nil {
			return
		}
	}
	d.t.Fatal("the engine does not come to rest")
}

// pass lets time go by, stopping wherever something is due.
func (d *desk) pass(by time.Duration) {
	d.t.Helper()
	end := d.now + by.Milliseconds()
	for {
		next := end
		if at := d.node.Due(); at != 0 && at < next {
			next = at
		}
		d.now = max(d.now, next)
		d.work()
		if d.now >= end {
			return
		}
	}
}

// of returns the calls of a function so far.
func (d *desk) of(slug string) []*engine.Call {
	var out []*engine.Call
	for _, c := range d.calls {
		if c.Fn.Slug == slug {
			out = append(out, c)
		}
	}
	return out
}

func (d *desk) wantCalls(slug string, n int) []*engine.Call {
	d.t.Helper()
	got := d.of(slug)
	if len(got) != n {
		d.t.Fatalf("%d calls of %s, want %d", len(got), slug, n)
	}
	return got
}

// history returns the lifecycle records of all partitions, in each one's order.
func (d *desk) history() []engine.Lifecycle {
	d.t.Helper()
	var out []engine.Lifecycle
	for i := range d.node.Partitions() {
		ps, err := d.store.Partition(i)
		if err != nil {
			d.t.Fatal(err)
		}
		err = ps.Scan(engine.TableHistory, nil, nil, func(_, v []byte) bool {
			err := engine.DecodeLifecycle(append([]byte(nil), v...), func(l *engine.Lifecycle) error {
				out = append(out, *l)
				return nil
			})
			if err != nil {
				d.t.Error(err)
			}
			return true
		})
		if err != nil {
			d.t.Fatal(err)
		}
	}
	return out
}

// ended returns the status and payload of the only run of a function that has ended.
func (d *desk) ended(slug string) (engine.LifecycleKind, string) {
	d.t.Helper()
	var kind engine.LifecycleKind
	var payload string
	for _, l := range d.history() {
		if l.Fn == ids.UUIDv5([]byte(slug)) && l.Kind >= engine.RunCompleted && l.Kind <= engine.RunCancelled {
			if kind != 0 {
				d.t.Fatalf("two runs of %s have ended", slug)
			}
			kind, payload = l.Kind, string(l.Payload)
		}
	}
	return kind, payload
}

func (d *desk) wantEnd(slug string, kind engine.LifecycleKind, payload string) {
	d.t.Helper()
	k, p := d.ended(slug)
	if k != kind || p != payload {
		d.t.Errorf("run of %s ended with %d %s, want %d %s", slug, k, p, kind, payload)
	}
}

// wantClean checks that nothing is left of any run.
func (d *desk) wantClean() {
	d.t.Helper()
	for _, s := range engine.Leftovers(d.store) {
		d.t.Errorf("left in the store: %s", s)
	}
	if s := d.node.InMemory(); s != "" {
		d.t.Errorf("left in memory: %s", s)
	}
}

// script answers each call of any function with the next result.
func script(results ...engine.Result) func(*engine.Call) engine.Result {
	return func(*engine.Call) engine.Result {
		if len(results) == 0 {
			return engine.Result{Status: 200, Output: []byte(`"end"`)}
		}
		r := results[0]
		results = results[1:]
		return r
	}
}

func op(code engine.Opcode, id, opts string) engine.Op {
	o := engine.Op{Code: code, ID: id}
	if opts != "" {
		o.Opts = []byte(opts)
	}
	return o
}

func memoOf(c *engine.Call, step string) string {
	for _, s := range c.Steps {
		if s.ID == step {
			return string(s.Memo)
		}
	}
	return "none"
}
