package engine

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Sets of keys, which runs share, and the lanes that follow from them.

// limitKey is the value of one key expression.
type limitKey struct {
	// expr tells which expression, as limitExpr does; id which value of it.
	expr uint64
	id   flowID
}

// keySet is what the key expressions of concurrency, throttle and run limit are for some
// runs of a function; runs of the same keys mostly share it (keySets). nil is that of runs
// without keys.
type keySet struct {
	keys []limitKey // do not change
	// lanes are the ids of two lanes, of calls that go on and of first calls; known says which
	// have been worked out. at are these lanes where they were found in memory last, single
	// is the run that was found to be without one.
	lanes  [2]laneID
	known  [2]bool
	single singleID
	at     [2]*lane
}

// newKeySet copies the keys of a set; there is at least one.
func newKeySet(keys []limitKey) *keySet {
	if len(keys) > 1 {
		return &keySet{keys: slices.Clone(keys)}
	}
	s := &struct {
		keySet
		key [1]limitKey
	}{}
	s.keys = s.key[:copy(s.key[:], keys)]
	return &s.keySet
}

// keySets are sets of keys that a partition's runs have had lately, by a part of the first
// id.
type keySets struct {
	recent []recentSet
	keys   []limitKey
}

// recentSet is a set with another part of the first id, which tells most others without
// reading the set: it has seldom been used lately if there are many.
type recentSet struct {
	tag uint64
	set *keySet
}

// recentSets is how many sets are kept to be shared, some 100 bytes each.
const recentSets = 4096

// room is room for the keys of one run, until the next use.
func (s *keySets) room(n int) []limitKey {
	s.keys = slices.Grow(s.keys[:0], n)[:n]
	return s.keys
}

// share returns a set of such keys, which mostly is one that other runs have.
func (s *keySets) share(keys []limitKey) *keySet {
	if s.recent == nil {
		s.recent = make([]recentSet, recentSets)
	}
	id := &keys[0].id
	at, tag := &s.recent[binary.BigEndian.Uint16(id[:])%recentSets], binary.BigEndian.Uint64(id[8:])
	if at.set == nil || at.tag != tag || !slices.Equal(at.set.keys, keys) {
		*at = recentSet{tag, newKeySet(keys)}
	}
	return at.set
}

// laneID is the lane of calls of such runs, of first calls if start is set.
func (s *keySet) laneID(start bool) laneID {
	if s == nil {
		if start {
			return startLane
		}
		return laneID{}
	}
	i := b2u(start)
	if !s.known[i] {
		s.lanes[i], s.known[i] = laneOf(s.keys, start), true
	}
	return s.lanes[i]
}

// startLane is the lane of first calls of runs without keys.
var startLane = laneOf(nil, true)

// key returns the id that the runs have for an expression; false if their configuration
// did not have the expression when they were created.
func (s *keySet) key(expr uint64) (flowID, bool) {
	if s != nil {
		for i := range s.keys {
			if s.keys[i].expr == expr {
				return s.keys[i].id, true
			}
		}
	}
	return flowID{}, false
}

// line says under what id the entry of the ready index of a run lies.
type line uint8

const (
	lineReady line = iota // none: in TableReady
	lineLane              // the lane of its keys
	lineStart             // that of first calls
)

// line is that of runs that are no guests, of first calls if start is set.
func (s *keySet) line(start bool) line {
	switch {
	case start:
		return lineStart
	case s == nil:
		return lineReady
	}
	return lineLane
}

// lineID is the lane of a line.
func (s *keySet) lineID(l line) laneID {
	if l == lineReady {
		return laneID{}
	}
	return s.laneID(l == lineStart)
}

// leaveStarts sets the line of a run that has started.
func (r *run) leaveStarts() {
	if r.line == lineStart {
		r.line = r.keys.line(false)
	}
}

// laneID names a lane of a function: a hash of the keys of its runs. The zero lane is
// that of runs without keys.
type laneID [16]byte

func (a laneID) compare(b laneID) int { return bytes.Compare(a[:], b[:]) }

// laneOf is the lane of runs with such keys. Starts have lanes of their own where
// they come under limits of their own, so that they hold up no run that goes on.
func laneOf(keys []limitKey, start bool) (id laneID) {
	if len(keys) == 0 && !start {
		return id
	}
	var h hasher
	h.reset(0)
	for i := range keys {
		h.add(keys[i].id[:])
	}
	if start {
		h.add([]byte{1})
	}
	return laneID(h.sum())
}
