package engine_test

import (
	"fmt"
	"testing"

	"ingot/storage/memstore"
)

// BenchmarkCatalog registers and loads 10,000 functions.
func BenchmarkCatalog(b *testing.B) {
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprint("fn", i)
	}
	b.Run("register", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			req := registration(b, "app", names...)
			c := openCatalog(b, memstore.New(1, memstore.Options{}))
			b.StartTimer()
			register(b, c, req)
		}
	})
	b.Run("register again", func(b *testing.B) {
		c := openCatalog(b, memstore.New(1, memstore.Options{}))
		register(b, c, registration(b, "app", names...))
		n := 0
		for b.Loop() {
			b.StopTimer()
			n++
			req := registration(b, "app", names...)
			req.Framework = fmt.Sprint(n)
			b.StartTimer()
			register(b, c, req)
		}
	})
	b.Run("load", func(b *testing.B) {
		store := memstore.New(1, memstore.Options{})
		register(b, openCatalog(b, store), registration(b, "app", names...))
		for b.Loop() {
			openCatalog(b, store)
		}
	})
	b.Run("unchanged", func(b *testing.B) {
		c := openCatalog(b, memstore.New(1, memstore.Options{}))
		register(b, c, registration(b, "app", names...))
		for b.Loop() {
			register(b, c, registration(b, "app", names...))
		}
	})
}
