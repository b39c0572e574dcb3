package pacing

import (
	"math"
	"time"
)

// segment is a time in which the rate goes linearly from one value to another.
type segment struct {
	length   time.Duration
	from, to float64 // requests per second
}

// count is the integral of the rate over the first t seconds.
func (s segment) count(t float64) float64 {
	return t * (s.from + s.slope()*t/2)
}

// moment inverts count: after how many seconds n requests are reached. It uses the
// form of the quadratic formula that loses no digits and needs no case for a
// constant rate.
func (s segment) moment(n float64) float64 {
	if n <= 0 {
		return 0
	}
	root := math.Sqrt(max(0, s.from*s.from+2*s.slope()*n))
	return 2 * n / (s.from + root)
}

func (s segment) slope() float64 {
	return (s.to - s.from) / s.length.Seconds()
}

// profile is how the rate goes over the whole duration.
type profile struct {
	segments []segment
	begin    []time.Duration // of each segment
	counts   []float64       // requests before each segment; one more for the end
	duration time.Duration
}

// newProfile joins segments; those of no length are left out.
func newProfile(segments ...segment) *profile {
	p := &profile{counts: []float64{0}}
	for _, s := range segments {
		if s.length <= 0 {
			continue
		}
		p.segments = append(p.segments, s)
		p.begin = append(p.begin, p.duration)
		p.counts = append(p.counts, p.total()+s.count(s.length.Seconds()))
		p.duration += s.length
	}
	return p
}

// total is the mean number of requests in all.
func (p *profile) total() float64 { return p.counts[len(p.counts)-1] }

// meanRate is in requests per second.
func (p *profile) meanRate() float64 { return p.total() / p.duration.Seconds() }

// cursor walks through a profile with growing counts.
type cursor struct {
	*profile
	at int // the segment
}

// moment returns when the integral of the rate reaches n, which must not be less
// than it was before. ok is false if it is not reached before the end.
func (c *cursor) moment(n float64) (at time.Duration, ok bool) {
	for c.at < len(c.segments) && n >= c.counts[c.at+1] {
		c.at++
	}
	if c.at == len(c.segments) {
		return 0, false
	}
	within := c.segments[c.at].moment(n - c.counts[c.at])
	at = c.begin[c.at] + time.Duration(math.Round(within*float64(time.Second)))
	return at, at < c.duration
}
