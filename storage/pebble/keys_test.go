package pebble

import (
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
