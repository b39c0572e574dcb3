package engine

import (
	"slices"
	"testing"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"
)

// TestSortedQueue compares it with a sorted list. Places of one turn that come in order keep
// it; those that come too late have none.
func TestSortedQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q sortedQueue[place]
		var model []place
		slot, late := uint64(0), rapid.IntRange(0, 5).Draw(t, "late")
		turn := int64(0)
		for range rapid.IntRange(1, 2000).Draw(t, "steps") {
			if q.len() != len(model) {
				t.Fatalf("has %d, want %d", q.len(), len(model))
			}
			if len(model) > 0 && rapid.IntRange(0, 2).Draw(t, "pop") == 0 {
				got, want := q.pop(), slices.MinFunc(model, func(a, b place) int { return int(a.turn - b.turn) })
				if got.turn != want.turn {
					t.Fatalf("popped turn %d, want %d", got.turn, want.turn)
				}
				i := slices.Index(model, got)
				if i < 0 {
					t.Fatalf("popped %v, which is not there", got)
				}
				if late == 0 && i != 0 {
					t.Fatal("what came in order is out of order")
				}
				model = slices.Delete(model, i, i+1)
				continue
			}
			slot++
			turn += int64(rapid.IntRange(0, 1).Draw(t, "on"))
			p := place{slot: slot, turn: turn - int64(rapid.IntRange(0, late).Draw(t, "back"))}
			q.push(p)
			model = append(model, p)
		}
		var all []place
		for p := range q.all {
			all = append(all, p)
		}
		bySlot := func(a, b place) int { return int(a.slot) - int(b.slot) }
		if slices.SortFunc(all, bySlot); !slices.Equal(all, model) {
			t.Fatalf("all are %v, want %v", all, model)
		}
	})
}

// TestReadAheadIsBounded puts more than there is room for, takes some, and counts.
func TestReadAheadIsBounded(t *testing.T) {
	id := func(i int) ulid.ULID { return ulid.ULID{byte(i >> 16), byte(i >> 8), byte(i)} }
	var a readAhead
	record := make([]byte, 300)
	for i := range 50_000 {
		a.put(id(i), record)
		if i%2 == 0 && a.take(id(i)) == nil {
			t.Fatal("what was put is not there")
		}
	}
	if n := len(a.records); a.bytes > maxAheadBytes || a.bytes != a.order.len()*len(record) || n < maxAheadBytes/len(record)/2-1 {
		t.Errorf("keeps %d records, and %d ids of %d bytes", n, a.order.len(), a.bytes)
	}
	for i := range 50_000 {
		a.take(id(i))
	}
	if a.put(id(0), record); a.bytes != len(record) || len(a.records) != 1 || a.order.len() != 1 {
		t.Errorf("%d bytes and %d records are left", a.bytes, len(a.records))
	}
	if a.put(id(1), make([]byte, aheadChunk)); a.has(id(1)) {
		t.Error("keeps a large record")
	}
}

// TestReadAheadGrows reads ever more while it is of use, and no more than a few if it is not.
func TestReadAheadGrows(t *testing.T) {
	var a readAhead
	n, last := 0, 0
	for range 8 {
		rows := a.rows(8)
		if rows < last {
			t.Errorf("reads %d rows after %d that were of use", rows, last)
		}
		last = rows
		for range rows {
			n++
			id := ulid.ULID{byte(n >> 8), byte(n)}
			a.put(id, []byte("record"))
			a.take(id)
		}
	}
	if last != maxAheadRows {
		t.Errorf("reads %d rows in the end, want %d", last, maxAheadRows)
	}
	for range a.rows(8) {
		n++
		a.put(ulid.ULID{byte(n >> 8), byte(n)}, []byte("record"))
	}
	if rows := a.rows(8); rows != 8*aheadRows {
		t.Errorf("reads %d rows after such as were of no use, want %d", rows, 8*aheadRows)
	}
}
