package engine

// window is the first part of an ordered index whose whole lies in the store: a
// bounded heap. Entries from spill on are in the store only, so memory stays
// bounded however long the index is. An entry may be stale (its job is gone); the
// user of the window checks when it comes up.
type window[T interface{ less(T) bool }] struct {
	heap minHeap[T]
	// size is how many entries a page loads; the heap holds at most twice as many.
	size int
	// spilled says that the store has entries from spill on that are not in the heap.
	spilled bool
	spill   T
}

// add puts an entry that is in the store, or will be with this commit.
func (w *window[T]) add(e T) {
	if w.spilled && !e.less(w.spill) {
		return
	}
	if len(w.heap) >= 2*w.size {
		w.shrink()
		if !e.less(w.spill) {
			return
		}
	}
	w.heap.push(e)
}

// shrink keeps the first half and leaves the rest to the store.
func (w *window[T]) shrink() {
	kept := make(minHeap[T], 0, 2*w.size)
	for len(kept) < w.size {
		kept = append(kept, w.heap.pop())
	}
	w.spilled, w.spill = true, w.heap[0]
	w.heap = kept // in order, which is a heap
}

func (w *window[T]) empty() bool { return len(w.heap) == 0 && !w.spilled }

// needsPage says that the heap has run dry while the store has more.
func (w *window[T]) needsPage() bool { return w.spilled && len(w.heap) == 0 }

// load takes one entry of a page, in order; it returns false when the page is full.
func (w *window[T]) load(e T) bool {
	if len(w.heap) >= w.size {
		w.spilled, w.spill = true, e
		return false
	}
	w.heap.push(e)
	return true
}
