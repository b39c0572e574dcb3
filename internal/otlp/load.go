package otlp

import (
	"context"
	"time"

	"ingot/internal/trace"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// Pace of the reading of runs: 1,600 a second at most, so that readers of the history who
// wait for an answer come first.
const (
	loadRuns  = 32 // runs may be large: not more are in memory at once
	loadEvery = 20 * time.Millisecond
	// loadTimeout bounds one read. It is tried loadTries times, with pauses from
	// loadRetryMin to loadRetryMax.
	loadTimeout                = 10 * time.Second
	loadTries                  = 8
	loadRetryMin, loadRetryMax = 250 * time.Millisecond, 10 * time.Second
)

// load makes spans of ended runs until the exporter closes and none are left. It stops
// while enough spans wait: ids wait more cheaply, and reading for nothing costs the most.
func (e *Exporter) load() {
	defer close(e.loaded)
	for {
		runs := e.nextRuns()
		if len(runs) == 0 {
			return
		}
		traces, ok := e.read(runs)
		if !ok {
			e.drop(len(runs), 0)
		}
		for i := range traces {
			if !e.awaitRoom() {
				e.drop(len(traces)-i, 0)
				return
			}
			e.convert(&traces[i])
		}
		e.logDrops()
		if !done(e.closing) && !e.pause(loadEvery) || e.ctx.Err() != nil {
			return
		}
	}
}

// nextRuns waits for ended runs; none means that no more will come.
func (e *Exporter) nextRuns() []ulid.ULID {
	for {
		closing := done(e.closing) // before looking: after it, nothing comes
		e.mu.Lock()
		runs := e.runs.take(loadRuns)
		e.mu.Unlock()
		if len(runs) > 0 || closing {
			return runs
		}
		select {
		case <-e.runsCame:
		case <-e.closing:
		}
	}
}

// read reads the traces of runs. Those that do not exist any more are left out; ok is
// false if they cannot be read at all.
func (e *Exporter) read(runs []ulid.ULID) (traces []history.Trace, ok bool) {
	wait := loadRetryMin
	for range loadTries {
		ctx, cancel := context.WithTimeout(e.ctx, loadTimeout)
		traces, err := e.cfg.History.Traces(ctx, runs)
		cancel()
		if err == nil {
			return traces, true
		}
		if e.unread.due() {
			e.cfg.Logger.Warn("ended runs cannot be read for the export of their traces", "error", err)
		}
		if !e.pause(wait) {
			return nil, false
		}
		wait = min(2*wait, loadRetryMax)
	}
	return nil, false
}

// awaitRoom waits until half of the queue of spans is free. It reports false when nothing
// is to be waited for any more.
func (e *Exporter) awaitRoom() bool {
	for {
		e.mu.Lock()
		room := e.spans.n <= len(e.spans.ring)/2
		e.mu.Unlock()
		if room {
			return e.ctx.Err() == nil
		}
		select {
		case <-e.spansGone:
		case <-e.ctx.Done():
			return false
		}
	}
}

// convert queues the spans of a run.
func (e *Exporter) convert(t *history.Trace) {
	tree := trace.Tree(t, trace.Env{Function: e.cfg.Function(t.Run.Function), Now: time.Now().UnixMilli()})
	spans := e.encode(&t.Run, tree)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.push(spans)
}
