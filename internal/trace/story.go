package trace

import (
	"net/http"

	"ingot/engine"
	"ingot/storage/history"
)

// story is a run's records, sorted by what they are about. Everything that is shown of a
// run is made of it. Records may begin in the middle of a run, end early and repeat.
type story struct {
	t   *history.Trace
	env *Env
	// scheduled, started and end are the records of the run itself; nil if absent.
	scheduled, started, end *engine.Lifecycle

	calls []*call // in the order in which they left
	jobs  map[uint32]*job
	order []*job // by first call
	steps []*step
	byID  map[string]*step
	metas []*engine.Lifecycle
	users []*engine.Lifecycle
}

// job is what the attempts of a call have in common.
type job struct {
	id    uint32
	group string
	calls []*call
}

// call is one exchange with user code.
type call struct {
	job     *job
	attempt int
	// cause is the step whose completion led to the call, planned the step that it is
	// for. At most one is not nil.
	cause, planned         *step
	queued, started, ended int64 // unix ms; ended is 0 while it is under way
	at                     int   // index of the record that began it
	answer                 *engine.Lifecycle
	failed, output         bool
	// due is when the next attempt was to be made; 0 if none was.
	due int64
	// ops are what the answer brought, gateway is the step that asked for a request of
	// the server; requested is when that left.
	ops       []*outcome
	gateway   *step
	requested int64
}

// last is the latest attempt; nil if there is none.
func (j *job) last() *call {
	if len(j.calls) == 0 {
		return nil
	}
	return j.calls[len(j.calls)-1]
}

// answered reports whether the response has come.
func (c *call) answered() bool { return c.ended != 0 }

// afterSleep reports whether a sleep's end led to the call.
func (c *call) afterSleep() bool {
	return c.cause != nil && c.cause.begin != nil && c.cause.begin.Kind == engine.StepSleeping
}

// idle says that an answer brought nothing: neither a result nor an op.
func (c *call) idle() bool {
	return c.answered() && !c.output && c.gateway == nil && width(c) == 0
}

// unread says that an answer came from an SDK, but could not be understood.
func (c *call) unread() bool {
	l := c.answer
	if l == nil || !c.failed || l.Count > 0 || l.Status != http.StatusCreated && l.Status != http.StatusPartialContent {
		return false
	}
	sdk := false
	headers(l.Header, func(name, _ string) { sdk = sdk || name == "X-Inngest-Sdk" })
	return sdk
}

// step is one step with what was tried.
type step struct {
	id, name string
	// begin is what planned it or what it waits for; nil for a step that ran at once.
	begin   *engine.Lifecycle
	by      *call // that brought begin
	tries   []*outcome
	end     *outcome // nil until it is memoised
	gateway bool
	// first and done are the indexes of the first record about it and of its end.
	first, done int
}

// outcome is what an attempt at a step came to.
type outcome struct {
	*engine.Lifecycle
	step *step
	// call is the exchange that brought it; nil for checkpoints and what ended a wait.
	call *call
	// at is the index of its record.
	at int
}

func read(t *history.Trace, env *Env) *story {
	s := &story{t: t, env: env, jobs: map[uint32]*job{}, byID: map[string]*step{}}
	for i := range t.Records {
		s.record(i, &t.Records[i])
	}
	return s
}

func (s *story) record(i int, l *engine.Lifecycle) {
	switch l.Kind {
	case engine.RunScheduled:
		s.scheduled = l
	case engine.RunStarted:
		s.started = l
	case engine.RunCompleted, engine.RunFailed, engine.RunCancelled:
		if s.end == nil {
			s.end = l
		}
	case engine.CallStarted:
		s.callStarted(i, l)
	case engine.CallEnded:
		s.callEnded(i, l)
	case engine.StepPlanned, engine.StepSleeping, engine.StepWaiting, engine.StepInvoking:
		s.stepBegun(i, l)
	case engine.StepCompleted, engine.StepFailed, engine.StepTimedOut, engine.StepErrored:
		s.stepTried(i, l)
	case engine.StepMetadata:
		s.metas = append(s.metas, l)
	case engine.UserSpan:
		s.users = append(s.users, l)
	}
}

// queuedAt is when the run's first call was put into its queue, unix ms.
func (s *story) queuedAt() int64 {
	at := s.t.Run.QueuedAt
	if at == 0 {
		at = int64(s.t.Run.ID.Time())
	}
	if s.scheduled != nil {
		at = max(at, s.scheduled.Due)
	}
	return at
}

// startedAt is when the run started, unix ms; 0 if it has not.
func (s *story) startedAt() int64 {
	if s.started != nil {
		return s.started.At
	}
	return s.t.Run.StartedAt
}

// endedAt is when the run ended, unix ms; 0 if it has not.
func (s *story) endedAt() int64 {
	if s.end != nil {
		return s.end.At
	}
	return s.t.Run.EndedAt
}

// status is the run's.
func (s *story) status() Status {
	if s.end != nil {
		switch s.end.Kind {
		case engine.RunCompleted:
			return Completed
		case engine.RunFailed:
			return Failed
		default:
			return Cancelled
		}
	}
	if st, ok := runStatus[s.t.Run.Status]; ok && (s.t.Run.Status.Ended() || s.started == nil) {
		return st
	}
	if s.started != nil {
		return Running
	}
	return Queued
}

var runStatus = map[history.Status]Status{
	history.Scheduled: Queued, history.Running: Running, history.Completed: Completed,
	history.Failed: Failed, history.Cancelled: Cancelled, history.Skipped: Skipped,
}
