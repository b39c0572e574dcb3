package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot/engine"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ended is a context with which Next does not wait.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// readGroups returns "first:data" of all groups.
func readGroups(t *testing.T, s *DB) string {
	t.Helper()
	var groups []string
	for seq := uint64(0); ; {
		g, err := s.Log().Next(ended(), seq)
		if errors.Is(err, context.Canceled) {
			return strings.Join(groups, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, fmt.Sprintf("%d:%s", g.First, g.Data))
		seq = g.First + uint64(g.Count)
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	// Not parallel: allocations of other tests would be counted.
	s := mustOpen(t, "data", warm())
	defer s.Close()
	l := s.Log()
	record := bytes.Repeat([]byte("r"), 200)
	seq := uint64(1)
	append1 := func() {
		if err := l.Append(record, 1); err != nil {
			t.Error(err)
		}
		seq++
		if err := l.Trim(seq); err != nil {
			t.Error(err)
		}
	}
	for range 200 {
		append1() // warm up pools
	}
	// A slab per 2,600 records, a Pebble block now and then: below one in ten.
	if n := testing.AllocsPerRun(2000, append1); n > 0.1 {
		t.Errorf("%v allocations per append", n)
	}
}

func TestLogFull(t *testing.T) {
	t.Parallel()
	o := memOptions(vfs.NewMem())
	o.MaxLogBytes = 1000
	s := mustOpen(t, "data", o)
	defer s.Close()
	l := s.Log()
	record := make([]byte, 400)
	accepted := 0
	var err error
	for ; accepted < 10 && err == nil; accepted++ {
		err = l.Append(record, 1)
	}
	if !errors.Is(err, engine.ErrLogFull) || !strings.Contains(err.Error(), "1000") || accepted != 3 {
		t.Fatalf("append %d: %v", accepted, err)
	}
	if n := l.Pending(); n < 800 || n > 1000 {
		t.Errorf("pending %d", n)
	}
	if err := l.Trim(2); err != nil {
		t.Error(err)
	}
	if err := l.Append(record, 1); err != nil {
		t.Errorf("append after a trim: %v", err)
	}
	if err := l.Append(make([]byte, appendBytes+1), 1); err == nil || errors.Is(err, engine.ErrLogFull) {
		t.Errorf("append of too much: %v", err)
	}
}

// TestGroupsAreBounded holds back the committer until more has queued than a group may hold.
func TestGroupsAreBounded(t *testing.T) {
	t.Parallel()
	fs := &slowFS{FS: vfs.NewMem(), gate: make(chan struct{})}
	s := mustOpen(t, "data", memOptions(fs))
	defer s.Close()
	fs.hold.Store(true)
	const appends, size = 24, 1 << 20
	var wg sync.WaitGroup
	for range appends {
		wg.Go(func() {
			if err := s.Log().Append(make([]byte, size), 1); err != nil {
				t.Error(err)
			}
		})
	}
	// The first group is in the sync, the next is full, and the rest wait for room.
	for queued := 0; queued < groupBytes; {
		s.log.mu.Lock()
		queued = len(s.log.open.data)
		s.log.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	fs.hold.Store(false)
	close(fs.gate)
	wg.Wait()
	entries, groups := 0, 0
	for seq := uint64(1); entries < appends; groups++ {
		g, err := s.Log().Next(ended(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if len(g.Data) > groupBytes {
			t.Errorf("a group of %d bytes", len(g.Data))
		}
		entries += g.Count
		seq += uint64(g.Count)
	}
	if groups < appends*size/groupBytes || groups > appends/2 {
		t.Errorf("%d groups", groups)
	}
}

// TestReplayAfterLag reads what memory no longer has: after a restart, from
// numbers within groups, and while the log is trimmed.
func TestReplayAfterLag(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := mustOpen(t, "data", memOptions(fs))
	const groups = 3*pageGroups + 7
	for i := range groups {
		if err := s.Log().Append(fmt.Appendf(nil, "%d", i), 2); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, "data", memOptions(fs))
	defer s.Close()
	l := s.Log()
	for i := range groups {
		for _, from := range []uint64{uint64(2 * i), uint64(2*i + 1)} { // within the group before, and at it
			g, err := l.Next(ended(), from)
			if err != nil || g.First != uint64(2*i+1) || string(g.Data) != fmt.Sprint(i) || !g.Replayed {
				t.Fatalf("Next(%d): group %d %q, %v", from, g.First, g.Data, err)
			}
		}
		if i%100 == 50 {
			// Trim within this group, which memory does not know.
			if err := l.Trim(uint64(2*i + 2)); err != nil {
				t.Fatal(err)
			}
			if g, err := l.Next(ended(), 0); err != nil || g.First != uint64(2*i+1) {
				t.Fatalf("after Trim(%d) the log begins at %d, %v", 2*i+2, g.First, err)
			}
			s.log.purge()
		}
	}
	if _, err := l.Next(ended(), 2*groups); !errors.Is(err, context.Canceled) {
		t.Errorf("Next within the last group: %v", err)
	}
	if err := l.Trim(2*groups + 1); err != nil || l.Pending() != 0 {
		t.Errorf("pending %d after a full trim, %v", l.Pending(), err)
	}
}

func TestTrimIsLazyAndSurvivesApproximately(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := mustOpen(t, "data", memOptions(fs))
	for i := range 10 {
		if err := s.Log().Append(fmt.Appendf(nil, "%d", i), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Log().Trim(4); err != nil {
		t.Fatal(err)
	}
	if s.log.purged != 1 {
		t.Errorf("Trim deleted at once, up to %d", s.log.purged)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, "data", memOptions(fs))
	if got := readGroups(t, s); got != "4:3 5:4 6:5 7:6 8:7 9:8 10:9" {
		t.Errorf("the log holds %s", got)
	}
	// Much at once is deleted at once.
	if err := s.Log().Append(make([]byte, trimBytes), 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Log().Trim(12); err != nil {
		t.Fatal(err)
	}
	if s.log.purged != 12 {
		t.Errorf("deleted up to %d, want 12", s.log.purged)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRing(t *testing.T) {
	t.Parallel()
	var r ring
	next := uint64(1)
	push := func(size int) {
		g := stored{}
		g.First, g.Count, g.Data = next, 3, make([]byte, size)
		next += 3
		r.push(g)
	}
	check := func() {
		t.Helper()
		var bytes int64
		for i := range r.len {
			bytes += r.at(i).size()
			if want := next - uint64(3*(r.len-i)); r.at(i).First != want {
				t.Fatalf("group %d of %d begins at %d, want %d", i, r.len, r.at(i).First, want)
			}
		}
		if bytes != r.bytes || r.bytes > ringBytes+groupOverhead && r.len > 1 {
			t.Fatalf("%d bytes noted, %d held in %d groups", r.bytes, bytes, r.len)
		}
	}
	for i := range 3000 {
		push(i)
		if i%3 == 0 {
			r.pop()
		}
	}
	check()
	push(ringBytes / 2)
	check()
	push(2 * ringBytes) // larger than the ring, but the newest
	check()
	if r.len != 1 {
		t.Errorf("%d groups beside one that fills the ring", r.len)
	}
	for range ringGroups + 10 {
		push(0)
	}
	check()
	if r.len != ringGroups {
		t.Errorf("%d groups, want %d", r.len, ringGroups)
	}
	if i := r.search(func(g *stored) bool { return g.First >= r.at(100).First-1 }); i != 100 {
		t.Errorf("search found %d, want 100", i)
	}
	for r.len > 0 {
		r.pop()
	}
	check()
	if len(r.groups) != 0 {
		t.Errorf("an empty ring holds on to %d places", len(r.groups))
	}
}
