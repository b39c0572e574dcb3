package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/storage/memstore"

	"github.com/oklog/ulid/v2"
)

// TestBulkGoesOn: a cancellation with a name goes on after a restart, and its count too.
func TestBulkGoesOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(*engine.Call) engine.Result { return engine.Result{Status: -1} },
		`f "triggers":[{"event":"e"}],"concurrency":[{"limit":1}]`)
	const runs = 900
	for i := range runs {
		d.send("e", fmt.Sprintf(`{"n":%d}`, i))
	}
	d.now += 1000
	var progress atomic.Int64
	b := engine.BulkCancel{Fn: idOf("f"), Before: d.now, If: "event.data.n >= 100", ID: ids.New(d.now), Progress: &progress}
	ask := func() func() (int, error) {
		c := b
		return d.node.CancelBulk(&c)
	}
	count := ask()
	for progress.Load() == 0 {
		d.node.Work()
	}
	if n := progress.Load(); n >= runs-100 {
		t.Fatalf("%d runs are cancelled at once", n)
	}
	if _, err := count(); err == nil {
		t.Fatal("it has ended")
	}
	d.open()
	d.send("e", `{"n":1000}`) // too late to be meant
	for range 2 {
		progress.Store(0)
		count = ask()
		d.work()
		if n, err := count(); n != runs-100 || err != nil || progress.Load() != int64(n) {
			t.Fatalf("%d runs are cancelled, %v, with progress %d; want %d", n, err, progress.Load(), runs-100)
		}
		d.open()
		d.work()
	}
	cancelled := 0
	for _, l := range d.history() {
		if l.Kind == engine.RunCancelled {
			cancelled++
		}
	}
	if backlog := d.node.Stats().Backlog; cancelled != runs-100 || backlog != 101 {
		t.Errorf("%d runs are cancelled, %d left", cancelled, backlog)
	}
}

// TestReplayOnce: a replay with a name is made once, also when its run has ended and the
// server has been started again.
func TestReplayOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sequenced, `f`, `g`)
	d.send("f", `{"a":1}`)
	first := d.wantCalls("f", 3)
	name := ids.New(d.now)
	replay := func(slug string, once ulid.ULID) error {
		t.Helper()
		err := d.node.Replay(&engine.Replay{RunID: engine.NewReplayID(d.now, idOf(slug)), Fn: idOf(slug), Events: first[0].Events, Once: once})
		d.work()
		return err()
	}
	if err := replay("f", name); err != nil {
		t.Fatal(err)
	}
	d.wantCalls("f", 6)
	for range 2 {
		if err := replay("f", name); !errors.Is(err, engine.ErrRunExists) {
			t.Errorf("the same replay again: %v", err)
		}
		d.open()
		d.work()
	}
	for _, err := range []error{replay("g", name), replay("f", ids.New(d.now)), replay("f", ulid.ULID{}), replay("f", ulid.ULID{})} {
		if err != nil {
			t.Errorf("another replay: %v", err)
		}
	}
	d.pass(25 * time.Hour)
	if err := replay("f", name); err != nil {
		t.Errorf("a name that is forgotten: %v", err)
	}
	d.pass(25 * time.Hour)
	d.wantClean()
}

// TestJobs: records of operators outlast the catalog that they were given to.
func TestJobs(t *testing.T) {
	t.Parallel()
	ps, err := memstore.New(1, memstore.Options{}).Partition(engine.SystemPartition)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *engine.Catalog {
		c, err := engine.OpenCatalog(ps)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b := ids.New(1), ids.New(2)
	c := open()
	for _, err := range []error{c.SaveJob(b, []byte("b")), c.SaveJob(a, []byte("a")), c.SaveJob(a, []byte("aa"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	all := func(c *engine.Catalog) (got []string) {
		err := c.Jobs(func(id ulid.ULID, record []byte) { got = append(got, fmt.Sprint(id.Time(), " ", string(record))) })
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := all(open()); !slices.Equal(got, []string{"1 aa", "2 b"}) {
		t.Errorf("got %q", got)
	}
	if err := c.SaveJob(a, nil); err != nil {
		t.Fatal(err)
	}
	if got := all(c); !slices.Equal(got, []string{"2 b"}) {
		t.Errorf("got %q", got)
	}
}
