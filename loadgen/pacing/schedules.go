package pacing

import (
	"math"
	"math/rand/v2"
	"time"
)

// even sends request i when the integral of the rate reaches i.
type even struct {
	cursor
	next, total int
}

func newEven(p *profile) *even {
	e := &even{cursor: cursor{profile: p}, total: int(math.Ceil(p.total()))}
	// Rounding can move the last request to the end of the duration, or beyond.
	for e.total > 0 {
		last := cursor{profile: p}
		if _, ok := last.moment(float64(e.total - 1)); ok {
			break
		}
		e.total--
	}
	return e
}

func (e *even) Next() (time.Duration, bool) {
	if e.next >= e.total {
		return 0, false
	}
	at, ok := e.moment(float64(e.next))
	e.next++
	return at, ok
}

func (e *even) Total() int { return e.total }

func (e *even) MeanRate() float64 { return e.meanRate() }

// random is a Poisson process: the integral of the rate between two requests is
// distributed exponentially with mean 1.
type random struct {
	cursor
	rng        *rand.Rand
	reached    float64
	given, max int
}

func newRandom(p *profile, seed uint64) *random {
	// Ten standard deviations above the mean: chance does not get there.
	most := math.Ceil(p.total() + 10*math.Sqrt(p.total()) + 10)
	return &random{cursor: cursor{profile: p}, rng: rand.New(rand.NewPCG(seed, 0)), max: int(most)}
}

func (r *random) Next() (time.Duration, bool) {
	if r.given >= r.max {
		return 0, false
	}
	r.reached += r.rng.ExpFloat64()
	at, ok := r.moment(r.reached)
	if !ok {
		r.given = r.max
		return 0, false
	}
	r.given++
	return at, true
}

func (r *random) Total() int { return r.max }

func (r *random) MeanRate() float64 { return r.meanRate() }
