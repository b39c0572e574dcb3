package metrics

import (
	"cmp"
	"maps"
	"slices"

	"ingot/engine"
	"ingot/internal/ids"
)

// Loads writes what runs wait for, over all functions.
func (p *Page) Loads(loads []engine.FunctionLoad) {
	var sum engine.FunctionLoad
	var paused, pausedBacklog, draining, atLimit, atLimitBacklog float64
	for i := range loads {
		l := &loads[i]
		add(&sum, l)
		switch {
		case l.Mode == engine.ModePaused:
			paused++
			pausedBacklog += float64(l.Backlog)
		case l.Mode == engine.ModeDraining:
			draining++
		}
		if l.AtLimit && l.Mode != engine.ModePaused {
			atLimit++
			atLimitBacklog += float64(l.Backlog - int64(l.Calls))
		}
	}
	p.Gauge("ingot_calls_in_flight", "Calls to apps under way", float64(sum.Calls))
	p.Gauges("ingot_flow_waiting_lanes", "Lines of runs, one for each combination of a function's keys, that wait for a limit", waiting(nil, nil, &sum, true))
	p.Gauges("ingot_flow_pending_keys", "Keys whose events a debounce or batch holds until its run starts", pending(nil, nil, &sum, true))
	p.Gauge("ingot_functions_at_limit", "Functions whose own concurrency limit holds runs up", atLimit)
	p.Gauge("ingot_functions_at_limit_runs", "Runs that it holds up", atLimitBacklog)
	p.Gauge("ingot_functions_paused", "Functions that are paused", paused)
	p.Gauge("ingot_functions_paused_runs", "Runs of paused functions that are ready", pausedBacklog)
	p.Gauge("ingot_functions_draining", "Functions that start no new runs", draining)
}

// LoadsByFunction writes the same by function, leaving out zeros. slug names a function, by
// "" one that is unknown.
func (p *Page) LoadsByFunction(loads []engine.FunctionLoad, slug func(ids.UUID) string) {
	bySlug := map[string]*engine.FunctionLoad{}
	for i := range loads {
		l, name := loads[i], cmp.Or(slug(loads[i].Fn), "unknown")
		if sum := bySlug[name]; sum != nil { // an archived function may have the same
			add(sum, &l)
			continue
		}
		bySlug[name] = &l
	}
	var calls, waits, limited, pendings, modes []Sample
	for _, name := range slices.Sorted(maps.Keys(bySlug)) {
		l, fn := bySlug[name], []string{"fn", name}
		if l.Calls > 0 {
			calls = append(calls, Sample{fn, float64(l.Calls)})
		}
		waits = waiting(waits, fn, l, false)
		if l.AtLimit {
			limited = append(limited, Sample{fn, 1})
		}
		pendings = pending(pendings, fn, l, false)
		if l.Mode != engine.ModeActive {
			modes = append(modes, Sample{[]string{"fn", name, "mode", l.Mode.String()}, 1})
		}
	}
	p.Gauges("ingot_function_calls_in_flight", "Calls of a function under way", calls)
	p.Gauges("ingot_function_waiting_lanes", "Lines of a function's runs that wait for a limit", waits)
	p.Gauges("ingot_function_at_limit", "1 for functions whose own concurrency limit holds runs up", limited)
	p.Gauges("ingot_function_pending_keys", "Keys of a function whose events a debounce or batch holds", pendings)
	p.Gauges("ingot_function_mode", "1 for functions that an operator has paused or drains", modes)
}

// add adds b's counts to a's.
func add(a, b *engine.FunctionLoad) {
	a.Calls += b.Calls
	a.Throttled += b.Throttled
	a.Limited += b.Limited
	a.Full += b.Full
	a.Debounces += b.Debounces
	a.Batches += b.Batches
}

func waiting(dst []Sample, labels []string, l *engine.FunctionLoad, all bool) []Sample {
	dst = level(dst, labels, "limit", "throttle", l.Throttled, all)
	dst = level(dst, labels, "limit", "concurrency", l.Limited, all)
	return level(dst, labels, "limit", "runs", l.Full, all)
}

func pending(dst []Sample, labels []string, l *engine.FunctionLoad, all bool) []Sample {
	dst = level(dst, labels, "kind", "debounce", l.Debounces, all)
	return level(dst, labels, "kind", "batch", l.Batches, all)
}

// level appends a value with one more label; zeros only if all is set.
func level(dst []Sample, labels []string, name, value string, n int, all bool) []Sample {
	if n == 0 && !all {
		return dst
	}
	return append(dst, Sample{append(labels[:len(labels):len(labels)], name, value), float64(n)})
}
