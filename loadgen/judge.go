package loadgen

import (
	"fmt"
	"runtime"
	"time"

	"ingot/loadgen/ledger"
	"ingot/loadgen/result"
)

// Bounds above which a figure is not to be trusted.
const (
	// saturatedLag is for the p99 of how late free clients sent.
	saturatedLag = 5 * time.Millisecond
	// fullMachine is the share of the machine's cores that server and generator use together.
	fullMachine = 0.95
	// clockDrift is how far the wall clock may go from the monotonic one.
	clockDrift = 100 * time.Millisecond
)

// judge lists the reasons to distrust a result, as sentences.
func (s *session) judge(r *result.Result, t ledger.Tally) (out []string) {
	say := func(when bool, format string, args ...any) {
		if when {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	c, g := r.Counts, r.Generator
	say(g.Saturated, "The generator was saturated: free clients sent %s late (p99), so latencies are not the server's alone.", micros(g.LagP99))
	say(c.Unsent > 0, "%d events were due but not sent: the server or the generator did not keep the pace.", c.Unsent)
	waited := s.measured.stats.Waited
	say(r.Pacing.Kind != closed && c.Requests > 0 && waited*100 > c.Requests,
		"%d of %d requests were due while all %d clients were busy; their wait is part of the request latency.", waited, c.Requests, r.Pacing.Clients)
	cores := float64(runtime.NumCPU())
	say(r.Server.Cores >= 0 && s.busy() && r.Server.Cores+g.Cores > fullMachine*cores,
		"The machine was full: server %.2f and generator %.2f of %.0f cores; the server alone could do more.", r.Server.Cores, g.Cores, cores)
	say(s.plan.Count == 0 && s.measured.last+int64(s.plan.Batch) > s.plan.MaxEvents, "The window ended early, at the limit of %d events (max-events).", s.plan.MaxEvents)
	failed := c.Refused + c.Unknown
	say(failed > 0, "%d of %d events were not acknowledged.", failed, c.Events)
	say(c.Lost > 0, "%d accepted events are lost: their runs did not complete within %.1f s after the window.", c.Lost, float64(r.Drain))
	if f := r.Flow; f != nil {
		say(f.Broken > 0, "The flow control was broken %d times; the errors say how.", f.Broken)
	}
	say(c.DoubledRuns > 0, "%d events started more than one run.", c.DoubledRuns)
	say(c.DoubledSteps > 0, "%d steps were executed again though they had succeeded.", c.DoubledSteps)
	say(t.MissingBranches > 0, "%d parallel steps of completed runs were never called for.", t.MissingBranches)
	say(c.Late > 0, "%d runs completed later than %s after they were to start.", c.Late, s.plan.Late)
	say(c.Stray > 0, "%d calls were for runs of other measurements or of events that are not ours.", c.Stray)
	if s.resumer != nil {
		say(s.resumer.again.Load() > 0, "%d waits needed their event once more: the server did not know of them %s after they were reported.",
			s.resumer.again.Load(), s.resumer.after)
		say(s.resumer.failed.Load() > 0, "%d requests with events that end waits were not acknowledged.", s.resumer.failed.Load())
	}
	drift := time.Since(s.started) - time.Now().Round(0).Sub(s.started.Round(0))
	say(drift.Abs() > clockDrift, "The wall clock was changed by %s during the measurement.", -drift.Round(time.Millisecond))
	if s.redis != nil && r.Redis == nil {
		say(true, "Redis could not be measured.")
	}
	return out
}

// busy reports whether the window was long enough for shares of the machine to mean something.
func (s *session) busy() bool { return s.measured.stats.End-s.measured.stats.Start > time.Second }
