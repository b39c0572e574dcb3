package flow

import (
	"fmt"
	"strconv"
)

// Expressions over the events that AppendMark has marked.
const (
	keyExpression = "event.data.lg.key"
	// priorityExpression has literals: a number of an event is no integer to servers
	// (spec 03 §20.1), and only integers are priorities.
	priorityExpression = "event.data.lg.urgent == true ? %d : 0"
	// noKey is for scopes that need a key where the events have none: all share one.
	noKey = "'all'"
)

// urgent is how many events there are for each one with priority.
const urgent = 10

// Key is the number of the key of event seq; 0 if the events have none.
func (c Config) Key(seq int64) int {
	if c.Keys == 0 {
		return 0
	}
	return int(seq % int64(c.Keys))
}

// AppendMark appends the members that the expressions read to the mark of event seq,
// each after a comma.
func (c Config) AppendMark(b []byte, seq int64) []byte {
	if c.Keys > 0 {
		b = append(b, `,"key":"k`...)
		b = strconv.AppendInt(b, int64(c.Key(seq)), 10)
		b = append(b, '"')
	}
	if c.Priority > 0 {
		b = append(b, `,"urgent":`...)
		b = strconv.AppendBool(b, isUrgent(seq))
	}
	return b
}

// isUrgent reports whether event seq has priority.
func isUrgent(seq int64) bool { return seq%urgent == 0 }

// object is a JSON object.
type object = map[string]any

// Register adds the flow control to the function's registration (spec 01 §6.4 to §6.12).
func (c Config) Register(function object) {
	steps, runs := []object{}, []object{} // an SDK sends no null
	if c.Limit > 0 {
		steps = append(steps, c.limit(c.Limit, c.Scope))
	}
	if c.RunLimit > 0 {
		runs = append(runs, c.limit(c.RunLimit, ScopeFunction))
	}
	switch {
	case len(runs) > 0:
		function["concurrency"] = object{"fn": runs, "step": steps}
	case len(steps) > 0:
		function["concurrency"] = steps
	}
	set := func(name string, given bool, fields object) {
		if given {
			function[name] = fields
		}
	}
	t, r, d, b := c.Throttle, c.RateLimit, c.Debounce, c.Batch
	set("throttle", t.Limit > 0, c.keyed(object{"limit": t.Limit, "period": t.Period.String(), "burst": t.Burst}))
	set("rateLimit", r.Limit > 0, c.keyed(object{"limit": r.Limit, "period": r.Period.String()}))
	debounce := object{"period": d.Period.String()}
	if d.Timeout > 0 {
		debounce["timeout"] = d.Timeout.String()
	}
	set("debounce", d.Period > 0, c.keyed(debounce))
	set("batchEvents", b.Size > 0, c.keyed(object{"maxSize": b.Size, "timeout": b.Timeout.String()}))
	set("singleton", c.Singleton != "", c.keyed(object{"mode": c.Singleton}))
	set("priority", c.Priority > 0, object{"run": fmt.Sprintf(priorityExpression, c.Priority)})
}

// limit is one element of concurrency.
func (c Config) limit(n int, scope string) object {
	o := c.keyed(object{"limit": n})
	if scope != "" {
		o["scope"] = scope
	}
	if c.Keys == 0 && shared(scope) {
		o["key"] = noKey
	}
	return o
}

// shared reports whether functions count together in a scope.
func shared(scope string) bool { return scope == ScopeEnv || scope == ScopeAccount }

// keyed adds the key, if the events have one.
func (c Config) keyed(o object) object {
	if c.Keys > 0 {
		o["key"] = keyExpression
	}
	return o
}
