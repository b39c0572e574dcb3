package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"ingot/engine/event"
	"ingot/engine/expr"
	"ingot/engine/function"
)

// Routing: which functions and waits an event concerns (spec 03 §4.3).

// triggerRef is one event trigger of a function.
type triggerRef struct {
	fn    int // index into functions
	order int // of the trigger in the function
	cond  *expr.Expr
}

// triggerTable finds the functions that an event starts. It is immutable.
type triggerTable struct {
	functions []*function.Function
	exact     map[string][]triggerRef
	wild      map[string][]triggerRef // by pattern, e.g. "shop/*"
	bySlug    map[string]*function.Function
	byID      map[string]*function.Function
}

func newTriggerTable(s *Snapshot) *triggerTable {
	t := &triggerTable{
		functions: s.Active,
		exact:     map[string][]triggerRef{}, wild: map[string][]triggerRef{},
		bySlug: map[string]*function.Function{}, byID: map[string]*function.Function{},
	}
	for i, fn := range s.Active {
		t.bySlug[fn.Slug] = fn
		t.byID[fn.ID.String()] = fn
		for n, trig := range fn.Triggers {
			if trig.Event == "" {
				continue
			}
			ref := triggerRef{fn: i, order: n, cond: trig.If}
			m := t.exact
			if trig.Event[len(trig.Event)-1] == '*' {
				m = t.wild
			}
			m[trig.Event] = append(m[trig.Event], ref)
		}
	}
	return t
}

// triggered reports whether a function may start by an event of that name.
func (t *triggerTable) triggered(name string) bool {
	found := false
	t.matches([]byte(name), func([]triggerRef) { found = true })
	return found
}

// matches visits the triggers for a name: its own, and for each "/" and "." the
// pattern that ends there in "*". It does not allocate.
func (t *triggerTable) matches(name []byte, visit func([]triggerRef)) {
	if refs := t.exact[string(name)]; refs != nil {
		visit(refs)
	}
	if len(t.wild) == 0 {
		return
	}
	var buf [256]byte
	for i, c := range name {
		if c != '/' && c != '.' {
			continue
		}
		pattern := append(append(buf[:0], name[:i+1]...), '*')
		if refs := t.wild[string(pattern)]; refs != nil {
			visit(refs)
		}
	}
	// A trigger may also name the event literally with its star.
	if n := len(name); n > 0 && name[n-1] == '*' {
		if refs := t.wild[string(name)]; refs != nil {
			visit(refs)
		}
	}
}

// router turns events into commands for partitions. It is used by one goroutine.
type router struct {
	table      *triggerTable
	names      *waitNames
	partitions int
	log        *slog.Logger
	// crash lets panics end the process, as tests want them to.
	crash bool

	// Of the current event.
	candidates []triggerRef
	byPart     []*routedEvent
}

func newRouter(partitions int, names *waitNames, log *slog.Logger) *router {
	return &router{table: newTriggerTable(&Snapshot{}), names: names, partitions: partitions, log: log,
		byPart: make([]*routedEvent, partitions)}
}

// route calls deliver for each partition that ev concerns. ev's memory must stay
// valid for as long as the commands live. An error says that the event has made the
// router panic, and went nowhere.
func (r *router) route(ev *event.Event, deliver func(partition int, re *routedEvent)) error {
	if err := r.collect(ev); err != nil {
		return err
	}
	for i, re := range r.byPart {
		if re != nil {
			r.byPart[i] = nil
			deliver(i, re)
		}
	}
	return nil
}

// collect fills byPart.
func (r *router) collect(ev *event.Event) (err error) {
	if !r.crash {
		defer func() {
			if v := recover(); v != nil {
				clear(r.byPart)
				err = fmt.Errorf("the server failed at it: %v", v)
				r.log.Error("the routing of an event has panicked", "event", string(ev.Name), "panic", v, "stack", string(debug.Stack()))
			}
		}()
	}
	var made []byte
	text := func() []byte {
		if made == nil {
			made = ev.AppendJSON(make([]byte, 0, len(ev.Data)+len(ev.User)+128))
		}
		return made
	}
	target := func(partition int) *routedEvent {
		re := r.byPart[partition]
		if re == nil {
			re = &routedEvent{Event: *ev, json: text()}
			r.byPart[partition] = re
		}
		return re
	}
	if string(ev.Name) == event.NameFunctionInvoked {
		r.invocation(ev, target)
	}
	r.triggers(ev, text, target)
	r.names.partitions(ev.Name, func(i int) { target(i) })
	return nil
}

// triggers collects the functions that the event's name and conditions select:
// each at most once, by the first of its triggers that is true.
func (r *router) triggers(ev *event.Event, text func() []byte, target func(int) *routedEvent) {
	r.candidates = r.candidates[:0]
	r.table.matches(ev.Name, func(refs []triggerRef) { r.candidates = append(r.candidates, refs...) })
	for i, ref := range r.candidates {
		if r.started(i, ref.fn) {
			continue
		}
		fn := r.table.functions[ref.fn]
		if ref.cond != nil && !r.holds(ref.cond, ev, text(), fn) {
			continue
		}
		r.candidates[i].order = -1 // taken
		if re := target(functionPartition(fn.ID, r.partitions)); re.invoked != fn {
			re.fns = append(re.fns, fn)
		}
	}
}

// started reports whether an earlier candidate has started the function.
func (r *router) started(n, fn int) bool {
	for _, ref := range r.candidates[:n] {
		if ref.fn == fn && ref.order < 0 {
			return true
		}
	}
	return false
}

// holds evaluates a trigger's condition. One that cannot be evaluated is false:
// the event is not tried again for ever, as it is in the reference.
func (r *router) holds(cond *expr.Expr, ev *event.Event, text []byte, fn *function.Function) bool {
	ok, err := cond.BoolJSON(expr.JSON{Event: text, Canonical: true, Now: time.UnixMilli(ev.ReceivedAt)})
	if err == nil {
		return ok
	}
	r.log.Warn("a trigger's condition could not be evaluated; the function is not started",
		"function", fn.Slug, "event", string(ev.Name), "condition", cond.Source(), "error", err)
	return false
}

var invocationMark = []byte(`"_inngest"`)

// invocationOf is `data._inngest` of an invocation, as far as it is routed by.
type invocationOf struct {
	FnID          string `json:"fn_id"`
	CorrelationID string `json:"correlation_id"`
}

// invoked finds the function that an inngest/function.invoked event names; nil if there
// is none.
func (t *triggerTable) invoked(ev *event.Event) (*function.Function, invocationOf) {
	var data struct {
		Inngest invocationOf `json:"_inngest"`
	}
	if bytes.Contains(ev.Data, invocationMark) {
		_ = json.Unmarshal(ev.Data, &data)
	}
	fn := t.bySlug[data.Inngest.FnID]
	if fn == nil {
		fn = t.byID[data.Inngest.FnID]
	}
	return fn, data.Inngest
}

// invocation routes an inngest/function.invoked event to the function that it names.
func (r *router) invocation(ev *event.Event, target func(int) *routedEvent) {
	fn, inv := r.table.invoked(ev)
	if fn != nil {
		re := target(functionPartition(fn.ID, r.partitions))
		re.fns = append(re.fns, fn)
		re.invoked, re.correlation = fn, inv.CorrelationID
		return
	}
	// The invoker must not wait for ever.
	run, step, ok := splitCorrelation(inv.CorrelationID)
	if !ok {
		r.log.Warn("an invocation names no registered function", "function", inv.FnID)
		return
	}
	message := "could not find function with ID: " + inv.FnID
	if inv.FnID == "" {
		message = "could not extract function ID from event"
	}
	re := target(runPartition(run, r.partitions))
	re.refused = &refusal{run: run, step: step, memo: errorMemo(message)}
}

// errorMemo is the memo of an invocation that started nothing.
func errorMemo(message string) []byte {
	text, _ := json.Marshal(message)
	return append(append([]byte(`{"error":{"message":`), text...), `,"name":"Error"}}`...)
}
