package inngestdb

import (
	"testing"
	"time"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

func TestTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 0, 56, 32, 676432283, time.UTC)
	for _, c := range []struct {
		in   any
		want time.Time
	}{
		{"2026-11-22 00:56:32.676432283 +0000 UTC", at},
		{"2026-11-22 00:56:32.676432283 +0000 UTC m=+154.899339538", at},
		{"2026-11-22 02:56:32.676432283 +0200 +0200", at},
		{"2026-11-22 00:56:32.676 +0000 UTC", at.Truncate(time.Millisecond)},
		{"2026-11-22 00:56:32 +0000 UTC", at.Truncate(time.Second)},
		{"2026-11-22 00:56:32", at.Truncate(time.Second)},
		{[]byte("2026-11-22T00:56:32.676432283Z"), at},
		{at, at},
		{"0001-01-01 00:00:00 +0000 UTC", time.Time{}},
		{time.Time{}, time.Time{}},
		{"never", time.Time{}},
		{"not at all", time.Time{}},
		{nil, time.Time{}},
		{int64(5), time.Time{}},
	} {
		want := int64(0)
		if !c.want.IsZero() {
			want = c.want.UnixNano()
		}
		if got := (value{c.in}).time(); got != want {
			t.Errorf("%v: %d, want %d", c.in, got, want)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	id := ulidAt(epoch, 1)
	for _, in := range []any{id[:], id.String(), []byte(id.String())} {
		if got := (value{in}).ulid(); got != id {
			t.Errorf("%v: %s", in, got)
		}
	}
	for _, in := range []any{nil, "", []byte{}, make([]byte, 16), "01", []byte("short"), int64(1), "01M80DMP1K0A6H85MW10NHFJ8!"} {
		if got := (value{in}).ulid(); got != (ulid.ULID{}) {
			t.Errorf("%v: %s", in, got)
		}
	}
	u := ids.UUIDv5([]byte("x"))
	for _, in := range []any{u.String(), u[:], [16]byte(u), u.String() + " "} {
		if got := (value{in}).uuid(); got != u {
			t.Errorf("%v: %s", in, got)
		}
	}
	if got := (value{"x"}).uuid(); !got.IsZero() {
		t.Errorf("no id: %s", got)
	}
}

func TestScalars(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in     any
		text   string
		number int64
		flag   bool
	}{
		{int64(7), "7", 7, true},
		{2.5, "2.5", 2, true},
		{"12", "12", 12, true},
		{[]byte("x"), "x", 0, false},
		{true, "", 1, true},
		{false, "", 0, false},
		{"TRUE", "TRUE", 0, true},
		{nil, "", 0, false},
	} {
		v := value{c.in}
		if v.text() != c.text || v.number() != c.number || v.flag() != c.flag {
			t.Errorf("%v: %q, %d, %v", c.in, v.text(), v.number(), v.flag())
		}
	}
	for in, want := range map[string]bool{"{}": true, "null": true, " ": true, "{": false} {
		if _, ok := (value{in}).json(); ok != want {
			t.Errorf("%q is JSON: %v", in, ok)
		}
	}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	a, ok := parseAttributes(`{"_inngest.n":"1790000000001","_inngest.f":1.5e3,"_inngest.null":null,"_inngest.t":true,"_inngest.ids":["x"],"mine":{"a":1}}`)
	if !ok || a.number("n") != 1_790_000_000_001 || a.number("f") != 1500 || a.text("null") != "" || !a.flag("t") || a.number("t") != 0 {
		t.Errorf("attributes %v", a)
	}
	if a.ulids("ids") != nil || a.ulids("n") != nil || a.time("absent") != 0 {
		t.Error("what is no id, and no time")
	}
	if got := string(a.users()); got != `{"mine":{"a":1}}` {
		t.Errorf("attributes of users: %s", got)
	}
	if _, ok := parseAttributes("[1]"); ok {
		t.Error("an array has no attributes")
	}
	for in, want := range map[string]string{`{"message":"m"}`: "m", `{"message":"","name":"N"}`: "N", `"x"`: "error", "": "error"} {
		if got := errorText([]byte(in)); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
