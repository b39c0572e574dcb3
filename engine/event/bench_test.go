package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
)

// benchBody returns a request body with one event of about size bytes, or with
// an array of n of them.
func benchBody(size, n int) []byte {
	var b bytes.Buffer
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"shop/order.paid","id":"order-%08d","ts":1790000000000,"data":{"orderId":"o_%08d","amount":1299,"currency":"EUR","paid":true,"items":[`, i, i)
		start := b.Len()
		for k := 0; k == 0 || b.Len()-start < size-230; k++ {
			if k > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"sku":"SKU-%05d","title":"A thing with a title of some words","qty":%d,"price":12.5}`, k, k+1)
		}
		b.WriteString(`]},"user":{"id":"u_1842"}}`)
	}
	if n == 1 {
		return b.Bytes()
	}
	return append(append([]byte{'['}, b.Bytes()...), ']')
}

func benchBodies() map[string][]byte {
	return map[string][]byte{"200B": benchBody(200, 1), "1KB": benchBody(1000, 1),
		"100x200B": benchBody(200, 100), "100x1KB": benchBody(1000, 100)}
}

func BenchmarkParser(b *testing.B) {
	for _, name := range []string{"200B", "1KB", "100x200B", "100x1KB"} {
		body := benchBodies()[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			var p Parser
			var e Event
			events := 0
			for b.Loop() {
				p.Reset(body, testNow)
				for p.Next(&e) {
					events++
				}
				if p.Err() != nil {
					b.Fatal(p.Err())
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
		})
	}
}

// BenchmarkScan compares this package's scanner with encoding/json's over the
// same bytes.
func BenchmarkScan(b *testing.B) {
	body := benchBody(1000, 1)
	for name, valid := range map[string]func() bool{
		"this":          func() bool { return scanValue(body, 0, 0) == len(body) },
		"encoding-json": func() bool { return json.Valid(body) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if !valid() {
					b.Fatal("refused")
				}
			}
		})
	}
}

func BenchmarkRecord(b *testing.B) {
	var p Parser
	var e Event
	p.Reset(benchBody(1000, 1), testNow)
	p.Next(&e)
	rec := e.AppendRecord(nil)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var dst []byte
		for b.Loop() {
			dst = e.AppendRecord(dst[:0])
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		var e Event
		for b.Loop() {
			if _, err := DecodeRecord(rec, &e); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		var dst []byte
		for b.Loop() {
			dst = e.AppendJSON(dst[:0])
		}
	})
}

func TestParserDoesNotAllocate(t *testing.T) {
	for name, body := range benchBodies() {
		var p Parser
		var e, back Event
		var rec []byte
		allocs := testing.AllocsPerRun(100, func() {
			p.Reset(body, testNow)
			rec = rec[:0]
			for p.Next(&e) {
				rec = e.AppendRecord(rec)
			}
			for rest := rec; len(rest) > 0; {
				rest, _ = DecodeRecord(rest, &back)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}
