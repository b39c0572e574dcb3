package trace

import (
	"cmp"
	"slices"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/storage/history"
)

// Job is something outstanding of a run (spec 02 §6.3).
type Job struct {
	ID      string
	GroupID string
	At      int64 // unix ms: when it is due, or began
	// Kind is "start" for the run's first call, "edge" for later ones, "sleep", or "pause"
	// for the end of a wait's or an invocation's time.
	Kind    string
	Attempt int
	// Step is the hashed id of the step that it is for or comes from; empty for the first call.
	Step string
}

// Jobs lists what a run has outstanding, the earliest first; empty once it has ended.
func Jobs(t *history.Trace) []Job {
	s := read(t, &Env{})
	if s.status().Ended() {
		return nil
	}
	out := append(s.callJobs(), s.stepJobs()...)
	if len(out) == 0 {
		out = append(out, s.nextJob())
	}
	slices.SortStableFunc(out, func(a, b Job) int { return cmp.Compare(a.At, b.At) })
	return out
}

// callJobs are calls under way, and those that will be made again.
func (s *story) callJobs() (out []Job) {
	for _, j := range s.order {
		c := j.last()
		if c == nil {
			continue
		}
		o := Job{ID: engine.JobID(s.t.Run.ID, j.id), GroupID: j.group, At: c.started, Kind: "edge", Attempt: c.attempt}
		switch {
		case c.planned != nil:
			o.Step = c.planned.id
		case c.cause != nil:
			o.Step = c.cause.id
		default:
			o.Kind = "start"
		}
		switch {
		case c.due > 0:
			o.At, o.Attempt = c.due, c.attempt+1
		case c.answered() && (c.gateway == nil || c.gateway.outcomeOf(c) != nil):
			continue
		}
		out = append(out, o)
	}
	return out
}

// stepJobs are steps that wait for something, or for their own call.
func (s *story) stepJobs() (out []Job) {
	called := map[*step]bool{}
	for _, c := range s.calls {
		called[c.planned] = true
	}
	for _, st := range s.steps {
		if st.begin == nil || st.end != nil || st.gateway || called[st] {
			continue
		}
		o := Job{At: st.begin.Due, Kind: "pause", Step: st.id}
		switch st.begin.Kind {
		case engine.StepSleeping:
			o.Kind = "sleep"
		case engine.StepPlanned:
			o.Kind, o.At = "edge", st.begin.At
		}
		out = append(out, s.unknown(o))
	}
	return out
}

// nextJob is the call that must be coming when nothing else is.
func (s *story) nextJob() Job {
	o := Job{Kind: "start", At: s.queuedAt()}
	for _, st := range s.steps {
		if st.end != nil {
			o.Kind, o.Step, o.At = "edge", st.id, max(o.At, st.end.At)
		}
	}
	return s.unknown(o)
}

// unknown completes a job whose number is not recorded.
func (s *story) unknown(o Job) Job {
	o.GroupID = groupOfStep(s.t.Run.ID, o.Step)
	o.ID = ids.Hash36([]byte(o.GroupID + o.Kind))
	return o
}
