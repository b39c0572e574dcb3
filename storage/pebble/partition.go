package pebble

import (
	"bytes"
	"errors"
	"slices"
	"sync"

	"ingot/engine"

	"github.com/cockroachdb/pebble/v2"
)

// partition is one partition's part of the key space. Commits are pipelined:
// Commit returns when the writes are in the memtable and in the log's buffer, and
// the completer waits for their syncs in order.
type partition struct {
	store    *DB
	number   uint16
	gate     gate
	key      []byte // of Get; used by the partition's goroutine
	inflight chan *batch
	idle     chan struct{} // closed when the completer has ended
}

func newPartition(s *DB, number uint16) *partition {
	p := &partition{
		store:  s,
		number: number,
		// One more is in the completer's hands.
		inflight: make(chan *batch, inflightMax-1),
		idle:     make(chan struct{}),
	}
	go p.complete()
	return p
}

// batch is a commit on its way.
type batch struct {
	pebble *pebble.Batch
	number uint16
	len    int
	done   func(error)
	err    error // of a commit that was refused
}

var batches = sync.Pool{New: func() any { return new(batch) }}

func (p *partition) NewBatch() engine.Batch {
	b := batches.Get().(*batch)
	b.number = p.number
	return b
}

// inner returns Pebble's batch, to which a batch without writes has no need.
func (b *batch) inner() *pebble.Batch {
	if b.pebble == nil {
		b.pebble = new(pebble.Batch)
	}
	b.len++
	return b.pebble
}

func (b *batch) Put(t engine.Table, key, value []byte) {
	op := b.inner().SetDeferred(tablePrefix+len(key), len(value))
	putTablePrefix(op.Key, b.number, t)
	copy(op.Key[tablePrefix:], key)
	copy(op.Value, value)
	_ = op.Finish() // fails for indexed batches only
}

func (b *batch) Delete(t engine.Table, key []byte) {
	del := b.inner().DeleteDeferred
	if t.Once() {
		del = b.pebble.SingleDeleteDeferred
	}
	op := del(tablePrefix + len(key))
	putTablePrefix(op.Key, b.number, t)
	copy(op.Key[tablePrefix:], key)
	_ = op.Finish()
}

func (b *batch) Len() int { return b.len }

// Commit implements engine.PartitionStore. It blocks while inflightMax commits of
// the partition wait for their sync.
func (p *partition) Commit(eb engine.Batch, done func(error)) {
	b := eb.(*batch)
	b.done = done
	if !p.gate.enter() {
		done(engine.ErrClosed)
		return
	}
	defer p.gate.leave()
	// A refusal takes its turn too: the commits before it may still succeed.
	if b.err = p.store.fs.failure(); b.err == nil && b.len > 0 {
		b.err = p.store.db.ApplyNoSyncWait(b.pebble, pebble.Sync)
	}
	p.inflight <- b
}

// complete calls done of commits in their order.
func (p *partition) complete() {
	defer close(p.idle)
	for b := range p.inflight {
		err := b.err
		if err == nil && b.len > 0 {
			err = b.pebble.SyncWait()
		}
		// Pebble does not learn of failures: only this says that the sync was one.
		if failed := p.store.fs.failure(); failed != nil {
			err = failed
		}
		done := b.done
		if err == nil {
			if b.pebble != nil {
				b.pebble.Reset()
			}
			*b = batch{pebble: b.pebble}
			batches.Put(b)
		}
		done(err)
	}
}

// Get implements engine.PartitionStore.
func (p *partition) Get(t engine.Table, keys [][]byte, fn func(i int, value []byte)) error {
	if !p.gate.enter() {
		return engine.ErrClosed
	}
	defer p.gate.leave()
	if len(keys) >= fewKeys && slices.IsSortedFunc(keys, bytes.Compare) {
		return p.getMany(t, keys, fn)
	}
	for i, k := range keys {
		if err := p.get(t, i, k, fn); err != nil {
			return err
		}
	}
	return nil
}

// fewKeys is the number of keys from which one iterator, which seeks forward from
// key to key, beats a look-up for each.
const fewKeys = 4

// getMany is Get for ascending keys.
func (p *partition) getMany(t engine.Table, keys [][]byte, fn func(i int, value []byte)) (err error) {
	it, err := p.store.db.NewIter(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }() // also if fn panics
	for i, k := range keys {
		p.tableKey(t, k)
		if !it.SeekPrefixGE(p.key) || !bytes.Equal(it.Key(), p.key) {
			if err := it.Error(); err != nil {
				return err
			}
			fn(i, nil)
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if value == nil {
			value = []byte{} // nil would mean that there is no value
		}
		fn(i, value)
	}
	return nil
}

// tableKey makes key the whole key. A callback of Get may make it another one.
func (p *partition) tableKey(t engine.Table, key []byte) {
	p.key = append(p.key[:0], make([]byte, tablePrefix)...)
	putTablePrefix(p.key, p.number, t)
	p.key = append(p.key, key...)
}

func (p *partition) get(t engine.Table, i int, key []byte, fn func(int, []byte)) error {
	p.tableKey(t, key)
	value, closer, err := p.store.db.Get(p.key)
	if errors.Is(err, pebble.ErrNotFound) {
		fn(i, nil)
		return nil
	}
	if err != nil {
		return err
	}
	defer closer.Close()
	if value == nil {
		value = []byte{} // nil would mean that there is no value
	}
	fn(i, value)
	return nil
}

// Scan implements engine.PartitionStore.
func (p *partition) Scan(t engine.Table, from, to []byte, fn func(key, value []byte) bool) (err error) {
	if !p.gate.enter() {
		return engine.ErrClosed
	}
	defer p.gate.leave()
	if to != nil && bytes.Compare(from, to) >= 0 {
		return nil
	}
	bounds := make([]byte, tablePrefix, 2*tablePrefix+len(from)+len(to))
	putTablePrefix(bounds, p.number, t)
	bounds = append(bounds, from...)
	n := len(bounds)
	if to == nil {
		bounds = appendTableEnd(bounds, p.number, t)
	} else {
		bounds = append(append(bounds, bounds[:tablePrefix]...), to...)
	}
	it, err := p.store.db.NewIter(&pebble.IterOptions{LowerBound: bounds[:n], UpperBound: bounds[n:]})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }() // also if fn panics
	for ok := it.First(); ok && fn(it.Key()[tablePrefix:], it.Value()); ok = it.Next() {
	}
	return it.Error()
}

// close completes all commits and ends the partition.
func (p *partition) close() {
	p.gate.close()
	close(p.inflight)
	<-p.idle
}
