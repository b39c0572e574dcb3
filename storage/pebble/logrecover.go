package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// recover finds where the log begins and ends, and opens its last segment for more.
func (l *eventLog) recover() error {
	if err := l.recoverCut(); err != nil {
		return err
	}
	if err := l.recoverSegments(); err != nil {
		return err
	}
	if len(l.segments) == 0 {
		return l.nextSegment()
	}
	if l.segments[0].first > l.cut {
		return fmt.Errorf("%w: entries %d to %d are missing", errGroup, l.cut, l.segments[0].first)
	}
	if err := l.recoverEnd(); err != nil {
		return err
	}
	file, err := l.store.fs.OpenReadWrite(l.path(l.active.name), segmentCategory)
	if err != nil {
		return fmt.Errorf("open the event log: %w", err)
	}
	l.file = file
	return l.store.fs.failure()
}

// recoverCut reads up to where the log has been trimmed.
func (l *eventLog) recoverCut() error {
	l.head, l.cut = 1, 1
	trimmed, closer, err := l.store.db.Get(keyTrimmed)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err == nil {
		l.cut, l.cutAt, err = parseTrimmed(trimmed)
		l.head, l.headAt = l.cut, l.cutAt
		_ = closer.Close()
	}
	if err != nil {
		return fmt.Errorf("open the event log: %w", err)
	}
	return nil
}

// recoverSegments finds the segments, and drops those that are not needed.
func (l *eventLog) recoverSegments() error {
	names, err := l.segmentNames()
	if err != nil {
		return err
	}
	for i, name := range names {
		b, size, err := l.readHeader(name)
		if err != nil {
			return fmt.Errorf("open the event log: %w", err)
		}
		s := parseSegment(b)
		switch {
		case s != nil && s.name == name:
			s.size = size
			l.segments = append(l.segments, s)
		case i == len(names)-1 && unfinished(b):
			if err := l.store.fs.Remove(l.path(name)); err != nil {
				return fmt.Errorf("open the event log: %w", err)
			}
		default:
			return fmt.Errorf("%w: %s is no segment of it", errGroup, name)
		}
	}
	l.dropTrimmed()
	return nil
}

// readHeader reads the header of a segment, as far as it is there, and the file's size.
func (l *eventLog) readHeader(name string) (b []byte, size int64, err error) {
	file, err := l.store.fs.Open(l.path(name))
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	b = make([]byte, min(info.Size(), segmentHeader+groupHeader))
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, info.Size()), b); err != nil {
		return nil, 0, err
	}
	return b, info.Size(), nil
}

// unfinished reports whether a file was about to become a segment when the server ended,
// so that nothing can be in it: it still begins like the segment that it was, or is new.
func unfinished(b []byte) bool {
	if parseSegment(b) != nil {
		return true
	}
	for _, c := range b[min(len(b), segmentHeader):] {
		if c != 0 {
			return false
		}
	}
	return true
}

// recoverEnd reads the last segment to find the end of the log.
func (l *eventLog) recoverEnd() error {
	l.active = l.segments[len(l.segments)-1]
	r, err := l.openReader(l.active, l.active.begin())
	if err != nil {
		return fmt.Errorf("open the event log: %w", err)
	}
	defer r.close()
	for {
		begin := r.mark
		g, err := r.read()
		if errors.Is(err, errGroup) {
			r.mark = begin
			break
		}
		if err != nil {
			return fmt.Errorf("open the event log: %w", err)
		}
		l.last = g.First
		l.marked(begin)
	}
	l.head, l.headAt, l.offset = r.first, r.at, r.offset
	if l.head < l.cut {
		return fmt.Errorf("%w: entries %d to %d are missing", errGroup, l.head, l.cut)
	}
	if l.last == 0 && len(l.segments) > 1 {
		if err := l.recoverLast(l.segments[len(l.segments)-2]); err != nil {
			return err
		}
	}
	return l.checkEnd(r)
}

// recoverLast finds the last group of the segment before an empty one.
func (l *eventLog) recoverLast(s *segment) error {
	r, err := l.openReader(s, s.begin())
	if err != nil {
		return fmt.Errorf("open the event log: %w", err)
	}
	defer r.close()
	for r.first < l.active.first {
		l.last = r.first
		if err := r.skip(); err != nil {
			return fmt.Errorf("open the event log: %w", err)
		}
	}
	return nil
}

// checkEnd tells the end of the log from damage. A crash leaves at most one group that is
// not whole, since the next is written only when it is durable; so no group
// can be behind the end.
func (l *eventLog) checkEnd(r *groupReader) error {
	rest := make([]byte, max(0, r.size-r.offset))
	if n, err := r.file.ReadAt(rest, r.offset); err != nil && err != io.EOF {
		return fmt.Errorf("open the event log: %w", err)
	} else {
		rest = rest[:n]
	}
	for i := 1; i+groupHeader <= len(rest); i++ {
		first := binary.LittleEndian.Uint64(rest[i+8:])
		if first <= r.first || first-r.first > uint64(len(rest)) {
			continue
		}
		length := int(binary.LittleEndian.Uint32(rest[i+28:]))
		b := rest[i:]
		if length > len(b)-groupHeader || binary.LittleEndian.Uint64(b) != groupSum(r.segment.salt[:], b[8:groupHeader], b[groupHeader:groupHeader+length]) {
			continue
		}
		return fmt.Errorf("%w: entries %d to %d of %s cannot be read", errGroup, r.first, first, r.segment.name)
	}
	return nil
}
