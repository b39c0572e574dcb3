package pebble

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"ingot/engine"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestSegmentFormat pins the on-disk format of the event log.
func TestSegmentFormat(t *testing.T) {
	t.Parallel()
	s := &segment{first: 7, at: 300, salt: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}
	if got, want := string(s.header()), "ingotev\x01\x01\x02\x03\x04\x05\x06\x07\x08\x07\x00\x00\x00\x00\x00\x00\x00\x2c\x01\x00\x00\x00\x00\x00\x00"+
		"\xbf\x53\xbc\x23\x98\xbe\xfb\x46"; got != want {
		t.Errorf("header\n%q, want\n%q", got, want)
	}
	g := stored{engine.LogGroup{First: 7, Count: 2, Data: []byte("records")}, 300}
	b := append(make([]byte, groupHeader), g.Data...)
	putGroup(b, &g, s.salt[:])
	if want := "\x5e\x64\x39\xb6\x04\x41\x2a\x6b\x07\x00\x00\x00\x00\x00\x00\x00\x2c\x01\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x07\x00\x00\x00records"; string(b) != want {
		t.Errorf("group\n%q, want\n%q", b, want)
	}
	if name := segmentName(7); name != "events-00000000000000000007" {
		t.Error(name)
	}
}

// segments lists the segments of the store in data.
func segments(t testing.TB, fs vfs.FS) (names []string) {
	t.Helper()
	all, err := fs.List("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if strings.HasPrefix(name, segmentPrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestSegmentsAreUsedAgain writes many segments' worth of events that are trimmed: a few
// files take it all.
func TestSegmentsAreUsedAgain(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := mustOpen(t, "data", memOptions(fs))
	const size = 10 << 10
	for i := range uint64(200) {
		if err := s.Log().Append(bytes.Repeat([]byte{byte(i)}, size), 1); err != nil {
			t.Fatal(err)
		}
		g, err := s.Log().Next(ended(), i+1)
		if err != nil || g.First != i+1 || g.Data[0] != byte(i) {
			t.Fatalf("entry %d: %+v, %v", i+1, g.First, err)
		}
		if i%10 == 9 {
			if err := s.Log().Trim(i); err != nil {
				t.Fatal(err)
			}
			s.log.purge()
		}
	}
	if n := len(segments(t, fs)); n > segmentSpares+3 {
		t.Errorf("%d segments: %v", n, segments(t, fs))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, "data", memOptions(fs))
	defer s.Close()
	if g, err := s.Log().Next(ended(), 0); err != nil || g.First != 199 || g.Data[0] != 198 || len(g.Data) != size {
		t.Errorf("after the restart the log begins with %d, %v", g.First, err)
	}
}

// edit changes the bytes of a file.
func edit(fs vfs.FS, path string, change func([]byte) []byte) error {
	f, err := fs.Open(path)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if f, err = fs.Create(path, segmentCategory); err != nil {
		return err
	}
	_, err = f.Write(change(b))
	return errors.Join(err, f.Close())
}

// TestDamagedLog damages what had been acknowledged: the start, or the reading, says so.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	const group = groupHeader + 4 // the size of each group
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[at] ^= 0x40; return b }
	}
	for name, damage := range map[string]struct {
		segment int
		change  func([]byte) []byte
	}{
		"data of a group in the last segment":       {1, flip(segmentHeader + group + groupHeader)},
		"checksum":                                  {1, flip(segmentHeader + group)},
		"number":                                    {1, flip(segmentHeader + group + 8)},
		"position":                                  {1, flip(segmentHeader + group + 16)},
		"count":                                     {1, flip(segmentHeader + group + 24)},
		"length":                                    {1, flip(segmentHeader + group + 29)},
		"data of a group in a segment before":       {0, flip(segmentHeader + group + groupHeader)},
		"number in a segment before":                {0, flip(segmentHeader + group + 8)},
		"length in a segment before":                {0, flip(segmentHeader + group + 31)},
		"segment before without its end":            {0, func(b []byte) []byte { return b[:segmentHeader+group+5] }},
		"header of the last segment":                {1, flip(3)},
		"header of a segment before":                {0, flip(20)},
		"segment before that is empty":              {0, func([]byte) []byte { return nil }},
		"number in the header of the last segment":  {1, flip(17)},
		"header's checksum of the last segment":     {1, flip(33)},
		"segment before with another one's content": {0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fs := vfs.NewMem()
			o := memOptions(fs)
			o.segment = segmentHeader + 3*group
			s := mustOpen(t, "data", o)
			for range 6 {
				if err := s.Log().Append([]byte("xxxx"), 1); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			names := segments(t, fs)
			if len(names) != 2 {
				t.Fatalf("segments %v", names)
			}
			change := damage.change
			if change == nil {
				var other []byte
				if err := edit(fs, "data/"+names[1], func(b []byte) []byte { other = bytes.Clone(b); return b }); err != nil {
					t.Fatal(err)
				}
				change = func([]byte) []byte { return other }
			}
			if err := edit(fs, "data/"+names[damage.segment], change); err != nil {
				t.Fatal(err)
			}
			s, err := Open("data", o)
			for seq := uint64(1); err == nil && seq < 7; seq++ {
				_, err = s.Log().Next(ended(), seq)
			}
			if s != nil {
				_ = s.Close()
			}
			if !errors.Is(err, errGroup) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestTornGroup cuts the last group short, as a crash may: it was not acknowledged, and the
// log goes on in its place, whatever of it is left.
func TestTornGroup(t *testing.T) {
	t.Parallel()
	const size = 1000
	for cut := 0; cut < groupHeader+size; cut += 97 {
		for _, rest := range []byte{0, 0xff} { // what is in the place of what was not written
			fs := vfs.NewMem()
			s := mustOpen(t, "data", memOptions(fs))
			for i := range 3 {
				if err := s.Log().Append(bytes.Repeat([]byte{byte('a' + i)}, size), 1); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			err := edit(fs, "data/"+segments(t, fs)[0], func(b []byte) []byte {
				at := segmentHeader + 2*(groupHeader+size) + cut
				for i := at; i < segmentHeader+3*(groupHeader+size); i++ {
					b[i] = rest
				}
				return b
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				s = mustOpen(t, "data", memOptions(fs))
				if err := s.Log().Append([]byte{'y' + byte(i)}, 1); err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			s = mustOpen(t, "data", memOptions(fs))
			want := fmt.Sprintf("1:%s 2:%s 3:y 4:z", strings.Repeat("a", size), strings.Repeat("b", size))
			if got := readGroups(t, s); got != want {
				t.Errorf("cut at %d: the log holds %s", cut, got)
			}
			_ = s.Close()
		}
	}
}

// TestSegmentsAndPowerCuts cuts the power before each kind of operation while small segments
// come and go: what was acknowledged and not trimmed is there, in order, and numbers go on.
func TestSegmentsAndPowerCuts(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]SyncPolicy{"always": SyncAlways, "interval": SyncInterval(MaxInterval)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(60) {
				cutSegments(t, policy, seed)
			}
		})
	}
}

func cutSegments(t *testing.T, policy SyncPolicy, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	disk := vfs.NewCrashableMem()
	var acked, trimmed uint64 // entries; the text of an entry is its number
	for round := range 4 {
		var mu sync.Mutex
		var cut *vfs.MemFS
		var promised, kept uint64
		chance := rand.New(rand.NewPCG(seed, uint64(round))) // of whichever goroutine it is
		o := memOptions(countOps(disk, 1+rng.IntN(150), func() {
			mu.Lock()
			defer mu.Unlock()
			promised, kept = acked, trimmed
			cut = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[chance.IntN(3)], RNG: chance})
		}))
		o.Sync, o.segment = policy, 200+int64(rng.IntN(2000))
		s, err := Open("data", o)
		if err != nil {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
		for seq := uint64(0); ; {
			g, err := s.Log().Next(ended(), seq)
			if errors.Is(err, context.Canceled) {
				break
			}
			if err != nil || seq == 0 && g.First > trimmed+1 || seq > 0 && g.First != seq {
				t.Fatalf("seed %d, round %d: entry %d follows %d, %d was trimmed; %v", seed, round, g.First, seq, trimmed, err)
			}
			for n, text := range strings.Fields(string(g.Data)) {
				if text != fmt.Sprint(g.First+uint64(n)) {
					t.Fatalf("seed %d, round %d: entry %d is %s", seed, round, g.First+uint64(n), text)
				}
			}
			seq = g.First + uint64(g.Count)
		}
		if m, _ := s.Metrics(); m.LogHead < acked+1 {
			t.Fatalf("seed %d, round %d: the next entry is %d, but %d was acknowledged", seed, round, m.LogHead, acked)
		} else {
			mu.Lock()
			acked = m.LogHead - 1
			mu.Unlock()
		}
		for range 30 + rng.IntN(60) {
			count := 1 + rng.IntN(40)
			var text []byte
			for n := range count {
				text = fmt.Appendf(text, "%d ", acked+1+uint64(n))
			}
			if err := s.Log().Append(text, count); err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			acked += uint64(count)
			mu.Unlock()
			if rng.IntN(8) == 0 {
				to := trimmed + uint64(rng.Int64N(int64(acked-trimmed+1)))
				mu.Lock()
				trimmed = to
				mu.Unlock()
				if err := s.Log().Trim(to + 1); err != nil {
					t.Fatal(err)
				}
				s.log.purge()
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if cut != nil && rng.IntN(4) > 0 { // else the next round goes on without a cut
			disk, acked, trimmed = cut, promised, kept
		}
	}
}

// TestOldLogMoves opens a store of format 4, whose log is in the database: whole, in part
// trimmed, and with the power cut before each operation of the move.
func TestOldLogMoves(t *testing.T) {
	t.Parallel()
	old := func(t *testing.T, fs vfs.FS, first, groups uint64, trimmed bool) {
		db, err := pebble.Open("data", &pebble.Options{FS: fs, Logger: &logger{quiet, nil}, FormatMajorVersion: pebbleFormat})
		if err != nil {
			t.Fatal(err)
		}
		b := db.NewBatch()
		at := int64(1000)
		if trimmed {
			_ = b.Set(keyTrimmed, appendTrimmed(nil, first, at), nil)
		}
		for i := range groups {
			n, data := first+2*i, fmt.Appendf(nil, "%d", i)
			value := binary.LittleEndian.AppendUint32([]byte{oldVersion}, 2)
			value = binary.LittleEndian.AppendUint64(value, uint64(at))
			sum := xxhash.New()
			_, _ = sum.Write(logKey(n))
			_, _ = sum.Write(value)
			_, _ = sum.Write(data)
			_ = b.Set(logKey(n), append(binary.LittleEndian.AppendUint64(value, sum.Sum64()), data...), nil)
			at += int64(len(data)) + groupOverhead
		}
		_ = b.Set(keyFormat, []byte(`{"version":4,"partitions":3}`), nil)
		if err := errors.Join(db.Apply(b, pebble.Sync), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		first, groups uint64
		trimmed       bool
		want          string
	}{
		{1, 0, false, ""},
		{1, 3, false, "1:0 3:1 5:2"},
		{71, 3, true, "71:0 73:1 75:2"},
		{71, 0, true, ""},
	} {
		cuts := 0
		for n := 1; ; n++ {
			rng := rand.New(rand.NewPCG(uint64(n), 1))
			fs := vfs.NewCrashableMem()
			if err := fs.MkdirAll("data", 0o700); err != nil {
				t.Fatal(err)
			}
			old(t, fs, tt.first, tt.groups, tt.trimmed)
			// The directory itself is not what is tested.
			dir, _ := fs.OpenDir("")
			_ = dir.Sync()
			var cut *vfs.MemFS
			o := memOptions(countOps(fs, n, func() {
				cut = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
			}))
			o.segment = segmentHeader + 1 // one for each group
			s := mustOpen(t, "data", o)
			if got := readGroups(t, s); got != tt.want {
				t.Fatalf("%+v: the log holds %s", tt, got)
			}
			if n == 1 {
				if m, _ := s.Metrics(); m.LogHead != tt.first+2*tt.groups {
					t.Errorf("%+v: the next entry is %d", tt, m.LogHead)
				}
				if _, _, err := s.db.Get(logKey(tt.first)); tt.groups > 0 && !errors.Is(err, pebble.ErrNotFound) {
					t.Errorf("%+v: the keys are left: %v", tt, err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if cut == nil {
				break
			}
			cuts++
			o.FS = cut
			s, err := Open("data", o)
			if err != nil {
				t.Fatalf("%+v, cut before operation %d: %v", tt, n, err)
			}
			if got := readGroups(t, s); got != tt.want {
				t.Errorf("%+v, cut before operation %d: the log holds %s", tt, n, got)
			}
			if err := s.Log().Append([]byte("x"), 1); err != nil {
				t.Error(err)
			}
			if m, _ := s.Metrics(); m.LogHead != tt.first+2*tt.groups+1 {
				t.Errorf("%+v, cut before operation %d: the next entry is %d", tt, n, m.LogHead)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if cuts < 10 {
			t.Errorf("only %d cuts", cuts)
		}
	}
}

// FuzzSegment reads whatever is in the file of the last segment: as groups that go on from
// its header, or not at all.
func FuzzSegment(f *testing.F) {
	s := &segment{name: segmentName(1), first: 1, salt: [8]byte{1}}
	g := stored{engine.LogGroup{First: 1, Count: 2, Data: []byte("records")}, 0}
	b := append(make([]byte, groupHeader), g.Data...)
	putGroup(b, &g, s.salt[:])
	f.Add(append(s.header(), b...))
	f.Add(append(append(s.header(), b...), b...))
	f.Add(s.header())
	f.Add([]byte("ingotev"))
	f.Fuzz(func(t *testing.T, content []byte) {
		fs := vfs.NewMem()
		s := mustOpen(t, "data", memOptions(fs))
		_ = s.Close()
		if err := edit(fs, "data/"+segmentName(1), func([]byte) []byte { return content }); err != nil {
			t.Fatal(err)
		}
		s, err := Open("data", memOptions(fs))
		if err != nil {
			return
		}
		defer s.Close()
		readGroups(t, s)
		if err := s.Log().Append([]byte("x"), 1); err != nil {
			t.Error(err)
		}
	})
}
