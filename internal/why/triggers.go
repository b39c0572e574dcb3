package why

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/engine/expr"
	"ingot/engine/function"
	"ingot/storage/history"
)

// NoRecord is the reason for a function that the event would start now.
const NoRecord = "nothing is recorded: the function was not registered, or had other triggers, when the event came; " +
	"or its run is not kept any more"

// unrecorded tells what is known without a record, of active functions whose triggers have
// the event's name, and of an invocation of an unknown one.
func unrecorded(s *engine.Snapshot, e *history.Event) (out []Decision) {
	text := &eventText{e: e}
	for _, f := range s.Active {
		if reason, concerned := unmet(f, text); concerned {
			out = append(out, Decision{Function: f.ID, Outcome: NotMatched, Reason: reason})
		}
	}
	if e.Name == event.NameFunctionInvoked {
		out = append(out, invocation(s, e)...)
	}
	return out
}

// eventText makes the event's JSON when a condition needs it.
type eventText struct {
	e    *history.Event
	json []byte
}

func (t *eventText) get() []byte {
	if t.json == nil {
		e := t.e
		t.json = (&event.Event{
			InternalID: e.ID, ID: []byte(e.ExternalID), Name: []byte(e.Name), Data: e.Data, User: e.User, V: []byte(e.V), TS: e.TS,
		}).AppendJSON(nil)
	}
	return t.json
}

// unmet says why a function's triggers are not met; concerned is false if none has the
// event's name.
func unmet(f *function.Function, t *eventText) (reason string, concerned bool) {
	var reasons []string
	for _, trigger := range f.Triggers {
		if trigger.Event == "" || !covers(trigger.Event, t.e.Name) {
			continue
		}
		if trigger.If == nil {
			return NoRecord, true
		}
		ok, err := trigger.If.BoolJSON(expr.JSON{Event: t.get(), Now: time.UnixMilli(t.e.ReceivedAt)})
		switch {
		case err != nil:
			reasons = append(reasons, fmt.Sprintf("the trigger's condition could not be evaluated: %s: %v", trigger.If.Source(), err))
		case ok:
			return NoRecord, true
		default:
			reasons = append(reasons, "the trigger's condition is false: "+trigger.If.Source())
		}
	}
	return strings.Join(reasons, "; "), reasons != nil
}

// covers reports whether a trigger's name or pattern stands for an event's name: patterns
// end in "*" behind a "/" or "." of the name (engine/route.go).
func covers(pattern, name string) bool {
	if pattern == name {
		return true
	}
	prefix, wild := strings.CutSuffix(pattern, "*")
	return wild && strings.HasPrefix(name, prefix) && (strings.HasSuffix(prefix, "/") || strings.HasSuffix(prefix, "."))
}

// invocation tells of an invocation that names no function, or one without a record.
func invocation(s *engine.Snapshot, e *history.Event) []Decision {
	var data struct {
		Inngest struct {
			FnID string `json:"fn_id"`
		} `json:"_inngest"`
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return nil
	}
	id := data.Inngest.FnID
	f := s.BySlug[id]
	for _, a := range s.Active {
		if f == nil && a.ID.String() == id {
			f = a
		}
	}
	if f == nil {
		return []Decision{{Outcome: NotMatched, Reason: "could not find function with ID: " + id}}
	}
	return []Decision{{Function: f.ID, Outcome: NotMatched, Reason: NoRecord}}
}
