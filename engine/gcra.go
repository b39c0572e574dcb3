package engine

import (
	"math"
	"time"

	"ingot/engine/function"
)

// gcra is the generic cell rate algorithm, the rule of throttles and rate limits
// (spec 03 §21.1, §21.6). A key's state is its theoretical arrival time, tat, in
// unix ns: the time at which all that was admitted would have come in at the
// steady rate. It is without effect once it has passed.
type gcra struct {
	// emission is the time between two admissions at the steady rate, tolerance how
	// far tat may be ahead of the clock after an admission; ns.
	emission, tolerance int64
}

// maxSpan keeps sums of a clock and a span within an int64: about 126 years.
const maxSpan = int64(4e18)

// newGCRA admits limit per period, and burst at once when nothing came for long.
func newGCRA(limit int, period time.Duration, burst int64) gcra {
	g := gcra{emission: max(1, min(int64(period), maxSpan)/int64(max(limit, 1)))}
	g.tolerance = g.emission * burst
	if burst > 0 && (g.tolerance/burst != g.emission || g.tolerance > maxSpan) {
		g.tolerance = maxSpan
	}
	return g
}

// throttleRate: limit + burst at once, then one each period/limit.
func throttleRate(t *function.Throttle) gcra {
	return newGCRA(t.Limit, t.Period, int64(max(t.Limit, 1))+int64(t.Burst))
}

// rateLimitRate: a tenth of the limit more than one at once, then one each period/limit.
func rateLimitRate(r *function.RateLimit) gcra {
	return newGCRA(r.Limit, r.Period, int64(max(r.Limit, 1)/10)+1)
}

// bound is tat without what no admission under this rule can have left: a clock that
// was set back, or a longer period before, would else shut the key until the time has
// caught up.
func (g gcra) bound(tat, now int64) int64 { return min(tat, now+g.tolerance) }

// free is how many may be admitted at now.
func (g gcra) free(tat, now int64) int {
	n := (g.tolerance - (max(tat, now) - now)) / g.emission
	return int(min(n, math.MaxInt32))
}

// take admits one and returns the new tat.
func (g gcra) take(tat, now int64) int64 { return max(tat, now) + g.emission }

// next is the unix ns from which one more may be admitted.
func (g gcra) next(tat, now int64) int64 {
	return max(now, max(tat, now)+g.emission-g.tolerance)
}
