package storagetest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"ingot/engine"
)

var commitTests = []test{
	{"a batch is applied in order", func(b *bench) {
		p := b.partition(0)
		b.commit(p, put(run, "b", "old"))
		b.commit(p, put(run, "a", "1"), put(run, "a", "2"), put(run, "c", "x"), del(run, "c"), del(run, "b"), put(run, "b", "new"), del(run, "none"))
		b.want(p, run, "a", "2")
		b.want(p, run, "b", "new")
		b.want(p, run, "c", "-")
	}},
	{"a batch copies its arguments", func(b *bench) {
		p := b.partition(0)
		b.commit(p, put(run, "gone", "1"))
		batch, done := p.NewBatch(), make(chan error, 1)
		buf := []byte("keyval")
		batch.Put(run, buf[:3], buf[3:])
		copy(buf, "gone__")
		batch.Delete(run, buf[:4])
		copy(buf, "xxxxxx")
		if n := batch.Len(); n != 2 {
			b.Errorf("Len is %d after two writes", n)
		}
		p.Commit(batch, func(err error) { done <- err })
		if err := wait(b, done, "done"); err != nil {
			b.Fatal(err)
		}
		if got := b.scan(p, run, nil, nil, 9); got != "key=val" {
			b.Errorf("got %q", got)
		}
	}},
	{"an abandoned batch leaves nothing", func(b *bench) {
		p := b.partition(0)
		p.NewBatch().Put(run, []byte("a"), []byte("1"))
		b.commit(p, put(run, "b", "2"))
		if got := b.scan(p, run, nil, nil, 9); got != "b=2" {
			b.Errorf("got %q", got)
		}
	}},
	{"an empty batch completes in its turn", func(b *bench) {
		p := b.partition(0)
		first := b.start(p, put(run, "a", "1"))
		if n := p.NewBatch().Len(); n != 0 {
			b.Errorf("Len of a new batch is %d", n)
		}
		if err := wait(b, b.start(p), "done of an empty batch"); err != nil {
			b.Errorf("empty batch: %v", err)
		}
		select {
		case err := <-first:
			if err != nil {
				b.Error(err)
			}
		default:
			b.Error("a later, empty commit completed first")
		}
	}},
	{"reads see writes when Commit returns", func(b *bench) {
		p := b.partition(0)
		var last <-chan error
		for i := range 200 {
			last = b.start(p, put(run, "k", fmt.Sprint(i)), put(step, fmt.Sprintf("%04d", i), ""), del(step, fmt.Sprintf("%04d", i-1)))
			b.want(p, run, "k", fmt.Sprint(i))
			if got, want := b.scan(p, step, nil, nil, 9), fmt.Sprintf("%04d=", i); got != want {
				b.Fatalf("after commit %d: got %q", i, got)
			}
		}
		if err := wait(b, last, "done of the last commit"); err != nil {
			b.Error(err)
		}
	}},
	{"commits complete once and in order", func(b *bench) {
		const n = 500
		var wg sync.WaitGroup
		for part := engine.SystemPartition; part < Partitions; part++ {
			p := b.partition(part)
			wg.Go(func() {
				var completed atomic.Int64
				all := make(chan struct{})
				for i := range n {
					batch := p.NewBatch()
					batch.Put(run, fmt.Appendf(nil, "%04d", i), []byte(strings.Repeat("v", i)))
					p.Commit(batch, func(err error) {
						if got := completed.Add(1) - 1; err != nil || got != int64(i) {
							b.Errorf("partition %d: commit %d completed as number %d, error %v", part, i, got, err)
						}
						if i == n-1 {
							close(all)
						}
					})
				}
				<-all
			})
		}
		finished := make(chan struct{})
		go func() { wg.Wait(); close(finished) }()
		wait(b, finished, "done of all commits")
		b.reopen()
		for part := engine.SystemPartition; part < Partitions; part++ {
			i := 0
			err := b.partition(part).Scan(run, nil, nil, func(k, v []byte) bool {
				if string(k) != fmt.Sprintf("%04d", i) || len(v) != i {
					b.Errorf("partition %d: key %d is %q with %d bytes", part, i, k, len(v))
				}
				i++
				return true
			})
			if err != nil || i != n {
				b.Errorf("partition %d has %d of %d keys, %v", part, i, n, err)
			}
		}
	}},
	{"done may use the store of another partition", func(b *bench) {
		p, q := b.partition(0), b.partition(1)
		batch, done := p.NewBatch(), make(chan error, 1)
		batch.Put(run, []byte("a"), []byte("1"))
		p.Commit(batch, func(err error) {
			// A mailbox may do this: hand on to a partition whose goroutine is idle.
			next := q.NewBatch()
			next.Put(run, []byte("b"), []byte("2"))
			q.Commit(next, func(err error) { done <- err })
		})
		if err := wait(b, done, "done of the second commit"); err != nil {
			b.Fatal(err)
		}
		b.want(q, run, "b", "2")
	}},
	{"large batches", func(b *bench) {
		p := b.partition(0)
		var writes []kv
		for i := range 24 {
			writes = append(writes, put(step, fmt.Sprintf("%02d", i), strings.Repeat(string(rune('a'+i)), 1<<20)))
		}
		done := b.start(p, writes...)
		for i := range 24 {
			b.want(p, step, fmt.Sprintf("%02d", i), strings.Repeat(string(rune('a'+i)), 1<<20))
		}
		if err := wait(b, done, "done of a batch of 24 MiB"); err != nil {
			b.Error(err)
		}
	}},
}
