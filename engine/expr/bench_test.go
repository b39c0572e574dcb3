package expr

import (
	"fmt"
	"strings"
	"testing"
)

// bigEvent is an event of about 1 KB with the attribute in the middle.
var bigEvent = []byte(`{"name":"shop/order.created","id":"01HF7Y00000000000000000000","ts":1735689600000,"user":{"id":"u1","email":"someone@example.com"},` +
	`"data":{"order":"o-123456","plan":"pro","lines":[` + strings.TrimSuffix(strings.Repeat(`{"sku":"abc-123","qty":2,"price":12.5,"title":"A thing that is sold"},`, 8), ",") +
	`],"amount":120.5,"currency":"EUR","address":{"street":"Long Street 12","city":"Example","zip":"12345"},"note":"please leave it at the \"back door\""}}`)

func benchBool(b *testing.B, src string) {
	e, err := Compile(src)
	if err != nil {
		b.Fatal(err)
	}
	v := JSON{Event: bigEvent, Async: bigEvent}
	b.ReportAllocs()
	b.SetBytes(int64(len(bigEvent)))
	for range b.N {
		if ok, err := e.BoolJSON(v); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkBoolJSON(b *testing.B) {
	for name, src := range map[string]string{
		"number": `event.data.amount > 100`,
		"string": `event.data.plan == "pro"`,
		"two":    `event.data.plan == "pro" && event.data.amount >= 10`,
		"exists": `event.data.lines.exists(l, l.sku == "abc-123")`,
		"prefix": `event.data.order.startsWith("o-")`,
	} {
		b.Run(name, func(b *testing.B) { benchBool(b, src) })
	}
}

func BenchmarkCompile(b *testing.B) {
	srcs := make([]string, 1000)
	for i := range srcs {
		srcs[i] = fmt.Sprintf(`async.data.order == "order-%d" && async.data.amount > %d.0`, i, i)
	}
	b.ReportAllocs()
	for i := range b.N {
		if _, err := Compile(srcs[i%1000]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompileNewShape(b *testing.B) {
	b.ReportAllocs()
	for i := range b.N {
		if _, err := Compile(fmt.Sprintf(`async.data.order == "order" && async.data.amount%d > 5.0`, i)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInterpolate(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		if _, err := InterpolateJSON(`event.data.order == async.data.order && async.data.amount > 5`, bigEvent); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendJSON is a key of flow control over an event as functions see it, and over
// text that may have a key twice.
func BenchmarkAppendJSON(b *testing.B) {
	e, err := Compile("event.data.key")
	if err != nil {
		b.Fatal(err)
	}
	event := []byte(`{"data":{"key":"k-3","n":123456,"sent":1764188000000},"id":"01HF7Y00000000000000000000","name":"loadgen/steps","ts":1764188000000,"user":{}}`)
	for name, canonical := range map[string]bool{"canonical": true, "any": false} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var text []byte
			for b.Loop() {
				if text, _, _, err = e.AppendJSON(text[:0], JSON{Event: event, Canonical: canonical}); string(text) != "k-3" {
					b.Fatal(string(text), err)
				}
			}
		})
	}
}
