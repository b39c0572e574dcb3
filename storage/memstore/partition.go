package memstore

import (
	"fmt"
	"slices"

	"ingot/engine"
)

// op is one write of a batch, or of its undo: a nil value deletes.
type op struct {
	table engine.Table
	key   string
	value []byte
}

type batch struct{ ops []op }

func (b *batch) Put(t engine.Table, key, value []byte) {
	b.ops = append(b.ops, op{t, string(key), append([]byte{}, value...)})
}

func (b *batch) Delete(t engine.Table, key []byte) {
	b.ops = append(b.ops, op{t, string(key), nil})
}

func (b *batch) Len() int { return len(b.ops) }

// partition is used by one goroutine, so its tables need no lock.
type partition struct {
	store   *Store
	stream  int
	tables  [256]table
	reading int // nesting of Get and Scan, to catch a Commit within
}

func (p *partition) NewBatch() engine.Batch { return new(batch) }

func (p *partition) Commit(b engine.Batch, done func(error)) {
	if p.reading > 0 {
		panic("memstore: Commit called within Get or Scan")
	}
	if err := p.state(true); err != nil {
		done(err)
		return
	}
	w := &write{stream: p.stream, done: done}
	w.undo = p.apply(b.(*batch).ops, p.store.mode != Auto)
	p.store.submit(w)
}

func (p *partition) Get(t engine.Table, keys [][]byte, fn func(i int, value []byte)) error {
	if err := p.state(false); err != nil {
		return err
	}
	p.reading++
	defer func() { p.reading-- }()
	for i, k := range keys {
		v, _ := p.tables[t].get(string(k))
		fn(i, v)
	}
	return nil
}

func (p *partition) Scan(t engine.Table, from, to []byte, fn func(key, value []byte) bool) error {
	if err := p.state(false); err != nil {
		return err
	}
	p.reading++
	defer func() { p.reading-- }()
	p.tables[t].scan(string(from), func(key string, value []byte) bool {
		if to != nil && key >= string(to) {
			return false
		}
		return fn([]byte(key), value)
	})
	return nil
}

// state is the error that a call meets: reads work until the store is closed,
// writes until it has failed.
func (p *partition) state(write bool) error {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || write && s.sealed {
		return engine.ErrClosed
	}
	if write {
		return s.err
	}
	return nil
}

// apply performs ops and returns, if asked, what restores the state before them.
func (p *partition) apply(ops []op, undoable bool) (undo []op) {
	for _, o := range ops {
		t := &p.tables[o.table]
		if undoable {
			old, _ := t.get(o.key)
			undo = append(undo, op{o.table, o.key, old})
		}
		if o.value == nil {
			t.delete(o.key)
		} else {
			if _, there := t.get(o.key); there && o.table.Once() {
				panic(fmt.Sprintf("memstore: table %d: key %x is put again", o.table, o.key))
			}
			t.put(o.key, o.value)
		}
	}
	slices.Reverse(undo) // a key may occur twice: its oldest value comes last
	return undo
}

func errPartition(i, n int) error {
	return fmt.Errorf("partition %d does not exist: the store has %d", i, n)
}
