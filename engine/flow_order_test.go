package engine_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// The order in which queued work starts: priority, fairness between keys and
// functions, and throttles to the millisecond.

// hand is user code whose calls are answered one by one by the test.
type hand struct {
	*desk
	window int
	held   []handCall
	made   []*engine.Call // since the last time that made was cleared
}

type handCall struct {
	*engine.Call
	done func(engine.Result)
}

func newHand(t *testing.T, window, maxInFlight int, fns ...string) *hand {
	t.Helper()
	h := &hand{desk: newDesk(t, nil, fns...), window: window}
	h.conf.Transport, h.conf.MaxInFlight = h, maxInFlight
	h.restart()
	return h
}

// restart starts the engine anew; what is in flight is called again.
func (h *hand) restart() {
	h.t.Helper()
	h.held = nil
	var err error
	if h.node, err = engine.NewSimNode(h.conf, h.window); err != nil {
		h.t.Fatal(err)
	}
	h.work()
}

func (h *hand) Call(c *engine.Call, done func(engine.Result)) {
	h.held = append(h.held, handCall{c, done})
	h.made = append(h.made, c)
}

// answer answers the held call i and lets the engine work.
func (h *hand) answer(i int, res engine.Result) {
	h.t.Helper()
	c := h.held[i]
	h.held = slices.Delete(h.held, i, i+1)
	res.Ref = c.Ref
	c.done(res)
	h.work()
}

// queued is a run that waits, in the model: its time less its priority, and its place
// among the runs of one millisecond.
type queued struct {
	id          ulid.ULID
	score, tick int64
}

func byScore(a, b queued) int {
	return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.tick, b.tick), a.id.Compare(b.id))
}

// TestPriorityOrder builds a queue behind a limit and checks every call against the
// order of scores, also across restarts (spec 03 §21.8).
func TestPriorityOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 3))
		limit := 1 + rng.IntN(3)
		h := newHand(t, 1+rng.IntN(5), 0, fmt.Sprintf(`f "triggers":[{"event":"f"}],"concurrency":{"step":[{"limit":%d}]},"priority":{"run":"int(event.data.p)"}`, limit))
		prios := map[ulid.ULID]int64{} // by event
		for range limit + rng.IntN(30) {
			p := int64(rng.IntN(20) - 10)
			if rng.IntN(8) == 0 {
				p *= 100_000 // beyond the bounds of ±12 h
			}
			prios[h.send("f", fmt.Sprintf(`{"p":%d}`, p))] = min(max(p, -43_200), 43_200)
			if rng.IntN(3) > 0 {
				h.now += int64(rng.IntN(3000))
			}
		}
		runs := map[ulid.ULID]queued{}
		var waiting []queued
		var ms uint64
		var tick int64
		for _, l := range h.history() {
			if l.Kind != engine.RunScheduled {
				continue
			}
			if tick++; l.Run.Time() != ms {
				ms, tick = l.Run.Time(), 0
			}
			q := queued{l.Run, int64(ms) - 1000*prios[l.Events[0]], tick}
			runs[q.id] = q
			if !slices.ContainsFunc(h.held, func(c handCall) bool { return c.Ref.RunID == q.id }) {
				waiting = append(waiting, q)
			}
		}
		h.made = nil
		for len(h.held) > 0 {
			if rng.IntN(20) == 0 {
				for _, c := range h.held {
					waiting = append(waiting, runs[c.Ref.RunID])
				}
				h.restart()
			} else {
				i := rng.IntN(len(h.held))
				c := h.held[i]
				res := engine.Result{Status: 200, Output: []byte(`1`)}
				if len(c.Steps) < 2 && rng.IntN(2) == 0 {
					res = ops(2, ran(fmt.Sprint("s", len(c.Steps))))
					waiting = append(waiting, runs[c.Ref.RunID])
				}
				h.answer(i, res)
			}
			slices.SortFunc(waiting, byScore)
			for _, c := range h.made {
				if len(waiting) == 0 || waiting[0].id != c.Ref.RunID {
					t.Fatalf("seed %d: call of %v, want the first of %v", seed, runs[c.Ref.RunID], waiting)
				}
				waiting = waiting[1:]
			}
			if len(h.held) < limit && len(waiting) > 0 {
				t.Fatalf("seed %d: %d calls in flight of %d, while %d runs wait", seed, len(h.held), limit, len(waiting))
			}
			h.made = nil
		}
		h.wantClean()
	}
}

// eventOf returns the id of a run's only event.
// TestKeysTakeTurns checks that a key with a long queue does not hold up others of
// its function, whatever the order of their scores.
func TestKeysTakeTurns(t *testing.T) {
	t.Parallel()
	for _, limits := range []string{
		`[{"limit":2},{"limit":2,"key":"event.data.k"}]`,
		`[{"limit":1},{"limit":5,"key":"event.data.k"}]`,
	} {
		h := newHand(t, 4, 0, `f "triggers":[{"event":"f"}],"concurrency":{"step":`+limits+`}`)
		for range 200 {
			h.send("f", `{"k":"many"}`)
		}
		h.send("f", `{"k":"one"}`)
		h.made = nil
		calls := h.callsUntil(func(c *engine.Call) bool { return contains(c, `"one"`) }, 300)
		if calls > 4 {
			t.Errorf("limits %s: the single run of its key was called after %d others", limits, calls)
		}
		// A new key comes before a queue of continuing runs, too.
		for len(h.held) > 0 && len(h.made) < 20 {
			h.answer(0, ops(2, ran(fmt.Sprint("s", len(h.held[0].Steps)))))
		}
		h.send("f", `{"k":"other"}`)
		h.made = nil
		if calls := h.callsUntil(func(c *engine.Call) bool { return contains(c, `"other"`) }, 300); calls > 4 {
			t.Errorf("limits %s: a new key was called after %d others", limits, calls)
		}
	}
}

// TestManyKeysTakeTurns checks that keys with equal queues advance together, closely
// if all of them are in memory.
func TestManyKeysTakeTurns(t *testing.T) {
	t.Parallel()
	manyKeysTakeTurns(t, 8, 3)
	manyKeysTakeTurns(t, 2, 8)
}

func manyKeysTakeTurns(t *testing.T, window, apart int) {
	t.Helper()
	const keys, each = 20, 15
	h := newHand(t, window, 0, `f "triggers":[{"event":"f"}],"concurrency":{"step":[{"limit":3},{"limit":2,"key":"event.data.k"}]}`)
	for k := range keys {
		for range each {
			h.send("f", fmt.Sprintf(`{"k":"<%d>"}`, k))
		}
	}
	calls := make([]int, keys)
	for len(h.held) > 0 {
		for _, c := range h.made {
			for k := range keys {
				if contains(c, fmt.Sprintf("<%d>", k)) {
					calls[k]++
				}
			}
		}
		h.made = nil
		least, most := slices.Min(calls), slices.Max(calls)
		if most < each && most-least > apart {
			t.Fatalf("window %d: one key was called %d times, another %d: %v", window, most, least, calls)
		}
		h.answer(0, engine.Result{Status: 200})
	}
	h.wantClean()
}

// TestFunctionsTakeTurns checks that a function with a backlog does not delay
// another's first call by more than a turn.
func TestFunctionsTakeTurns(t *testing.T) {
	t.Parallel()
	h := newHand(t, 4, 1, "a", "b", "c")
	for range 100 {
		h.send("a", `{}`)
		h.send("b", `{}`)
	}
	h.send("c", `{}`)
	h.made = nil
	if calls := h.callsUntil(func(c *engine.Call) bool { return c.Fn.Slug == "c" }, 300); calls > 4 {
		t.Errorf("the only run of its function was called after %d others", calls)
	}
}

// callsUntil ends the oldest call again and again until one is made that is wanted,
// and returns how many were made before it.
func (h *hand) callsUntil(wanted func(*engine.Call) bool, most int) int {
	h.t.Helper()
	for n := 0; n < most; {
		for _, c := range h.made {
			if wanted(c) {
				return n
			}
			n++
		}
		h.made = nil
		if len(h.held) == 0 {
			h.t.Fatal("the call was never made")
		}
		h.answer(0, engine.Result{Status: 200})
	}
	h.t.Fatalf("%d other calls were made", most)
	return 0
}

func contains(c *engine.Call, text string) bool { return strings.Contains(string(c.Events[0]), text) }

// TestThrottleToTheMillisecond checks in a quiet world that each start is made when
// the model admits it: neither before, nor later than the next millisecond.
func TestThrottleToTheMillisecond(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 4))
		limit, burst, period := 1+rng.IntN(9), rng.IntN(4), time.Duration(1000+rng.IntN(4000))*time.Millisecond
		key := ""
		if rng.IntN(2) == 0 {
			key = `,"key":"event.data.k"`
		}
		d := newDesk(t, script(), fmt.Sprintf(`f "triggers":[{"event":"f"}],"throttle":{"limit":%d,"burst":%d,"period":"%s"%s}`, limit, burst, period, key))
		var want, got [3][]int64 // starts by key
		var models [3]engine.RefGCRA
		keys := map[ulid.ULID]int{} // by event
		for range 1 + rng.IntN(60) {
			if rng.IntN(3) == 0 {
				d.pass(time.Duration(rng.IntN(int(period/1e6))) * time.Millisecond)
			}
			k := rng.IntN(3)
			id := d.send("f", fmt.Sprintf(`{"k":%d}`, k))
			if key == "" {
				k = 0
			}
			keys[id] = k
			at := (models[k].Next(d.now*1e6, limit, period, limit+burst) + 999_999) / 1e6
			models[k].Take(at*1e6, limit, period, limit+burst)
			want[k] = append(want[k], at-deskStart)
		}
		d.pass(time.Hour)
		runs := map[ulid.ULID]int{}
		for _, l := range d.history() {
			switch l.Kind {
			case engine.RunScheduled:
				runs[l.Run] = keys[l.Events[0]]
			case engine.RunStarted:
				got[runs[l.Run]] = append(got[runs[l.Run]], l.At-deskStart)
			}
		}
		for k := range want {
			if !slices.Equal(got[k], want[k]) {
				t.Errorf("seed %d: %d+%d per %s: starts at %v ms, want %v", seed, limit, burst, period, got[k], want[k])
			}
		}
		d.wantClean()
	}
}
