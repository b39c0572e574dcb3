package pebble

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"ingot/engine"

	"github.com/cockroachdb/pebble/v2"
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

// recover finds where the log begins and ends.
func (l *eventLog) recover() error {
	l.head, l.cut = 1, 1
	trimmed, closer, err := l.store.db.Get(keyTrimmed)
	if err == nil {
		l.cut, l.cutAt, err = parseTrimmed(trimmed)
		l.head, l.headAt = l.cut, l.cutAt
		_ = closer.Close()
	}
	if err != nil && !errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("open the event log: %w", err)
	}
	it, err := l.store.db.NewIter(&pebble.IterOptions{LowerBound: logKey(0), UpperBound: []byte{spaceLog + 1}})
	if err != nil {
		return fmt.Errorf("open the event log: %w", err)
	}
	defer func() { _ = it.Close() }()
	if it.First() {
		g, err := parseGroup(it.Key(), it.Value())
		if err != nil {
			return err
		}
		l.cut, l.cutAt = g.First, g.at
	}
	if it.Last() {
		g, err := parseGroup(it.Key(), it.Value())
		if err != nil {
			return err
		}
		l.head, l.headAt, l.last = g.end(), g.at+g.size(), g.First
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("open the event log: %w", err)
	}
	l.oldest, l.purged, l.purgedAt = l.head, l.cut, l.cutAt
	return nil
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
	if !l.reads.enter() {
		return engine.ErrClosed
	}
	defer l.reads.leave()
	l.mu.Lock()
	end := l.last + 1 // newer ones may not be durable yet
	l.mu.Unlock()
	it, err := l.store.db.NewIter(&pebble.IterOptions{LowerBound: logKey(from), UpperBound: logKey(end)})
	if err != nil {
		return fmt.Errorf("read the event log: %w", err)
	}
	defer func() { _ = it.Close() }()
	var groups []stored
	for ok, size := it.First(), 0; ok && len(groups) < pageGroups && size < pageBytes; ok = it.Next() {
		g, err := parseGroup(it.Key(), append([]byte(nil), it.Value()...))
		if err != nil {
			return err
		}
		if n := len(groups); n > 0 && (g.First != groups[n-1].end() || g.at != groups[n-1].at+groups[n-1].size()) {
			return fmt.Errorf("%w: entries %d to %d are missing", errGroup, groups[n-1].end(), g.First)
		}
		groups = append(groups, g)
		size += len(g.Data)
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("read the event log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(groups) > 0:
		l.usePage(readers-1, page{from, groups})
	case l.cut <= from:
		return fmt.Errorf("%w: entries %d to %d are missing", errGroup, from, end)
	}
	return nil
}
