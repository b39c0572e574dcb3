package engine

import (
	"slices"
	"sync"
)

// waitNames counts, per event name and partition, the waits for it, so that an
// event goes only to partitions that wait for its name, and lifecycle events
// that nobody waits for are not sent. It is shared by all partitions.
type waitNames struct {
	mu     sync.RWMutex
	counts map[string][]int32
	n      int
	// triggers reports whether a function is triggered by the name.
	triggers func(name string) bool
}

func newWaitNames(partitions int) *waitNames {
	return &waitNames{counts: map[string][]int32{}, n: partitions}
}

func (w *waitNames) add(name string, partition int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.counts[name]
	if c == nil {
		c = make([]int32, w.n)
		w.counts[name] = c
	}
	c[partition]++
}

func (w *waitNames) remove(name string, partition int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.counts[name]
	if c == nil {
		return
	}
	c[partition]--
	for _, n := range c {
		if n > 0 {
			return
		}
	}
	delete(w.counts, name)
}

// forget takes out all waits of a partition.
func (w *waitNames) forget(partition int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, c := range w.counts {
		c[partition] = 0
		if !slices.ContainsFunc(c, func(n int32) bool { return n > 0 }) {
			delete(w.counts, name)
		}
	}
}

// partitions calls visit for each partition that waits for the name. It does not
// allocate.
func (w *waitNames) partitions(name []byte, visit func(partition int)) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for i, n := range w.counts[string(name)] {
		if n > 0 {
			visit(i)
		}
	}
}

func (w *waitNames) setTriggers(f func(name string) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.triggers = f
}

// listened reports whether a function or a wait may match the name.
func (w *waitNames) listened(name string) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.counts[name]) > 0 || (w.triggers != nil && w.triggers(name))
}
