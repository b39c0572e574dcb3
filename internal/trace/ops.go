package trace

import (
	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Values of stepOp.
const (
	opRun        = "RUN"
	opSleep      = "SLEEP"
	opInvoke     = "INVOKE"
	opWaitEvent  = "WAIT_FOR_EVENT"
	opWaitSignal = "WAIT_FOR_SIGNAL"
	opGateway    = "AI_GATEWAY"
)

// stepOp is the stepOp of an attempt; empty for ops that have none, such as StepFailed.
func stepOp(o *outcome) string {
	if o.step.gateway {
		return opGateway
	}
	switch o.Op {
	case engine.OpStepRun, engine.OpStepPlanned:
		if o.Kind != engine.StepFailed {
			return opRun
		}
	case engine.OpStepError:
		if o.Kind == engine.StepErrored {
			return opRun // the last attempt is recorded as StepFailed
		}
	}
	return ""
}

// invoked tells which run an invocation started, and the event of its end.
func (s *story) invoked(st *step, info *InvokeInfo) {
	if s.env.Started == nil || st.end != nil && st.end.Kind == engine.StepTimedOut {
		return
	}
	child, ok := s.env.Started(st.begin.Child, st.begin.Target)
	if !ok {
		return
	}
	info.Run = child.Run
	if st.end != nil && child.EndedAt != 0 {
		info.ReturnEvent = finishedEvent(child)
	}
}

// finishedEvent is the id of the event that a run's end published.
func finishedEvent(c Child) ulid.ULID {
	return ids.Derive(c.EndedAt, c.Run[:], []byte(event.NameFunctionFinished))
}
