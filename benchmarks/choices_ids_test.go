package benchmarks

import (
	"crypto/rand"
	"hash/maphash"
	mathrand "math/rand/v2"
	"sync"
	"testing"
	"time"

	"ingot/internal/ids"

	"github.com/cespare/xxhash/v2"
	"github.com/oklog/ulid/v2"
)

// BenchmarkChoiceID makes event ids, from one goroutine and from as many as there
// are connections. monotonic says whether ids rise within a millisecond, which the
// order of events by id needs; ulid-crypto does not.
func BenchmarkChoiceID(b *testing.B) {
	var mu sync.Mutex
	monotonic := ulid.Monotonic(rand.Reader, 0)
	for _, c := range []struct {
		name string
		make func(ms int64) ulid.ULID
	}{
		{"ids-new", ids.New},
		{"ulid-make", func(int64) ulid.ULID { return ulid.Make() }},
		{"ulid-monotonic-crypto", func(ms int64) ulid.ULID {
			mu.Lock()
			defer mu.Unlock()
			return ulid.MustNew(uint64(ms), monotonic)
		}},
		{"ulid-crypto", func(ms int64) ulid.ULID { return ulid.MustNew(uint64(ms), rand.Reader) }},
	} {
		b.Run(c.name+"/alone", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.make(time.Now().UnixMilli())
			}
		})
		b.Run(c.name+"/parallel", func(b *testing.B) {
			spread(b, connections, func() func() error {
				return func() error { c.make(time.Now().UnixMilli()); return nil }
			})
		})
	}
}

// BenchmarkChoiceHash hashes keys: a function's id (the partition of a run), a
// sender's event id and a longer key (de-duplication). maphash differs from one
// process to the next, so it cannot decide what is stored.
func BenchmarkChoiceHash(b *testing.B) {
	seed := maphash.MakeSeed()
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for _, size := range []int{16, 36, 200} {
		key := make([]byte, size)
		for i := range key {
			key[i] = byte(random.Uint32())
		}
		for _, c := range []struct {
			name string
			hash func([]byte) uint64
		}{
			{"xxhash", xxhash.Sum64},
			{"maphash", func(k []byte) uint64 { return maphash.Bytes(seed, k) }},
		} {
			b.Run(sizeName(size)+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				var sum uint64
				for b.Loop() {
					sum += c.hash(key)
				}
			})
		}
	}
}
