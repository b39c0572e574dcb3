package engine_test

import (
	"testing"
	"time"

	"ingot/engine"
)

// TestExpressionsThatFail: each expression of a function's configuration may fail at run time,
// for an event that is not as its author thought. None stops anything: a condition is then
// false, a priority none, a singleton does not hold, and events whose key is not known share one.
func TestExpressionsThatFail(t *testing.T) {
	t.Parallel()
	const fails = `int(event.data.text)` // compiles; the text is no number
	for name, test := range map[string]struct {
		config string
		want   int // runs of three events that have been called after a second
	}{
		"trigger":                  {`"triggers":[{"event":"e","expression":"` + fails + ` > 0"}]`, 0},
		"priority":                 {`"priority":{"run":"` + fails + `"}`, 3},
		"priority without a value": {`"priority":{"run":"event.data.none"}`, 3},
		"cancel":                   {`"cancel":[{"event":"e","if":"` + fails + ` > 0"}]`, 3},
		"batch condition":          {`"batchEvents":{"maxSize":10,"timeout":"1h","if":"` + fails + ` > 0"}`, 3},
		"batch key":                {`"batchEvents":{"maxSize":3,"timeout":"1h","key":"` + fails + `"}`, 1},
		"debounce key":             {`"debounce":{"period":"1s","key":"` + fails + `"}`, 1},
		"singleton key":            {`"singleton":{"mode":"skip","key":"` + fails + `"}`, 3},
		"rate limit key":           {`"rateLimit":{"limit":1,"period":"1h","key":"` + fails + `"}`, 1},
		"throttle key":             {`"throttle":{"limit":1,"period":"1h","key":"` + fails + `"}`, 1},
		"concurrency key":          {`"concurrency":{"step":[{"limit":1,"key":"` + fails + `"}]}`, 1},
		"shared concurrency key":   {`"concurrency":{"step":[{"limit":1,"scope":"account","key":"` + fails + `"}]}`, 1},
		"key of runs":              {`"concurrency":{"fn":[{"limit":1,"key":"` + fails + `"}]}`, 1},
	} {
		config := test.config
		if name != "trigger" {
			config = `"triggers":[{"event":"e"}],` + config
		}
		d := newDesk(t, func(*engine.Call) engine.Result { return engine.Result{Status: -1} }, `f `+config, `other "triggers":[{"event":"e"}]`)
		for range 3 {
			d.send("e", `{"text":"none"}`)
		}
		d.pass(time.Second)
		if n := len(d.of("f")); n != test.want {
			t.Errorf("%s: %d calls, want %d", name, n, test.want)
		}
		d.wantCalls("other", 3)
		d.wantDead()
	}
}

// TestWaitThatFails: a wait whose condition fails for an event goes on waiting.
func TestWaitThatFails(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if has(c, "w") {
			return finalResult()
		}
		return ops(2, op(engine.OpWaitForEvent, "w", `{"event":"go","if":"int(async.data.text) == 7","timeout":"1h"}`))
	}, `f`)
	d.send("f", `{}`)
	d.send("go", `{"text":"none"}`)
	d.send("go", `{}`)
	d.wantCalls("f", 1)
	d.send("go", `{"text":"7"}`)
	d.wantCalls("f", 2)
	d.wantClean()
}

// TestCollectedAfterClockIsSetBack: what a key has collected waits no longer than its period
// or timeout once its next event has come. A run whose event is in the future by the new clock
// is called then, as always.
func TestCollectedAfterClockIsSetBack(t *testing.T) {
	t.Parallel()
	for config, calls := range map[string]int{`"batchEvents":{"maxSize":10,"timeout":"2s"}`: 1, `"debounce":{"period":"2s"}`: 0} {
		d := newDesk(t, done, `f "triggers":[{"event":"e"}],`+config)
		d.send("e", `{}`)
		d.now -= (10 * time.Hour).Milliseconds()
		d.send("e", `{}`)
		d.pass(3 * time.Second)
		if d.scheduled("f").Kind != engine.RunScheduled {
			t.Errorf("%s: no run", config)
		}
		d.wantCalls("f", calls)
		d.pass(11 * time.Hour)
		d.wantCalls("f", 1)
		d.wantClean()
	}
}
