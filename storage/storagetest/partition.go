package storagetest

import (
	"errors"
	"fmt"
	"strings"

	"ingot/engine"
)

const (
	run   = engine.TableRun
	step  = engine.TableStep
	timer = engine.TableTimer
)

var partitionTests = []test{
	{"get of missing keys", func(b *bench) {
		p := b.partition(0)
		b.want(p, run, "a", "-")
		b.commit(p, put(run, "a", "1"), put(run, "c", "3"), put(run, "empty", ""))
		var got []string
		keys := [][]byte{[]byte("c"), []byte("b"), []byte("a"), []byte("c"), []byte("empty"), {}}
		err := p.Get(run, keys, func(i int, v []byte) {
			got = append(got, fmt.Sprintf("%d:%s:%t", i, v, v != nil))
		})
		want := "0:3:true 1::false 2:1:true 3:3:true 4::true 5::false"
		if s := strings.Join(got, " "); err != nil || s != want {
			b.Errorf("got %q, %v; want %q", s, err, want)
		}
		if err := p.Get(run, nil, func(int, []byte) { b.Error("called for no keys") }); err != nil {
			b.Errorf("Get of no keys: %v", err)
		}
	}},
	{"get of many keys in order", func(b *bench) {
		p := b.partition(0)
		var writes []kv
		for i := range 200 {
			writes = append(writes, put(run, fmt.Sprintf("%03d", 2*i), fmt.Sprint(i)))
		}
		b.commit(p, append(writes, put(run, "0", ""), put(step, "001", "another table"))...)
		b.commit(p, del(run, "100"))
		var keys [][]byte
		for i := range 100 { // every other one exists
			keys = append(keys, fmt.Appendf(nil, "%03d", 4*i+i%2))
		}
		n := 0
		err := p.Get(run, keys, func(i int, v []byte) {
			n++
			want := fmt.Sprint(2 * i)
			if i%2 == 1 || i == 25 {
				want = ""
			}
			if got := string(v); got != want || (v == nil) != (want == "") {
				b.Errorf("key %s: got %q, want %q", keys[i], got, want)
			}
			b.want(p, run, "006", "3") // reads within a read
		})
		if err != nil || n != len(keys) {
			b.Errorf("%d values of %d: %v", n, len(keys), err)
		}
	}},
	{"put and delete in turn", func(b *bench) {
		p := b.partition(0)
		for i := range 20 {
			for _, t := range []engine.Table{run, timer} {
				b.commit(p, put(t, "k", fmt.Sprint(i)))
				b.want(p, t, "k", fmt.Sprint(i))
				b.commit(p, del(t, "k"), put(t, "k", "x"), del(t, "k"), del(t, "k"))
				b.want(p, t, "k", "-")
			}
			if i%5 == 0 {
				b.reopen()
				p = b.partition(0)
			}
		}
	}},
	{"odd keys and values", func(b *bench) {
		p := b.partition(0)
		big := strings.Repeat("x", 5<<20)
		keys := []string{"", "\x00", "\x00\x00", "\xff", "\xff\xff\xff\xff", strings.Repeat("k", 2000)}
		var writes []kv
		for i, k := range keys {
			writes = append(writes, put(run, k, fmt.Sprint(i)))
		}
		b.commit(p, append(writes, put(run, "big", big))...)
		b.reopen()
		p = b.partition(0)
		for i, k := range keys {
			b.want(p, run, k, fmt.Sprint(i))
		}
		if v, _ := b.get(p, run, "big"); v != big {
			b.Errorf("a value of %d bytes came back with %d", len(big), len(v))
		}
	}},
	{"tables are apart", func(b *bench) {
		p := b.partition(0)
		for t := engine.TableRun; t <= engine.TableInput; t++ {
			b.commit(p, put(t, "k", fmt.Sprint(t)))
		}
		b.commit(p, del(step, "k"))
		for t := engine.TableRun; t <= engine.TableInput; t++ {
			want := fmt.Sprint(t)
			scan := "k=" + want
			if t == step {
				want, scan = "-", ""
			}
			b.want(p, t, "k", want)
			if got := b.scan(p, t, nil, nil, 9); got != scan {
				b.Errorf("table %d holds %q, want %q", t, got, scan)
			}
		}
	}},
	{"partitions are apart", func(b *bench) {
		if n := b.s.Partitions(); n != Partitions {
			b.Fatalf("%d partitions, want %d", n, Partitions)
		}
		for i := engine.SystemPartition; i < Partitions; i++ {
			b.commit(b.partition(i), put(run, "k", fmt.Sprint(i)), put(run, fmt.Sprint("own", i), ""))
		}
		b.commit(b.partition(1), del(run, "k"))
		b.reopen()
		for i := engine.SystemPartition; i < Partitions; i++ {
			want := fmt.Sprintf("k=%d own%d=", i, i)
			if i == 1 {
				want = "own1="
			}
			if got := b.scan(b.partition(i), run, nil, nil, 9); got != want {
				b.Errorf("partition %d holds %q, want %q", i, got, want)
			}
		}
	}},
	{"no such partition", func(b *bench) {
		for _, i := range []int{engine.SystemPartition - 1, Partitions, 1 << 20} {
			if _, err := b.s.Partition(i); err == nil {
				b.Errorf("partition %d opens", i)
			}
		}
	}},
}

var scanTests = []test{
	{"bounds", func(b *bench) {
		p := b.partition(0)
		b.commit(p, put(run, "z", "run"), put(timer, "a", "timer"), put(step, "a", "1"), put(step, "b", "2"),
			put(step, "b\x00", "3"), put(step, "c", "4"), put(step, "\xff\xff", "5"))
		for _, tt := range []struct {
			from, to []byte
			want     string
		}{
			{nil, nil, "a=1 b=2 b\x00=3 c=4 \xff\xff=5"},
			{nil, []byte("b"), "a=1"},
			{[]byte("b"), nil, "b=2 b\x00=3 c=4 \xff\xff=5"},
			{[]byte("b"), []byte("c"), "b=2 b\x00=3"},
			{[]byte("b\x00"), []byte("\xff\xff"), "b\x00=3 c=4"},
			{[]byte{}, []byte("a\x00"), "a=1"},
			{[]byte("bb"), []byte("bc"), ""},
			{[]byte("c"), []byte("c"), ""},
			{[]byte("c"), []byte("a"), ""},
			{nil, []byte{}, ""},
			{[]byte("\xff\xff\xff"), nil, ""},
		} {
			if got := b.scan(p, step, tt.from, tt.to, 99); got != tt.want {
				b.Errorf("[%q, %q): got %q, want %q", tt.from, tt.to, got, tt.want)
			}
		}
	}},
	{"early stop", func(b *bench) {
		p := b.partition(0)
		b.commit(p, put(step, "a", "1"), put(step, "b", "2"), put(step, "c", "3"))
		if got := b.scan(p, step, nil, nil, 2); got != "a=1 b=2" {
			b.Errorf("stopped after two: got %q", got)
		}
	}},
	{"empty table", func(b *bench) {
		if got := b.scan(b.partition(2), step, nil, nil, 9); got != "" {
			b.Errorf("an empty store holds %q", got)
		}
	}},
	{"nested reads", func(b *bench) {
		p := b.partition(0)
		b.commit(p, put(step, "a", "1"), put(step, "b", "2"), put(run, "1", "x"), put(run, "2", "y"))
		var got string
		err := p.Scan(step, nil, nil, func(k, v []byte) bool {
			x, _ := b.get(p, run, string(v))
			got += string(k) + x
			return true
		})
		if err != nil || got != "axby" {
			b.Errorf("got %q, %v", got, err)
		}
	}},
	{"many", func(b *bench) {
		const n = 20_000
		p := b.partition(0)
		for at := 0; at < n; at += 2000 {
			var writes []kv
			for i := at; i < at+2000; i++ {
				writes = append(writes, put(timer, fmt.Sprintf("%08d", i*7919%n), strings.Repeat("v", 50)))
			}
			b.commit(p, writes...)
		}
		i, bad := 0, errors.New("out of order")
		err := p.Scan(timer, nil, nil, func(k, _ []byte) bool {
			if string(k) != fmt.Sprintf("%08d", i) {
				return false
			}
			i, bad = i+1, nil
			return true
		})
		if err != nil || bad != nil || i != n {
			b.Errorf("a scan saw %d of %d keys, %v", i, n, err)
		}
	}},
}
