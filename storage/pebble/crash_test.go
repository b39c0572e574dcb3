package pebble

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

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
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 0))
		fs := vfs.NewCrashableMem()
		var cut *vfs.MemFS
		o := memOptions(countOps(fs, int(seed)*3+1, func() {
			cut = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
		}))
		if err := mustOpen(t, "some/where/data", o).Close(); err != nil {
			t.Fatal(err)
		}
		if cut == nil {
			if seed < 10 {
				t.Errorf("seed %d: the creation was over before the cut", seed)
			}
			continue
		}
		o.FS = cut
		s, err := Open("some/where/data", o)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		if err := s.Log().Append([]byte("x"), 1); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
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
