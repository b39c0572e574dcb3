// Package pace lets long work in the background rest between short slices.
//
// Go gives a goroutine that computes up to 10 ms before others have their turn. On two
// processors two such goroutines, say of a flush and of a transaction, hold up everything
// else for that long, again and again; so both rest themselves. Work is made no shorter or
// longer by it, and what paces it never waits for a lock or for somebody else.
//
// What is to be paced, and when it may not rest, is the caller's matter.
package pace

import "time"

const (
	// slice is for how long work goes on without a rest.
	slice = 200 * time.Microsecond
	// maxRest bounds a rest. A rest is half as long as the slice was, by the wall clock, so that
	// the work has two thirds of a processor if it needs them.
	maxRest = time.Millisecond
)

// Pace is the pace of one piece of work after the other. It may be used by one goroutine at
// a time. The zero Pace never rests.
type Pace struct {
	hurry func() bool
	since time.Time // when the slice began
}

// Begin begins a piece of work. hurry is asked before each rest, and says whether the work is
// waited for: then it rests no more. If hurry is nil, it does not rest at all.
func (p *Pace) Begin(hurry func() bool) { *p = Pace{hurry, time.Now()} }

// Step rests if it is time to. It is called between two parts of the work which take some
// microseconds at least.
func (p *Pace) Step() {
	if p.hurry == nil {
		return
	}
	worked := time.Since(p.since)
	if worked < slice {
		return
	}
	if p.hurry() {
		p.hurry = nil
		return
	}
	time.Sleep(min(worked/2, maxRest))
	p.since = time.Now()
}
