package compare

import "ingot/loadgen/result"

// Quality says which direction is good, and so which words a verdict uses.
type Quality string

// Qualities.
const (
	Speed Quality = "speed" // per second: more is faster
	Time  Quality = "time"  // less is faster
	Cost  Quality = "cost"  // less is better
)

// metric is one quantity that is compared.
type metric struct {
	name, title, unit string
	quality           Quality
	// value is false where it was not measured.
	value func(*result.Result) (float64, bool)
}

// latencies are the histograms that are compared, with their titles.
var latencies = []struct{ name, title string }{
	{result.Request, "Request"},
	{result.FirstCall, "Event to first call"},
	{result.Step, "Step to step"},
	{result.Complete, "Event to completion"},
	{result.Wake, "Lateness of a wake-up"},
}

// quantiles are the percentiles that are compared.
var quantiles = []struct {
	percent float64
	name    string
}{{50, "p50"}, {99, "p99"}, {99.9, "p99.9"}}

// metrics returns all that is compared, in the order of the report.
func metrics() []metric {
	list := []metric{
		{"events_per_s", "Events", "/s", Speed, func(r *result.Result) (float64, bool) { return r.Throughput.Events, r.Counts.Events > 0 }},
		{"runs_per_s", "Runs", "/s", Speed, func(r *result.Result) (float64, bool) { return r.Throughput.Runs, r.Counts.Expected > 0 }},
	}
	for _, l := range latencies {
		for _, q := range quantiles {
			list = append(list, metric{l.name + "_" + q.name, l.title + " " + q.name, "ms", Time, quantileOf(l.name, q.percent)})
		}
	}
	usage := func(name, title, unit string, scale float64, of func(result.Usage) float64, of2 func(result.Counts) int64) metric {
		return metric{name, title, unit, Cost, func(r *result.Result) (float64, bool) {
			v := of(r.Server)
			return v * scale, v >= 0 && of2(r.Counts) > 0
		}}
	}
	runs := func(c result.Counts) int64 { return c.Completed }
	events := func(c result.Counts) int64 { return c.Accepted }
	return append(list,
		usage("cpu_per_run", "Server CPU per run", "ms", 1, func(u result.Usage) float64 { return u.CPUPerRun }, runs),
		usage("cpu_per_event", "Server CPU per event", "µs", 1, func(u result.Usage) float64 { return u.CPUPerEvent }, events),
		usage("rss_max", "Server memory, highest", "MB", 1e-6, func(u result.Usage) float64 { return float64(u.RSSMax) }, events),
		usage("bytes_per_run", "Disk bytes written per run", "B", 1, func(u result.Usage) float64 { return u.BytesPerRun }, runs),
		usage("fsyncs_per_run", "Fsyncs per run", "", 1, func(u result.Usage) float64 { return u.FsyncsPerRun }, runs),
	)
}

// quantileOf reads a percentile in milliseconds. It counts as measured if at
// least one value lies beyond it; else it would only be the maximum.
func quantileOf(name string, percent float64) func(*result.Result) (float64, bool) {
	return func(r *result.Result) (float64, bool) {
		h := r.Latency[name]
		if h == nil || h.Histogram == nil || float64(h.TotalCount())*(100-percent) < 100 {
			return 0, false
		}
		return float64(h.Quantile(percent)) / 1000, true
	}
}
