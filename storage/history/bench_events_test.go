package history

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"ingot/engine/event"
	"ingot/internal/ids"
)

// eventTraffic makes batches of events as a flood of single requests does: some 80 a
// millisecond, those of neighbours a little out of order.
type eventTraffic struct {
	names  [][]byte
	n      int
	seeded bool
}

func newEventTraffic(names int) *eventTraffic {
	tr := &eventTraffic{}
	for i := range names {
		tr.names = append(tr.names, []byte("shop/order.created."+strconv.Itoa(i)))
	}
	return tr
}

// batch makes n events of about 200 bytes.
func (tr *eventTraffic) batch(n int) *Batch {
	b := &Batch{LogNext: uint64(tr.n + n), Park: true}
	for range n {
		tr.n++
		ms := 1_790_000_000_000 + int64(tr.n)/80
		ev := event.Event{InternalID: ids.New(ms), Name: tr.names[rand.IntN(len(tr.names))], TS: ms, ReceivedAt: ms, Seeded: tr.seeded,
			Data: fmt.Appendf(nil, `{"order":%d,"customer":"c-%d","amount":%d,"currency":"EUR","items":[{"sku":"A-%d","quantity":%d}],"note":"please leave it at the door"}`,
				tr.n, rand.IntN(1e6), rand.IntN(1e5), rand.IntN(1e5), rand.IntN(10))}
		b.Events = append(b.Events, ev.AppendRecord(nil))
	}
	for range n / 100 {
		i := rand.IntN(n)
		j := min(n-1, i+rand.IntN(64))
		b.Events[i], b.Events[j] = b.Events[j], b.Events[i]
	}
	return b
}

// BenchmarkStoreEvents stores events that start nothing, in batches as the consumer makes
// them under load, and in small ones: the time is per event, of one goroutine.
func BenchmarkStoreEvents(b *testing.B) {
	for _, c := range []struct {
		size, names int
		seeded      bool
	}{{8000, 1, false}, {8000, 100, false}, {8000, 100, true}, {8000, 1000, false}, {100, 4, false}, {5, 4, false}} {
		b.Run(fmt.Sprintf("batch=%d/names=%d/seeded=%t", c.size, c.names, c.seeded), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "history.db")
			db, err := Open(b.Context(), Config{Path: path})
			if err != nil {
				b.Fatal(err)
			}
			tr := newEventTraffic(c.names)
			tr.seeded = c.seeded
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += c.size {
				b.StopTimer()
				batch := tr.batch(min(c.size, b.N-n))
				b.StartTimer()
				if err := db.Store(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(info.Size())/float64(b.N), "B/event")
		})
	}
}
