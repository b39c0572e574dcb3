package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ingot/engine"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// slowFS holds syncs of the log while told so.
type slowFS struct {
	vfs.FS
	hold atomic.Bool
	gate chan struct{}
}

func (f *slowFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	if err != nil || !strings.HasSuffix(name, ".log") {
		return file, err
	}
	return &slowFile{file, f}, nil
}

type slowFile struct {
	vfs.File
	fs *slowFS
}

func (f *slowFile) SyncData() error {
	if f.fs.hold.Load() {
		<-f.fs.gate
	}
	return f.File.SyncData()
}

// TestCommitsArePipelined holds the sync: commits return before it ends, are
// visible, and are not acknowledged; when too many wait, Commit blocks.
func TestCommitsArePipelined(t *testing.T) {
	t.Parallel()
	fs := &slowFS{FS: vfs.NewMem(), gate: make(chan struct{})}
	s := mustOpen(t, "data", memOptions(fs))
	defer s.Close()
	p, err := s.Partition(0)
	if err != nil {
		t.Fatal(err)
	}
	fs.hold.Store(true)
	var acked, submitted atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range inflightMax + 3 {
			b := p.NewBatch()
			b.Put(engine.TableRun, []byte("k"), fmt.Append(nil, i))
			wg.Add(1)
			p.Commit(b, func(err error) {
				if err != nil {
					t.Error(err)
				}
				acked.Add(1)
				wg.Done()
			})
			submitted.Add(1)
		}
	})
	for submitted.Load() < inflightMax {
		time.Sleep(time.Millisecond)
	}
	if n := acked.Load(); n != 0 {
		t.Errorf("%d commits were acknowledged during the sync", n)
	}
	if n := submitted.Load(); n > inflightMax {
		t.Errorf("%d commits wait for their sync, more than %d", n, inflightMax)
	}
	fs.hold.Store(false)
	close(fs.gate)
	wg.Wait()
	if n := acked.Load(); n != inflightMax+3 {
		t.Errorf("%d commits were acknowledged", n)
	}
}

// TestCommitAllocatesLittle bounds what a batch of twenty writes costs the collector.
func TestCommitAllocatesLittle(t *testing.T) {
	// Not parallel: allocations of other tests would be counted.
	s := mustOpen(t, "data", memOptions(vfs.NewMem()))
	defer s.Close()
	p, _ := s.Partition(0)
	done := make(chan error, 1)
	report := func(err error) { done <- err }
	key, value := make([]byte, 24), make([]byte, 200)
	commit := func() {
		b := p.NewBatch()
		for i := range 20 {
			key[23] = byte(i)
			b.Put(engine.TableStep, key, value)
		}
		p.Commit(b, report)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for range 100 {
		commit() // warm up pools
	}
	if n := testing.AllocsPerRun(500, commit); n > 1 {
		t.Errorf("%v allocations per commit", n)
	}
	keys := [][]byte{key}
	get := func() {
		if err := p.Get(engine.TableStep, keys, func(_ int, v []byte) {}); err != nil {
			t.Error(err)
		}
	}
	if n := testing.AllocsPerRun(500, get); n > 2 {
		t.Errorf("%v allocations per get", n)
	}
}

// TestIntervalSyncs counts syncs: commits under SyncInterval do not wait for one,
// but get it; appends always do.
func TestIntervalSyncs(t *testing.T) {
	t.Parallel()
	o := memOptions(vfs.NewMem())
	o.Sync = SyncInterval(20 * time.Millisecond)
	s := mustOpen(t, "data", o)
	defer s.Close()
	p, _ := s.Partition(0)
	s.fs.syncLog()
	before := s.fs.syncs.Load()
	const commits = 300
	start := time.Now()
	for range commits {
		b := p.NewBatch()
		b.Put(engine.TableRun, []byte("a"), nil)
		done := make(chan error, 1)
		p.Commit(b, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	most := uint64(time.Since(start)/(20*time.Millisecond)) + 2
	if n := s.fs.syncs.Load() - before; n > most {
		t.Errorf("%d syncs for %d commits, want at most %d", n, commits, most)
	}
	dirty := func() (dirty bool) {
		s.fs.mu.Lock()
		defer s.fs.mu.Unlock()
		for f := range s.fs.logs {
			dirty = dirty || f.dirty.Load()
		}
		return dirty
	}
	for dirty() { // until the timer has made it up
		time.Sleep(time.Millisecond)
	}
	before = s.fs.syncs.Load()
	for i := range 5 {
		if err := s.Log().Append([]byte("x"), 1); err != nil {
			t.Fatal(err)
		}
		if n := s.fs.syncs.Load() - before; n < uint64(i+1) {
			t.Errorf("%d syncs after %d appends", n, i+1)
		}
	}
}

func TestPartitionsAreFixedAtCreation(t *testing.T) {
	t.Parallel()
	o := memOptions(vfs.NewMem())
	for _, n := range []int{0, 7, 2} {
		o.Partitions = n
		s := mustOpen(t, "data", o)
		if s.Partitions() != DefaultPartitions {
			t.Errorf("opened with %d: %d partitions, want the %d of its creation", n, s.Partitions(), DefaultPartitions)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInvalidOptions(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Options{
		"1025 partitions": {Partitions: MaxPartitions + 1},
		"-1 partitions":   {Partitions: -1},
		"sync interval":   {Sync: SyncInterval(-1)},
		"0 to 1m0s":       {Sync: SyncInterval(time.Hour)},
		"cache of -1":     {CacheBytes: -1},
		"log of -1":       {MaxLogBytes: -1},
	} {
		if _, err := Open(t.TempDir(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error about %s", err, want)
		}
	}
	if a, i := SyncAlways.String(), SyncInterval(time.Second).String(); a != "always" || i != "interval 1s" {
		t.Errorf("policies are called %q and %q", a, i)
	}
}

func TestForeignDirectories(t *testing.T) {
	t.Parallel()
	set := func(key, value string) func(*pebble.DB) error {
		return func(db *pebble.DB) error { return db.Set([]byte(key), []byte(value), pebble.Sync) }
	}
	for _, tt := range []struct {
		name, want string
		prepare    func(*pebble.DB) error
	}{
		{"newer", fmt.Sprintf("written by a newer version of Ingot (format %d, this version reads up to %d): run that version", formatVersion+1, formatVersion),
			set(string(keyFormat), fmt.Sprintf(`{"version":%d,"partitions":4,"what":"else"}`, formatVersion+1))},
		{"other database", "holds a database of something else", set("hello", "world")},
		{"no number", "invalid character", set(string(keyFormat), `x`)},
		{"no partitions", "version 1 with 0 partitions is not valid", set(string(keyFormat), `{"version":1}`)},
		{"newer engine", "run that version", func(db *pebble.DB) error { return nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fs := vfs.NewMem()
			db, err := pebble.Open("data", &pebble.Options{FS: fs, Logger: &logger{quiet, nil}})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(tt.prepare(db), db.Close()); err != nil {
				t.Fatal(err)
			}
			if tt.name == "newer engine" {
				f, err := fs.Create("data/marker.format-version.000999.999", "")
				if err != nil {
					t.Fatal(err)
				}
				_ = f.Close()
			}
			s, err := Open("data", memOptions(fs))
			if err == nil {
				_ = s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if errors.Is(err, ErrNewerFormat) != (tt.name == "newer") {
				t.Errorf("is ErrNewerFormat: %v", err)
			}
			// A refusal leaves no lock.
			if lock, err := pebble.LockDirectory("data", fs); err != nil {
				t.Error(err)
			} else {
				_ = lock.Close()
			}
		})
	}
}

// TestOlderFormat opens a directory of version 1: it is one of this version then, so
// that an older program refuses it, and keeps the rest of its record.
func TestOlderFormat(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	db, err := pebble.Open("data", &pebble.Options{FS: fs, Logger: &logger{quiet, nil}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set(keyFormat, []byte(`{"version":1,"partitions":7,"platform":"x"}`), pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s := mustOpen(t, "data", memOptions(fs))
		value, closer, err := s.db.Get(keyFormat)
		if err != nil {
			t.Fatal(err)
		}
		if text := string(value); !strings.Contains(text, fmt.Sprintf(`"version":%d`, formatVersion)) || !strings.Contains(text, `"platform":"x"`) || s.Partitions() != 7 {
			t.Errorf("the format is %s, with %d partitions", text, s.Partitions())
		}
		if err := errors.Join(closer.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLockedDirectory opens a directory that another process has open.
func TestLockedDirectory(t *testing.T) {
	if dir := os.Getenv("STORE_TO_HOLD"); dir != "" {
		s := mustOpen(t, dir, Options{Logger: quiet})
		fmt.Println("open")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the other process says so
		_ = s.Close()
		return
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	other := exec.Command(os.Args[0], "-test.run=^TestLockedDirectory$")
	other.Env = append(os.Environ(), "STORE_TO_HOLD="+dir)
	stdin, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir, Options{Logger: quiet})
	if err == nil || !strings.Contains(err.Error(), "another server") || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
	_ = stdin.Close()
	if err := other.Wait(); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir, Options{Logger: quiet})
	if _, err := Open(dir, Options{Logger: quiet}); err == nil {
		t.Error("the same process opened the directory twice")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(file, "data"), Options{}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a directory in a file: %v", err)
	}
}

// TestSpaceIsGivenBack writes and deletes much more than stays.
func TestSpaceIsGivenBack(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir(), Options{Logger: quiet, Sync: SyncInterval(time.Second), MinFreeBytes: -1})
	defer s.Close()
	p, _ := s.Partition(0)
	const rounds, keys, live = 100, 500, 20
	random := make([]byte, 4096) // does not compress
	for i := range random {
		random[i] = byte(i * i >> 3)
	}
	value := func(i int) []byte { random[0], random[1], random[4000] = byte(i), byte(i>>8), byte(i); return random }
	most := uint64(0)
	for round := range rounds { // 200 MB of runs, each ended 20 rounds later, and as many events
		b := p.NewBatch()
		for k := range keys {
			b.Put(engine.TableStep, fmt.Appendf(nil, "%06d/%04d", round, k), value(k))
			if round >= live {
				b.Delete(engine.TableStep, fmt.Appendf(nil, "%06d/%04d", round-live, k))
			}
		}
		p.Commit(b, func(err error) {
			if err != nil {
				t.Error(err)
			}
		})
		if err := s.Log().Append(bytes.Repeat(value(round), 500), 500); err != nil {
			t.Fatal(err)
		}
		if err := s.Log().Trim(uint64(500*(round-2) + 1)); round > 2 && err != nil {
			t.Fatal(err)
		}
		if m, _ := s.Metrics(); m.DiskBytes > most {
			most = m.DiskBytes
		}
	}
	b := p.NewBatch()
	for round := rounds - live; round < rounds; round++ {
		for k := range keys {
			b.Delete(engine.TableStep, fmt.Appendf(nil, "%06d/%04d", round, k))
		}
	}
	done := make(chan error, 1)
	p.Commit(b, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := s.Log().Trim(500*rounds + 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	// What remains is Pebble's log, the last segment of events, and the files of both that
	// are written anew. Tables are removed in the background.
	// Pebble keeps MemTableStopWritesThreshold+1 files of its log to write anew, besides the
	// one that it writes: as many as there once were, so the more, the later flushes ended.
	const remains = (memtablesMax+2)*memtableBytes*9/8 + (segmentSpares+1)*(segmentBytes+markBytes+5<<20)
	var m Metrics
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		m, _ = s.Metrics()
		if m.DiskBytes < remains {
			break
		}
	}
	if m.TableBytes > 1<<20 || m.DiskBytes > remains {
		t.Errorf("%d MB on disk after the end of everything, %d KB of it in tables", m.DiskBytes>>20, m.TableBytes>>10)
	}
	t.Logf("at most %d MB on disk, %d MB at the end, of these %d KB in tables", most>>20, m.DiskBytes>>20, m.TableBytes>>10)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, "data", memOptions(vfs.NewMem()))
	for range 3 {
		if err := s.Log().Append(make([]byte, 100), 2); err != nil {
			t.Fatal(err)
		}
	}
	m, err := s.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	if m.LogEntries != 6 || m.LogGroups != 3 || m.LogHead != 7 || m.LogPendingBytes < 300 ||
		m.Syncs < 3 || m.DiskBytes == 0 || m.Failed {
		t.Errorf("got %+v", m)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Metrics(); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Metrics after Close: %v", err)
	}
	if err := s.Compact(context.Background()); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Compact after Close: %v", err)
	}
}

// TestLogging checks that Pebble's chatter stays at debug level and that its fatal
// errors end no process.
func TestLogging(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	o := memOptions(vfs.NewMem())
	o.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	s := mustOpen(t, "data", o)
	if err := s.Compact(context.Background()); err != nil {
		t.Error(err)
	}
	if out.Len() > 0 {
		t.Errorf("in good order the store says %q", out.String())
	}
	l := &logger{o.Logger, s.fs}
	l.Infof("chatter %d", 1)
	l.Errorf("error %d", 2)
	events := s.listener()
	events.BackgroundError(errors.New("first"))
	events.BackgroundError(errors.New("second"))
	events.DataCorruption(pebble.DataCorruptionInfo{Path: "a.sst", Details: errors.New("rot")})
	events.WriteStallBegin(pebble.WriteStallBeginInfo{Reason: "memtable"})
	l.Fatalf("fatal %d", 3)
	for want, times := range map[string]int{"chatter": 0, "error 2": 1, "first": 1, "second": 0, "rot": 1, "memtable": 1, "fatal 3": 1} {
		if n := strings.Count(out.String(), want); n != times {
			t.Errorf("%q is logged %d times, want %d", want, n, times)
		}
	}
	if err := s.Log().Append([]byte("x"), 1); !errors.Is(err, engine.ErrDisk) {
		t.Errorf("append after a fatal error: %v", err)
	}
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "fatal 3") {
		t.Errorf("Close after a fatal error: %v", err)
	}
}
