package benchmarks

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/valyala/fasthttp"
)

// The ceilings: what the machine can do with the same libraries when the program
// itself does nothing. Measured in the same run, they make a share of every result.

// BenchmarkCeilingHandler is an HTTP server that answers at once, for requests of
// one event and of a hundred.
func BenchmarkCeilingHandler(b *testing.B) {
	answer := []byte(`{"ids":["01K1V7Q2JZ3T9A8B7C6D5E4F3G"],"status":200}`)
	addr := serveHTTP(b, func(ctx *fasthttp.RequestCtx) { ctx.SetBody(answer) })
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("events=%d/connections=%d", n, connections), func(b *testing.B) {
			spread(b, connections, poster(b, addr, "/e/key", events(200, n), fasthttp.StatusOK))
			perSecond(b, b.N, "requests")
		})
	}
}

// BenchmarkCeilingApp makes the calls of a run with fasthttp's own client: what
// the transport would do if it had nothing to build, sign or read.
func BenchmarkCeilingApp(b *testing.B) {
	addr := serveHTTP(b, appHandler)
	for _, parallel := range []int{1, connections} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			spread(b, parallel, poster(b, addr, "/api/inngest?fnId=app-fn&stepId=step", events(1000, 1), fasthttp.StatusPartialContent))
			perSecond(b, b.N, "calls")
		})
	}
}

func appHandler(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("X-Inngest-Sdk", "inngest-js:v4.24.0")
	ctx.Response.Header.Set("X-Inngest-Req-Version", "2")
	ctx.SetStatusCode(fasthttp.StatusPartialContent)
	ctx.SetBodyString(`[{"id":"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8","op":"StepRun","name":"a","data":{"n":1}}]`)
}

// BenchmarkCeilingCommit is Pebble alone: writers that each commit one record and
// wait for its sync, which Pebble shares among them. The log does the same for
// events; without=sync shows what of it is the disk.
func BenchmarkCeilingCommit(b *testing.B) {
	record := bytes.Repeat([]byte("r"), 200)
	for _, o := range []*pebble.WriteOptions{pebble.Sync, pebble.NoSync} {
		b.Run(fmt.Sprintf("sync=%t/writers=%d", o.Sync, connections), func(b *testing.B) {
			db, err := pebble.Open(b.TempDir(), &pebble.Options{MemTableSize: 16 << 20, Logger: noLog{}})
			if err != nil {
				b.Fatal(err)
			}
			id := uint64(0)
			spread(b, connections, func() func() error {
				id++
				key, n := make([]byte, 16), uint64(0)
				binary.BigEndian.PutUint64(key[8:], id)
				return func() error {
					n++
					binary.BigEndian.PutUint64(key, n)
					return db.Set(key, record, o)
				}
			})
			perSecond(b, b.N, "commits")
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

type noLog struct{}

func (noLog) Infof(string, ...any)           {}
func (noLog) Errorf(string, ...any)          {}
func (noLog) Fatalf(format string, a ...any) { panic(fmt.Sprintf(format, a...)) }
