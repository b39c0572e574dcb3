package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ingot/internal/e2e/rawapp"
	"ingot/storage/history"
)

// killRounds is how often the server is killed; INGOT_KILL_ROUNDS changes it.
func killRounds(t *testing.T) int {
	s := os.Getenv("INGOT_KILL_ROUNDS")
	if s == "" {
		return 50
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("INGOT_KILL_ROUNDS must be a positive number, not %q", s)
	}
	return n
}

// TestKill kills the server with SIGKILL at random moments under load, restarts
// it on the same directory, and then checks the promises: every acknowledged
// event ran to its end, as one run; no step ran again after its result was
// committed, and no memo changed or vanished.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := killRounds(t)
	bin := serverBinary(t)
	port, err := rawapp.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	start := func(round int) *rawapp.Process {
		sync := []string{"always", "interval"}[round%2] // nothing is lost under either
		p, err := rawapp.StartProcess(bin, port, "--data-dir", dir, "--retry-interval", "1", "--log-level", "warn", "--sync", sync)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}

	w := newWitness()
	app, err := rawapp.Start("kill", w.handle)
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()

	p := start(0)
	if err := app.Register(ctx, p.URL, w.functions()...); err != nil {
		t.Fatal(err)
	}
	load := startLoad(ctx, p.URL, w)
	for round := range rounds {
		time.Sleep(time.Duration(100+rand.IntN(350)) * time.Millisecond)
		p.Kill()
		epoch, err := app.Cut(ctx)
		if err != nil {
			t.Fatal(err)
		}
		w.epoch.Store(epoch)
		p = start(round + 1)
	}
	load.stop()

	acked := load.acked()
	if len(acked) < rounds {
		t.Fatalf("only %d events were acknowledged in %d rounds: no load", len(acked), rounds)
	}
	if err := w.waitFinished(acked, 2*time.Minute, p.Exited()); err != nil {
		t.Errorf("%v\nserver's log:\n%s", err, p.Log())
	}
	w.check(t, acked)
	// All is done and committed, so a server that starts now has nothing to do.
	w.waitQuiet()
	if err := p.Stop(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	w.checkHistory(t, history.Config{Path: filepath.Join(dir, "history.db")})
	before := w.calls.Load()
	p = start(0)
	time.Sleep(time.Second)
	if n := w.calls.Load() - before; n > 0 {
		t.Errorf("%d calls after a restart with nothing to do, the last of run %v", n, w.last.Load())
	}
	t.Logf("%d kills, %d events acknowledged, %d more sent, %d calls, %d of them by servers that were killed meanwhile",
		rounds, len(acked), load.sent.Load()-int64(len(acked)), w.calls.Load(), w.stale.Load())
	if err := p.Stop(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
}

// load sends events until it is stopped. Each has a number; what was
// acknowledged is remembered, nothing is sent again.
type load struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	sent   atomic.Int64
	mu     sync.Mutex
	oks    []int64
}

func startLoad(ctx context.Context, url string, w *witness) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{cancel: cancel}
	for range 4 {
		l.wg.Go(func() { l.sender(ctx, url, w) })
	}
	return l
}

// maxBehind bounds how far the load runs ahead of the server.
const maxBehind = 2000

func (l *load) sender(ctx context.Context, url string, w *witness) {
	kinds := []string{"seq", "nap", "fan"}
	for ctx.Err() == nil {
		l.mu.Lock()
		behind := len(l.oks) - w.finished()
		l.mu.Unlock()
		if behind > maxBehind {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		count := 1 + rand.IntN(10)
		last := l.sent.Add(int64(count))
		body := []byte{'['}
		for n := last - int64(count) + 1; n <= last; n++ {
			if len(body) > 1 {
				body = append(body, ',')
			}
			body = fmt.Appendf(body, `{"name":"kill/%s","id":"event-%d","data":{"n":%d}}`, kinds[n%int64(len(kinds))], n, n)
		}
		err := rawapp.Send(context.Background(), url, append(body, ']'))
		if err != nil {
			time.Sleep(2 * time.Millisecond) // down, or not up yet
			continue
		}
		l.mu.Lock()
		for n := last - int64(count) + 1; n <= last; n++ {
			l.oks = append(l.oks, n)
		}
		l.mu.Unlock()
	}
}

func (l *load) stop() {
	l.cancel()
	l.wg.Wait()
}

func (l *load) acked() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]int64(nil), l.oks...)
}
