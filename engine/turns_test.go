package engine_test

import (
	"fmt"
	"testing"

	"ingot/engine"
	"ingot/storage/memstore"

	"github.com/oklog/ulid/v2"
)

// What the turns of keys are for: runs are ended rather than ever more begun, in about the
// order that they came in, and yet no key starves.

const keyedFunction = `f "triggers":[{"event":"f"}],"concurrency":{"step":[{"limit":4},{"limit":4,"key":"event.data.k"}]}`

// TestRunsAreEnded gives many keys a run of many steps each: those that have begun go on,
// instead of others that begin.
func TestRunsAreEnded(t *testing.T) {
	t.Parallel()
	for _, perKey := range []int{1, 30} {
		const runs, steps = 300, 12
		h := newHand(t, 64, 0, keyedFunction)
		for i := range runs {
			h.send("f", fmt.Sprintf(`{"k":%d}`, i/perKey))
		}
		begun, ended, most := map[ulid.ULID]bool{}, 0, 0
		for len(h.held) > 0 {
			for _, c := range h.made {
				begun[c.Ref.RunID] = true
			}
			h.made = nil
			most = max(most, len(begun)-ended)
			if n := len(h.held[0].Steps); n < steps {
				h.answer(0, ops(2, ran(fmt.Sprint("s", n))))
				continue
			}
			ended++
			h.answer(0, finalResult())
		}
		// As many keys as a run has calls have one that goes on, and four are called.
		if ended != runs || most > steps+1+2*4 {
			t.Errorf("%d runs of each key: %d have ended, up to %d had begun at a time", perKey, ended, most)
		}
		h.wantClean()
	}
}

// TestNewKeysDoNotStarve keeps some keys busy for ever: a new one waits for one turn of each.
func TestNewKeysDoNotStarve(t *testing.T) {
	t.Parallel()
	const busy = 25
	h := newHand(t, 64, 0, keyedFunction)
	for k := range busy {
		h.send("f", fmt.Sprintf(`{"k":%d}`, k))
	}
	goOn := func() { h.answer(0, ops(2, ran(fmt.Sprint("s", len(h.held[0].Steps))))) }
	for range 10 * busy { // until all have begun
		goOn()
	}
	for i := range 5 {
		h.send("f", fmt.Sprintf(`{"k":"new-%d"}`, i))
		h.made = nil
		called := func() bool {
			for _, c := range h.made {
				if contains(c, fmt.Sprintf("new-%d", i)) {
					return true
				}
			}
			return false
		}
		for !called() {
			if len(h.made) > 2*busy {
				t.Fatalf("new key %d waits while %d others are called", i, len(h.made))
			}
			goOn()
		}
	}
}

// TestKeysStartInTheOrderOfArrival gives a few keys many runs of uneven length, in turn: they
// start about as they came, however much each key has to go on with.
func TestKeysStartInTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	const keys, each = 5, 200
	h := newHand(t, 2*each, 0, keyedFunction)
	at := map[string]int{}
	for i := range keys * each {
		h.send("f", fmt.Sprintf(`{"k":%d,"n":"<%d>"}`, i%keys, i))
		at[fmt.Sprintf("<%d>", i)] = i
	}
	started, begun, off := 0, map[ulid.ULID]bool{}, 0
	for len(h.held) > 0 {
		for _, c := range h.made {
			if id := c.Ref.RunID; !begun[id] {
				begun[id] = true
				for text, i := range at {
					if contains(c, text) {
						off = max(off, i-started, started-i)
						delete(at, text)
					}
				}
				started++
			}
		}
		h.made = nil
		c := h.held[0]
		if n := len(c.Steps); n < (int(c.Ref.RunID[15])+int(c.Ref.RunID[14]))%7 {
			h.answer(0, ops(2, ran(fmt.Sprint("s", n))))
			continue
		}
		h.answer(0, finalResult())
	}
	if started != keys*each || off > 8*keys {
		t.Errorf("%d have started, some %d places from where they came", started, off)
	}
	h.wantClean()
}

// searches counts what is asked of a store for runs.
type searches struct {
	*memstore.Store
	gets, scans int
}

type searchedPartition struct {
	engine.PartitionStore
	s *searches
}

func (s *searches) Partition(i int) (engine.PartitionStore, error) {
	ps, err := s.Store.Partition(i)
	return &searchedPartition{ps, s}, err
}

func (p *searchedPartition) Get(t engine.Table, keys [][]byte, fn func(int, []byte)) error {
	if t == engine.TableRun {
		p.s.gets += len(keys)
	}
	return p.PartitionStore.Get(t, keys, fn)
}

func (p *searchedPartition) Scan(t engine.Table, from, to []byte, fn func(k, v []byte) bool) error {
	if t == engine.TableRun {
		p.s.scans++
	}
	return p.PartitionStore.Scan(t, from, to, fn)
}

// TestQueuedRunsAreReadTogether restarts with runs that wait, of one key, of some, and of one
// each: hardly any is looked for by itself.
func TestQueuedRunsAreReadTogether(t *testing.T) {
	t.Parallel()
	const runs = 3000
	for _, keys := range []int{1, 7, runs} {
		h := newHand(t, 0, 0, keyedFunction)
		for i := range runs {
			h.now += int64(i % 2)
			h.send("f", fmt.Sprintf(`{"k":%d}`, i%keys))
		}
		s := &searches{Store: h.store}
		h.conf.Store = s
		h.restart()
		s.gets, s.scans = 0, 0 // a restart reads what it must
		ended := 0
		for ; len(h.held) > 0; ended++ {
			h.answer(0, finalResult())
		}
		if ended != runs || s.gets+s.scans > runs/10 {
			t.Errorf("%d keys: %d runs have ended, with %d searches and %d scans", keys, ended, s.gets, s.scans)
		}
		h.wantClean()
	}
}
