package main

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// generator makes runs as an engine records them: most have three steps and are completed
// some ms later, some fail or are cancelled, few have not ended. Functions are as unequal as
// they are in life: the first has a tenth of all runs, the last of some hundreds hardly any.
type generator struct {
	r       *rand.Rand
	runs    int
	fns     []ids.UUID
	fnZipf  *rand.Zipf
	names   []string
	ms      float64 // unix ms of the next run
	every   float64 // ms between runs
	begin   int64
	end     int64
	steps   [3]string
	header  []byte
	records []engine.Lifecycle
	batches history.Batch
	buffer  []byte
	made    int
}

func newGenerator(seed uint64, functions int, days float64, runs int) *generator {
	r := rand.New(rand.NewPCG(seed, 2))
	g := &generator{
		r: r, runs: runs, fnZipf: rand.NewZipf(r, 1.2, 3, uint64(functions-1)),
		header: []byte("Content-Type: application/json\r\nX-Inngest-Sdk: js:v4.24.0\r\nX-Inngest-Framework: express\r\n" +
			"X-Inngest-Req-Version: 1\r\nContent-Length: 154\r\nConnection: keep-alive\r\nDate: Thu, 26 Nov 2026 01:36:00 GMT\r\n"),
	}
	for i := range functions {
		g.fns = append(g.fns, ids.UUIDv5(fmt.Appendf(nil, "app-function-%d", i)))
		g.names = append(g.names, "app/event."+strconv.Itoa(i))
	}
	for i := range g.steps {
		sum := sha1.Sum(strconv.AppendInt(nil, int64(i), 10))
		g.steps[i] = hex.EncodeToString(sum[:])
	}
	g.end = time.Now().UnixMilli()
	g.begin = g.end - int64(days*float64(24*time.Hour.Milliseconds()))
	g.ms, g.every = float64(g.begin), float64(g.end-g.begin)/float64(max(runs, 1))
	return g
}

// batch makes the next n runs. It is valid until the next one.
func (g *generator) batch(n int) *history.Batch {
	b := &g.batches
	b.Events, b.Records, g.records, g.buffer = b.Events[:0], b.Records[:0], g.records[:0], g.buffer[:0]
	for range n {
		g.run(b)
	}
	for i := range g.records {
		b.Records = append(b.Records, &g.records[i])
	}
	return b
}

func (g *generator) run(b *history.Batch) {
	g.ms += g.every
	g.made++
	ms := int64(g.ms)
	i := int(g.fnZipf.Uint64())
	ev := event.Event{InternalID: ids.New(ms), Name: []byte(g.names[i]), TS: ms, ReceivedAt: ms,
		Data: fmt.Appendf(nil, `{"order":%d,"customer":"c-%d","amount":%d,"currency":"EUR"}`, g.made, g.r.IntN(1e6), g.r.IntN(1e5))}
	from := len(g.buffer)
	g.buffer = ev.AppendRecord(g.buffer)
	b.Events = append(b.Events, g.buffer[from:len(g.buffer):len(g.buffer)])
	run := ids.Derive(ms, ev.InternalID[:], g.fns[i][:])
	copy(run[6:8], g.fns[i][:])
	g.lifecycle(run, g.fns[i], ms, ev.InternalID)
}

// lifecycle makes the records of a run.
func (g *generator) lifecycle(run ulid.ULID, fn ids.UUID, ms int64, ev ulid.ULID) {
	add := func(l engine.Lifecycle) {
		l.At, l.Run, l.Fn = ms, run, fn
		g.records = append(g.records, l)
	}
	add(engine.Lifecycle{Kind: engine.RunScheduled, Events: []ulid.ULID{ev}})
	fate := g.r.IntN(1000)
	if fate == 0 {
		return // it waits in its queue
	}
	add(engine.Lifecycle{Kind: engine.RunStarted})
	for i := range 4 {
		job := uint32(i + 1)
		add(engine.Lifecycle{Kind: engine.CallStarted, Job: job, Flags: engine.FlagDiscovery})
		ms += 1 + g.r.Int64N(20)
		if fate < 5 && i == 2 {
			return // it sleeps
		}
		add(engine.Lifecycle{Kind: engine.CallEnded, Job: job, Started: ms - 1, Duration: g.r.Int64N(5e6), Status: 206, Size: 154, Count: 1, Header: g.header})
		if i < 3 {
			add(engine.Lifecycle{Kind: engine.StepCompleted, Job: job, Op: engine.OpStepRun, Step: g.steps[i], Name: "step", Started: ms - 1,
				Duration: g.r.Int64N(1e6), Payload: []byte(`{"data":{"ok":true}}`)})
		}
	}
	last := engine.Lifecycle{Kind: engine.RunCompleted, Payload: []byte(`{"result":"done"}`)}
	switch {
	case fate < 25:
		last = engine.Lifecycle{Kind: engine.RunFailed, Payload: []byte(`{"name":"Error","message":"it broke"}`)}
	case fate < 30:
		last = engine.Lifecycle{Kind: engine.RunCancelled}
	}
	add(last)
}
