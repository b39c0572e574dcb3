package pebble

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ingot/engine"
)

// benchStore is a store on the real disk.
func benchStore(b *testing.B, policy SyncPolicy) *DB {
	b.Helper()
	s := mustOpen(b, b.TempDir(), Options{Logger: quiet, Sync: policy, MinFreeBytes: -1})
	b.Cleanup(func() { _ = s.Close() })
	return s
}

var policies = map[string]SyncPolicy{"always": SyncAlways, "interval": SyncInterval(100 * time.Millisecond)}

// BenchmarkAppend appends records of 200 bytes, one or a hundred per call, as
// single-event requests and arrays do. Syncs are real under both policies.
func BenchmarkAppend(b *testing.B) {
	for _, events := range []int{1, 100} {
		record := bytes.Repeat([]byte("r"), 200*events)
		for _, writers := range []int{1, 64, 256} {
			b.Run(fmt.Sprintf("events=%d/writers=%d", events, writers), func(b *testing.B) {
				benchAppend(b, record, events, writers)
			})
		}
	}
}

func benchAppend(b *testing.B, record []byte, events, writers int) {
	s := benchStore(b, SyncAlways)
	l := s.Log()
	stop := applied(b, l)
	before, _ := s.Metrics()
	b.ReportAllocs()
	b.SetBytes(int64(len(record)))
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := l.Append(record, events); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	after, _ := s.Metrics()
	b.ReportMetric(float64(b.N)/float64(after.LogGroups-before.LogGroups), "appends/group")
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
	stop()
}

// applied reads and trims the log as the engine does. stop ends it.
func applied(b *testing.B, l engine.Log) (stop func()) {
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(b.Context())
	go func() {
		defer close(done)
		for seq, n := uint64(0), 0; ; n++ {
			g, err := l.Next(ctx, seq)
			if err != nil {
				return
			}
			seq = g.First + uint64(g.Count)
			if n%64 == 0 {
				if err := l.Trim(seq); err != nil {
					b.Error(err)
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}

// BenchmarkCommit commits batches of 500 writes, one after another, and pipelined
// as a partition does.
func BenchmarkCommit(b *testing.B) {
	for name, policy := range policies {
		for _, pipelined := range []bool{false, true} {
			b.Run(fmt.Sprintf("sync=%s/pipelined=%t", name, pipelined), func(b *testing.B) {
				s := benchStore(b, policy)
				p, _ := s.Partition(0)
				done := make(chan error, 1)
				report := func(err error) { done <- err }
				var wg sync.WaitGroup
				count := func(err error) {
					if err != nil {
						b.Error(err)
					}
					wg.Done()
				}
				key, value := make([]byte, 24), bytes.Repeat([]byte("v"), 200)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					batch := p.NewBatch()
					for j := range 500 {
						// Each batch replaces what an earlier one wrote, as a queue does.
						copy(key, fmt.Appendf(key[:0], "%08d/%08d", i%64, j))
						batch.Put(engine.TableStep, key, value)
					}
					if pipelined {
						wg.Add(1)
						p.Commit(batch, count)
					} else {
						p.Commit(batch, report)
						if err := <-done; err != nil {
							b.Fatal(err)
						}
					}
				}
				wg.Wait()
				b.ReportMetric(float64(500*b.N)/b.Elapsed().Seconds(), "writes/s")
			})
		}
	}
}

// BenchmarkCommitSmall commits batches of ten writes, pipelined, in each of four
// partitions at the same time: what a partition does between two steps when there
// is little load.
func BenchmarkCommitSmall(b *testing.B) {
	for name, policy := range policies {
		b.Run("sync="+name, func(b *testing.B) {
			s := benchStore(b, policy)
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for part := range s.Partitions() {
				p, _ := s.Partition(part)
				wg.Go(func() {
					var commits sync.WaitGroup
					report := func(err error) {
						if err != nil {
							b.Error(err)
						}
						commits.Done()
					}
					key, value := make([]byte, 8), bytes.Repeat([]byte("v"), 200)
					for i := part; i < b.N; i += s.Partitions() {
						batch := p.NewBatch()
						for j := range 10 {
							key[0], key[1], key[2] = byte(i), byte(i>>8), byte(j)
							batch.Put(engine.TableStep, key, value)
						}
						commits.Add(1)
						p.Commit(batch, report)
					}
					commits.Wait()
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// BenchmarkRead reads from a partition of 100,000 keys that is mostly on disk.
func BenchmarkRead(b *testing.B) {
	s := benchStore(b, SyncInterval(time.Second))
	p, _ := s.Partition(0)
	const n = 100_000
	key := func(i int) []byte { return fmt.Appendf(nil, "%08d", i*2) }
	for at := 0; at < n; at += 1000 {
		batch := p.NewBatch()
		for i := at; i < at+1000; i++ {
			batch.Put(engine.TableStep, key(i), bytes.Repeat([]byte("v"), 200))
		}
		p.Commit(batch, func(error) {})
	}
	if err := s.Compact(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		keys, i := [][]byte{nil}, 0
		for b.Loop() {
			i = (i + 7919) % n
			keys[0] = append(keys[0][:0], fmt.Appendf(keys[0][:0], "%08d", i*2)...)
			_ = p.Get(engine.TableStep, keys, func(_ int, v []byte) {
				if len(v) != 200 {
					b.Fatalf("key %d has %d bytes", i, len(v))
				}
			})
		}
	})
	b.Run("get-64-in-order", func(b *testing.B) {
		b.ReportAllocs()
		keys, at := make([][]byte, 64), 0
		for b.Loop() {
			at = (at + 7919) % (n - 4*len(keys))
			for i := range keys {
				keys[i] = fmt.Appendf(keys[i][:0], "%08d", (at+i*3)*2)
			}
			_ = p.Get(engine.TableStep, keys, func(i int, v []byte) {
				if len(v) != 200 {
					b.Fatalf("key %s has %d bytes", keys[i], len(v))
				}
			})
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(keys)), "ns/key")
	})
	b.Run("get-missing", func(b *testing.B) {
		b.ReportAllocs()
		keys, i := [][]byte{nil}, 0
		for b.Loop() {
			i = (i + 7919) % n
			keys[0] = fmt.Appendf(keys[0][:0], "%08d", i*2+1)
			_ = p.Get(engine.TableStep, keys, func(_ int, v []byte) {
				if v != nil {
					b.Fatal("found what does not exist")
				}
			})
		}
	})
	b.Run("scan-100", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i = (i + 7919) % (n - 100)
			seen := 0
			_ = p.Scan(engine.TableStep, key(i), nil, func(_, _ []byte) bool {
				seen++
				return seen < 100
			})
		}
	})
}
