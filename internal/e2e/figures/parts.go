package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"ingot/internal/e2e/rawapp"
)

// stall is how long nothing may happen before a measurement gives up.
const stall = 30 * time.Second

// latency sends single events at a steady rate, whatever the server does.
func latency(ctx context.Context, b *bench) error {
	if err := b.flood(ctx, "three", 2_000); err != nil { // warm connections and code
		return err
	}
	if err := waitFor(&b.seen.done, 2_000); err != nil {
		return err
	}
	b.seen.timing.Store(true)
	n := int(b.period.Seconds() * float64(b.rate))
	var wg sync.WaitGroup
	var failed atomic.Int64
	begin := time.Now()
	for i := range n {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(b.rate))))
		wg.Go(func() {
			body := fmt.Appendf(nil, `{"name":"figures/three","data":{"sent":%d}}`, time.Now().UnixNano())
			if rawapp.Send(ctx, b.proc.URL, body) != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if failed.Load() > 0 {
		return fmt.Errorf("%d events were refused", failed.Load())
	}
	if err := waitFor(&b.seen.done, int64(2_000+n)); err != nil {
		return err
	}
	b.quantiles(fmt.Sprintf("event to first call at %d events/s", b.rate), b.seen.first)
	b.quantiles("step to next step", b.seen.step)
	return nil
}

// flood sends arrays of events from several connections and waits for all runs.
func flood(ctx context.Context, b *bench) error {
	begin, cpu := time.Now(), cpuTime(b.proc.PID())
	if err := b.flood(ctx, "three", b.runs); err != nil {
		return err
	}
	accepted := time.Since(begin)
	if err := waitFor(&b.seen.done, int64(b.runs)); err != nil {
		return err
	}
	took := time.Since(begin)
	used := cpuTime(b.proc.PID()) - cpu
	b.row(fmt.Sprintf("%d three-step runs in arrays of %d", b.runs, b.batch), "%.0f runs/s (accepted after %.2f s, done after %.2f s)",
		float64(b.runs)/took.Seconds(), accepted.Seconds(), took.Seconds())
	b.row("server CPU per three-step run", "%.3f ms (%.2f cores)", used.Seconds()*1e3/float64(b.runs), used.Seconds()/took.Seconds())
	b.memory("server memory after it")
	return nil
}

// single sends the same runs one event a request.
func single(ctx context.Context, b *bench) error {
	b.batch, b.conns = 1, 64
	return flood(ctx, b)
}

// sleep fills the server with sleeping runs, then restarts it with them.
func sleep(ctx context.Context, b *bench) error {
	b.memory("server memory, empty")
	if err := b.flood(ctx, "nap", b.sleeping); err != nil {
		return err
	}
	if err := waitFor(&b.seen.napped, int64(b.sleeping)); err != nil {
		return err
	}
	time.Sleep(3 * time.Second)
	b.memory(fmt.Sprintf("server memory, %d sleeping runs", b.sleeping))
	b.idle("idle CPU with them")
	begin := time.Now()
	if err := b.proc.Stop(); err != nil {
		return err
	}
	b.row("stop", "%.3f s", time.Since(begin).Seconds())
	begin = time.Now()
	if err := b.start(); err != nil {
		return err
	}
	b.row("restart to first answer, with them", "%.3f s", time.Since(begin).Seconds())
	time.Sleep(2 * time.Second)
	b.memory("server memory after the restart")
	b.idle("idle CPU after the restart")
	if n := b.seen.napped.Load(); n != int64(b.sleeping) {
		return fmt.Errorf("%d calls for %d runs: some were called again", n, b.sleeping)
	}
	return nil
}

func (b *bench) idle(name string) {
	cpu, begin := cpuTime(b.proc.PID()), time.Now()
	time.Sleep(b.period)
	b.row(name, "%.2f %%", 100*(cpuTime(b.proc.PID())-cpu).Seconds()/time.Since(begin).Seconds())
}

func (b *bench) memory(name string) {
	rss, anon := memory(b.proc.PID())
	b.row(name, "%.0f MB resident (%.0f MB anonymous)", float64(rss)/1e6, float64(anon)/1e6)
}

// flood sends n events and returns when all are acknowledged.
func (b *bench) flood(ctx context.Context, fn string, n int) error {
	var wg sync.WaitGroup
	var next atomic.Int64
	errs := make(chan error, b.conns)
	for range b.conns {
		wg.Go(func() {
			for {
				from := int(next.Add(int64(b.batch))) - b.batch
				if from >= n {
					return
				}
				body := []byte{'['}
				for i := from; i < min(n, from+b.batch); i++ {
					if i > from {
						body = append(body, ',')
					}
					body = fmt.Appendf(body, `{"name":"figures/%s","data":{"n":%d}}`, fn, i)
				}
				if err := rawapp.Send(ctx, b.proc.URL, append(body, ']')); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// waitFor waits until n reaches want.
func waitFor(n *atomic.Int64, want int64) error {
	last, since := n.Load(), time.Now()
	for {
		now := n.Load()
		if now >= want {
			return nil
		}
		if now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) > stall {
			return fmt.Errorf("stuck at %d of %d", now, want)
		}
		time.Sleep(time.Millisecond)
	}
}
