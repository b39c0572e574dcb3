package pebble

import (
	"fmt"
	"sync"
	"sync/atomic"

	"ingot/internal/pace"

	"github.com/cockroachdb/pebble/v2/vfs"
)

type fileKind byte

const (
	// tableFile is a table or another file whose failed write Pebble can handle, by
	// writing it anew.
	tableFile fileKind = iota
	// eventFile is a segment of the event log.
	eventFile
	// logFile is Pebble's write-ahead log, manifestFile the list of its files, and
	// directory their directory. Of their errors Pebble does not learn.
	logFile
	manifestFile
	directory
)

// diskFile is a file that Pebble writes.
type diskFile struct {
	vfs.File
	fs   *diskFS
	path string
	kind fileKind

	pace  pace.Pace   // of a flush
	dirty atomic.Bool // written since the last real sync; of a log file under SyncInterval

	// Of a log file or a segment: where the next write goes, and up to where the file exists on disk.
	offset, size int64

	mu     sync.Mutex // held during a real sync of a log file under SyncInterval
	closed bool
}

// refused is what an operation on a frozen file system returns.
func (f *diskFile) refused(err error) error {
	if f.kind == tableFile || f.kind == eventFile {
		return err
	}
	return nil
}

func (f *diskFile) Write(p []byte) (int, error) {
	if err := f.fs.failure(); err != nil {
		return len(p), f.refused(err)
	}
	n, err := f.File.Write(p)
	if err != nil {
		err = fmt.Errorf("write %s: %w", f.path, err)
		f.fs.freeze(err)
		return len(p), f.refused(err)
	}
	if f.kind == logFile {
		f.offset += int64(n)
		f.extend()
	}
	if f.elides() && !f.dirty.Swap(true) {
		f.fs.schedule()
	}
	f.pace.Step()
	return n, nil
}

// extension is how much a log file grows at a time, piece how much of that is
// written at once: of larger pieces the page cache makes large folios, and accounts
// the whole of one for each small write to it.
const (
	extension = 256 << 10
	piece     = 4 << 10
)

var zeros [piece]byte

// WriteAt writes a segment of the event log.
func (f *diskFile) WriteAt(p []byte, at int64) (int, error) {
	if err := f.fs.failure(); err != nil {
		return 0, err
	}
	n, err := f.File.WriteAt(p, at)
	if err != nil {
		err = fmt.Errorf("write %s: %w", f.path, err)
		f.fs.freeze(err)
		return n, err
	}
	f.offset = at + int64(n)
	f.extend()
	return n, nil
}

// extend has a log file exist some way ahead of what has been written. A sync after a
// write that made the file longer has to write its inode as well, and takes twice as
// long. Zeros are the end of a log, as is what an earlier life of the file has left there.
func (f *diskFile) extend() {
	if f.offset <= f.size {
		return
	}
	f.size = f.offset
	for f.size < f.offset+f.fs.extend {
		written, err := f.File.WriteAt(zeros[:], f.size)
		f.size += int64(written)
		if err != nil {
			return // without it, syncs are only slower
		}
	}
}

// Preallocate is no more than a hint.
func (f *diskFile) Preallocate(offset, length int64) error {
	if f.fs.failure() != nil {
		return nil
	}
	return f.File.Preallocate(offset, length)
}

func (f *diskFile) elides() bool { return f.kind == logFile && f.fs.interval > 0 }

func (f *diskFile) Sync() error {
	if f.elides() {
		return f.refused(f.fs.failure())
	}
	return f.sync(f.File.Sync)
}

func (f *diskFile) SyncData() error {
	if f.elides() {
		return f.refused(f.fs.failure())
	}
	return f.sync(f.File.SyncData)
}

// SyncTo is no more than a hint, except where it syncs everything.
func (f *diskFile) SyncTo(length int64) (fullSync bool, err error) {
	if f.elides() || f.fs.failure() != nil {
		return false, nil
	}
	err = f.sync(func() (err error) {
		fullSync, err = f.File.SyncTo(length)
		return err
	})
	return fullSync, err
}

// sync syncs for real.
func (f *diskFile) sync(sync func() error) error {
	if err := f.fs.failure(); err != nil {
		return f.refused(err)
	}
	f.fs.syncs.Add(1)
	if err := sync(); err != nil {
		err = fmt.Errorf("sync %s: %w", f.path, err)
		f.fs.freeze(err)
		return f.refused(err)
	}
	return nil
}

// settle makes up for the elided syncs of a log file. When it returns, everything
// that was written before is durable, or the file system is frozen: a concurrent
// call that took the dirty mark has finished.
func (f *diskFile) settle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed && f.dirty.Swap(false) {
		_ = f.sync(f.File.SyncData)
	}
}

func (f *diskFile) Close() error {
	if f.elides() {
		f.settle()
		f.mu.Lock()
		f.closed = true
		f.mu.Unlock()
		f.fs.mu.Lock()
		delete(f.fs.logs, f)
		f.fs.mu.Unlock()
	}
	err := f.File.Close()
	if err != nil && f.fs.failure() == nil {
		err = fmt.Errorf("close %s: %w", f.path, err)
		f.fs.freeze(err)
	}
	return f.refused(err)
}
