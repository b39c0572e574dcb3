// Package pacing says when the requests of an open loop are to be sent, whatever
// the server does. Every moment is computed from the request's index, so that a
// schedule is as exact after days as at its beginning.
//
// What does not live here: waiting for these moments and sending (package loadgen).
package pacing

import (
	"fmt"
	"math"
	"time"
)

// Limits of a schedule.
const (
	// MaxRate is in requests per second.
	MaxRate = 10_000_000
	// MaxDuration is that of the whole schedule.
	MaxDuration = 7 * 24 * time.Hour
	// MaxRequests is the mean number of requests in all.
	MaxRequests = 2_000_000_000
	// MaxParts is the number of steps, or of spikes.
	MaxParts = 10_000
)

// Schedule gives the intended send times of requests, in order. It is not safe for
// concurrent use.
type Schedule interface {
	// Next returns when the next request is to be sent, as an offset from the start;
	// ok is false when there is none.
	Next() (at time.Duration, ok bool)
	// Total is how many requests Next gives in all; at most that many if chance
	// decides.
	Total() int
	// MeanRate is the mean intended rate in requests per second.
	MeanRate() float64
}

// Parse reads a schedule of the given duration:
//
//	constant                     rate requests per second, evenly
//	poisson                      the same on average, at random moments
//	ramp:FROM-TO                 a rate that grows or falls linearly
//	steps:R1,R2,R3               each rate for an equal part of the duration
//	spike:BASE-PEAK/EVERY/LENGTH PEAK for LENGTH in the middle of every EVERY, else BASE
//
// Rates are in requests per second. The last three have rates of their own and do
// not look at rate. The same seed gives the same schedule.
func Parse(spec string, rate float64, duration time.Duration, seed uint64) (Schedule, error) {
	if duration <= 0 || duration > MaxDuration {
		return nil, fmt.Errorf("duration: %s is not above 0 and at most %s", duration, MaxDuration)
	}
	p, err := parseProfile(spec, rate, duration)
	if err != nil {
		return nil, err
	}
	switch n := p.total(); {
	case n <= 0:
		return nil, fmt.Errorf("pacing %q: every rate is 0", spec)
	case n > MaxRequests:
		return nil, fmt.Errorf("pacing %q: %.0f requests in %s; the limit is %d", spec, n, duration, MaxRequests)
	}
	if spec == poisson {
		return newRandom(p, seed), nil
	}
	return newEven(p), nil
}

func checkRate(field string, rate float64) error {
	if math.IsNaN(rate) || rate < 0 || rate > MaxRate {
		return fmt.Errorf("%s: %g is not a rate from 0 to %d requests per second", field, rate, MaxRate)
	}
	return nil
}
