package e2e

import (
	"bytes"
	"net/http"
	"testing"

	"ingot/engine"
	"ingot/storage/pebble"
)

type deadLetter struct {
	ID, Kind, Reason string
	RunID            string `json:"run_id"`
	Bytes            int
}

// TestOperateDeadLetters takes a function whose runs sleep out of the store: they become
// dead letters, hold up nobody, outlast a kill -9, cannot be redriven as long as the
// function is gone, and go on where they were once it is back.
func TestOperateDeadLetters(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	o.sendAll(fnNap, keys("k", 5)...)
	o.await("all sleep", func() bool { return o.calls(fnNap) == 5 && o.function(fnNap).Backlog == 0 })
	o.damage(func(i int, ps engine.PartitionStore, b engine.Batch) error {
		return ps.Scan(engine.TableApp, nil, nil, func(k, v []byte) bool {
			if bytes.Contains(v, []byte(`"operate-nap"`)) {
				b.Delete(engine.TableApp, k)
			}
			return true
		})
	})
	list := func() []deadLetter { return do[[]deadLetter](o, http.MethodGet, "/v1/dead-letters", nil) }
	o.await("their sleep is over", func() bool { return len(list()) == 5 })
	o.sendAll(fnWork, keys("other", 3)...)
	o.awaitEnds(fnWork, keys("other", 3)...)

	before := list()
	o.kill()
	after := list()
	if len(after) != 5 {
		t.Fatalf("%d dead letters after a restart, want 5", len(after))
	}
	for i, d := range after {
		if d != before[i] || d.Kind != "run" || d.RunID == "" || d.Bytes == 0 || d.Reason != "its function is not registered" {
			t.Errorf("dead letter %d: %+v, before the restart %+v", i, d, before[i])
		}
	}
	if page := do[[]deadLetter](o, http.MethodGet, "/v1/dead-letters?limit=2&cursor="+after[1].ID, nil); len(page) != 2 || page[0] != after[2] || page[1] != after[3] {
		t.Errorf("a page of two behind the second: %+v", page)
	}
	o.request(http.StatusConflict, http.MethodPost, "/v1/dead-letters/"+after[0].ID+"/redrive", nil, nil)
	if many := do[redriven](o, http.MethodPost, "/v1/dead-letters/redrive", nil); many != (redriven{0, 5}) {
		t.Errorf("redrive of all without the function: %+v", many)
	}

	o.register(fnWork, fnWait, fnIdle) // what is the same as before is not looked at
	o.register(fnWork, fnNap, fnWait, fnIdle)
	do[any](o, http.MethodPost, "/v1/dead-letters/"+after[0].ID+"/redrive", nil)
	o.awaitEnds(fnNap, o.keyOf(after[0].RunID))
	o.request(http.StatusNoContent, http.MethodDelete, "/v1/dead-letters/"+after[1].ID, nil, nil)
	o.request(http.StatusNotFound, http.MethodPost, "/v1/dead-letters/"+after[1].ID+"/redrive", nil, nil)
	if many := do[redriven](o, http.MethodPost, "/v1/dead-letters/redrive", nil); many != (redriven{3, 0}) {
		t.Errorf("redrive of all: %+v", many)
	}
	o.awaitEnds(fnNap, o.keyOf(after[0].RunID), o.keyOf(after[2].RunID), o.keyOf(after[3].RunID), o.keyOf(after[4].RunID))
	if n := o.calls(fnNap); n != 5+4 {
		t.Errorf("%d calls, want 9: redriven runs go on where they were", n)
	}
	o.kill()
	if left := list(); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

// TestOperateDamagedRun: a record that cannot be read is a dead letter, and nothing else
// suffers.
func TestOperateDamagedRun(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	o.sendAll(fnWait, "a", "b", "c")
	o.await("all wait", func() bool { return o.calls(fnWait) == 3 && o.function(fnWait).Backlog == 0 })
	n := 0
	o.damage(func(_ int, ps engine.PartitionStore, b engine.Batch) error {
		return ps.Scan(engine.TableRun, nil, nil, func(k, _ []byte) bool {
			if n++; n == 2 {
				b.Put(engine.TableRun, k, []byte("damaged"))
			}
			return true
		})
	})
	o.request(http.StatusOK, http.MethodPost, "/e/test", map[string]any{"name": "operate/go", "data": map[string]string{}}, nil)
	o.await("two have ended", func() bool { return len(o.ended(fnWait)) == 2 })
	list := do[[]deadLetter](o, http.MethodGet, "/v1/dead-letters", nil)
	if len(list) != 1 || list[0].Kind != "run" || list[0].Bytes != len("damaged") || list[0].Reason == "" {
		t.Fatalf("dead letters: %+v", list)
	}
	o.request(http.StatusConflict, http.MethodPost, "/v1/dead-letters/"+list[0].ID+"/redrive", nil, nil)
	o.request(http.StatusNoContent, http.MethodDelete, "/v1/dead-letters/"+list[0].ID, nil, nil)
	o.sendAll(fnWork, "after")
	o.awaitEnds(fnWork, "after")
}

// damage changes the store while the server is down: after a kill -9, before the next start.
func (o *operated) damage(change func(partition int, ps engine.PartitionStore, b engine.Batch) error) {
	o.t.Helper()
	o.p.Kill()
	store, err := pebble.Open(o.dir, pebble.Options{})
	if err != nil {
		o.t.Fatal(err)
	}
	for i := engine.SystemPartition; i < store.Partitions(); i++ {
		ps, err := store.Partition(i)
		if err != nil {
			o.t.Fatal(err)
		}
		b := ps.NewBatch()
		if err := change(i, ps, b); err != nil {
			o.t.Fatal(err)
		}
		done := make(chan error, 1)
		ps.Commit(b, func(err error) { done <- err })
		if err := <-done; err != nil {
			o.t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		o.t.Fatal(err)
	}
	o.start()
}

type redriven struct{ Redriven, Failed int }

// keyOf is the key of the event of a run that the app has seen.
func (o *operated) keyOf(run string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, calls := range o.seen {
		for _, c := range calls {
			if c.Run == run {
				return c.Key
			}
		}
	}
	o.t.Errorf("the app has not seen run %s", run)
	return ""
}
