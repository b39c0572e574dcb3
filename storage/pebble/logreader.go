package pebble

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// groupReader reads the groups of a segment, one after another.
type groupReader struct {
	mark    // of the group that comes next
	segment *segment
	file    vfs.File
	size    int64 // of the file
	buf     *bufio.Reader
	head    [groupHeader]byte
}

// Where a segment ends, or is damaged: which of both, only its reader knows.
var (
	errNoGroup  = fmt.Errorf("%w: no group follows", errGroup)
	errChecksum = fmt.Errorf("%w: wrong checksum", errGroup)
)

// openReader reads s from a group on.
func (l *eventLog) openReader(s *segment, from mark) (*groupReader, error) {
	file, err := l.store.fs.Open(l.path(s.name))
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	r := &groupReader{mark: from, segment: s, file: file, size: info.Size()}
	r.buf = bufio.NewReaderSize(io.NewSectionReader(file, from.offset, max(0, r.size-from.offset)), 64<<10)
	return r, nil
}

func (r *groupReader) close() { _ = r.file.Close() }

// group reads the header of the next group, and the length of its data.
func (r *groupReader) group() (g stored, length int, err error) {
	if _, err := io.ReadFull(r.buf, r.head[:]); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = r.broken(errNoGroup)
		}
		return g, 0, err
	}
	g.First = binary.LittleEndian.Uint64(r.head[8:])
	g.at = int64(binary.LittleEndian.Uint64(r.head[16:]))
	g.Count = int(binary.LittleEndian.Uint32(r.head[24:]))
	length = int(binary.LittleEndian.Uint32(r.head[28:]))
	if g.First != r.first || g.at != r.at || g.Count == 0 || int64(length) > r.size-r.offset-groupHeader {
		return g, 0, r.broken(errNoGroup)
	}
	return g, length, nil
}

func (r *groupReader) broken(err error) error {
	return fmt.Errorf("%w (%s, entry %d, byte %d)", err, r.segment.name, r.first, r.offset)
}

// advance moves on behind a group.
func (r *groupReader) advance(g *stored, length int) {
	r.first += uint64(g.Count)
	r.at += int64(length) + groupOverhead
	r.offset += int64(length) + groupHeader
}

// skip moves on without reading the data.
func (r *groupReader) skip() error {
	g, length, err := r.group()
	if err != nil {
		return err
	}
	if _, err := r.buf.Discard(length); err != nil {
		return err
	}
	r.advance(&g, length)
	return nil
}

// read reads the next group. Its data is its own.
func (r *groupReader) read() (stored, error) {
	g, length, err := r.group()
	if err != nil {
		return g, err
	}
	g.Data = make([]byte, length)
	if _, err := io.ReadFull(r.buf, g.Data); err != nil {
		return g, err
	}
	if binary.LittleEndian.Uint64(r.head[:]) != groupSum(r.segment.salt[:], r.head[8:], g.Data) {
		return g, r.broken(errChecksum)
	}
	r.advance(&g, length)
	return g, nil
}
