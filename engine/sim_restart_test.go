package engine

import (
	"fmt"
	"maps"
	"slices"
)

// Unaware are the queued runs that a partition, which has just been loaded, takes for not
// started although they have.
func (n *SimNode) Unaware(i int) (out []string) {
	p := n.e.workers[i].p
	look := func(e readyEntry) {
		if !e.going && p.hasBegun(e.run) {
			out = append(out, fmt.Sprintf("partition %d: run %s is taken for one that has not started", i, e.run))
		}
	}
	for _, q := range p.order {
		for _, id := range q.singles {
			look(p.singles.get(id).e)
		}
		for _, l := range append(slices.Collect(maps.Values(q.lanes)), &q.zero) {
			for e := range l.guests.all {
				look(e)
			}
			if e, _, ok := l.first(); ok {
				look(e)
			}
		}
	}
	return out
}

// RestartPartition replaces a partition by a new incarnation, as if another node had
// taken it over: what it had in memory is gone, answers of its calls are lost, what
// logs bring comes again. All its commits must be durable.
func (n *SimNode) RestartPartition(i int) error {
	old := n.e.workers[i]
	ps, err := n.e.conf.Store.Partition(i)
	if err != nil {
		return err
	}
	w := &worker{e: n.e, p: newPartition(i, old.p.lender.epoch+1, &n.e.set, ps, n.e.names, n.e.log), box: newMailbox(8192)}
	w.p.set = old.p.set
	n.e.names.forget(i) // they are counted anew
	if _, err := w.p.recover(); err != nil {
		return err // what it has not delivered is with the router already
	}
	n.e.marks[i].box = w.box
	w.p.configure(old.p.snapshot)
	for _, c := range old.box.close() {
		switch c.kind {
		case cmdEvent, cmdMessage, cmdSnapshot, cmdDelivered:
			w.box.put(c)
		}
	}
	n.e.workers[i] = w
	return nil
}

// Trip runs a round of a partition that panics so many times at one of its writes, if it has
// so many, and is done anew each time; fault is called in between.
func (n *SimNode) Trip(i, max, write, times int, fault func()) {
	p := n.e.workers[i].p
	store := p.store
	p.store, n.e.set.crash = &tripStore{PartitionStore: store, write: write, times: times, fault: fault}, false
	n.Round(i, max)
	p.store, n.e.set.crash, p.faults = store, true, faults{}
}

// tripStore panics at a write of a batch, the given number of times.
type tripStore struct {
	PartitionStore
	write, times int
	left         int // writes of the current batch
	fault        func()
}

type tripBatch struct {
	Batch
	s *tripStore
}

func (s *tripStore) NewBatch() Batch {
	s.left = s.write
	return &tripBatch{s.PartitionStore.NewBatch(), s}
}

func (s *tripStore) Commit(b Batch, done func(error)) {
	s.PartitionStore.Commit(b.(*tripBatch).Batch, done)
}

func (b *tripBatch) Put(t Table, key, value []byte) {
	if b.s.left--; b.s.left == 0 && b.s.times > 0 {
		b.s.times--
		b.s.fault()
		panic("a fault of the server")
	}
	b.Batch.Put(t, key, value)
}

// BreakRouting lets the router panic at events for a function, until the next
// configuration.
func (n *SimNode) BreakRouting(slug string) {
	t := n.e.table.Load()
	t.functions = slices.Clone(t.functions) // the catalog's are others'
	for i, fn := range t.functions {
		if fn.Slug == slug {
			t.functions[i] = nil
		}
	}
}
