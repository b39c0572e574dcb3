package storagetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"ingot/engine"
)

var lifecycleTests = []test{
	{"reopen keeps what was written", func(b *bench) {
		p := b.partition(0)
		for i := range 3 {
			b.commit(p, put(run, fmt.Sprint(i), "v"), del(run, fmt.Sprint(i-1)), put(step, "n", fmt.Sprint(i)))
			b.reopen()
			p = b.partition(0)
			if got, want := b.scan(p, run, nil, nil, 9), fmt.Sprintf("%d=v", i); got != want {
				b.Errorf("round %d: got %q, want %q", i, got, want)
			}
			b.want(p, step, "n", fmt.Sprint(i))
		}
	}},
	{"close completes commits", func(b *bench) {
		p := b.partition(0)
		var all []<-chan error
		for i := range 100 {
			all = append(all, b.start(p, put(run, "k", fmt.Sprint(i))))
		}
		b.reopen()
		for i, done := range all {
			if err := wait(b, done, "done of a commit before Close"); err != nil {
				b.Errorf("commit %d: %v", i, err)
			}
		}
		b.want(b.partition(0), run, "k", "99")
	}},
	{"use after close", func(b *bench) {
		p := b.partition(0)
		b.commit(p, put(run, "a", "1"))
		l := b.s.Log()
		b.appendAll("x")
		if err := b.s.Close(); err != nil {
			b.Fatal(err)
		}
		batch := p.NewBatch()
		batch.Put(run, []byte("b"), []byte("2"))
		done := make(chan error, 1)
		p.Commit(batch, func(err error) { done <- err })
		_, next := l.Next(context.Background(), 0)
		_, part := b.s.Partition(0)
		for what, err := range map[string]error{
			"Commit":    wait(b, done, "done after Close"),
			"Get":       p.Get(run, [][]byte{[]byte("a")}, func(int, []byte) {}),
			"Scan":      p.Scan(run, nil, nil, func(_, _ []byte) bool { return true }),
			"Append":    l.Append([]byte("y"), 1),
			"Next":      next,
			"Trim":      l.Trim(1),
			"Partition": part,
		} {
			if !errors.Is(err, engine.ErrClosed) {
				b.Errorf("%s after Close: %v", what, err)
			}
		}
		if err := b.s.Close(); err != nil {
			b.Errorf("second Close: %v", err)
		}
		b.s = b.h.Open(b.T)
		if _, data := b.drain(0); data != "x" {
			b.Errorf("the log holds %q", data)
		}
		b.want(b.partition(0), run, "b", "-")
	}},
	{"submits are told before Close returns", func(b *bench) {
		const submits = 50
		told := make(told, submits+1)
		for range submits {
			if err := b.s.Log().Submit([]byte("x"), 1, told); err != nil {
				b.Fatal(err)
			}
		}
		if err := b.s.Close(); err != nil {
			b.Fatal(err)
		}
		for range submits {
			select {
			case err := <-told:
				if err != nil {
					b.Error(err)
				}
			default:
				b.Fatal("a submit was not told")
			}
		}
		err := b.s.Log().Submit([]byte("y"), 1, told)
		if err == nil {
			err = <-told
		}
		if !errors.Is(err, engine.ErrClosed) {
			b.Errorf("Submit after Close: %v", err)
		}
		b.s = b.h.Open(b.T)
		if entries, _ := b.drain(0); entries != submits {
			b.Errorf("%d of %d submits are in the log", entries, submits)
		}
	}},
	{"close during appends", func(b *bench) {
		// Each append either is there after reopening, or reported that it is not.
		const writers = 8
		var wg sync.WaitGroup
		var accepted [writers]int
		started := make(chan struct{}, writers)
		for w := range writers {
			wg.Go(func() {
				for i := 0; ; i++ {
					err := b.s.Log().Append([]byte{byte(w)}, 1)
					if i == 0 {
						started <- struct{}{}
					}
					if err != nil {
						if !errors.Is(err, engine.ErrClosed) {
							b.Errorf("append during Close: %v", err)
						}
						return
					}
					accepted[w]++
				}
			})
		}
		for range writers {
			wait(b, started, "an append")
		}
		if err := b.s.Close(); err != nil {
			b.Fatal(err)
		}
		wg.Wait()
		b.s = b.h.Open(b.T)
		_, data := b.drain(0)
		var found [writers]int
		for _, w := range []byte(data) {
			found[w]++
		}
		if found != accepted {
			b.Errorf("accepted %v, found %v", accepted, found)
		}
	}},
}
