package api

import (
	"fmt"
	"strings"
	"testing"
)

// payload returns a request body of n events of about size bytes each.
func payload(size, n int) []byte {
	one := `{"name":"shop/order.paid","id":"order-1","data":{"orderId":"o_1","amount":1299,"currency":"EUR","items":[`
	item := `{"sku":"SKU-00001","title":"A thing with a title of some words","qty":1}`
	one += item + strings.Repeat(","+item, max(0, (size-len(one)-len(item))/len(item))) + `]},"user":{"id":"u_1842"},"ts":1790000000000}`
	if n == 1 {
		return []byte(one)
	}
	return []byte("[" + strings.Repeat(one+",", n-1) + one + "]")
}

// BenchmarkIngest is the whole handler of the event API, from the request as the
// HTTP server hands it over to the answer, with a log that only takes its lock.
// parallel is the same from as many goroutines as there are processors.
func BenchmarkIngest(b *testing.B) {
	for _, c := range []struct {
		name    string
		size, n int
	}{{"200B", 200, 1}, {"1KB", 1000, 1}, {"100x200B", 200, 100}, {"100x1KB", 1000, 100}} {
		body := payload(c.size, c.n)
		b.Run(c.name, func(b *testing.B) {
			s, log := newIngestServer(Options{})
			log.forget = true
			ctx := benchRequest(body)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				ctx.Response.Reset()
				s.Handler(ctx)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*c.n), "ns/event")
			if ctx.Response.StatusCode() != 200 {
				b.Fatal(ctx.Response.String())
			}
		})
		b.Run(fmt.Sprintf("%s/parallel", c.name), func(b *testing.B) {
			s, log := newIngestServer(Options{})
			log.forget = true
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				ctx := benchRequest(body)
				for pb.Next() {
					ctx.Response.Reset()
					s.Handler(ctx)
				}
			})
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*c.n), "ns/event")
		})
	}
}
