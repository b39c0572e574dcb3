package engine_test

import (
	"testing"
	"time"

	"ingot/engine"
)

// TestArchivedFunction: a function that its app has left out starts nothing new. What it has
// goes on: runs that sleep, that wait for a place or in a debounce or batch, also after a
// restart.
func TestArchivedFunction(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config       string
		events, runs int
	}{
		"asleep":   {`"triggers":[{"event":"e"}]`, 1, 1},
		"queued":   {`"triggers":[{"event":"e"}],"concurrency":{"fn":[{"limit":1}]}`, 3, 3},
		"debounce": {`"triggers":[{"event":"e"}],"debounce":{"period":"5s"}`, 2, 1},
		"batch":    {`"triggers":[{"event":"e"}],"batchEvents":{"maxSize":10,"timeout":"5s"}`, 3, 1},
	} {
		for _, restart := range []bool{false, true} {
			d := newDesk(t, sleepOnce, `f `+test.config, `other`)
			for range test.events {
				d.send("e", `{}`)
			}
			if err := d.cat.Update(func(tx *engine.Tx) error { tx.ArchiveFunction(idOf("f"), time.UnixMilli(d.now)); return nil }); err != nil {
				t.Fatal(err)
			}
			d.work()
			if restart {
				d.store.Flush()
				d.open()
			}
			d.send("e", `{}`)
			d.pass(time.Minute)
			d.wantCalls("f", 2*test.runs)
			d.wantDead()
			d.wantClean()
			ended := 0
			for _, l := range d.history() {
				ended += b2n(l.Kind == engine.RunCompleted && l.Fn == idOf("f"))
			}
			if ended != test.runs {
				t.Errorf("%s: %d runs have ended, want %d", name, ended, test.runs)
			}
		}
	}
}
