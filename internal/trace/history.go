package trace

import (
	"encoding/binary"
	"encoding/json"
	"strings"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// HistoryItem is one item of the legacy functionRun.history (spec 02 §9.2, §12.4). Empty
// texts and nil are absent.
type HistoryItem struct {
	ID        ulid.ULID
	Type      string // StepCompleted, …
	Attempt   int
	CreatedAt int64 // unix ms
	GroupID   string
	// StepName is "step" for calls; StepType is Run, Send or empty.
	StepName, StepType, URL string
	SleepUntil              int64 // unix ms; 0 if it is no sleep
	WaitForEvent            *EventInfo
	WaitResult              *WaitResult
	Invoke                  *InvokeRequest
	InvokeResult            *InvokeResult
	Cancel                  *CancelRequest
	Result                  *CallResult
	// Output is raw JSON, what historyItemOutput answers; nil if there is none.
	Output json.RawMessage
}

// WaitResult is how a wait for an event ended.
type WaitResult struct {
	Event    ulid.ULID // zero if none came
	TimedOut bool
}

// InvokeRequest is an invocation that begins.
type InvokeRequest struct {
	Event                     ulid.ULID
	FunctionID, CorrelationID string
	Timeout                   int64 // unix ms
}

// InvokeResult is how an invocation ended; ids are zero if they are not known.
type InvokeResult struct {
	Event, Run ulid.ULID
	TimedOut   bool
}

// CancelRequest is what cancelled a run; zero if an API did.
type CancelRequest struct {
	Event      ulid.ULID
	Expression string
}

// CallResult describes an exchange with user code.
type CallResult struct {
	DurationMS, Size                             int64
	Framework, Platform, SDKLanguage, SDKVersion string
}

// items collects the history of a run.
type items struct {
	*story
	out []HistoryItem
	// own and next are the calls that planned steps are for, and that steps led to.
	own, next map[*step]*call
}

// History returns the legacy history of a run, oldest first.
func History(t *history.Trace, env Env) []HistoryItem {
	h := &items{story: read(t, &env), own: map[*step]*call{}, next: map[*step]*call{}}
	for _, c := range h.calls {
		if h.own[c.planned] == nil {
			h.own[c.planned] = c
		}
		if h.next[c.cause] == nil {
			h.next[c.cause] = c
		}
	}
	for i := range t.Records {
		h.item(&t.Records[i])
	}
	return h.out
}

func (h *items) add(l *engine.Lifecycle, kind, group string) *HistoryItem {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(h.out)))
	h.out = append(h.out, HistoryItem{
		ID: ids.Derive(l.At, []byte("history"), h.t.Run.ID[:], n[:]), Type: kind, CreatedAt: l.At, GroupID: group,
	})
	return &h.out[len(h.out)-1]
}

func (h *items) item(l *engine.Lifecycle) {
	switch l.Kind {
	case engine.RunScheduled:
		h.add(l, "FunctionScheduled", h.firstGroup())
	case engine.RunStarted:
		h.add(l, "FunctionStarted", h.firstGroup())
	case engine.RunCompleted, engine.RunFailed, engine.RunCancelled:
		if h.end == l {
			h.runEnded(l)
		}
	case engine.CallStarted:
		if l.Op == engine.OpNone {
			it := h.add(l, "StepStarted", groupOf(h.t.Run.ID, l.Job))
			it.Attempt, it.StepName, it.URL = l.Attempt, "step", h.url()
		}
	case engine.CallEnded:
		h.callEnded(l)
	case engine.StepPlanned:
		it := h.add(l, "StepScheduled", h.groupOf(h.own, l.Step))
		it.StepName = l.Name
	case engine.StepSleeping, engine.StepWaiting, engine.StepInvoking:
		h.stepBegun(l)
	case engine.StepCompleted, engine.StepFailed, engine.StepErrored, engine.StepTimedOut:
		h.stepEnded(l)
	}
}

func (h *items) url() string {
	if h.env.Function == nil {
		return ""
	}
	return h.env.Function.URL
}

// firstGroup is the group of the run's first call.
func (s *story) firstGroup() string {
	if len(s.calls) > 0 {
		return s.calls[0].job.group
	}
	return groupOfStep(s.t.Run.ID, "")
}

// groupOf is the group of the call that one of the maps has for a step.
func (h *items) groupOf(calls map[*step]*call, id string) string {
	if c := calls[h.byID[id]]; c != nil && h.byID[id] != nil {
		return c.job.group
	}
	return groupOfStep(h.t.Run.ID, id)
}

// runEnded tells the end of the run with the result of the last call.
func (h *items) runEnded(l *engine.Lifecycle) {
	group := groupOfStep(h.t.Run.ID, "end")
	var last *call
	if len(h.calls) > 0 && l.Kind != engine.RunCancelled {
		last = h.calls[len(h.calls)-1]
		group = last.job.group
	}
	kind := map[engine.LifecycleKind]string{
		engine.RunCompleted: "FunctionCompleted", engine.RunFailed: "FunctionFailed", engine.RunCancelled: "FunctionCancelled",
	}[l.Kind]
	it := h.add(l, kind, group)
	it.Output = l.Payload
	if l.Kind == engine.RunCancelled {
		it.Cancel = &CancelRequest{Event: l.Child, Expression: l.Expr}
		return
	}
	it.Result = &CallResult{}
	if last != nil && last.answer != nil {
		it.Attempt = last.attempt
		it.Result = &CallResult{DurationMS: last.answer.Duration / 1e6}
		if !last.unread() {
			it.Result.Size = int64(last.answer.Size)
		}
	}
}

// callResult describes an answer; what could not be understood has its duration only.
func callResult(c *call) *CallResult {
	l := c.answer
	if c.unread() {
		return &CallResult{DurationMS: l.Duration / 1e6}
	}
	r := &CallResult{DurationMS: l.Duration / 1e6, Size: int64(l.Size)}
	headers(l.Header, func(name, value string) {
		switch name {
		case "X-Inngest-Sdk":
			r.SDKLanguage, r.SDKVersion, _ = strings.Cut(value, ":")
		case "X-Inngest-Framework":
			r.Framework = value
		case "X-Inngest-Platform":
			r.Platform = value
		}
	})
	return r
}
