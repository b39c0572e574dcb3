package storagetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"

	"ingot/engine"
)

var logTests = []test{
	{"append and next", func(b *bench) {
		b.none(0)
		b.appendAll("a", "bb")
		if err := b.s.Log().Append([]byte("cccddd"), 2); err != nil {
			b.Fatal(err)
		}
		first := b.next(0)
		if first.Replayed {
			b.Error("a group of this process is marked as replayed")
		}
		entries, data := b.drain(first.First)
		if entries != 4 || data != "abbcccddd" {
			b.Errorf("got %d entries %q", entries, data)
		}
		b.none(first.First + 4)
		// The first number may be anything above 0: cursors begin at 0.
		if g := b.next(first.First + 1); g.First < first.First+1 {
			b.Errorf("Next(%d) went back to %d", first.First+1, g.First)
		}
	}},
	{"records are not kept", func(b *bench) {
		buf := []byte("abc")
		if err := b.s.Log().Append(buf, 1); err != nil {
			b.Fatal(err)
		}
		copy(buf, "xyz")
		if _, data := b.drain(0); data != "abc" {
			b.Errorf("got %q", data)
		}
	}},
	{"append of nothing is refused", func(b *bench) {
		for _, count := range []int{0, -1} {
			if err := b.s.Log().Append([]byte("x"), count); err == nil {
				b.Errorf("count %d is accepted", count)
			}
		}
		b.none(0)
	}},
	{"submit", func(b *bench) {
		const submits = 100
		told := make(told, submits+1)
		b.appendAll("a")
		for i := range submits {
			record := []byte{byte(i)}
			if err := b.s.Log().Submit(record, 1, told); err != nil {
				b.Fatal(err)
			}
			record[0]++ // it is not kept
		}
		for range submits {
			if err := <-told; err != nil {
				b.Error(err)
			}
		}
		b.appendAll("z")
		entries, data := b.drain(0)
		if entries != submits+2 || data[0] != 'a' || data[submits+1] != 'z' {
			b.Errorf("%d entries %q", entries, data)
		}
		for i := range submits {
			if data[1+i] != byte(i) {
				b.Fatalf("submit %d has become entry %q", i, data)
			}
		}
		if err := b.s.Log().Submit(nil, 0, told); err == nil {
			if err = <-told; err == nil {
				b.Error("a submit of nothing is accepted")
			}
		}
		if len(told) > 0 {
			b.Error("told twice")
		}
	}},
	{"group data outlives trim", func(b *bench) {
		b.appendAll("aaa")
		g := b.next(0)
		if err := b.s.Log().Trim(g.First + uint64(g.Count)); err != nil {
			b.Fatal(err)
		}
		for range 50 {
			b.appendAll(strings.Repeat("b", 1000))
		}
		if string(g.Data) != "aaa" {
			b.Errorf("the data of a group that was handed out became %q", g.Data)
		}
	}},
	{"trim and pending", func(b *bench) {
		l := b.s.Log()
		if n := l.Pending(); n != 0 {
			b.Errorf("pending %d in an empty log", n)
		}
		b.appendAll("one", strings.Repeat("2", 1000), "three")
		full := l.Pending()
		if full < 1008 {
			b.Errorf("pending %d, want at least the records' 1008", full)
		}
		first := b.next(0).First
		b.trim(first) // nothing below
		if n := l.Pending(); n != full {
			b.Errorf("pending %d after a trim of nothing, want %d", n, full)
		}
		b.trim(first + 2)
		if n := l.Pending(); n <= 0 || n > full-1000 {
			b.Errorf("pending %d after a trim of two entries, was %d", n, full)
		}
		if g := b.next(0); g.First != first+2 || string(g.Data) != "three" {
			b.Errorf("after the trim the log begins with %d %q", g.First, g.Data)
		}
		b.trim(first) // never goes back
		b.trim(first + 3)
		b.none(0)
		if n := l.Pending(); n != 0 {
			b.Errorf("pending %d after a full trim", n)
		}
		b.appendAll("four")
		if g := b.next(0); g.First != first+3 {
			b.Errorf("after a full trim the log goes on at %d, want %d", g.First, first+3)
		}
	}},
	{"trim within a group keeps it", func(b *bench) {
		if err := b.s.Log().Append([]byte("abc"), 3); err != nil {
			b.Fatal(err)
		}
		first := b.next(0).First
		b.trim(first + 2)
		if g := b.next(0); g.First != first || g.Count != 3 {
			b.Errorf("got %d+%d, want the whole group", g.First, g.Count)
		}
	}},
	{"trim beyond the head", func(b *bench) {
		b.appendAll("a")
		first := b.next(0).First
		b.trim(first + 1000)
		b.appendAll("b")
		if g := b.next(0); g.First != first+1 || string(g.Data) != "b" {
			b.Errorf("got %d %q, want %d", g.First, g.Data, first+1)
		}
	}},
	{"reopen replays", func(b *bench) {
		b.appendAll("a", "b", "c")
		first := b.next(0).First
		pending := b.s.Log().Pending()
		b.reopen()
		if n := b.s.Log().Pending(); n != pending {
			b.Errorf("pending %d after reopening, was %d", n, pending)
		}
		b.appendAll("d")
		var got string
		for seq := first; seq < first+4; {
			g := b.next(seq)
			if g.First != seq {
				b.Fatalf("Next(%d) skipped to %d", seq, g.First)
			}
			if replayed := seq < first+3; g.Replayed != replayed {
				b.Errorf("group %d: replayed is %t, want %t", seq, g.Replayed, replayed)
			}
			got += string(g.Data)
			seq += uint64(g.Count)
		}
		if got != "abcd" {
			b.Errorf("got %q", got)
		}
	}},
	{"numbers go on after trim and reopen", func(b *bench) {
		b.appendAll("a", "b", "c")
		first := b.next(0).First
		b.trim(first + 3)
		for i := range 3 {
			b.reopen()
			b.reopen()
			b.appendAll("d")
			g := b.last()
			if want := first + 3 + uint64(i); g.First != want {
				b.Errorf("append %d after reopening got number %d, want %d", i, g.First, want)
			}
			b.trim(g.First + 1)
		}
	}},
	{"next waits for an append", func(b *bench) {
		got := make(chan engine.LogGroup)
		go func() {
			for seq := uint64(0); ; {
				g, err := b.s.Log().Next(context.Background(), seq)
				if err != nil {
					close(got)
					return
				}
				got <- g
				seq = g.First + uint64(g.Count)
			}
		}()
		for i := range 20 {
			b.appendAll(fmt.Sprint(i))
			if g := wait(b, got, "Next"); string(g.Data) != fmt.Sprint(i) {
				b.Errorf("append %d: Next returned %q", i, g.Data)
			}
		}
		if err := b.s.Close(); err != nil {
			b.Error(err)
		}
		wait(b, got, "end of Next after Close")
	}},
	{"next ends with its context", func(b *bench) {
		ctx, cancel := context.WithCancel(b.Context())
		errs := make(chan error, 1)
		go func() {
			_, err := b.s.Log().Next(ctx, 0)
			errs <- err
		}()
		cancel()
		if err := wait(b, errs, "Next"); !errors.Is(err, context.Canceled) {
			b.Errorf("got %v", err)
		}
		b.appendAll("a")
		// What is there is returned even so: the context only ends the wait.
		if g, err := b.s.Log().Next(ctx, 0); err != nil || string(g.Data) != "a" {
			b.Errorf("got %q, %v", g.Data, err)
		}
	}},
	{"concurrent appends", func(b *bench) {
		const writers, each = 16, 50
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					rec := make([]byte, 8)
					binary.BigEndian.PutUint32(rec, uint32(w))
					binary.BigEndian.PutUint32(rec[4:], uint32(i))
					if err := b.s.Log().Append(rec, 1); err != nil {
						b.Errorf("writer %d: %v", w, err)
					}
				}
			})
		}
		wg.Wait()
		for range 2 {
			entries, data := b.drain(0)
			var next [writers]uint32
			for rec := []byte(data); len(rec) >= 8; rec = rec[8:] {
				w, i := binary.BigEndian.Uint32(rec), binary.BigEndian.Uint32(rec[4:])
				if w >= writers || i != next[w] {
					b.Fatalf("writer %d: entry %d where %d was due", w, i, next[w])
				}
				next[w]++
			}
			if entries != writers*each || len(data) != writers*each*8 {
				b.Errorf("%d entries of %d bytes, want %d", entries, len(data), writers*each)
			}
			b.reopen()
		}
	}},
	{"a lagging reader", func(b *bench) {
		// More than any cache of a backend would hold on to, with a large entry between.
		const each = 1 << 20
		record := strings.Repeat("0123456789abcdef", each/16)
		b.appendAll("begin")
		first := b.next(0).First
		if err := b.s.Log().Append([]byte(strings.Repeat("L", 12<<20)), 1); err != nil {
			b.Fatalf("append of 12 MiB: %v", err)
		}
		for range 12 {
			b.appendAll(record)
		}
		b.appendAll("end")
		entries, data := b.drain(first)
		if want := 5 + 12<<20 + 12*each + 3; entries != 15 || len(data) != want {
			b.Errorf("%d entries of %d bytes, want 15 of %d", entries, len(data), want)
		}
		if !strings.HasPrefix(data, "beginLLL") || !strings.HasSuffix(data, record+"end") {
			b.Error("the entries are not those that were written")
		}
	}},
}

// drain returns the number and the data of all entries from a number on.
func (b *bench) drain(from uint64) (entries int, data string) {
	b.Helper()
	ended, cancel := context.WithCancel(b.Context())
	cancel()
	var out strings.Builder
	for at := from; ; {
		g, err := b.s.Log().Next(ended, at)
		if errors.Is(err, context.Canceled) {
			return entries, out.String()
		}
		if err != nil {
			b.Fatalf("Next(%d): %v", at, err)
		}
		if at > 0 && g.First != at {
			b.Fatalf("Next(%d) skipped to %d", at, g.First)
		}
		entries += g.Count
		out.Write(g.Data)
		at = g.First + uint64(g.Count)
	}
}

// last returns the newest group.
func (b *bench) last() (last engine.LogGroup) {
	b.Helper()
	ended, cancel := context.WithCancel(b.Context())
	cancel()
	for {
		g, err := b.s.Log().Next(ended, last.First+uint64(last.Count))
		if err != nil {
			return last
		}
		last = g
	}
}

func (b *bench) trim(seq uint64) {
	b.Helper()
	if err := b.s.Log().Trim(seq); err != nil {
		b.Fatalf("Trim(%d): %v", seq, err)
	}
}

// told is told how submits end.
type told chan error

// Logged implements engine.Logged.
func (t told) Logged(err error) { t <- err }
