package benchmarks

import (
	"context"
	"fmt"
	"testing"

	"ingot/api"
	"ingot/engine"
	"ingot/storage/memstore"
	"ingot/storage/pebble"

	"github.com/valyala/fasthttp"
)

// openPebble is a store on the real disk.
func openPebble(b *testing.B, policy pebble.SyncPolicy) *pebble.DB {
	b.Helper()
	s, err := pebble.Open(b.TempDir(), pebble.Options{Logger: quiet, Sync: policy, MinFreeBytes: -1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// consume reads and trims the log as the engine does, until the benchmark ends.
func consume(b *testing.B, l engine.Log) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for seq := uint64(0); ; {
			g, err := l.Next(ctx, seq)
			if err != nil {
				return
			}
			seq = g.First + uint64(g.Count)
			if err := l.Trim(seq); err != nil {
				b.Error(err)
				return
			}
		}
	}()
	b.Cleanup(func() { cancel(); <-done })
}

// BenchmarkIngestHTTP takes events over HTTP and writes them to the log on disk,
// before the answer: all of ingest, without an engine behind it. Compare it with
// BenchmarkCeilingHandler.
func BenchmarkIngestHTTP(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("events=%d/connections=%d", n, connections), func(b *testing.B) {
			store := openPebble(b, pebble.SyncAlways)
			consume(b, store.Log())
			system, err := memstore.New(1, memstore.Options{}).Partition(engine.SystemPartition)
			if err != nil {
				b.Fatal(err)
			}
			catalog, err := engine.OpenCatalog(system)
			if err != nil {
				b.Fatal(err)
			}
			s := api.NewServer(api.Options{Mode: api.ModeDev, Catalog: catalog, Log: store.Log(), Logger: quiet})
			addr := serveHTTP(b, s.Handler)
			spread(b, connections, poster(b, addr, "/e/key", events(200, n), fasthttp.StatusOK))
			perSecond(b, b.N, "requests")
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
