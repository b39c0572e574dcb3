package engine_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ingot/engine"
)

// keyOf is the number k of a call's first event.
func keyOf(c *engine.Call) int {
	_, rest, _ := strings.Cut(string(c.Events[0]), `"k":`)
	n, _ := strconv.Atoi(rest[:strings.IndexAny(rest, ",}")])
	return n
}

// TestBegunRunsComeFirstAfterARestart: the lanes of runs that were being called when the
// process died come before those of runs that had not started, as they did before, although
// the latter have the better scores.
func TestBegunRunsComeFirstAfterARestart(t *testing.T) {
	t.Parallel()
	const (
		priority = `"priority":{"run":"int(event.data.p)"},"triggers":[{"event":"e"}],`
		keyed    = priority + `"concurrency":{"step":[{"limit":%d},{"limit":2,"key":"event.data.k"}]}`
		locked   = keyed + `,"singleton":{"key":"event.data.n","mode":"skip"}`
		throttle = priority + `"concurrency":{"step":[{"limit":%d}]},"throttle":{"period":"24h","limit":`
	)
	for name, test := range map[string]struct {
		// before and after are configurations up to the restart and from then on, by the
		// function's own limit.
		before, after string
		// perKey is how many runs each key has; window bounds what is in memory, 0 does not.
		perKey, window int
	}{
		"alone":    {keyed, keyed, 1, 0},
		"lanes":    {keyed, keyed, 3, 0},
		"store":    {keyed, keyed, 3, 1},
		"locks":    {locked, locked, 3, 0},
		"throttle": {throttle + `3}`, throttle + `100}`, 1, 0},
	} {
		const begun, keys = 3, 9
		hold, n := true, 0
		d := newDesk(t, func(*engine.Call) engine.Result {
			if hold {
				return engine.Result{Status: -1}
			}
			return finalResult()
		}, `f `+fmt.Sprintf(test.before, begun))
		send := func(k, p int) {
			d.send("e", fmt.Sprintf(`{"k":%d,"n":%d,"p":%d}`, k, n, p))
			n++
		}
		d.node.SetMode(idOf("f"), engine.ModePaused) // so that they are queued before they are called
		for k := range begun {
			send(k, 0)
		}
		d.node.SetMode(idOf("f"), engine.ModeActive)
		for i := range test.perKey {
			for k := range keys {
				if k >= begun || i > 0 {
					send(k, 100*b2n(k >= begun))
				}
			}
		}
		d.wantCalls("f", begun)
		d.store.Flush()
		d.define(`f ` + fmt.Sprintf(test.after, 1))
		hold = false
		var err error
		if d.node, err = engine.NewSimNode(d.conf, test.window); err != nil {
			t.Fatal(err)
		}
		d.work()
		d.pass(25 * time.Hour)
		var order []int
		for _, c := range d.wantCalls("f", begun+n)[begun:] {
			order = append(order, keyOf(c))
		}
		if first := slices.Sorted(slices.Values(order[:begun])); !slices.Equal(first, []int{0, 1, 2}) {
			t.Errorf("%s: after the restart the keys come as %v, want those of the runs that had started first", name, order)
		}
		d.wantClean()
	}
}
