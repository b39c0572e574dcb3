package engine

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"ingot/engine/expr"
)

func testRef(n int) waitRef {
	var r waitRef
	r.run = ulid.ULID{15: byte(n), 14: byte(n >> 8), 13: byte(n >> 16), 0: 1}
	r.job = uint32(n % 3)
	return r
}

// TestWaitIndexProperty compares the index with evaluating every condition: it may
// never leave out a wait that matches, and gives each wait once.
func TestWaitIndexProperty(t *testing.T) {
	t.Parallel()
	attrs := []string{"data.a", "data.b", "data.c.d", "name", `data["a"]`}
	lits := []string{`"x"`, `'y'`, `""`, `1`, `1.0`, `2u`, `-0.0`, `0`, `true`, `false`, `null`, `"a\"b"`}
	vals := []string{`"x"`, `"y"`, `""`, `1`, `2`, `-0`, `0.0`, `true`, `false`, `null`, `"a\"b"`, `"a\u0022b"`, `[1]`, `{"d":"x"}`, `{"d":1}`}
	rapid.Check(t, func(rt *rapid.T) {
		x := newWaitIndex()
		type wait struct {
			name, src string
			ref       waitRef
		}
		var waits []wait
		cmp := rapid.Custom(func(t *rapid.T) string {
			attr, lit := "async."+rapid.SampledFrom(attrs).Draw(t, "attr"), rapid.SampledFrom(lits).Draw(t, "lit")
			if rapid.Bool().Draw(t, "swap") {
				attr, lit = lit, attr
			}
			return attr + rapid.SampledFrom([]string{" == ", " == ", " == ", " != "}).Draw(t, "op") + lit
		})
		src := rapid.Custom(func(t *rapid.T) string {
			parts := rapid.SliceOfN(cmp, 0, 5).Draw(t, "parts")
			for i := range parts {
				if rapid.IntRange(0, 5).Draw(t, "or") == 0 {
					parts[i] = "(" + parts[i] + " || async.data.a)"
				}
			}
			return strings.Join(parts, " && ")
		})
		names := rapid.SampledFrom([]string{"e/1", "e/2"})
		for i := range rapid.IntRange(1, 60).Draw(rt, "steps") {
			if len(waits) > 0 && rapid.IntRange(0, 2).Draw(rt, "remove") == 0 {
				k := rapid.IntRange(0, len(waits)-1).Draw(rt, "which")
				x.remove(waits[k].name, waits[k].ref, waits[k].src)
				waits = slices.Delete(waits, k, k+1)
				continue
			}
			w := wait{names.Draw(rt, "name"), src.Draw(rt, "src"), testRef(i)}
			x.add(w.name, w.ref, w.src)
			x.add(w.name, w.ref, w.src)
			waits = append(waits, w)
		}
		val := rapid.SampledFrom(vals)
		for range 5 {
			name := names.Draw(rt, "event")
			ev := fmt.Sprintf(`{"name":%q,"data":{"a":%s, "b" :%s,"c":%s}}`, name, val.Draw(rt, "a"), val.Draw(rt, "b"), val.Draw(rt, "c"))
			var m map[string]any
			if err := json.Unmarshal([]byte(ev), &m); err != nil {
				rt.Fatal(err)
			}
			got := map[waitRef]int{}
			x.candidates([]byte(name), []byte(ev), func(r waitRef) { got[r]++ })
			waiting := false
			for _, w := range waits {
				if w.name != name {
					continue
				}
				waiting = true
				match := w.src == ""
				if !match {
					e, err := expr.Compile(w.src)
					if err != nil {
						rt.Fatal(err)
					}
					match, _ = e.Bool(expr.Vars{Async: m})
				}
				if match && got[w.ref] != 1 {
					rt.Fatalf("event %s matches %q, index gave it %d times", ev, w.src, got[w.ref])
				}
				delete(got, w.ref)
			}
			if len(got) > 0 {
				rt.Fatalf("candidates that are no waits for the name: %v", got)
			}
			if x.has([]byte(name)) != waiting {
				rt.Fatalf("has(%s) = %v", name, !waiting)
			}
		}
		for _, w := range waits {
			x.remove(w.name, w.ref, w.src)
		}
		if len(x.names) != 0 {
			rt.Fatalf("names left: %v", x.names)
		}
		for i := range x.table.refs {
			if x.table.refs[i].count != 0 || x.table.heads[i].keys != 0 {
				rt.Fatal("entries left in the table")
			}
		}
	})
}

func TestWaitIndexSelects(t *testing.T) {
	t.Parallel()
	x := newWaitIndex()
	add := func(n int, src string) { x.add("e", testRef(n), src) }
	add(1, `async.data.id == "a"`)
	add(2, `"b" == async.data.id`)
	add(3, `async.data.id == "a" && async.data.kind == "k"`)
	add(4, `async.data.kind == "other" && async.data.id == "a"`)
	add(5, ``)
	add(6, `async.data.n > 5`)
	add(7, `not an expression`)
	var got []int
	x.candidates([]byte("e"), []byte(`{"data":{"id":"a","kind":"k"}}`), func(r waitRef) { got = append(got, int(r.run[15])) })
	slices.Sort(got)
	if want := []int{1, 3, 5, 6, 7}; !slices.Equal(got, want) {
		t.Errorf("candidates %v, want %v", got, want)
	}
	x.candidates([]byte("other"), []byte(`{}`), func(r waitRef) { t.Error("candidate for another event") })
	x.remove("other", testRef(1), "")
	x.remove("e", testRef(1), `async.data.id == "b"`)
	x.remove("e", testRef(99), ``)
	if n := x.names["e"].count; n != 7 {
		t.Errorf("%d waits after removing what is not there, want 7", n)
	}
}

// Beyond the bound of shapes conditions are candidates always, and can be removed
// also when there is room for their shape again.
func TestWaitIndexManyShapes(t *testing.T) {
	t.Parallel()
	x := newWaitIndex()
	src := func(i int) string { return fmt.Sprintf(`async.data.f%d == "v"`, i) }
	const n = maxWaitShapes + 10
	for i := range n {
		x.add("e", testRef(i), src(i))
	}
	count := func() (n int) {
		x.candidates([]byte("e"), []byte(`{"data":{"f1":"v"}}`), func(waitRef) { n++ })
		return n
	}
	if got := count(); got != 11 {
		t.Errorf("%d candidates, want 11", got)
	}
	for i := range n {
		x.remove("e", testRef(i), src(i))
	}
	if x.has([]byte("e")) {
		t.Errorf("%d waits left", x.names["e"].count)
	}
}

// TestWaitIndexSharedKey has many waits under one key, removed oldest first: no
// operation may walk them all. The test takes minutes if one does.
func TestWaitIndexSharedKey(t *testing.T) {
	t.Parallel()
	x := newWaitIndex()
	const n = 300_000
	for i := range n {
		x.add("e", testRef(i), `async.data.ok == true`)
	}
	seen := 0
	x.candidates([]byte("e"), []byte(`{"data":{"ok":true}}`), func(waitRef) { seen++ })
	if seen != n {
		t.Errorf("%d candidates, want %d", seen, n)
	}
	for i := range n {
		x.remove("e", testRef(i), `async.data.ok == true`)
	}
	if x.has([]byte("e")) {
		t.Error("waits left")
	}
}

func benchRef(i int) waitRef {
	r := rand.New(rand.NewPCG(1, uint64(i)))
	var w waitRef
	for j := range w.run {
		w.run[j] = byte(r.Uint32())
	}
	return w
}

// BenchmarkWaitIndex looks events up among a million waits with distinct keys, and
// reports the memory of one wait.
func BenchmarkWaitIndex(b *testing.B) {
	const n = 1_000_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	x := newWaitIndex()
	for i := range n {
		x.add("shop/order.paid", benchRef(i), fmt.Sprintf(`async.data.order == "order-%d"`, i))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	perWait := float64(after.HeapAlloc-before.HeapAlloc) / n
	events := make([][]byte, 1024)
	for i := range events {
		events[i] = fmt.Appendf(nil, `{"name":"shop/order.paid","id":"01HF7Y0000000000000000000%d","ts":1735689600000,"user":{},"data":{"amount":12.5,"order":"order-%d","customer":{"id":"c1","mail":"a@example.com"}}}`, i, i*977)
	}
	name := []byte("shop/order.paid")
	b.Run("candidates", func(b *testing.B) {
		b.ReportAllocs()
		found := 0
		for i := range b.N {
			x.candidates(name, events[i&1023], func(waitRef) { found++ })
		}
		if found != b.N {
			b.Fatalf("found %d of %d", found, b.N)
		}
		b.ReportMetric(perWait, "B/wait")
	})
	b.Run("remove-add", func(b *testing.B) {
		b.ReportAllocs()
		src := `async.data.order == "order-77"`
		ref := benchRef(77)
		for range b.N {
			x.remove("shop/order.paid", ref, src)
			x.add("shop/order.paid", ref, src)
		}
	})
}

func TestWaitIndexAllocs(t *testing.T) {
	x := newWaitIndex()
	for i := range 1000 {
		x.add("e", testRef(i), fmt.Sprintf(`async.data.id == "id-%d"`, i))
	}
	name, ev := []byte("e"), []byte(`{"name":"e","data":{"id":"id-5"}}`)
	found := 0
	visit := func(waitRef) { found++ }
	if n := testing.AllocsPerRun(100, func() { x.candidates(name, ev, visit) }); n != 0 {
		t.Errorf("candidates allocates %v times", n)
	}
	if found != 101 {
		t.Errorf("found %d waits", found)
	}
}
