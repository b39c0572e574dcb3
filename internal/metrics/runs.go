package metrics

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"ingot/engine"
	"ingot/internal/ids"
)

// Runs counts runs and calls to apps by what their history tells. Whoever stores the
// records shows them to Observe, so counting costs the runs nothing, and what is counted
// is what is stored. Counts are since the start of the process.
type Runs struct {
	slug func(ids.UUID) string

	mu    sync.Mutex
	byFn  map[ids.UUID]*counts
	calls latency
}

// counts are of one function, or of all.
type counts [numCounts]uint64

const (
	scheduled = iota
	started
	completed
	failed
	cancelled
	called
	succeeded
	errored // and made again
	gaveUp
	numOutcomes
	// What events come to that start no run, or none yet, by reason.
	skipped   = numOutcomes
	collected = skipped + len(skipReasons)
	numCounts = collected + len(collectors)
)

// kindCount is the count of a kind of record; ok is false for those without one.
func kindCount(k engine.LifecycleKind) (n int, ok bool) {
	switch k {
	case engine.RunScheduled:
		return scheduled, true
	case engine.RunStarted:
		return started, true
	case engine.RunCompleted:
		return completed, true
	case engine.RunFailed:
		return failed, true
	case engine.RunCancelled:
		return cancelled, true
	case engine.CallStarted:
		return called, true
	}
	return 0, false
}

// NewRuns returns counts of nothing. slug names a function, by "" one that is unknown.
func NewRuns(slug func(ids.UUID) string) *Runs {
	return &Runs{slug: slug, byFn: map[ids.UUID]*counts{}}
}

// Observe counts records. It may be called by several goroutines.
func (r *Runs) Observe(records []*engine.Lifecycle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range records {
		r.observe(l)
	}
}

func (r *Runs) observe(l *engine.Lifecycle) {
	if l.Op == engine.OpGateway {
		return // a request that the server makes for a step is no call of an SDK
	}
	n, counted := kindCount(l.Kind)
	switch l.Kind {
	case engine.EventSkipped:
		n, counted = skipped+index(skipReasons[:], l.Name), true
	case engine.EventPending:
		n, counted = collected+index(collectors[:], l.Name), true
	}
	answer := l.Kind == engine.CallEnded && l.Started != 0 // without, it amends one that is counted
	if !counted && !answer {
		return
	}
	c := r.byFn[l.Fn]
	if c == nil {
		c = new(counts)
		r.byFn[l.Fn] = c
	}
	if answer {
		n = outcome(l)
		r.calls.observe(float64(l.Duration) / 1e9)
	}
	c[n]++
}

// outcome is what an answer counts as.
func outcome(l *engine.Lifecycle) int {
	switch {
	case l.Name == "":
		return succeeded
	case l.Due != 0:
		return errored
	}
	return gaveUp
}

// Totals is the source of the sums over all functions.
func (r *Runs) Totals(p *Page) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var sum counts
	for _, c := range r.byFn {
		sum.add(c)
	}
	p.Counter("ingot_runs_scheduled_total", "Runs that events and schedules made", float64(sum[scheduled]))
	p.Counter("ingot_runs_started_total", "Runs whose first call was made", float64(sum[started]))
	p.Counters("ingot_runs_ended_total", "Runs that ended, by how", sum.ends(nil, nil))
	p.Counters("ingot_events_skipped_total", "Events that started no run of a function, by reason", sum.reasons(skipped, skipReasons[:], nil, true))
	p.Counters("ingot_events_collected_total", "Events that a debounce or batch has taken", sum.reasons(collected, collectors[:], nil, true))
	p.Counter("ingot_calls_started_total", "Calls to apps that were made", float64(sum[called]))
	p.Counters("ingot_calls_ended_total", "Calls to apps that ended: success, errored (made again) or failed (not made again)", sum.answers(nil, nil))
	r.calls.write(p, "ingot_call_duration_seconds", "How long calls to apps took")
}

// ByFunction is the source of the reference's counters by function (spec 06 §18.1).
func (r *Runs) ByFunction(p *Page) {
	r.mu.Lock()
	defer r.mu.Unlock()
	bySlug := map[string]*counts{}
	for fn, c := range r.byFn {
		slug := cmp.Or(r.slug(fn), "unknown")
		if bySlug[slug] == nil {
			bySlug[slug] = new(counts)
		}
		bySlug[slug].add(c)
	}
	var runs, starts, ends, calls, answers, skips, taken []Sample
	for _, slug := range slices.Sorted(maps.Keys(bySlug)) {
		c, fn := bySlug[slug], []string{"fn", slug}
		runs = append(runs, Sample{fn, float64(c[scheduled])})
		starts = append(starts, Sample{fn, float64(c[started])})
		ends = c.ends(ends, fn)
		calls = append(calls, Sample{fn, float64(c[called])})
		answers = c.answers(answers, fn)
		skips = append(skips, c.reasons(skipped, skipReasons[:], fn, false)...)
		taken = append(taken, c.reasons(collected, collectors[:], fn, false)...)
	}
	p.Counters("inngest_function_run_scheduled_total", "Runs scheduled", runs)
	p.Counters("inngest_function_run_started_total", "Runs started", starts)
	p.Counters("inngest_function_run_ended_total", "Runs ended", ends)
	// A call that is due is made: nothing lies between the two.
	p.Counters("inngest_sdk_req_scheduled_total", "Requests to apps scheduled", calls)
	p.Counters("inngest_sdk_req_started_total", "Requests to apps started", calls)
	p.Counters("inngest_sdk_req_ended_total", "Requests to apps ended", answers)
	p.Counters("ingot_function_events_skipped_total", "Events that started no run of the function, by reason", skips)
	p.Counters("ingot_function_events_collected_total", "Events that the function's debounce or batch has taken", taken)
}

func (c *counts) add(more *counts) {
	for i := range c {
		c[i] += more[i]
	}
}

// ends appends how runs ended.
func (c *counts) ends(dst []Sample, labels []string) []Sample {
	dst = c.status(dst, labels, completed, "completed")
	dst = c.status(dst, labels, failed, "failed")
	return c.status(dst, labels, cancelled, "cancelled")
}

// answers appends how calls ended.
func (c *counts) answers(dst []Sample, labels []string) []Sample {
	dst = c.status(dst, labels, succeeded, "success")
	dst = c.status(dst, labels, errored, "errored")
	return c.status(dst, labels, gaveUp, "failed")
}

func (c *counts) status(dst []Sample, labels []string, n int, name string) []Sample {
	return append(dst, Sample{append(slices.Clone(labels), "status", name), float64(c[n])})
}
