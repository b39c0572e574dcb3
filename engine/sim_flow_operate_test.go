package engine_test

import (
	"slices"

	"ingot/engine"
)

// What is done to the functions and partitions of the flow-control simulation.

// drain lets partitions take all their commands, so that it is known which decisions
// rest on what comes next.
func (w *flowWorld) drain() {
	for i := range w.node.Partitions() {
		for w.node.Commands(i) > 0 {
			w.node.Round(i, w.node.Commands(i))
		}
	}
}

// change registers a new version of a function. Every partition takes it before
// anything else happens, so that it is known which version each decision rests on.
func (w *flowWorld) change() {
	f := w.fns[w.rng.IntN(len(w.fns)-1)] // not the invoker
	w.drain()
	w.gen++
	f.add(w.random.changed(f), w.gen, w.now)
	w.ledger.newGeneration()
	w.publish(f)
	for i := range w.node.Partitions() {
		w.node.Round(i, w.node.Commands(i))
	}
}

// operate pauses, drains or activates a function, or restarts a partition.
func (w *flowWorld) operate() {
	if w.rng.IntN(2) == 0 {
		w.restart(w.rng.IntN(w.node.Partitions()))
		return
	}
	w.setMode(w.fns[w.rng.IntN(len(w.fns))], []engine.FunctionMode{engine.ModeActive, engine.ModePaused, engine.ModeDraining}[w.rng.IntN(3)])
}

// setMode sets a function's mode. Calls that were decided before are made before.
func (w *flowWorld) setMode(f *flowFn, m engine.FunctionMode) {
	w.drain()
	w.store.Flush()
	f.mode = m
	w.node.SetMode(f.id, m)
	w.drain()
	w.store.Flush()
}

// activate ends pauses and drains.
func (w *flowWorld) activate() {
	for _, f := range w.fns {
		if f.mode != engine.ModeActive {
			w.setMode(f, engine.ModeActive)
		}
	}
}

// restart lets another node take a partition over, while the others go on. The calls
// under way are lost, and made again.
func (w *flowWorld) restart(i int) {
	w.store.Flush()
	if err := w.node.RestartPartition(i); err != nil {
		w.t.Fatalf("seed %d: %v", w.seed, err)
	}
	w.forgetCalls(i)
	w.checkAware(i)
}

// checkAware checks that a partition that has just been loaded knows which runs have started,
// so that the turns of lanes are as they were.
func (w *flowWorld) checkAware(i int) {
	for _, s := range w.node.Unaware(i) {
		w.errorf("%s", s)
	}
}

// forgetCalls forgets the calls under way of a partition: their answers do not count.
func (w *flowWorld) forgetCalls(i int) {
	w.calls = slices.DeleteFunc(w.calls, func(c *flowCall) bool { return c.partition == i })
}

// crash lets the power go.
func (w *flowWorld) crash() {
	w.store = w.store.Crash()
	if w.lossy {
		clear(w.invoked) // it may be taken back
	}
	w.boot()
}

func (w *flowWorld) cancelSome() {
	active := w.ledger.active()
	for _, r := range active {
		if w.rng.IntN(len(active)) == 0 {
			w.node.Cancel(r.id)
			return
		}
	}
}
