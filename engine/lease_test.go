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
