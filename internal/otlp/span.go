package otlp

import (
	"cmp"
	"encoding/json"

	"ingot/engine/function"
	"ingot/internal/trace"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// Keys of attributes: the reference's (spec 02 §10.4) without their leading underscore,
// and the one that OpenTelemetry's conventions have a name for.
const (
	keyRun          = "inngest.run.id"
	keyFunction     = "inngest.function.id"
	keySlug         = "inngest.function.slug"
	keyApp          = "inngest.app.name"
	keyCron         = "inngest.cron.schedule"
	keyOriginal     = "inngest.run.replay_original_run_id"
	keyStatus       = "inngest.status"
	keyQueued       = "inngest.queued_ms"
	keyAttempt      = "inngest.step.attempt"
	keyStep         = "inngest.step.id"
	keyOp           = "inngest.step.op"
	keyType         = "inngest.step.type"
	keySleepUntil   = "inngest.step.sleep.until_ms"
	keyEvent        = "inngest.step.wait_for_event.name"
	keyMatched      = "inngest.step.wait_for_event.matched_id"
	keySignal       = "inngest.step.signal.name"
	keyExpired      = "inngest.step.wait.expired"
	keyInvoked      = "inngest.step.invoke.function.id"
	keyInvokedRun   = "inngest.step.invoke.run.id"
	keyInvokedEvent = "inngest.step.invoke.trigger.event.id"
	keyHTTPStatus   = "http.response.status_code"
)

// converter makes OTLP spans of one run's tree.
type converter struct {
	run  *history.Run
	fn   *function.Function // nil if it is unknown
	root *trace.Span
	out  [][]byte
}

// encode returns the spans of a tree as JSON, parents first.
func (e *Exporter) encode(run *history.Run, tree *trace.Span) [][]byte {
	c := converter{run: run, fn: e.cfg.Function(run.Function), root: tree}
	c.walk(tree)
	return c.out
}

func (c *converter) walk(s *trace.Span) {
	if s.Userland != nil {
		return
	}
	b, err := json.Marshal(c.span(s))
	if err == nil { // numbers and texts always encode
		c.out = append(c.out, b)
	}
	for _, child := range s.Children {
		c.walk(child)
	}
}

func (c *converter) span(s *trace.Span) *wireSpan {
	start := cmp.Or(s.StartedAt, s.QueuedAt)
	// What has not ended when its run ends, such as a wait of a cancelled run, ends there.
	end := max(cmp.Or(s.EndedAt, c.root.EndedAt), start)
	w := &wireSpan{
		TraceID: s.TraceID, SpanID: s.SpanID, ParentID: s.ParentID, Name: clip(s.Name), Kind: kindInternal,
		Start: start * 1e6, End: end * 1e6, Attributes: c.attributes(s),
	}
	if s.IsRoot() && c.fn != nil {
		w.Name = clip(c.fn.Slug)
	}
	if s.Response != nil {
		w.Kind = kindClient
	}
	if s.Status == trace.Failed {
		w.Status.Code = statusError
	}
	return w
}

func (c *converter) attributes(s *trace.Span) []wireAttribute {
	a := make(attributes, 0, 12)
	a.text(keyRun, c.run.ID.String())
	if c.fn != nil {
		a.text(keySlug, c.fn.Slug)
		a.text(keyApp, c.fn.AppName)
	}
	if s.IsRoot() {
		a.text(keyFunction, c.run.Function.String())
		a.text(keyCron, c.run.Cron)
		a.id(keyOriginal, c.run.Original)
	} else {
		a.number(keyAttempt, int64(s.Attempts))
	}
	a.text(keyStatus, string(s.Status))
	if s.StartedAt > s.QueuedAt {
		a.number(keyQueued, s.StartedAt-s.QueuedAt)
	}
	a.text(keyStep, s.StepID)
	a.text(keyOp, s.StepOp)
	a.text(keyType, s.StepType)
	a.info(s.StepInfo)
	if s.Response != nil && s.Response.Status != 0 {
		a.number(keyHTTPStatus, int64(s.Response.Status))
	}
	return a
}

// info adds what a step waited for.
func (a *attributes) info(info any) {
	switch i := info.(type) {
	case *trace.SleepInfo:
		a.number(keySleepUntil, i.SleepUntil)
	case *trace.InvokeInfo:
		a.text(keyInvoked, i.FunctionID)
		a.id(keyInvokedRun, i.Run)
		a.id(keyInvokedEvent, i.TriggeringEvent)
		a.flag(keyExpired, i.TimedOut)
	case *trace.EventInfo:
		a.text(keyEvent, i.EventName)
		a.id(keyMatched, i.FoundEvent)
		a.flag(keyExpired, i.TimedOut)
	case *trace.SignalInfo:
		a.text(keySignal, i.Signal)
		a.flag(keyExpired, i.TimedOut)
	}
}

func (a *attributes) id(key string, id ulid.ULID) {
	if id != (ulid.ULID{}) {
		a.text(key, id.String())
	}
}
