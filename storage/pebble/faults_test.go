package pebble

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ingot/engine"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// countOps calls at before the n-th change of fs.
func countOps(fs vfs.FS, n int, at func()) vfs.FS {
	var ops atomic.Int64
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && ops.Add(1) == int64(n) {
			at()
		}
		return nil
	}))
}

// faultyFS is errorfs with faults on recycled files too, which it loses.
type faultyFS struct {
	*errorfs.FS
	inj errorfs.Injector
}

func newFaultyFS(fs vfs.FS, inj errorfs.InjectorFunc) vfs.FS {
	return &faultyFS{errorfs.Wrap(fs, inj), inj}
}

func (f *faultyFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.inj.MaybeError(errorfs.Op{Kind: errorfs.OpReuseForWrite, Path: old}); err != nil {
		return nil, err
	}
	if err := f.Unwrap().Remove(old); err != nil {
		return nil, err
	}
	return f.Create(name, c)
}

// fault fails operations of some kinds on some files.
type fault struct {
	name  string
	err   error
	file  string // part of the path
	kinds []errorfs.OpKind
	sync  SyncPolicy
}

var (
	syncs  = []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData}
	writes = []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileWriteAt}
	makes  = []errorfs.OpKind{errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpOpen}
	all    = []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpCreate,
		errorfs.OpReuseForWrite, errorfs.OpRemove, errorfs.OpRename, errorfs.OpFilePreallocate}
	brief = SyncInterval(time.Millisecond)
)

var faults = []fault{
	{"sync of the log", syscall.EIO, ".log", syncs, SyncAlways},
	{"sync of the log by timer", syscall.EIO, ".log", syncs, brief},
	{"write of the log", syscall.ENOSPC, ".log", writes, SyncAlways},
	{"write of the log, interval", syscall.ENOSPC, ".log", writes, brief},
	{"new log", syscall.ENOSPC, ".log", makes, SyncAlways},
	{"sync of events", syscall.EIO, segmentPrefix, syncs, SyncAlways},
	{"write of events", syscall.ENOSPC, segmentPrefix, writes, brief},
	{"new file of events", syscall.EMFILE, segmentPrefix, makes, SyncAlways},
	{"write of a table", syscall.ENOSPC, ".sst", writes, SyncAlways},
	{"sync of a table", syscall.EIO, ".sst", syncs, SyncAlways},
	{"new table", syscall.EMFILE, ".sst", makes, brief},
	{"write of the manifest", syscall.ENOSPC, "MANIFEST", writes, SyncAlways},
	{"sync of the manifest", syscall.EIO, "MANIFEST", syncs, brief},
	{"new manifest", syscall.ENOSPC, "MANIFEST", makes, SyncAlways},
	{"marker of the manifest", syscall.EIO, "marker.manifest", makes, SyncAlways},
	{"everything", syscall.ENOSPC, "", all, SyncAlways},
	{"everything, interval", syscall.EIO, "", all, brief},
}

// TestFaults lets the disk fail under load. From then on nothing is acknowledged,
// reads go on, the store can be closed, and what was acknowledged is found on the
// disk: as it is, and after a power cut as well.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				f.test(t, seed)
			}
		})
	}
}

func (f fault) test(t *testing.T, seed uint64) {
	fs := vfs.NewCrashableMem()
	var broken atomic.Bool
	var hits atomic.Int64
	o := memOptions(newFaultyFS(fs, func(op errorfs.Op) error {
		if !broken.Load() || !strings.Contains(op.Path, f.file) {
			return nil
		}
		for _, k := range f.kinds {
			if op.Kind == k {
				hits.Add(1)
				return f.err
			}
		}
		return nil
	}))
	o.Sync, o.tune = f.sync, small
	s := mustOpen(t, "data", o)
	l := newLoad(s, seed)
	l.await(200)
	broken.Store(true)
	l.await(1_000_000)
	if hits.Load() == 0 {
		l.end()
		t.Fatalf("the fault was never met; failures: %v", l.failures)
	}
	l.await(1 << 30) // until something fails

	// Poisoned: everything fails, also where the disk would work again.
	broken.Store(false)
	if err := s.Log().Append([]byte("x"), 1); !errors.Is(err, engine.ErrDisk) || !errors.Is(err, f.err) {
		t.Errorf("append after the fault: %v", err)
	}
	for part := engine.SystemPartition; part < s.Partitions()-1; part++ {
		p, err := s.Partition(part)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Scan(engine.TableStep, nil, nil, func(_, _ []byte) bool { return true }); err != nil {
			t.Errorf("read after the fault: %v", err)
		}
	}
	l.end()
	sys, _ := s.Partition(engine.SystemPartition)
	b := sys.NewBatch()
	b.Put(engine.TableApp, []byte("a"), nil)
	done := make(chan error, 1)
	sys.Commit(b, func(err error) { done <- err })
	if err := <-done; !errors.Is(err, f.err) {
		t.Errorf("commit after the fault: %v", err)
	}
	readLog(t, s)
	if m, err := s.Metrics(); err != nil || !m.Failed {
		t.Errorf("metrics %+v, %v do not tell of the failure", m, err)
	}
	before := l.promised()
	cut := fs.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); !errors.Is(err, f.err) {
		t.Errorf("Close after the fault: %v", err)
	}
	for _, err := range l.failures {
		if !errors.Is(err, f.err) {
			t.Errorf("a write failed with %v", err)
		}
	}

	for disk, policy := range map[*vfs.MemFS]SyncPolicy{fs: SyncAlways, cut: f.sync} {
		o := memOptions(disk)
		o.Sync = f.sync
		s := mustOpen(t, "data", o)
		before.check(t, s, policy)
		if err := s.Log().Append([]byte("x"), 1); err != nil {
			t.Errorf("append after the restart: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFailedRemove lets all removals of files fail: the store goes on, and the
// next start removes them.
func TestFailedRemove(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	var removals atomic.Int64
	o := memOptions(newFaultyFS(fs, func(op errorfs.Op) error {
		if op.Kind != errorfs.OpRemove || !strings.HasSuffix(op.Path, ".sst") {
			return nil
		}
		removals.Add(1)
		return syscall.EIO
	}))
	o.tune = small
	s := mustOpen(t, "data", o)
	l := newLoad(s, 1)
	for removals.Load() < 10 {
		l.await(l.count() + 100)
	}
	l.end()
	if len(l.failures) > 0 {
		t.Error(l.failures[0])
	}
	before := l.promised()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	o.FS = fs
	left := tables(t, fs)
	s = mustOpen(t, "data", o)
	before.check(t, s, SyncAlways)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if now := tables(t, fs); now > left-10 {
		t.Errorf("of %d tables %d are left after the next start", left, now)
	}
}

// tables is the number of table files in the store.
func tables(t *testing.T, fs vfs.FS) (n int) {
	names, err := fs.List("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			n++
		}
	}
	return n
}

// TestLowDisk refuses events, and only events, while the disk has little space.
func TestLowDisk(t *testing.T) {
	t.Parallel()
	fs := &sizedFS{FS: vfs.NewMem()}
	fs.free.Store(1000)
	o := memOptions(fs)
	o.MinFreeBytes = 1000
	s := mustOpen(t, "data", o)
	defer s.Close()
	if err := s.Log().Append([]byte("a"), 1); err != nil {
		t.Error(err)
	}
	fs.free.Store(999)
	s.log.space.looked = time.Time{} // the look at the disk is due
	for range 2 {
		if err := s.Log().Append([]byte("b"), 1); !errors.Is(err, engine.ErrDisk) || !strings.Contains(err.Error(), "999") {
			t.Errorf("append on a nearly full disk: %v", err)
		}
	}
	p, _ := s.Partition(0)
	b := p.NewBatch()
	b.Put(engine.TableRun, []byte("a"), nil)
	done := make(chan error, 1)
	p.Commit(b, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Errorf("commit on a nearly full disk: %v", err)
	}
	fs.free.Store(5000)
	s.log.space.written = freeSpaceBytes
	if err := s.Log().Append([]byte("c"), 1); err != nil {
		t.Errorf("append after space was freed: %v", err)
	}
	if got := readGroups(t, s); got != "1:a 2:c" {
		t.Errorf("the log holds %q", got)
	}
}

// sizedFS has a settable free space.
type sizedFS struct {
	vfs.FS
	free atomic.Uint64
}

func (f *sizedFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.free.Load()}, nil
}
