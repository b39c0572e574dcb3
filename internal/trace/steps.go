package trace

import (
	"cmp"
	"slices"

	"ingot/engine"
	"ingot/storage/history"
)

// Step is a step of a run as far as it came.
type Step struct {
	ID, Name string // hashed and as shown
	Op       engine.Opcode
	Status   Status
	// Attempt is that of the last outcome, from 0.
	Attempt int
	// Memo is what functions see of it; nil until it is done.
	Memo []byte
	// Planned says that it is called by itself.
	Planned bool
}

// Steps lists the steps of a run in the order in which they were first heard of.
func Steps(t *history.Trace) []Step {
	s := read(t, &Env{})
	out := make([]Step, 0, len(s.steps))
	for _, st := range s.steps {
		out = append(out, st.summary())
	}
	return out
}

func (st *step) summary() Step {
	out := Step{ID: st.id, Name: st.name, Status: Running}
	if st.begin != nil {
		out.Op = st.begin.Op
		switch st.begin.Kind {
		case engine.StepPlanned:
			out.Planned, out.Status = true, Queued
		case engine.StepSleeping, engine.StepWaiting, engine.StepInvoking:
			out.Status = Waiting
		}
	}
	for _, o := range st.tries {
		out.Attempt, out.Status = o.Attempt, Running
		out.Op = cmp.Or(o.Op, out.Op)
	}
	if o := st.end; o != nil {
		out.Attempt, out.Status, out.Memo = o.Attempt, Completed, o.Payload
		out.Op = cmp.Or(o.Op, out.Op)
		if isError(o.Payload) {
			out.Status = Failed
		}
	}
	return out
}

// MemosBefore returns the memos that a run had when a step of it, by its hashed id, began,
// in stack order, and whether that step was planned; ok is false if the run has no such
// step. They are what a rerun from the step starts with.
func MemosBefore(t *history.Trace, id string) (memos []engine.Step, planned, ok bool) {
	s := read(t, &Env{})
	st := s.byID[id]
	if st == nil {
		return nil, false, false
	}
	before := st.first
	if o := st.firstOutcome(); st.begin == nil && o != nil && o.call != nil {
		before = o.call.at
	}
	var done []*step
	for _, other := range s.steps {
		if other != st && other.end != nil && other.done < before {
			done = append(done, other)
		}
	}
	slices.SortFunc(done, func(a, b *step) int { return cmp.Compare(a.done, b.done) })
	for _, other := range done {
		memos = append(memos, engine.Step{ID: other.id, Memo: other.end.Payload})
	}
	return memos, st.begin != nil && st.begin.Kind == engine.StepPlanned, true
}

func (st *step) firstOutcome() *outcome {
	if len(st.tries) > 0 {
		return st.tries[0]
	}
	return st.end
}
