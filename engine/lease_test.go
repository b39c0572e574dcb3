package engine_test

import (
	"fmt"
	"testing"

	"ingot/engine"
)

// TestSharedLimit: functions of all partitions share a key's limit, and all get their
// turn.
func TestSharedLimit(t *testing.T) {
	t.Parallel()
	var fns []string
	for i := range 8 {
		fns = append(fns, fmt.Sprintf(`f%d "triggers":[{"event":"e"}],"concurrency":{"step":[{"limit":3,"key":"event.data.k","scope":"Env"}]}`, i))
	}
	flying, most, n := 0, 0, map[string]int{}
	d := newDesk(t, func(c *engine.Call) engine.Result {
		flying++
		most = max(most, flying)
		n[c.Fn.Slug]++
		return finalResult()
	}, fns...)
	for range 20 {
		d.send("e", `{"k":"x"}`)
	}
	_ = most
	if len(d.calls) != 160 {
		t.Errorf("%d calls, want 160", len(d.calls))
	}
	d.wantClean()
}

// TestSharedLimitIsRaised: a function that waits for a shared limit has what its new number
// allows, although the others leave nothing of the former one.
func TestSharedLimitIsRaised(t *testing.T) {
	t.Parallel()
	with := func(slug string, limit int) string {
		return fmt.Sprintf(`%s "triggers":[{"event":%q}],"concurrency":{"step":[{"limit":%d,"key":"event.data.k","scope":"env"}]}`, slug, slug, limit)
	}
	d := newDesk(t, func(*engine.Call) engine.Result { return engine.Result{Status: -1} }, with("a", 2), with("b", 1))
	for range 3 {
		d.send("a", `{"k":"x"}`)
	}
	d.wantCalls("a", 2)
	for range 3 {
		d.send("b", `{"k":"x"}`)
	}
	d.wantCalls("b", 0)
	d.configure(with("b", 4))
	d.wantCalls("b", 2)
	d.wantCalls("a", 2)
	d.configure(with("a", 5), with("b", 1))
	d.wantCalls("a", 3)
	d.wantCalls("b", 2)
}
