package metrics

import (
	"slices"

	"ingot/engine"
)

// skipReasons are why events start no run; the last is any other.
var skipReasons = [...]string{
	engine.SkipIdempotency, engine.SkipRateLimit, engine.SkipDebounce, engine.SkipSingleton, engine.SkipDraining, engine.SkipPaused, engine.SkipDead, "other",
}

// collectors are what events wait in for their run; the last is any other.
var collectors = [...]string{engine.SkipDebounce, engine.SkipBatch, "other"}

// index is the place of a name, or the last one. The name is not kept: its memory is that
// of a record.
func index(names []string, name string) int {
	if i := slices.Index(names, name); i >= 0 {
		return i
	}
	return len(names) - 1
}

// reasons are the counts from first on, by reason; all says whether zeros count.
func (c *counts) reasons(first int, names, labels []string, all bool) (out []Sample) {
	for i, name := range names {
		if n := c[first+i]; n > 0 || all && name != "other" {
			out = append(out, Sample{append(slices.Clone(labels), "reason", name), float64(n)})
		}
	}
	return out
}
