package otlp

import (
	"time"

	"ingot/internal/metrics"
)

// Stats are counts since the start.
type Stats struct {
	// Sent spans were taken by the collector, in Batches; Rejected ones were refused by
	// it, one by one; Dropped ones were never taken.
	Sent, Rejected, Dropped, Batches uint64
	// RunsDropped ended, but were not read.
	RunsDropped uint64
	// Runs and Spans wait now.
	Runs, Spans int
}

// Stats returns the counts.
func (e *Exporter) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.Runs, s.Spans = e.runs.n, e.spans.n
	return s
}

// Metrics is the source of the exporter's figures.
func (e *Exporter) Metrics(p *metrics.Page) {
	s := e.Stats()
	p.Counters("ingot_trace_export_spans_total", "Spans of ended runs, by what became of them", []metrics.Sample{
		{Labels: []string{"outcome", "sent"}, Value: float64(s.Sent)},
		{Labels: []string{"outcome", "rejected"}, Value: float64(s.Rejected)},
		{Labels: []string{"outcome", "dropped"}, Value: float64(s.Dropped)},
	})
	p.Counter("ingot_trace_export_runs_dropped_total", "Ended runs whose traces were not exported", float64(s.RunsDropped))
	p.Gauge("ingot_trace_export_runs_waiting", "Ended runs that are still to be read", float64(s.Runs))
	p.Gauge("ingot_trace_export_spans_waiting", "Spans that are still to be sent", float64(s.Spans))
}

// drop counts what will not be exported.
func (e *Exporter) drop(runs, spans int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.RunsDropped += uint64(runs)
	e.stats.Dropped += uint64(spans)
}

// logDrops says once in a while what was dropped. It is called by the exporter's own
// goroutines: whoever tells of a run does not wait for a log.
func (e *Exporter) logDrops() {
	e.mu.Lock()
	s, due := e.stats, e.stats.RunsDropped+e.stats.Dropped > e.report.said && e.report.due()
	if due {
		e.report.said = s.RunsDropped + s.Dropped
	}
	e.mu.Unlock()
	if due {
		e.cfg.Logger.Warn("traces of ended runs are dropped: the collector or the history is too slow, or away",
			"runs_so_far", s.RunsDropped, "spans_so_far", s.Dropped)
	}
}

// noticeEvery is the shortest time between two lines about the same.
const noticeEvery = time.Minute

// notice keeps a line of the log from coming too often.
type notice struct {
	next time.Time
	said uint64 // a count, as it was said last
}

// due reports whether the line may be written, and counts on it.
func (n *notice) due() bool {
	now := time.Now()
	if now.Before(n.next) {
		return false
	}
	n.next = now.Add(noticeEvery)
	return true
}
