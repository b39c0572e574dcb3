package loadgen

import (
	"fmt"
	"maps"
	"time"

	"ingot/loadgen/ledger"
	"ingot/loadgen/proc"
	"ingot/loadgen/record"
	"ingot/loadgen/result"
)

// keepsUp is how long after the window runs may end in an open loop that keeps up.
const keepsUp = time.Second

// result puts together what was measured. The watcher has stopped.
func (s *session) result(interrupted bool, w *watcher) *result.Result {
	m := &s.measured
	steps, calls := work(s.load.parts)
	r := &result.Result{
		Schema: result.Schema, Started: s.started.UTC(), Command: s.plan.Command, Machine: proc.Machine(), Target: s.target.Target,
		Workload: result.Workload{Name: s.plan.Workload, Parameters: s.parameters(), StepsPerRun: steps, CallsPerRun: calls},
		Pacing:   result.Pacing{Kind: m.kind, Rate: m.rate, Clients: s.plan.Clients, Batch: s.plan.Batch},
		WarmUp:   seconds(s.plan.WarmUp), Window: seconds(m.stats.End - m.stats.Start), Drain: seconds(m.drained - m.stats.End),
		Latency: map[string]*result.Histogram{}, Errors: s.errors(), Series: w.series, Interrupted: interrupted,
	}
	if s.plan.AppURL != "" {
		r.Workload.Name = s.load.parts[0].Name
	}
	tally := s.tally()
	r.Counts = s.counts(tally)
	for l := record.Request; l <= record.Wake; l++ {
		if h := s.rec.Total(l); h.TotalCount() > 0 {
			r.Latency[l.Name()] = h
		}
	}
	r.Throughput = s.throughput(r.Counts, tally)
	s.flowResult(r, tally)
	r.Server = s.usage(r.Counts, w.rssMax)
	r.Generator = s.generator()
	r.Redis = s.redisUsage(r.Counts)
	r.Warnings = append(s.warnings, s.judge(r, tally)...)
	return r
}

func seconds(d time.Duration) result.Seconds { return result.Seconds(d.Seconds()) }

// errors are those of the sender and the app together.
func (s *session) errors() map[string]int64 {
	all := s.events.takeErrors()
	if s.app != nil {
		for k, n := range s.app.Errors() {
			all["app: "+k] += n
		}
	}
	return all
}

func (s *session) tally() ledger.Tally {
	if s.ledger == nil {
		return ledger.Tally{}
	}
	t := s.ledger.Tally(s.measured.first, s.measured.last, func(seq int64) (run ledger.Expectation, branches int) {
		p := s.events.template(seq).part
		return p.expectation(), p.Workload.branches(p.shape)
	})
	t.Lost += s.overlooked()
	return t
}

func (s *session) counts(t ledger.Tally) result.Counts {
	n := s.rec.Count
	return result.Counts{
		Requests: n(record.Requests), Events: n(record.Events), Accepted: n(record.Accepted), Refused: n(record.Refused),
		Unknown: n(record.Unknown), Unsent: s.measured.stats.Unsent * int64(s.plan.Batch), Expected: n(record.Expected),
		Started: t.Started, Completed: t.Completed, Steps: n(record.Steps), Calls: n(record.Calls),
		Lost: t.Lost, DoubledRuns: t.DoubledRuns, DoubledSteps: n(record.DoubledSteps), Late: t.Late, Stray: n(record.Stray),
	}
}

// throughput is over the time in which the work was done.
func (s *session) throughput(c result.Counts, t ledger.Tally) result.Throughput {
	st := s.measured.stats
	end := st.End
	if t.LastEnd > end && (s.measured.kind == closed || t.LastEnd > end+keepsUp) {
		end = t.LastEnd
	}
	busy := (end - st.Start).Seconds()
	sending := (st.End - st.Start).Seconds()
	if busy <= 0 || sending <= 0 {
		return result.Throughput{}
	}
	return result.Throughput{Requests: float64(c.Requests) / sending, Events: float64(c.Accepted) / sending,
		Runs: float64(s.runs(c)) / busy, Steps: float64(c.Steps) / busy, Busy: result.Seconds(busy)}
}

// runs is how many runs have completed: the counts are of events, of which a batch has
// several.
func (s *session) runs(c result.Counts) int64 { return c.Completed - s.rec.Count(record.Joined) }

// usage is what the server used within the window and the drain.
func (s *session) usage(c result.Counts, rssMax int64) result.Usage {
	u, runs := result.NoUsage(), float64(s.runs(c))
	a, b := s.measured.begin.server, s.measured.end.server
	u.RSSMax, u.RSSEnd = max(rssMax, b.RSS), b.RSS
	if a.CPU >= 0 && b.CPU >= 0 {
		cpu := (b.CPU - a.CPU).Seconds()
		u.CPUSeconds = cpu
		u.Cores = per(cpu, (s.measured.end.at - s.measured.begin.at).Seconds())
		u.CPUPerRun = per(cpu*1e3, runs)
		u.CPUPerEvent = per(cpu*1e6, float64(c.Accepted))
	}
	if a.Written >= 0 && b.Written >= 0 {
		u.WrittenBytes = b.Written - a.Written
		u.BytesPerRun = per(float64(u.WrittenBytes), runs)
	}
	if a.Fsyncs >= 0 && b.Fsyncs >= 0 {
		u.Fsyncs = b.Fsyncs - a.Fsyncs
		u.FsyncsPerRun = per(float64(u.Fsyncs), runs)
	}
	return u
}

// per divides; nothing to divide by is unknown.
func per(a, b float64) float64 {
	if b == 0 {
		return proc.Unknown
	}
	return a / b
}

func (s *session) generator() result.Generator {
	var g result.Generator
	a, b := s.measured.begin, s.measured.end
	if a.self.CPU >= 0 && b.self.CPU >= 0 {
		g.CPUSeconds = (b.self.CPU - a.self.CPU).Seconds()
		g.Cores = max(0, per(g.CPUSeconds, (b.at-a.at).Seconds()))
	}
	if lag := s.rec.Total(record.Lag); lag.TotalCount() > 0 {
		g.LagP99, g.LagMax = lag.Quantile(99), lag.Max()
	}
	g.Saturated = g.LagP99 > saturatedLag.Microseconds()
	return g
}

func (s *session) redisUsage(c result.Counts) *result.Redis {
	a, b := s.measured.begin, s.measured.end
	if s.redis == nil || a.redisErr != nil || b.redisErr != nil {
		return nil
	}
	n := b.redis.Commands - a.redis.Commands
	return &result.Redis{Commands: n, CommandsPerStep: per(float64(n), float64(c.Steps)), CommandsPerRun: per(float64(n), float64(s.runs(c))),
		CPUSeconds: (b.redis.CPU - a.redis.CPU).Seconds(), UsedMemory: b.redis.UsedMemory}
}

// parameters are the settings that matter, as text.
func (s *session) parameters() map[string]string {
	m := map[string]string{}
	set := func(name string, value any, given bool) {
		if given {
			m[name] = fmt.Sprint(value)
		}
	}
	if len(s.load.parts) == 1 {
		sh := s.load.parts[0].shape
		set("functions", sh.Functions, sh.Functions > 1)
		set("steps", sh.Steps, sh.Steps > 0)
		set("size", sh.Size, sh.Size > 0)
		set("output", sh.Output, sh.Output > 0)
		set("think", sh.Think, sh.Think > 0)
		set("sleep", sh.Sleep, sh.Sleep > 0)
		set("failures", sh.Failures, sh.Failures > 0)
		set("retry_after", sh.RetryAfter, sh.RetryAfter > 0)
		set("resume_after", sh.ResumeAfter, sh.ResumeAfter > 0)
		set("skew", sh.Skew, sh.Skew > 0)
		set("checkpoint", true, sh.Checkpoint)
		maps.Copy(m, sh.Flow.Parameters())
	}
	set("file", s.plan.File, s.plan.File != "")
	set("gzip", true, s.plan.Gzip)
	set("event_id", true, s.plan.EventID)
	set("app_url", s.plan.AppURL, s.plan.AppURL != "")
	h := s.plan.Hold
	set("held_sleeping", h.Sleeping, h.Sleeping > 0)
	set("held_waiting", h.Waiting, h.Waiting > 0)
	set("held_queued", h.Queued, h.Queued > 0)
	set("held_functions", h.Functions, h.Functions > 0)
	set("held_after", s.heldTook.Round(time.Millisecond), !h.empty())
	set("held_rss_bytes", s.heldRSS, !h.empty() && s.heldRSS > 0)
	return m
}
