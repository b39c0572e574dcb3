package capacity

import (
	"fmt"
	"strings"

	"ingot/loadgen/result"
)

// From which share of a resource on it counts as used up. A machine is never
// quite at 100 %: the scheduler, the disk and the pacing leave gaps.
const full = 0.85

// Limit is what keeps the rate from being higher.
type Limit struct {
	// Resource is "generator", "server CPU", "machine CPU", "Redis", "disk", "unknown"
	// or "none".
	Resource string
	Text     string
}

// limit judges by the result with the highest sustained rate.
func limit(p *Part, diskFsyncs float64) Limit {
	r := p.Best
	if r == nil {
		return Limit{"unknown", "No measured rate was sustained, so nothing can be said about what limits it."}
	}
	cores := float64(r.Machine.Cores)
	fsyncs := perSecond(float64(r.Server.Fsyncs), r)
	server := max(0, r.Server.Cores)
	switch {
	case r.Generator.Saturated:
		return Limit{"generator", "The generator was saturated: the server can do more than was measured. Use more clients, larger batches or another machine for the generator."}
	case cores > 0 && server >= full*cores:
		return Limit{"server CPU", fmt.Sprintf("The server used %.2f of %.0f cores.", server, cores)}
	case cores > 0 && local(r) && server+r.Generator.Cores >= full*cores:
		return Limit{"machine CPU", fmt.Sprintf("Server (%.2f cores) and generator (%.2f) together used the machine's %.0f cores. On a machine of its own the server has more.", server, r.Generator.Cores, cores)}
	case r.Redis != nil && perSecond(r.Redis.CPUSeconds, r) >= full:
		return Limit{"Redis", fmt.Sprintf("Redis used %.2f of the one core on which it executes commands.", perSecond(r.Redis.CPUSeconds, r))}
	case diskFsyncs > 0 && fsyncs >= full*diskFsyncs:
		return Limit{"disk", fmt.Sprintf("%.0f fsyncs per second, of %.0f that the disk can do.", fsyncs, diskFsyncs)}
	case !p.Proven:
		return Limit{"none", "No resource was used up, and no higher rate was tried that failed: the limit lies higher. Search for it with --find-max."}
	}
	return Limit{"unknown", unexplained(r, fsyncs, diskFsyncs)}
}

// local says that server and generator share the machine.
func local(r *result.Result) bool { return r.Target.PID != 0 }

// unexplained says what is known about a limit that no resource explains.
func unexplained(r *result.Result, fsyncs, diskFsyncs float64) string {
	parts := []string{"A higher rate failed, but neither the CPU nor the generator was used up."}
	switch {
	case r.Server.Cores < 0:
		parts = append(parts, "The server's process could not be seen; measure it on its own machine to know more.")
	case diskFsyncs > 0:
		parts = append(parts, fmt.Sprintf("Nor was the disk (%.0f of %.0f fsyncs per second). What is left is inside the server: a lock, a queue or a configured limit.", fsyncs, diskFsyncs))
	case fsyncs > 0:
		parts = append(parts, fmt.Sprintf("The server did %.0f fsyncs per second; give --disk-fsyncs to judge the disk. Otherwise it is inside the server: a lock, a queue or a configured limit.", fsyncs))
	default:
		parts = append(parts, "What is left is inside the server: a lock, a queue or a configured limit.")
	}
	return strings.Join(parts, " ")
}

// perSecond spreads a total over the time in which it was counted: the window and
// the drain.
func perSecond(total float64, r *result.Result) float64 {
	seconds := float64(r.Window + r.Drain)
	if seconds <= 0 || total < 0 {
		return 0
	}
	return total / seconds
}
