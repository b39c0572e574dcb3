package pebble

import (
	"context"
	"fmt"
	"sort"

	"ingot/engine"
)

// Bounds of what a lagging reader reads at once.
const (
	pageBytes  = 1 << 20
	pageGroups = 256
	readers    = 2 // the engine's router, and the read model
)

// page is a run of groups from disk: all from a number on.
type page struct {
	from   uint64
	groups []stored
}

// Next implements engine.Log.
func (l *eventLog) Next(ctx context.Context, from uint64) (engine.LogGroup, error) {
	for {
		l.mu.Lock()
		if l.closing {
			l.mu.Unlock()
			return engine.LogGroup{}, engine.ErrClosed
		}
		from = max(from, l.cut)
		if from <= l.last {
			g, ok := l.find(from)
			l.mu.Unlock()
			if !ok {
				if err := l.readPage(from); err != nil {
					return engine.LogGroup{}, err
				}
				continue
			}
			g.Replayed = g.First < l.oldest
			return g.LogGroup, nil
		}
		l.awaited = true
		grown := l.grown
		l.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return engine.LogGroup{}, ctx.Err()
		}
	}
}

// find looks for the first group at or after from in memory. One exists.
func (l *eventLog) find(from uint64) (stored, bool) {
	if l.ring.len > 0 && l.ring.at(0).First <= from {
		return *l.ring.at(l.ring.search(func(g *stored) bool { return g.First >= from })), true
	}
	for n := range l.pages {
		p := l.pages[n]
		if len(p.groups) == 0 || p.from > from {
			continue
		}
		i := sort.Search(len(p.groups), func(i int) bool { return p.groups[i].First >= from })
		if i < len(p.groups) {
			l.usePage(n, p)
			return p.groups[i], true
		}
	}
	return stored{}, false
}

// usePage puts p first, in the place of the n-th page.
func (l *eventLog) usePage(n int, p page) {
	copy(l.pages[1:n+1], l.pages[:n])
	l.pages[0] = p
}

// readPage reads the groups from a number on into the page.
func (l *eventLog) readPage(from uint64) error {
	var groups []stored
	size := 0
	err := l.walk(from, func(r *groupReader) (bool, error) {
		if r.first < from {
			return true, r.skip()
		}
		g, err := r.read()
		if err != nil {
			return false, err
		}
		groups = append(groups, g)
		size += len(g.Data)
		return len(groups) < pageGroups && size < pageBytes, nil
	})
	if err != nil {
		return fmt.Errorf("read the event log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(groups) > 0:
		l.usePage(readers-1, page{from, groups})
	case l.cut <= from:
		return fmt.Errorf("%w: there is no group at or after entry %d", errGroup, from)
	}
	return nil
}

// walk calls fn at each group that is durable, from one at or before a number on, until
// fn returns false. fn reads the group or skips it.
func (l *eventLog) walk(from uint64, fn func(*groupReader) (bool, error)) error {
	if !l.reads.enter() {
		return engine.ErrClosed
	}
	defer l.reads.leave()
	l.files.RLock() // nothing is trimmed away meanwhile
	defer l.files.RUnlock()
	l.mu.Lock()
	last := l.last
	segments := append([]*segment(nil), l.segments...)
	n := sort.Search(len(segments), func(i int) bool { return segments[i].first > from })
	segments = segments[max(0, n-1):]
	start := segments[0].begin()
	if m := segments[0].marks; len(m) > 0 {
		if i := sort.Search(len(m), func(i int) bool { return m[i].first > from }); i > 0 {
			start = m[i-1]
		}
	}
	l.mu.Unlock()
	for i, s := range segments {
		if i > 0 {
			start = s.begin()
		}
		end := last + 1
		if i+1 < len(segments) {
			end = segments[i+1].first
		}
		if more, err := l.walkSegment(s, start, end, fn); err != nil || !more {
			return err
		}
	}
	return nil
}

// walkSegment is walk within a segment, from a mark on, up to the group that begins at end.
func (l *eventLog) walkSegment(s *segment, from mark, end uint64, fn func(*groupReader) (bool, error)) (bool, error) {
	r, err := l.openReader(s, from)
	if err != nil {
		return false, err
	}
	defer r.close()
	for r.first < end {
		if more, err := fn(r); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}
