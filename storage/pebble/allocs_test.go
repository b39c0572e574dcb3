package pebble

import (
	"bytes"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// warm are options with files as large as in operation.
func warm() Options {
	o := memOptions(vfs.NewMem())
	o.segment = segmentBytes
	return o
}

// TestAppendOfArraysAllocatesNothing: neither does the append of a hundred records,
// nor that of many at the same time, once pools and slabs are warm. The average of
// AllocsPerRun is rounded down, so that a slab now and then does not count.
func TestAppendOfArraysAllocatesNothing(t *testing.T) {
	// Not parallel: allocations of other tests would be counted.
	s := mustOpen(t, "data", warm())
	defer s.Close()
	l := s.Log()
	const events = 100
	records := bytes.Repeat([]byte("r"), 200*events)
	seq := uint64(1)
	appendOne := func() {
		if err := l.Append(records, events); err != nil {
			t.Error(err)
		}
		seq += events
		if err := l.Trim(seq); err != nil {
			t.Error(err)
		}
	}
	for range 200 {
		appendOne()
	}
	if n := testing.AllocsPerRun(500, appendOne); n > 0 {
		t.Errorf("%v allocations per append of %d records", n, events)
	}
}

// TestParallelAppendsAllocateLittle: appends that share a sync must not need more
// than those that have one of their own.
func TestParallelAppendsAllocateLittle(t *testing.T) {
	s := mustOpen(t, "data", warm())
	defer s.Close()
	l := s.Log()
	const writers = 64
	record := bytes.Repeat([]byte("r"), 200)
	var workers, done sync.WaitGroup
	stop, turns := make(chan struct{}), make(chan struct{})
	for range writers {
		workers.Go(func() {
			for {
				select {
				case <-turns:
				case <-stop:
					return
				}
				if err := l.Append(record, 1); err != nil {
					t.Error(err)
				}
				done.Done()
			}
		})
	}
	seq := uint64(1)
	round := func() {
		done.Add(writers)
		for range writers {
			turns <- struct{}{}
		}
		done.Wait()
		seq += writers
		if err := l.Trim(seq); err != nil {
			t.Error(err)
		}
	}
	for range 50 {
		round()
	}
	if n := testing.AllocsPerRun(200, round); n > writers/8 {
		t.Errorf("%v allocations per %d appends", n, writers)
	}
	close(stop)
	workers.Wait()
}
