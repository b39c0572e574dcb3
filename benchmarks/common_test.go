package benchmarks

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// connections is the number of clients at which throughput is compared.
const connections = 64

// spread runs b.N operations on as many goroutines as given; worker makes the
// operation of one of them.
func spread(b *testing.B, goroutines int, worker func() func() error) {
	b.Helper()
	b.ReportAllocs()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for range goroutines {
		op := worker()
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := op(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
}

// perSecond reports how many of something were done in a second.
func perSecond(b *testing.B, n int, unit string) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), unit+"/s")
}

// serveHTTP serves handler on a free local port until the benchmark ends.
func serveHTTP(b *testing.B, handler fasthttp.RequestHandler) (addr string) {
	b.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &fasthttp.Server{Handler: handler, NoDefaultServerHeader: true, NoDefaultDate: true, MaxRequestBodySize: 16 << 20}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	b.Cleanup(func() {
		if err := s.Shutdown(); err != nil {
			b.Error(err)
		}
		if err := <-served; err != nil {
			b.Error(err)
		}
	})
	return ln.Addr().String()
}

// poster makes operations that post body to a URL, all over connections of one
// client, as the measured handler's clients do.
func poster(b *testing.B, addr, path string, body []byte, want int) func() func() error {
	client := &fasthttp.HostClient{Addr: addr, MaxConns: connections * 2, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second}
	b.Cleanup(client.CloseIdleConnections)
	return func() func() error {
		req, resp := &fasthttp.Request{}, &fasthttp.Response{}
		req.Header.SetMethod(fasthttp.MethodPost)
		req.Header.SetContentType("application/json")
		req.SetRequestURI("http://" + addr + path)
		req.SetBodyRaw(body)
		return func() error {
			if err := client.Do(req, resp); err != nil {
				return err
			}
			if resp.StatusCode() != want {
				return fmt.Errorf("status %d: %s", resp.StatusCode(), resp.Body())
			}
			return nil
		}
	}
}

// events returns a request body of n events of about size bytes each.
func events(size, n int) []byte {
	var s strings.Builder
	for i := range n {
		if i > 0 {
			s.WriteByte(',')
		}
		fmt.Fprintf(&s, `{"name":"shop/order.paid","data":{"orderId":"o_%08d","amount":1299,"currency":"EUR","items":[`, i)
		for k, start := 0, s.Len(); k == 0 || s.Len()-start < size-200; k++ {
			if k > 0 {
				s.WriteByte(',')
			}
			fmt.Fprintf(&s, `{"sku":"SKU-%05d","title":"A thing with a title of some words","qty":%d}`, k, k+1)
		}
		s.WriteString(`]},"user":{"id":"u_1842"},"ts":1790000000000}`)
	}
	if n == 1 {
		return []byte(s.String())
	}
	return []byte("[" + s.String() + "]")
}
