package history

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// traffic makes batches of three-step runs as the engine records them: four calls, of
// which three complete a step.
type traffic struct {
	ms    int64 // unix ms, of the next run
	perMS int
	n     int
	fns   []ids.UUID
	steps [3]string
	// backlog is how many runs are queued before one ends, in any order.
	backlog int
	queued  []queuedRun
}

type queuedRun struct {
	id ulid.ULID
	fn ids.UUID
}

func newTraffic(functions int) *traffic {
	tr := &traffic{ms: 1_790_000_000_000, perMS: 10}
	for i := range functions {
		tr.fns = append(tr.fns, ids.UUIDv5(fmt.Appendf(nil, "app-fn-%d", i)))
	}
	for i := range tr.steps {
		sum := sha1.Sum(fmt.Appendf(nil, "step-%d", i))
		tr.steps[i] = hex.EncodeToString(sum[:])
	}
	return tr
}

const responseHeader = "Content-Type: application/json\r\nX-Inngest-Sdk: js:v4.24.0\r\nX-Inngest-Framework: express\r\nX-Inngest-Platform: node\r\n" +
	"X-Inngest-Req-Version: 1\r\nServer-Timing: handler;dur=1.2\r\nContent-Length: 154\r\nConnection: keep-alive\r\nDate: Thu, 26 Nov 2026 01:36:%02d GMT\r\n"

// batch makes n runs, each with its event.
func (tr *traffic) batch(n int) *Batch {
	b := &Batch{LogNext: uint64(tr.n + n), OutboxNext: map[int]uint64{0: uint64(tr.n + n)}, Park: tr.backlog > 0}
	for range n {
		run := tr.begin(b)
		if tr.backlog == 0 {
			tr.end(b, run)
			continue
		}
		tr.queued = append(tr.queued, run)
		if last := len(tr.queued) - 1; last >= tr.backlog {
			i := rand.IntN(last + 1)
			tr.end(b, tr.queued[i])
			tr.queued[i] = tr.queued[last]
			tr.queued = tr.queued[:last]
		}
	}
	return b
}

// begin adds an event, and the run that it starts.
func (tr *traffic) begin(b *Batch) queuedRun {
	if tr.n++; tr.n%tr.perMS == 0 {
		tr.ms++
	}
	ev := event.Event{InternalID: ids.New(tr.ms), Name: []byte("shop/order.created"), TS: tr.ms, ReceivedAt: tr.ms,
		Data: []byte(`{"order":` + strconv.Itoa(tr.n) + `,"customer":"c-` + strconv.Itoa(rand.IntN(1e6)) + `"}`)}
	b.Events = append(b.Events, ev.AppendRecord(nil))
	fn := tr.fns[rand.IntN(len(tr.fns))]
	id := ids.Derive(tr.ms, ev.InternalID[:], fn[:])
	id[6], id[7] = fn[0], fn[1]
	b.Records = append(b.Records, &engine.Lifecycle{Kind: engine.RunScheduled, At: tr.ms, Run: id, Fn: fn, Events: []ulid.ULID{ev.InternalID}})
	return queuedRun{id, fn}
}

// end adds what happens to a run after that.
func (tr *traffic) end(b *Batch, run queuedRun) {
	header := fmt.Appendf(nil, responseHeader, tr.ms/1000%60)
	at := tr.ms
	add := func(l engine.Lifecycle) {
		l.At, l.Run, l.Fn = at, run.id, run.fn
		b.Records = append(b.Records, &l)
	}
	add(engine.Lifecycle{Kind: engine.RunStarted})
	for i := range 4 {
		call := engine.Lifecycle{Kind: engine.CallStarted, Job: uint32(i + 1), Flags: engine.FlagDiscovery}
		if i > 0 {
			call.Step = tr.steps[i-1]
		}
		add(call)
		at += 1 + rand.Int64N(2)
		end := engine.Lifecycle{Kind: engine.CallEnded, Job: uint32(i + 1), Started: at - 1, Duration: 500_000 + rand.Int64N(1e6),
			Status: 206, Size: 154, Count: 1, Header: header}
		if i == 3 {
			end.Status, end.Count, end.Flags = 200, 0, engine.FlagOutput
			add(end)
			continue
		}
		add(end)
		add(engine.Lifecycle{Kind: engine.StepCompleted, Job: uint32(i + 1), Op: engine.OpStepRun, Step: tr.steps[i], Name: "step " + strconv.Itoa(i),
			Started: at - 1, Duration: 100_000 + rand.Int64N(1e5), Payload: []byte(`{"data":{"ok":true,"i":` + strconv.Itoa(i) + `}}`)})
	}
	add(engine.Lifecycle{Kind: engine.RunCompleted, Payload: []byte(`{"result":"done"}`)})
}

// BenchmarkStore stores runs that begin and end within a batch, or, with a backlog, end in
// any order, later: the time is per run, of one goroutine.
func BenchmarkStore(b *testing.B) {
	for _, c := range []struct{ size, functions, backlog int }{{5000, 4, 0}, {5000, 200, 0}, {500, 4, 0}, {1500, 1, 0}, {1500, 100, 20_000}} {
		size := c.size
		b.Run(fmt.Sprintf("batch=%d/functions=%d/backlog=%d", size, c.functions, c.backlog), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "history.db")
			tr := newTraffic(c.functions)
			tr.backlog = c.backlog
			db, err := Open(b.Context(), Config{Path: path, Now: func() int64 { return tr.ms }})
			if err != nil {
				b.Fatal(err)
			}
			for n := 0; n < c.backlog; n += size {
				if err := db.Store(b.Context(), tr.batch(min(size, c.backlog-n))); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += size {
				b.StopTimer()
				batch := tr.batch(min(size, b.N-n))
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
			b.ReportMetric(float64(info.Size())/float64(b.N), "B/run")
		})
	}
}

// BenchmarkTraces reads traces that are in bundles: of one run, and of 50 from anywhere, as a
// page of runs with their outputs does.
func BenchmarkTraces(b *testing.B) {
	db, err := Open(b.Context(), Config{Path: filepath.Join(b.TempDir(), "history.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	}()
	tr := newTraffic(100)
	var runs []ulid.ULID
	for range 20 {
		batch := tr.batch(1500)
		for _, l := range batch.Records {
			if l.Kind == engine.RunScheduled {
				runs = append(runs, l.Run)
			}
		}
		if err := db.Store(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	for _, n := range []int{1, 50} {
		b.Run(fmt.Sprintf("runs=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			some := make([]ulid.ULID, n)
			for range b.N {
				for i := range some {
					some[i] = runs[rand.IntN(len(runs))]
				}
				if _, err := db.Traces(b.Context(), some); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
