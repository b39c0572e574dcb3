package event

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"github.com/oklog/ulid/v2"
)

func someEvent() Event {
	return Event{
		InternalID: someID, ID: []byte("id"), Name: []byte("name"), Data: []byte(`{"a":1}`), User: []byte(`{}`),
		V: []byte("1"), Sessions: []byte(`{"s":"1"}`), TS: 1790000000000, ReceivedAt: 1790000000001, Seeded: true,
		Trace: ulid.ULID{9, 8, 7},
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	first, second := someEvent(), Event{InternalID: someID, Name: []byte("n"), TS: -5}
	b := second.AppendRecord(first.AppendRecord(nil))
	var got Event
	rest, err := DecodeRecord(b, &got)
	if err != nil || !reflect.DeepEqual(got, first) {
		t.Fatalf("got %+v, error %v", got, err)
	}
	// Appending to a decoded field must not reach the next record.
	_ = append(got.Sessions, "overwritten"...)
	if rest, err = DecodeRecord(rest, &got); err != nil || !reflect.DeepEqual(got, second) || len(rest) != 0 {
		t.Fatalf("got %+v, rest %d, error %v", got, len(rest), err)
	}
}

// TestRecordFormat pins the bytes: they are on disks.
func TestRecordFormat(t *testing.T) {
	t.Parallel()
	e := Event{InternalID: someID, Name: []byte("n"), ID: []byte("i"), Data: []byte("{}"), TS: 1, ReceivedAt: 2, Seeded: true}
	want := append([]byte{1, 27, 0, 0, 0, 1}, someID[:]...)
	want = append(want, 2, 4, 1, 'n', 1, 'i', 2, '{', '}', 0, 0, 0)
	want[1] = byte(len(want) - 5)
	if got := e.AppendRecord(nil); !bytes.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	e.Trace = ulid.ULID{7}
	want = append(want, e.Trace[:]...)
	want[1], want[5] = byte(len(want)-5), 3
	if got := e.AppendRecord(nil); !bytes.Equal(got, want) {
		t.Errorf("with a trace: got %v, want %v", got, want)
	}
}

func TestRecordIgnoresLaterFields(t *testing.T) {
	t.Parallel()
	e := someEvent()
	b := append(e.AppendRecord(nil), "a later field"...)
	binary.LittleEndian.PutUint32(b[1:], uint32(len(b)-5))
	var got Event
	if rest, err := DecodeRecord(b, &got); err != nil || len(rest) != 0 || !reflect.DeepEqual(got, e) {
		t.Errorf("got %+v, error %v", got, err)
	}
}

// TestSplitRecord: records come apart as they are, and what is no whole record is refused.
func TestSplitRecord(t *testing.T) {
	t.Parallel()
	first, second := someEvent(), Event{InternalID: ulid.ULID{9}, Name: []byte("b")}
	a := first.AppendRecord(nil)
	both := second.AppendRecord(bytes.Clone(a))
	rec, rest, id, err := SplitRecord(both)
	if err != nil || id != first.InternalID || !bytes.Equal(rec, a) || cap(rec) != len(a) || !bytes.Equal(rest, both[len(a):]) {
		t.Errorf("%x, rest %x, id %s, error %v", rec, rest, id, err)
	}
	if name := RecordName(rec); !bytes.Equal(name, first.Name) {
		t.Errorf("the name is %q", name)
	}
	if name := RecordName([]byte{1, 17, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}); name != nil {
		t.Errorf("the name of what has none is %q", name)
	}
	if rec, rest, id, err = SplitRecord(rest); err != nil || id != second.InternalID || len(rest) != 0 || !bytes.Equal(rec, both[len(a):]) {
		t.Errorf("%x, rest %x, id %s, error %v", rec, rest, id, err)
	}
	for _, bad := range [][]byte{nil, a[:3], a[:len(a)-1], {1, 16, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}} {
		if _, _, _, err := SplitRecord(bad); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%x: error %v", bad, err)
		}
	}
	if _, _, _, err := SplitRecord([]byte{2, 0, 0, 0, 0}); !errors.Is(err, ErrVersion) {
		t.Errorf("a newer version: %v", err)
	}
}

func TestRecordCorrupt(t *testing.T) {
	t.Parallel()
	e := someEvent()
	whole := e.AppendRecord(nil)
	var got Event
	for n := range whole {
		if _, err := DecodeRecord(whole[:n], &got); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d bytes: error %v", n, err)
		}
		// The same with a length that agrees, so that fields end early.
		if n >= recordHeader {
			b := bytes.Clone(whole[:n])
			binary.LittleEndian.PutUint32(b[1:], uint32(n-recordHeader))
			if _, err := DecodeRecord(b, &got); !errors.Is(err, ErrCorrupt) {
				t.Errorf("body of %d bytes: error %v", n-recordHeader, err)
			}
		}
	}
	for version, want := range map[byte]error{0: ErrCorrupt, 2: ErrVersion, 255: ErrVersion} {
		b := bytes.Clone(whole)
		b[0] = version
		if _, err := DecodeRecord(b, &got); !errors.Is(err, want) {
			t.Errorf("version %d: error %v, want %v", version, err, want)
		}
	}
}
