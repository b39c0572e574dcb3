package memstore

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"ingot/engine"
)

// TestCrashKeepsAPrefix crashes stores with pending writes: what was acknowledged
// stays (in Interval mode: of events), and of the rest a prefix per stream.
func TestCrashKeepsAPrefix(t *testing.T) {
	t.Parallel()
	lost, kept := 0, 0
	for seed := range uint64(200) {
		for _, mode := range []Mode{Auto, Manual, Interval} {
			s := New(seed, Options{Partitions: 2, Mode: mode})
			durable := [3]int{} // commits of both partitions, and entries, acknowledged before the crash
			for i := range 20 {
				for part := range 2 {
					p, _ := s.Partition(part)
					b := p.NewBatch()
					b.Put(engine.TableRun, []byte("n"), fmt.Append(nil, i))
					b.Put(engine.TableStep, fmt.Append(nil, i), nil)
					b.Put(engine.TableStep, fmt.Append(nil, i, "x"), nil)
					b.Delete(engine.TableStep, fmt.Append(nil, i, "x"))
					p.Commit(b, func(err error) {
						if mode != Interval && err == nil {
							durable[part]++
						}
					})
				}
				s.AppendAsync(fmt.Appendf(nil, "%02d", i), 1, func(err error) {
					if err == nil {
						durable[2]++
					}
				})
				if mode == Manual && i < 10 {
					s.Step()
					s.Step()
				}
			}
			s = s.Crash()
			for part := range 2 {
				p, _ := s.Partition(part)
				steps := 0
				_ = p.Scan(engine.TableStep, nil, nil, func(_, _ []byte) bool { steps++; return true })
				_ = p.Get(engine.TableRun, [][]byte{[]byte("n")}, func(_ int, v []byte) {
					if steps > 0 && string(v) != fmt.Sprint(steps-1) {
						t.Errorf("mode %d seed %d: %d steps, but the counter is %s", mode, seed, steps, v)
					}
				})
				if steps < durable[part] {
					t.Errorf("mode %d seed %d: %d of %d durable commits", mode, seed, steps, durable[part])
				}
				lost, kept = lost+20-steps, kept+steps-durable[part]
			}
			entries, ended := 0, ended()
			for {
				g, err := s.Log().Next(ended, uint64(entries+1))
				if err != nil {
					break
				}
				if string(g.Data) != fmt.Sprintf("%02d", entries) || !g.Replayed {
					t.Errorf("mode %d seed %d: entry %d is %q", mode, seed, entries, g.Data)
				}
				entries++
			}
			if entries < durable[2] || mode != Manual && entries != 20 {
				t.Errorf("mode %d seed %d: %d of %d durable entries", mode, seed, entries, durable[2])
			}
		}
	}
	if lost == 0 || kept == 0 {
		t.Errorf("over all seeds %d pending commits were lost and %d kept: both should happen", lost, kept)
	}
}

func TestCrashIsDeterministic(t *testing.T) {
	t.Parallel()
	after := func() (n int) {
		s := New(7, Options{Mode: Manual})
		p, _ := s.Partition(0)
		for i := range 100 {
			b := p.NewBatch()
			b.Put(engine.TableRun, fmt.Append(nil, i), nil)
			p.Commit(b, func(error) { t.Error("done after a crash") })
		}
		if s.Pending() != 100 {
			t.Errorf("%d writes are pending, want 100", s.Pending())
		}
		s = s.Crash()
		p, _ = s.Partition(0)
		_ = p.Scan(engine.TableRun, nil, nil, func(_, _ []byte) bool { n++; return true })
		return n
	}
	if a, b := after(), after(); a != b {
		t.Errorf("the same seed kept %d, then %d writes", a, b)
	}
}

func TestFail(t *testing.T) {
	t.Parallel()
	s := New(1, Options{Mode: Manual})
	p, _ := s.Partition(0)
	boom := errors.New("boom")
	var errs []error
	commit := func() {
		b := p.NewBatch()
		b.Put(engine.TableRun, []byte("a"), nil)
		p.Commit(b, func(err error) { errs = append(errs, err) })
	}
	commit()
	s.AppendAsync([]byte("x"), 1, func(err error) { errs = append(errs, err) })
	s.Fail(boom)
	s.Flush()
	commit()
	s.AppendAsync([]byte("x"), 1, func(err error) { errs = append(errs, err) })
	if len(errs) != 4 {
		t.Fatalf("%d writes completed, want 4", len(errs))
	}
	for i, err := range errs {
		if !errors.Is(err, boom) || errors.Is(err, engine.ErrDisk) != (i%2 == 1) {
			t.Errorf("write %d: %v", i, err)
		}
	}
}

func TestCommitWithinScan(t *testing.T) {
	t.Parallel()
	s := New(1, Options{})
	p, _ := s.Partition(0)
	b := p.NewBatch()
	b.Put(engine.TableRun, []byte("a"), nil)
	p.Commit(b, func(error) {})
	defer func() {
		if recover() == nil {
			t.Error("a Commit within a Scan did not panic")
		}
	}()
	_ = p.Scan(engine.TableRun, nil, nil, func(_, _ []byte) bool {
		p.Commit(p.NewBatch(), func(error) {})
		return true
	})
}

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
