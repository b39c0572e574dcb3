package pebble

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ingot/engine"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestPowerCut cuts the power at random moments of a concurrent load, several
// times in a row on the same data, with different parts of what was not synced
// left on the disk.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]SyncPolicy{"always": SyncAlways, "interval": SyncInterval(5 * time.Millisecond)} {
		for _, percent := range []int{0, 50, 100} {
			t.Run(fmt.Sprintf("%s/%d%%", name, percent), func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(4) {
					powerCut(t, policy, percent, seed)
				}
			})
		}
	}
}

func powerCut(t *testing.T, policy SyncPolicy, percent int, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, uint64(percent)))
	fs := vfs.NewCrashableMem()
	o := memOptions(fs)
	o.Sync, o.tune = policy, small
	s := mustOpen(t, "data", o)
	l := newLoad(s, seed)
	l.await(rng.IntN(1500))
	before := l.promised()
	after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
	l.end()
	if err := s.Close(); err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
	if len(l.failures) > 0 {
		t.Fatalf("seed %d: the load failed: %v", seed, l.failures[0])
	}
	// What was written is durable once the store has been opened: a second cut,
	// right after that, takes nothing back.
	for cut := range 2 {
		o.FS = after
		s = mustOpen(t, "data", o)
		before.check(t, s, policy)
		after = after.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
		if err := s.Close(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if t.Failed() {
			t.Fatalf("seed %d, cut %d", seed, cut)
		}
	}
}

// TestPowerCutDuringCreation cuts the power at each moment of the creation of a
// store: what is left always opens as a store.
func TestPowerCutDuringCreation(t *testing.T) {
	t.Parallel()
	cuts := 0
	for seed := range uint64(8) {
		for n := 1; ; n++ {
			rng := rand.New(rand.NewPCG(seed, uint64(n)))
			fs := vfs.NewCrashableMem()
			var cut *vfs.MemFS
			o := memOptions(countOps(fs, n, func() {
				cut = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
			}))
			if err := mustOpen(t, "some/where/data", o).Close(); err != nil {
				t.Fatal(err)
			}
			if cut == nil {
				break // the creation has fewer operations
			}
			cuts++
			o.FS = cut
			s, err := Open("some/where/data", o)
			if err != nil {
				t.Fatalf("seed %d, cut before operation %d: %v", seed, n, err)
			}
			if err := s.Log().Append([]byte("x"), 1); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if cuts < 100 {
		t.Errorf("only %d cuts", cuts)
	}
}

// TestPowerCutLeavesHoles loses blocks in the middle of a log whose syncs were
// elided, while later ones have reached the disk. That is no damage: the log ends there.
func TestPowerCutLeavesHoles(t *testing.T) {
	t.Parallel()
	lost := 0
	for seed := range uint64(10) {
		fs := vfs.NewCrashableMem()
		o := memOptions(fs)
		o.Sync = SyncInterval(MaxInterval)
		s := mustOpen(t, "data", o)
		p, _ := s.Partition(0)
		const commits = 100
		for i := range commits {
			b := p.NewBatch()
			b.Put(engine.TableStep, fmt.Appendf(nil, "%03d", i), make([]byte, 5000))
			done := make(chan error, 1)
			p.Commit(b, func(err error) { done <- err })
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 80, RNG: rand.New(rand.NewPCG(seed, 0))})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		o.FS = after
		s = mustOpen(t, "data", o)
		p, _ = s.Partition(0)
		n := 0
		err := p.Scan(engine.TableStep, nil, nil, func(k, v []byte) bool {
			if string(k) != fmt.Sprintf("%03d", n) || len(v) != 5000 {
				t.Errorf("seed %d: key %d is %s with %d bytes", seed, n, k, len(v))
			}
			n++
			return true
		})
		if err != nil {
			t.Error(err)
		}
		lost += commits - n
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if lost == 0 {
		t.Error("no cut left a hole")
	}
}

// TestKill ends the process, not the power: what has reached the operating system
// stays, synced or not. Nothing that was acknowledged is lost under either policy.
func TestKill(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]SyncPolicy{"always": SyncAlways, "interval": SyncInterval(MaxInterval)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(5) {
				fs := vfs.NewCrashableMem()
				o := memOptions(fs)
				o.Sync, o.tune = policy, small
				s := mustOpen(t, "data", o)
				l := newLoad(s, seed)
				l.await(int(seed) * 300)
				before := l.promised()
				after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(seed, 0))})
				l.end()
				_ = s.Close()
				o.FS = after
				s = mustOpen(t, "data", o)
				before.check(t, s, SyncAlways)
				_ = s.Close()
			}
		})
	}
}
