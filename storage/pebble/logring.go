package pebble

import "sort"

// Bounds of the ring.
const (
	ringBytes  = 16 << 20
	ringGroups = 1 << 16
)

// ring holds the newest groups of the log, without gaps, so that a reader that
// keeps up never reads from disk. What it drops is left to the garbage collector:
// readers may hold it.
type ring struct {
	groups []stored // a circle
	first  int      // index of the oldest
	len    int
	bytes  int64
}

// at returns the i-th oldest group.
func (r *ring) at(i int) *stored { return &r.groups[(r.first+i)%len(r.groups)] }

// push adds the newest group, and drops old ones that exceed the bounds.
func (r *ring) push(g stored) {
	for r.len > 0 && (r.len == ringGroups || r.bytes+g.size() > ringBytes) {
		r.pop()
	}
	if r.len == len(r.groups) {
		grown := make([]stored, max(64, 2*r.len))
		for i := range r.len {
			grown[i] = *r.at(i)
		}
		r.groups, r.first = grown, 0
	}
	r.len++
	*r.at(r.len - 1) = g
	r.bytes += g.size()
}

// pop drops the oldest group.
func (r *ring) pop() {
	g := r.at(0)
	r.bytes -= g.size()
	*g = stored{}
	r.first = (r.first + 1) % len(r.groups)
	r.len--
	if r.len == 0 && len(r.groups) > 1024 {
		r.groups, r.first = nil, 0 // of a burst that is over
	}
}

// search returns the index of the oldest group for which ok holds, as it then does
// for all newer ones; r.len if there is none.
func (r *ring) search(ok func(*stored) bool) int {
	return sort.Search(r.len, func(i int) bool { return ok(r.at(i)) })
}
