package otlp

import (
	"math/rand/v2"
	"time"
)

const (
	// batchSpans and batchEvery make a batch: whichever is reached first.
	batchSpans = 512
	batchEvery = time.Second
	// Pauses between tries of a batch grow from retryMin to retryMax, unless the collector
	// says how long; that is bounded by retryAfterMax. After giveUp the batch is dropped.
	retryMin, retryMax = time.Second, 30 * time.Second
	retryAfterMax      = 5 * time.Minute
	giveUp             = 15 * time.Minute
)

// send sends batches until no more spans come.
func (e *Exporter) send() {
	for {
		batch := e.nextBatch()
		if len(batch) == 0 {
			return
		}
		mark(e.spansGone)
		e.deliver(batch)
		e.logDrops()
	}
}

// nextBatch waits for a batch; none means that no more will come.
func (e *Exporter) nextBatch() [][]byte {
	var due <-chan time.Time
	for e.ctx.Err() == nil {
		last := done(e.loaded) // before looking: after it, nothing comes
		e.mu.Lock()
		n := e.spans.n
		if n >= batchSpans || last {
			batch := e.spans.take(batchSpans)
			e.mu.Unlock()
			return batch
		}
		e.mu.Unlock()
		if n > 0 && due == nil {
			due = time.After(batchEvery)
		}
		select {
		case <-e.spansCame:
		case <-e.loaded:
		case <-due:
			e.mu.Lock()
			defer e.mu.Unlock()
			return e.spans.take(batchSpans)
		case <-e.ctx.Done():
		}
	}
	return nil
}

// deliver sends a batch, again and again if the collector says that it helps.
func (e *Exporter) deliver(spans [][]byte) {
	body := e.body(spans)
	begun := time.Now()
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		a := e.post(body)
		if a.err == nil {
			e.sent(len(spans), a)
			return
		}
		if e.failed.due() {
			e.cfg.Logger.Warn("the collector does not take traces", "error", a.err, "again", a.retry, "spans", len(spans))
		}
		e.logDrops()
		pause := wait/2 + rand.N(wait/2)
		if a.after > 0 {
			pause = min(a.after, retryAfterMax)
		}
		if !a.retry || time.Since(begun)+pause > giveUp || !e.pause(pause) {
			e.drop(0, len(spans))
			return
		}
	}
}

// sent counts what a collector took, and what it refused of it.
func (e *Exporter) sent(spans int, a answer) {
	refused := min(uint64(spans), uint64(max(a.rejected, 0)))
	e.mu.Lock()
	e.stats.Batches++
	e.stats.Rejected += refused
	e.stats.Sent += uint64(spans) - refused
	e.mu.Unlock()
	if refused > 0 && e.failed.due() {
		e.cfg.Logger.Warn("the collector refused spans", "spans", refused, "message", a.message)
	}
}
