package engine_test

import (
	"testing"
	"time"

	"ingot/engine"
)

// load is what the engine says of a function; the zero value if it says nothing.
func (d *desk) load(slug string) engine.FunctionLoad {
	d.t.Helper()
	answer := d.node.Loads()
	d.work()
	var found engine.FunctionLoad
	for _, l := range answer() {
		if l.Fn == idOf(slug) {
			if found != (engine.FunctionLoad{}) {
				d.t.Errorf("%s is told of twice: %+v and %+v", slug, found, l)
			}
			found = l
		}
	}
	found.Fn = engine.FunctionLoad{}.Fn
	return found
}

func (d *desk) wantLoad(slug string, want engine.FunctionLoad) {
	d.t.Helper()
	if got := d.load(slug); got != want {
		d.t.Errorf("%s: %+v, want %+v", slug, got, want)
	}
}

// TestLoads: what waits, and for what, also after a restart; and nothing in the end.
func TestLoads(t *testing.T) {
	t.Parallel()
	hang := true
	d := newDesk(t, func(c *engine.Call) engine.Result {
		if hang && (c.Fn.Slug == "limited" || c.Fn.Slug == "busy") {
			return engine.Result{Status: -1}
		}
		return done(c)
	},
		`throttled "triggers":[{"event":"e"}],"throttle":{"limit":1,"period":"10s","key":"event.data.k"}`,
		`debounced "triggers":[{"event":"e"}],"debounce":{"period":"10s","key":"event.data.k"}`,
		`batched "triggers":[{"event":"e"}],"batchEvents":{"maxSize":10,"timeout":"10s","key":"event.data.k"}`,
		`limited "triggers":[{"event":"e"}],"concurrency":[{"limit":1,"key":"event.data.k"}]`,
		`busy "triggers":[{"event":"e"}],"concurrency":[{"limit":1}]`,
		`paused "triggers":[{"event":"e"}]`)
	d.node.SetMode(idOf("paused"), engine.ModePaused)
	for range 3 {
		d.send("e", `{"k":1}`)
		d.send("e", `{"k":2}`)
	}
	check := func() {
		t.Helper()
		d.wantLoad("throttled", engine.FunctionLoad{Backlog: 4, Throttled: 2})
		d.wantLoad("debounced", engine.FunctionLoad{Debounces: 2})
		d.wantLoad("batched", engine.FunctionLoad{Batches: 2})
		d.wantLoad("limited", engine.FunctionLoad{Backlog: 6, Calls: 2, Limited: 2})
		d.wantLoad("busy", engine.FunctionLoad{Backlog: 6, Calls: 1, AtLimit: true})
		d.wantLoad("paused", engine.FunctionLoad{Mode: engine.ModePaused, Backlog: 6})
	}
	check()
	d.open()
	d.work()
	check()
	hang = false
	d.open()
	d.node.SetMode(idOf("paused"), engine.ModeActive)
	d.work()
	d.pass(time.Minute)
	for _, slug := range []string{"throttled", "debounced", "batched", "limited", "busy", "paused"} {
		d.wantLoad(slug, engine.FunctionLoad{})
	}
	d.wantClean()
}
