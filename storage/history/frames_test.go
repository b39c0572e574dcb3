package history

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/oklog/ulid/v2"
)

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	var frames, want []byte
	for _, records := range [][]byte{nil, []byte("a"), bytes.Repeat([]byte("ab"), 500), incompressible(3000), bytes.Repeat([]byte{0}, 100_000)} {
		frame := appendFrame(make([]byte, 0, frameRoom(len(records))), records)
		frames = append(frames, frame...)
		want = append(want, records...)
		got, err := unpack(frames)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, want %d: %v", len(got), len(want), err)
		}
	}
	if len(frames) > 5000 {
		t.Errorf("frames have %d bytes", len(frames))
	}
}

// FuzzUnpack: damaged frames are an error, not a fault.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{packNone, 1, 'a'})
	f.Add(appendFrame(make([]byte, 0, 5000), bytes.Repeat([]byte("ab"), 500)))
	f.Add([]byte{packS2, 5, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Add([]byte{9, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := unpack(b); err != nil && !errors.Is(err, errFrame) {
			t.Errorf("%v", err)
		}
	})
}

func FuzzDecodeExtra(f *testing.F) {
	x := extra{cron: "* * * * *", original: ulid.ULID{1}, further: []ulid.ULID{{2}, {3}}}
	f.Add(x.encode())
	f.Add([]byte{extraCron, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := decodeExtra(b)
		if err != nil {
			return
		}
		if again, err := decodeExtra(x.encode()); err != nil || again.cron != x.cron || len(again.further) != len(x.further) {
			t.Errorf("%+v becomes %+v, %v", x, again, err)
		}
	})
}

// FuzzUnbundle: a damaged reference is an error, not a fault, and a good one is what is in
// its place.
func FuzzUnbundle(f *testing.F) {
	f.Add(appendReference(nil, 2, 3), []byte("records"))
	f.Add(appendReference(nil, 5, 3), []byte("records"))
	f.Add(append(appendReference(nil, 0, 7), packNone, 1, 'a'), []byte("records"))
	f.Add([]byte{packBundle, 2, 0xff, 0xff}, []byte("records"))
	f.Add([]byte{packNone, 1, 'a'}, []byte("records"))
	f.Fuzz(func(t *testing.T, trace, bundle []byte) {
		frames, err := unbundle(trace, bundle)
		if err != nil {
			if !errors.Is(err, errFrame) {
				t.Errorf("%v", err)
			}
			return
		}
		_, rest, err := splitFrame(trace)
		if err != nil {
			t.Fatal(err)
		}
		records, rest2, err := splitFrame(frames)
		if err != nil || !bytes.Equal(rest, rest2) {
			t.Fatalf("%x follows, want %x; %v", rest2, rest, err)
		}
		if got, err := unpack(records); err != nil || !bytes.Contains(bundle, got) {
			t.Errorf("%x is not in the bundle; %v", got, err)
		}
	})
}
