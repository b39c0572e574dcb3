package pebble

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// diskFS stands between Pebble and the file system, for three reasons.
//
// It freezes. A failed fsync may have dropped the data for good, and a later one
// would falsely succeed; so the first write or sync that fails is the last that
// reaches the disk. Pebble on its own would panic, with its locks held, when its
// log fails, and end the process when its manifest does. Therefore it never
// learns of such errors: from that moment its files live in memory, what it
// removes stays on the disk, and what it writes to its log is dropped. The store
// asks [diskFS.failure] before it acknowledges anything, and refuses all writes.
// So memory does not grow, reads go on, and the disk stays as the failure left it:
// a state from which the next start recovers every acknowledged write.
//
// It paces. A flush rests now and then (package pace), unless the next memtable is full.
//
// It elides. Under [SyncInterval], a sync of Pebble's log returns at once and a
// timer makes it up. The event log syncs for real with [diskFS.syncLog].
//
// What Pebble needs for features that the store does not use (links and writes in
// place, for checkpoints and remote storage) passes through.
type diskFS struct {
	vfs.FS
	dir      string
	onFailed func(error) // called once
	interval time.Duration
	extend   int64 // by how much log files grow at a time

	frozen   atomic.Pointer[failure]
	memory   *vfs.MemFS    // files created since the freeze
	released chan struct{} // closed when the store closes
	syncs    atomic.Uint64
	rotated  atomic.Uint64 // log files that Pebble has begun, each with a new memtable

	mu    sync.Mutex
	logs  map[*diskFile]struct{} // open log files
	timer *time.Timer            // runs when a log file is dirty, under SyncInterval
}

type failure struct{ err error }

func newDiskFS(fs vfs.FS, dir string, interval time.Duration, onFailed func(error)) *diskFS {
	return &diskFS{
		FS:       fs,
		dir:      dir,
		interval: interval,
		onFailed: onFailed,
		memory:   vfs.NewMem(),
		released: make(chan struct{}),
		logs:     make(map[*diskFile]struct{}),
	}
}

// failure is the error that froze the file system, or nil.
func (d *diskFS) failure() error {
	if f := d.frozen.Load(); f != nil {
		return f.err
	}
	return nil
}

// freeze lets nothing reach the disk any more.
func (d *diskFS) freeze(err error) {
	if d.frozen.Load() != nil {
		return
	}
	// Before anyone sees the freeze and creates a file.
	_ = d.memory.MkdirAll(d.dir, 0o700)
	if d.frozen.CompareAndSwap(nil, &failure{err}) {
		d.onFailed(err)
	}
}

// release ends the waits of a frozen file system, so that Pebble can be closed.
func (d *diskFS) release() { close(d.released) }

// syncLog really syncs the log files, as far as they have been written.
func (d *diskFS) syncLog() {
	d.mu.Lock()
	files := make([]*diskFile, 0, 4)
	for f := range d.logs {
		files = append(files, f)
	}
	d.mu.Unlock()
	for _, f := range files {
		f.settle()
	}
}

// schedule has syncLog run within the interval, for a log file that has just become
// dirty. Only one is at a time: Pebble closes its log before it begins the next.
func (d *diskFS) schedule() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer == nil {
		d.timer = time.AfterFunc(d.interval, d.syncLog)
	} else {
		d.timer.Reset(d.interval)
	}
}

// stop ends the timer. Closing a log file syncs it.
func (d *diskFS) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
}

// open wraps a file opened for writing.
func (d *diskFS) open(name string, f vfs.File) *diskFile {
	base := d.FS.PathBase(name)
	w := &diskFile{File: f, fs: d, path: name}
	switch {
	case strings.HasSuffix(base, ".log"):
		w.kind = logFile
		d.rotated.Add(1)
		if info, err := f.Stat(); err == nil {
			w.size = info.Size() // of a file that is written anew
		}
		if d.interval > 0 {
			d.mu.Lock()
			d.logs[w] = struct{}{}
			d.mu.Unlock()
		}
	case strings.HasPrefix(base, segmentPrefix):
		w.kind = eventFile
		if info, err := f.Stat(); err == nil {
			w.size = info.Size()
		}
	case strings.HasPrefix(base, "MANIFEST-"):
		w.kind = manifestFile
	}
	return w
}

// created is the tail of the calls that open a file for writing: on an error, and
// when frozen, the file is one in memory.
func (d *diskFS) created(name string, c vfs.DiskWriteCategory, open func() (vfs.File, error)) (vfs.File, error) {
	if d.failure() == nil {
		f, err := d.ordered(name, open)
		if err == nil {
			w := d.open(name, f)
			if c == "pebble-memtable-flush" {
				begun := d.rotated.Load()
				w.pace.Begin(func() bool { return d.rotated.Load() != begun })
			}
			return w, nil
		}
		d.freeze(fmt.Errorf("create %s: %w", name, err))
	}
	if c == "pebble-compaction" {
		// A compaction may write the whole store anew, too much for memory. Flushes
		// must go on, since writes that began before the freeze may wait for one.
		<-d.released
		return nil, d.failure()
	}
	return d.memory.Create(name, c)
}

// ordered creates a file. One that marks another as the current one is created
// only when that is sure to be in the directory: file systems may well keep a later
// entry and lose an earlier one.
func (d *diskFS) ordered(name string, open func() (vfs.File, error)) (vfs.File, error) {
	if strings.HasPrefix(d.FS.PathBase(name), "marker.") {
		dir, err := d.FS.OpenDir(d.dir)
		if err != nil {
			return nil, err
		}
		d.syncs.Add(1)
		if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
			return nil, err
		}
	}
	return open()
}

func (d *diskFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.created(name, c, func() (vfs.File, error) { return d.FS.Create(name, c) })
}

func (d *diskFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.created(name, c, func() (vfs.File, error) { return d.FS.ReuseForWrite(old, name, c) })
}

// OpenReadWrite opens a segment of the event log, or creates it.
func (d *diskFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return d.created(name, c, func() (vfs.File, error) { return d.FS.OpenReadWrite(name, c, opts...) })
}

func (d *diskFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if d.failure() != nil {
		if f, err := d.memory.Open(name, opts...); err == nil {
			return f, nil
		}
	}
	return d.FS.Open(name, opts...)
}

func (d *diskFS) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &diskFile{File: f, fs: d, path: name, kind: directory}, nil
}

// Remove removes a file. That it fails costs space, not data, so it freezes nothing.
func (d *diskFS) Remove(name string) error {
	if d.failure() == nil {
		return d.FS.Remove(name)
	}
	_ = d.memory.Remove(name) // what is not there is on the disk, and stays
	return nil
}

// Rename renames a file: a spare segment of the event log. Pebble does that only while it
// opens a database.
func (d *diskFS) Rename(old, name string) error {
	err := d.failure()
	if err == nil {
		if err = d.FS.Rename(old, name); err != nil {
			err = fmt.Errorf("rename %s: %w", old, err)
			d.freeze(err)
		}
	}
	return err
}

func (d *diskFS) Unwrap() vfs.FS { return d.FS }
