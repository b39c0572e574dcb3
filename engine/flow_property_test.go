package engine

import (
	"math"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// RefGCRA is the reference model of throttles and rate limits for one key (spec 03
// §21.1, §21.6), as the specification writes it, in exact arithmetic.
type RefGCRA struct{ tat *big.Int }

// refRates are emission and dvt, ns.
func refRates(limit int, period time.Duration, burst int) (emission, dvt *big.Int) {
	emission = big.NewInt(max(1, int64(period)/int64(max(limit, 1))))
	return emission, new(big.Int).Mul(emission, big.NewInt(int64(burst)))
}

// Allows reports whether one more is admitted at a unix ns, where limit are admitted
// per period, and burst at once.
func (g *RefGCRA) Allows(ns int64, limit int, period time.Duration, burst int) bool {
	emission, dvt := refRates(limit, period, burst)
	now := big.NewInt(ns)
	newTAT := g.newTAT(now, emission)
	return now.Cmp(newTAT.Sub(newTAT, dvt)) >= 0
}

// Next is the earliest unix ns, from ns on, at which one more is admitted.
func (g *RefGCRA) Next(ns int64, limit int, period time.Duration, burst int) int64 {
	emission, dvt := refRates(limit, period, burst)
	newTAT := g.newTAT(big.NewInt(ns), emission)
	return max(ns, newTAT.Sub(newTAT, dvt).Int64())
}

// Clamp brings the state back to what the last admission can have left by this rule. A
// clock that was set back, or another rule, may have left more.
func (g *RefGCRA) Clamp(ns int64, limit int, period time.Duration, burst int) {
	_, dvt := refRates(limit, period, burst)
	if most := dvt.Add(dvt, big.NewInt(ns)); g.tat != nil && g.tat.Cmp(most) > 0 {
		g.tat = most
	}
}

// Take admits one, whether it is allowed or not.
func (g *RefGCRA) Take(ns int64, limit int, period time.Duration, burst int) {
	emission, _ := refRates(limit, period, burst)
	g.tat = g.newTAT(big.NewInt(ns), emission)
}

func (g *RefGCRA) newTAT(now, emission *big.Int) *big.Int {
	tat := new(big.Int).Set(now)
	if g.tat != nil && g.tat.Cmp(now) > 0 {
		tat.Set(g.tat)
	}
	return tat.Add(tat, emission)
}

// spread draws numbers of all magnitudes.
func spread(t *rapid.T, from, to int64, label string) int64 {
	n := rapid.Int64Range(from, to).Draw(t, label)
	return max(from, n>>rapid.IntRange(0, 62).Draw(t, label+" shift"))
}

// TestGCRAProperty compares the arithmetic with the model, over all limits, bursts
// and periods that a configuration can have.
func TestGCRAProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := int(spread(t, 1, math.MaxInt32, "limit"))
		burst := int(spread(t, 1, 2*math.MaxInt32, "burst"))
		period := time.Duration(spread(t, 1, int64(366*24*time.Hour), "period"))
		g := newGCRA(limit, period, int64(burst))
		ref := RefGCRA{}
		now, tat := spread(t, 0, 2e18, "start"), int64(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "move") {
			case 0:
				now += spread(t, 0, 2*int64(period), "ahead")
			case 1:
				now = g.next(tat, now)
				if g.free(tat, now) < 1 {
					t.Fatalf("none is free at %d, which is next", now)
				}
			}
			free := g.free(tat, now) >= 1
			if want := ref.Allows(now, limit, period, burst); free != want {
				t.Fatalf("free at %d: %v, want %v", now, free, want)
			}
			if next := g.next(tat, now); free != (next == now) {
				t.Fatalf("next is %d at %d, free is %v", next, now, free)
			} else if !free && ref.Allows(next-1, limit, period, burst) {
				t.Fatalf("one is free before %d, which is next", next)
			}
			if !free {
				continue
			}
			tat = g.take(tat, now)
			ref.Take(now, limit, period, burst)
		}
	})
}

// TestGCRAFree counts what is free by taking it.
func TestGCRAFree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit, burst := rapid.IntRange(1, 50).Draw(t, "limit"), rapid.IntRange(1, 50).Draw(t, "burst")
		g := newGCRA(limit, time.Duration(spread(t, 1, int64(time.Hour), "period")), int64(burst))
		tat, now := int64(0), int64(1e18)
		for range rapid.IntRange(1, 10).Draw(t, "steps") {
			free := g.free(tat, now)
			if tat == 0 && free != burst {
				t.Fatalf("%d are free at first, want %d", free, burst)
			}
			for n := range free {
				if g.free(tat, now) != free-n {
					t.Fatalf("%d are free after %d of %d", g.free(tat, now), n, free)
				}
				tat = g.take(tat, now)
			}
			if g.free(tat, now) != 0 {
				t.Fatalf("%d are free after all were taken", g.free(tat, now))
			}
			now += spread(t, 0, 4*g.emission, "ahead")
		}
	})
}
