package rerun_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/internal/rerun"
	"ingot/storage/history"
	"ingot/storage/memstore"

	"github.com/oklog/ulid/v2"
)

var (
	fn    = ids.UUIDv5([]byte("fn"))
	run   = ulid.ULID{5: 1, 15: 1}
	first = ulid.ULID{5: 1, 15: 2}
	event = ulid.ULID{5: 1, 15: 3}
	other = ulid.ULID{5: 1, 15: 4}
)

func hash(name string) string {
	sum := sha1.Sum([]byte(name))
	return hex.EncodeToString(sum[:])
}

// past is a read model with one run; the methods of the nil interface are not called.
type past struct {
	history.Reader
	run     history.Run
	records []engine.Lifecycle
	events  []history.Event
}

func (p *past) Run(_ context.Context, id ulid.ULID) (*history.Run, error) {
	if id != p.run.ID {
		return nil, history.ErrNotFound
	}
	return &p.run, nil
}

func (p *past) Traces(_ context.Context, list []ulid.ULID) ([]history.Trace, error) {
	if list[0] != p.run.ID {
		return nil, nil
	}
	return []history.Trace{{Run: p.run, Records: p.records}}, nil
}

func (p *past) EventsByID(context.Context, []ulid.ULID) ([]history.Event, error) {
	return p.events, nil
}

// newPast has a run of the steps one (done in the first call), two (planned) and two more
// of the same name, the second of which sleeps.
func newPast() *past {
	p := &past{
		run: history.Run{ID: run, Function: fn, Status: history.Completed, QueuedAt: 1, Events: []ulid.ULID{event, other}, Batch: true},
		events: []history.Event{
			{ID: other, Name: "b", TS: 2, V: "v", ExternalID: "mine"},
			{ID: event, Name: "a", TS: 1, Data: []byte(`{"y":1,"x":2}`), User: []byte(`{"u":1}`), Sessions: []byte(`{"chat":"7"}`)},
		},
	}
	at := int64(1)
	add := func(l engine.Lifecycle) {
		at += 10
		l.At, l.Run, l.Fn = at, run, fn
		p.records = append(p.records, l)
	}
	call := func(job uint32, step string, flags engine.LifecycleFlags) {
		add(engine.Lifecycle{Kind: engine.CallStarted, Job: job, Step: step, Flags: flags})
		add(engine.Lifecycle{Kind: engine.CallEnded, Job: job, Started: at - 5, Duration: 1e6, Status: 206, Count: 1})
	}
	add(engine.Lifecycle{Kind: engine.RunScheduled, Events: p.run.Events})
	add(engine.Lifecycle{Kind: engine.RunStarted})
	call(1, "", engine.FlagDiscovery)
	add(engine.Lifecycle{Kind: engine.StepCompleted, Op: engine.OpStepRun, Step: hash("one"), Name: "one", Payload: []byte(`{"data":1}`), Job: 1})
	call(2, hash("one"), engine.FlagDiscovery)
	add(engine.Lifecycle{Kind: engine.StepPlanned, Op: engine.OpStepPlanned, Step: hash("two"), Name: "two"})
	call(3, hash("two"), 0)
	add(engine.Lifecycle{Kind: engine.StepCompleted, Op: engine.OpStepRun, Step: hash("two"), Name: "two", Payload: []byte(`{"data":2}`), Job: 3})
	call(4, hash("two"), engine.FlagDiscovery)
	for _, name := range []string{"z", "z:1"} {
		add(engine.Lifecycle{Kind: engine.StepSleeping, Op: engine.OpSleep, Step: hash(name), Name: "z", Due: at + 5})
		add(engine.Lifecycle{Kind: engine.StepCompleted, Step: hash(name), Payload: []byte("null")})
	}
	add(engine.Lifecycle{Kind: engine.RunCompleted, Payload: []byte("3")})
	return p
}

// recorder keeps the replay that is asked for.
type recorder struct {
	got *engine.Replay
	err error
}

func (r *recorder) Replay(_ context.Context, c *engine.Replay) error {
	r.got = c
	return r.err
}

func catalog(t *testing.T) *engine.Catalog {
	t.Helper()
	ps, err := memstore.New(1, memstore.Options{}).Partition(engine.SystemPartition)
	if err != nil {
		t.Fatal(err)
	}
	c, err := engine.OpenCatalog(ps)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Update(func(tx *engine.Tx) error {
		tx.PutFunction(&function.Function{ID: fn, Slug: "app-fn", MaxAttempts: 1, Config: []byte(`{"id":"x"}`)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhole(t *testing.T) {
	t.Parallel()
	to := &recorder{}
	id, err := rerun.From(t.Context(), newPast(), catalog(t), to, run, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := to.got
	if c.RunID != id || id == run || c.Fn != fn || c.Original != run || c.Steps != nil || c.Step != "" || c.Input.ID != "" {
		t.Errorf("%+v", c)
	}
	// As functions see them, and in the run's order.
	want := fmt.Sprintf(`[{"data":{"x":2,"y":1},"id":%q,"meta":{"sessions":{"chat":"7"}},"name":"a","ts":1,"user":{"u":1}} {"data":{},"id":"mine","name":"b","ts":2,"user":{},"v":"v"}]`, event)
	if got := fmt.Sprintf("%s", c.Events); got != want {
		t.Errorf("events %s, want %s", got, want)
	}
	if fmt.Sprint(c.EventIDs) != fmt.Sprint([]ulid.ULID{event, other}) {
		t.Errorf("ids %v", c.EventIDs)
	}
}

// TestChain: a rerun of a rerun names the first run.
func TestChain(t *testing.T) {
	t.Parallel()
	p, to := newPast(), &recorder{}
	p.run.Original = first
	if _, err := rerun.From(t.Context(), p, catalog(t), to, run, nil); err != nil || to.got.Original != first {
		t.Errorf("%+v %v", to.got, err)
	}
}

func TestFromStep(t *testing.T) {
	t.Parallel()
	one := engine.Step{ID: hash("one"), Memo: []byte(`{"data":1}`)}
	two := engine.Step{ID: hash("two"), Memo: []byte(`{"data":2}`)}
	for _, c := range []struct {
		step  rerun.Step
		memos []engine.Step
		call  string
		input string
	}{
		{rerun.Step{ID: "one"}, nil, hash("one"), ""},
		{rerun.Step{ID: hash("two"), Input: []byte(` [ 1, {"b":1,"a":2} ]`)}, []engine.Step{one}, hash("two"), `{"input":[1,{"a":2,"b":1}]}`},
		{rerun.Step{ID: hash("z:1")}, []engine.Step{one, two, {ID: hash("z"), Memo: []byte("null")}}, "", ""},
	} {
		to := &recorder{}
		if _, err := rerun.From(t.Context(), newPast(), catalog(t), to, run, &c.step); err != nil {
			t.Errorf("%s: %v", c.step.ID, err)
			continue
		}
		if got := fmt.Sprintf("%s", to.got.Steps); got != fmt.Sprintf("%s", c.memos) {
			t.Errorf("%s: memos %s, want %s", c.step.ID, got, c.memos)
		}
		if to.got.Step != c.call || string(to.got.Input.Memo) != c.input {
			t.Errorf("%s: calls %q with %s, want %q with %s", c.step.ID, to.got.Step, to.got.Input.Memo, c.call, c.input)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		id     ulid.ULID
		step   *rerun.Step
		change func(*past)
		err    error
	}{
		"no such run":           {other, nil, nil, history.ErrNotFound},
		"no such run, a step":   {other, &rerun.Step{ID: "one"}, nil, history.ErrNotFound},
		"no such step":          {run, &rerun.Step{ID: "nope"}, nil, rerun.ErrStepNotFound},
		"two of that name":      {run, &rerun.Step{ID: "z"}, nil, rerun.ErrStepAmbiguous},
		"input is an object":    {run, &rerun.Step{ID: "one", Input: []byte(`{}`)}, nil, rerun.ErrInput},
		"input is cut off":      {run, &rerun.Step{ID: "one", Input: []byte(`[1`)}, nil, rerun.ErrInput},
		"input is empty":        {run, &rerun.Step{ID: "one", Input: []byte{}}, nil, rerun.ErrInput},
		"an event is gone":      {run, nil, func(p *past) { p.events = p.events[:1] }, rerun.ErrNoEvents},
		"there are no events":   {run, nil, func(p *past) { p.run.Events = nil }, rerun.ErrNoEvents},
		"the function is gone":  {run, &rerun.Step{ID: "one"}, func(p *past) { p.run.Function = ids.UUID{1} }, engine.ErrFunctionNotFound},
		"the function is gone2": {run, nil, func(p *past) { p.run.Function = ids.UUID{1} }, engine.ErrFunctionNotFound},
	} {
		p, to := newPast(), &recorder{}
		if c.change != nil {
			c.change(p)
		}
		if _, err := rerun.From(t.Context(), p, catalog(t), to, c.id, c.step); !errors.Is(err, c.err) || to.got != nil {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
	to := &recorder{err: engine.ErrSkipped}
	if _, err := rerun.From(t.Context(), newPast(), catalog(t), to, run, nil); !errors.Is(err, engine.ErrSkipped) {
		t.Error(err)
	}
}
