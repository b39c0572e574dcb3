// Package storagetest is the conformance suite of the storage contract
// (engine.Store): what the engine relies on, checked against any backend.
//
// It tests what the contract promises to a caller in one process, and across a
// clean close. What a crash leaves is each backend's own test, since only it
// knows how to pull its plug.
package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"ingot/engine"
)

// Partitions is the number of partitions that a Harness's store must have.
const Partitions = 3

// patience bounds waits for what must happen; it is never waited out in a passing test.
const patience = 30 * time.Second

// Harness is one installation of a backend, empty at first.
type Harness interface {
	// Open opens the installation, with Partitions partitions. It is called again
	// after the store has been closed and then finds what was written.
	Open(t *testing.T) engine.Store
}

// Run runs the suite. make is called once per test, from parallel subtests.
func Run(t *testing.T, make func(t *testing.T) Harness) {
	groups := []struct {
		name  string
		tests []test
	}{
		{"partition", partitionTests},
		{"commit", commitTests},
		{"scan", scanTests},
		{"log", logTests},
		{"lifecycle", lifecycleTests},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range g.tests {
				t.Run(tt.name, func(t *testing.T) {
					t.Parallel()
					h := make(t)
					b := &bench{T: t, h: h, s: h.Open(t)}
					defer func() { _ = b.s.Close() }()
					tt.run(b)
				})
			}
		})
	}
}

type test struct {
	name string
	run  func(*bench)
}

// bench is what a test of the suite works on.
type bench struct {
	*testing.T
	h Harness
	s engine.Store
}

// reopen closes the store and opens it again.
func (b *bench) reopen() {
	b.Helper()
	if err := b.s.Close(); err != nil {
		b.Fatalf("Close: %v", err)
	}
	b.s = b.h.Open(b.T)
}

func (b *bench) partition(i int) engine.PartitionStore {
	b.Helper()
	p, err := b.s.Partition(i)
	if err != nil {
		b.Fatalf("Partition(%d): %v", i, err)
	}
	return p
}

// kv is a write; a nil value deletes.
type kv struct {
	t     engine.Table
	key   string
	value []byte
}

func put(t engine.Table, key, value string) kv { return kv{t, key, []byte(value)} }
func del(t engine.Table, key string) kv        { return kv{t, key, nil} }

// start commits writes and returns where its done reports.
func (b *bench) start(p engine.PartitionStore, writes ...kv) <-chan error {
	done := make(chan error, 2) // room for a second call, which is a failure
	batch := p.NewBatch()
	for _, w := range writes {
		if w.value == nil {
			batch.Delete(w.t, []byte(w.key))
		} else {
			batch.Put(w.t, []byte(w.key), w.value)
		}
	}
	p.Commit(batch, func(err error) { done <- err })
	return done
}

// wait returns what arrives on c, which must be soon.
func wait[T any](b *bench, c <-chan T, what string) T {
	b.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		b.Fatalf("%s: nothing after %v", what, patience)
		panic("unreachable")
	}
}

// commit commits writes and waits until they are durable.
func (b *bench) commit(p engine.PartitionStore, writes ...kv) {
	b.Helper()
	if err := wait(b, b.start(p, writes...), "done of a commit"); err != nil {
		b.Fatalf("Commit: %v", err)
	}
}

// get returns the value of key and whether there is one.
func (b *bench) get(p engine.PartitionStore, t engine.Table, key string) (value string, ok bool) {
	b.Helper()
	calls := 0
	err := p.Get(t, [][]byte{[]byte(key)}, func(i int, v []byte) {
		calls++
		value, ok = string(v), v != nil
	})
	if err != nil || calls != 1 {
		b.Fatalf("Get(%d, %q): %d calls, error %v", t, key, calls, err)
	}
	return value, ok
}

// want checks that key has the value, or no value if want is "-".
func (b *bench) want(p engine.PartitionStore, t engine.Table, key, want string) {
	b.Helper()
	got, ok := b.get(p, t, key)
	if !ok {
		got = "-"
	}
	if got != want {
		b.Errorf("table %d, key %q: got %q, want %q", t, key, got, want)
	}
}

// scan returns up to limit entries of [from, to) as "key=value" words.
func (b *bench) scan(p engine.PartitionStore, t engine.Table, from, to []byte, limit int) string {
	b.Helper()
	var out bytes.Buffer
	n := 0
	err := p.Scan(t, from, to, func(k, v []byte) bool {
		fmt.Fprintf(&out, "%s=%s ", k, v)
		n++
		return n < limit
	})
	if err != nil {
		b.Fatalf("Scan(%d, %q, %q): %v", t, from, to, err)
	}
	return string(bytes.TrimSpace(out.Bytes()))
}

// appendAll appends each record by a call of its own.
func (b *bench) appendAll(records ...string) {
	b.Helper()
	for _, r := range records {
		if err := b.s.Log().Append([]byte(r), 1); err != nil {
			b.Fatalf("Append(%q): %v", r, err)
		}
	}
}

// next returns the group at from, which must be there already or come soon.
func (b *bench) next(from uint64) engine.LogGroup {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	g, err := b.s.Log().Next(ctx, from)
	if err != nil {
		b.Fatalf("Next(%d): %v", from, err)
	}
	if g.First < from || g.First == 0 || g.Count < 1 {
		b.Fatalf("Next(%d): first %d, count %d", from, g.First, g.Count)
	}
	return g
}

// none checks that the log has no group from a number on, which Next with an
// ended context answers without waiting.
func (b *bench) none(from uint64) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	if g, err := b.s.Log().Next(ctx, from); !errors.Is(err, context.Canceled) {
		b.Errorf("Next(%d): got group %d+%d, error %v; want none", from, g.First, g.Count, err)
	}
}
