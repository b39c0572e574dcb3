package engine_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// Runs that wait without a lane of their own (alone.go): order, turns and limits must be
// as if each key had its lane.

// keyWorld checks every call of one function against a model of its queue, in which the
// runs of a key go by score, whatever they have been through.
type keyWorld struct {
	*hand
	rng      *rand.Rand
	waiting  map[ulid.ULID]keyed
	inFlight map[ulid.ULID]keyed
	// limit is the function's limit, ofKey that of each key in the configuration; 0 is none.
	limit, ofKey int
	seen         int
}

// keyed is a run of a key; key is -1 for one that was made while the function had none.
// counted says that its call was made under a limit of the key: calls that were made
// before there was one do not count.
type keyed struct {
	queued
	key     int
	counted bool
}

const keyedKeys = 5

func (w *keyWorld) config() string {
	key := ""
	if w.ofKey > 0 {
		key = fmt.Sprintf(`,{"limit":%d,"key":"event.data.k"}`, w.ofKey)
	}
	return fmt.Sprintf(`f "triggers":[{"event":"f"}],"priority":{"run":"int(event.data.p)"},"concurrency":{"step":[{"limit":%d}%s]}`, w.limit, key)
}

// send starts a run of a random key, at a time of its own.
func (w *keyWorld) send() {
	w.now += 1 + int64(w.rng.IntN(1500))
	key, p := w.rng.IntN(keyedKeys), 0
	if w.rng.IntN(4) == 0 {
		p = w.rng.IntN(7) - 3
	}
	w.hand.send("f", fmt.Sprintf(`{"k":%d,"p":%d}`, key, p))
	if w.ofKey == 0 {
		key = -1
	}
	all := w.history()
	for _, l := range all[w.seen:] {
		if l.Kind == engine.RunScheduled {
			w.waiting[l.Run] = keyed{queued: queued{l.Run, int64(l.Run.Time()) - 1000*int64(p), 0}, key: key}
		}
	}
	w.seen = len(all)
}

// answer ends a call: its run ends, goes on, or sleeps.
func (w *keyWorld) answer(seed uint64) {
	i := w.rng.IntN(len(w.held))
	c := w.held[i]
	r := w.inFlight[c.Ref.RunID]
	delete(w.inFlight, r.id)
	switch step := len(c.Steps); {
	case step >= 4 || w.rng.IntN(3) == 0:
		w.hand.answer(i, finalResult())
	case w.rng.IntN(4) > 0:
		w.waiting[r.id] = r
		w.hand.answer(i, ops(2, ran(fmt.Sprint("s", step))))
	default:
		w.hand.answer(i, ops(2, engine.Op{Code: engine.OpSleep, ID: fmt.Sprint("z", step), Name: "1ms"}))
		w.check(seed)
		w.waiting[r.id] = r
		w.pass(time.Millisecond)
	}
}

func (w *keyWorld) restart() {
	for id, r := range w.inFlight {
		w.waiting[id] = r
	}
	clear(w.inFlight)
	w.hand.restart()
}

func (w *keyWorld) count(key int) (n int) {
	for _, r := range w.inFlight {
		if r.key == key && r.counted {
			n++
		}
	}
	return n
}

// check compares what was called since the last time with the model.
func (w *keyWorld) check(seed uint64) {
	w.t.Helper()
	for _, c := range w.made {
		r, ok := w.waiting[c.Ref.RunID]
		if !ok {
			w.t.Fatalf("seed %d: call of %v, which does not wait", seed, c.Ref.RunID)
		}
		for _, other := range w.waiting {
			if other.key == r.key && byScore(other.queued, r.queued) < 0 {
				w.t.Fatalf("seed %d: call of %v, before %v of its key", seed, r, other)
			}
		}
		delete(w.waiting, r.id)
		r.counted = w.ofKey > 0
		w.inFlight[r.id] = r
		if n := w.count(r.key); len(w.inFlight) > w.limit || w.ofKey > 0 && r.key >= 0 && n > w.ofKey {
			w.t.Fatalf("seed %d: %d calls in flight, %d of the key, want at most %d and %d", seed, len(w.inFlight), n, w.limit, w.ofKey)
		}
	}
	w.made = nil
	for _, r := range w.waiting {
		if len(w.inFlight) < w.limit && (w.ofKey == 0 || r.key < 0 || w.count(r.key) < w.ofKey) {
			w.t.Fatalf("seed %d: %v waits with %d calls in flight of %d, %d of its key of %d", seed, r, len(w.inFlight), w.limit, w.count(r.key), w.ofKey)
		}
	}
}

// cancel ends a run that waits, which leaves its entry in memory.
func (w *keyWorld) cancel() {
	var ids []ulid.ULID
	for id := range w.waiting {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return
	}
	slices.SortFunc(ids, ulid.ULID.Compare)
	id := ids[w.rng.IntN(len(ids))]
	delete(w.waiting, id)
	w.node.Cancel(id)
	w.work()
}

// TestOrderWithinKeys sends, answers, cancels, restarts and configures at random, with more
// runs than memory holds as guests, and checks every call.
func TestOrderWithinKeys(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 5))
		w := &keyWorld{rng: rng, waiting: map[ulid.ULID]keyed{}, inFlight: map[ulid.ULID]keyed{}, limit: 1 + rng.IntN(4), ofKey: 1 + rng.IntN(3)}
		w.hand = newHand(t, 2+rng.IntN(4), 0, w.config())
		changes := rng.IntN(2) == 0
		for range 100 {
			switch n := rng.IntN(20); {
			case n < 10:
				w.send()
			case n < 17 && len(w.held) > 0:
				w.answer(seed)
			case n < 18:
				w.cancel()
			case n < 19:
				w.restart()
			case changes:
				w.ofKey = rng.IntN(4)
				w.configure(w.config())
			}
			w.check(seed)
		}
		for len(w.held) > 0 {
			w.answer(seed)
			w.check(seed)
		}
		if len(w.waiting) > 0 {
			t.Fatalf("seed %d: %d runs are left", seed, len(w.waiting))
		}
		w.wantClean()
	}
}

// TestAloneKeepsItsPlace checks that a key keeps its turn when it gets a lane.
func TestAloneKeepsItsPlace(t *testing.T) {
	t.Parallel()
	h := newHand(t, 4, 0, `f "triggers":[{"event":"f"}],"concurrency":{"step":[{"limit":1},{"limit":5,"key":"event.data.k"}]}`)
	for _, k := range []string{"x", "a", "b", "c", "a", "a", "b", "d"} {
		h.now++
		h.send("f", fmt.Sprintf(`{"k":%q}`, k))
	}
	h.made = nil
	for len(h.held) > 0 {
		h.answer(0, finalResult())
	}
	got := ""
	for _, c := range h.made {
		for _, k := range []string{"a", "b", "c", "d"} {
			if contains(c, fmt.Sprintf("%q", k)) {
				got += k
			}
		}
	}
	if want := "abcdaba"; got != want {
		t.Errorf("keys are called in the order %s, want %s", got, want)
	}
	h.wantClean()
}

// wantKeys compares the keys of the calls that have been made since the last time.
func (h *hand) wantKeys(want string) {
	h.t.Helper()
	got := ""
	for _, c := range h.made {
		var ev struct{ Data struct{ K string } }
		if err := json.Unmarshal(c.Events[0], &ev); err != nil {
			h.t.Fatal(err)
		}
		got += ev.Data.K
	}
	if h.made = nil; got != want {
		h.t.Errorf("calls of %q, want %q", got, want)
	}
}

func (h *hand) sendKeys(keys string) {
	h.t.Helper()
	for _, k := range keys {
		h.now++
		h.send("f", fmt.Sprintf(`{"k":"%c"}`, k))
	}
}

// answerKey answers a call of a key.
func (h *hand) answerKey(key string, res engine.Result) {
	h.t.Helper()
	i := slices.IndexFunc(h.held, func(c handCall) bool { return contains(c.Call, fmt.Sprintf("%q", key)) })
	if i < 0 {
		h.t.Fatalf("no call of %q is under way", key)
	}
	h.answer(i, res)
}

// TestSingleCallsCount checks that the only run of its key needs no gate, that its call counts
// for those that come meanwhile, and that its own further calls do.
func TestSingleCallsCount(t *testing.T) {
	t.Parallel()
	h := newHand(t, 4, 0, `f "triggers":[{"event":"f"}],"concurrency":{"step":[{"limit":1,"key":"event.data.k"}]}`)
	h.sendKeys("abc")
	h.answerKey("b", ops(2, ran("s")))
	h.wantKeys("abcb")
	if got := h.node.InMemory(); !strings.Contains(got, " 0 gates") {
		t.Errorf("in memory: %s; want no gates", got)
	}
	h.answerKey("c", ops(2, engine.Op{Code: engine.OpStepPlanned, ID: "s"}, engine.Op{Code: engine.OpStepPlanned, ID: "t"}))
	h.wantKeys("c") // one of the two
	h.sendKeys("aba")
	h.wantKeys("")
	h.answerKey("b", finalResult())
	h.wantKeys("b")
	h.answerKey("c", ops(2, ran("s")))
	h.wantKeys("c")
	for _, want := range []string{"a", "a", ""} {
		h.answerKey("a", finalResult())
		h.wantKeys(want)
	}
	h.answerKey("b", finalResult())
	h.answerKey("c", finalResult())
	h.wantKeys("")
	h.wantClean()
}

// TestSingleOfAnotherKey checks that what was known of a run without a lane is not taken for
// that of another key, which has its memory now.
func TestSingleOfAnotherKey(t *testing.T) {
	t.Parallel()
	h := newHand(t, 4, 0, `f "triggers":[{"event":"f"}],"concurrency":{"step":[{"limit":1,"key":"event.data.k"}]}`)
	h.sendKeys("a")
	h.answerKey("a", ops(2, engine.Op{Code: engine.OpSleep, ID: "z", Name: "1s"}))
	h.sendKeys("b")
	h.wantKeys("ab")
	h.now += 1000
	h.answerKey("b", finalResult()) // in the same round a wakes
	h.wantKeys("a")
	h.sendKeys("a")
	h.wantKeys("")
	for _, want := range []string{"a", ""} {
		h.answerKey("a", finalResult())
		h.wantKeys(want)
	}
	h.wantClean()
}

// TestEntryOfAnotherKey checks that an entry that names a lane that is not its run's changes
// nothing of how many calls of a key there are.
func TestEntryOfAnotherKey(t *testing.T) {
	t.Parallel()
	h := newHand(t, 4, 0, `f "triggers":[{"event":"f"}],"concurrency":{"step":[{"limit":2},{"limit":1,"key":"event.data.k"}]}`)
	h.sendKeys("xya")
	h.store.Flush()
	entries := make([]map[string][]byte, h.node.Partitions())
	n := 0
	h.change(func(i int, ps engine.PartitionStore, b engine.Batch) {
		entries[i] = map[string][]byte{}
		_ = ps.Scan(engine.TableReady, nil, nil, func(k, v []byte) bool {
			entries[i][string(k)] = slices.Clone(v)
			b.Delete(engine.TableReady, slices.Clone(k))
			n++
			return true
		})
	})
	if n != 3 {
		t.Fatalf("%d entries of the ready index, want 3", n)
	}
	h.change(func(i int, _ engine.PartitionStore, b engine.Batch) { // keys of this table are put once
		for k, v := range entries[i] {
			v[len(v)-1]++
			b.Put(engine.TableReady, []byte(k), v)
		}
	})
	h.made = nil
	h.restart()
	h.wantKeys("xy")
	h.answerKey("x", finalResult())
	h.wantKeys("a")
	h.sendKeys("a")
	h.answerKey("y", finalResult())
	h.wantKeys("")
	h.answerKey("a", finalResult())
	h.wantKeys("a")
	h.answerKey("a", finalResult())
	h.wantClean()
}
