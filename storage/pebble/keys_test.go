package pebble

import (
	"bytes"
	"testing"

	"ingot/engine"
)

// TestKeySpace pins the on-disk format of keys.
func TestKeySpace(t *testing.T) {
	t.Parallel()
	prefix := make([]byte, tablePrefix)
	for _, tt := range []struct {
		partition  int
		table      engine.Table
		begin, end string
	}{
		{0, engine.TableRun, "\x20\x00\x00\x01", "\x20\x00\x00\x02"},
		{3, engine.TableInput, "\x20\x00\x03\x10", "\x20\x00\x03\x11"},
		{0x1ff, 0xff, "\x20\x01\xff\xff", "\x20\x02\x00\x00"},
		{engine.SystemPartition, engine.TableApp, "\x20\xff\xff\x0f", "\x20\xff\xff\x10"},
		{engine.SystemPartition, 0xff, "\x20\xff\xff\xff", "\x21\x00\x00\x00"},
	} {
		n := partitionNumber(tt.partition)
		putTablePrefix(prefix, n, tt.table)
		if string(prefix) != tt.begin {
			t.Errorf("partition %d, table %d begins at %x, want %x", tt.partition, tt.table, prefix, tt.begin)
		}
		if end := appendTableEnd(nil, n, tt.table); string(end) != tt.end {
			t.Errorf("partition %d, table %d ends at %x, want %x", tt.partition, tt.table, end, tt.end)
		}
	}
	if k := logKey(0x0102); string(k) != "\x10\x00\x00\x00\x00\x00\x00\x01\x02" {
		t.Errorf("log key %x", k)
	}
}

// TestGroupFormat pins the on-disk format of groups of the log.
func TestGroupFormat(t *testing.T) {
	t.Parallel()
	g := stored{engine.LogGroup{First: 7, Count: 2, Data: []byte("records")}, 300}
	value := make([]byte, groupHeader+len(g.Data))
	putGroup(value, &g)
	want := "\x01\x02\x00\x00\x00\x2c\x01\x00\x00\x00\x00\x00\x00\x88\xe9\x01\x0d\x73\x84\x4f\x01records"
	if string(value) != want {
		t.Errorf("got  %q\nwant %q", value, want)
	}
}

func FuzzParseGroup(f *testing.F) {
	g := stored{engine.LogGroup{First: 7, Count: 2, Data: []byte("records")}, 300}
	value := make([]byte, groupHeader+len(g.Data))
	putGroup(value, &g)
	f.Add(logKey(7), value)
	f.Add(logKey(8), value)
	f.Add([]byte{spaceLog}, []byte{groupVersion})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		g, err := parseGroup(key, value)
		if err != nil {
			return
		}
		again := make([]byte, groupHeader+len(g.Data))
		putGroup(again, &g)
		if !bytes.Equal(again, value) {
			t.Errorf("%x was read as %+v, which is written as %x", value, g, again)
		}
	})
}

// TestGate enters a gate again from inside while it is being closed.
func TestGate(t *testing.T) {
	t.Parallel()
	var g gate
	for range 2 {
		if !g.enter() {
			t.Fatal("an open gate refuses")
		}
	}
	g.leave()
	closed := make(chan struct{})
	go func() { g.close(); close(closed) }()
	for g.enter() { // until the close has begun
		g.leave()
	}
	select {
	case <-closed:
		t.Error("closed with a call inside")
	default:
	}
	g.leave()
	<-closed
	if g.enter() {
		t.Error("a closed gate lets in")
	}
}
