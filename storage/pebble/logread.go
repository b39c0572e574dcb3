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
)

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
		l.page = nil // the reader has caught up
		return *l.ring.at(l.ring.search(func(g *stored) bool { return g.First >= from })), true
	}
	if len(l.page) > 0 && l.pageFrom <= from {
		i := sort.Search(len(l.page), func(i int) bool { return l.page[i].First >= from })
		if i < len(l.page) {
			return l.page[i], true
		}
	}
	return stored{}, false
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
	var page []stored
	for ok, size := it.First(), 0; ok && len(page) < pageGroups && size < pageBytes; ok = it.Next() {
		g, err := parseGroup(it.Key(), append([]byte(nil), it.Value()...))
		if err != nil {
			return err
		}
		if n := len(page); n > 0 && (g.First != page[n-1].end() || g.at != page[n-1].at+page[n-1].size()) {
			return fmt.Errorf("%w: entries %d to %d are missing", errGroup, page[n-1].end(), g.First)
		}
		page = append(page, g)
		size += len(g.Data)
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("read the event log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(page) > 0:
		l.page, l.pageFrom = page, from
	case l.cut <= from:
		return fmt.Errorf("%w: entries %d to %d are missing", errGroup, from, end)
	}
	return nil
}
