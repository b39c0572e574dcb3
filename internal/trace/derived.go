package trace

import (
	"encoding/json"
	"strings"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// Defer is a function that a run deferred to its end.
type Defer struct {
	// HashedID is the op's id, UserID the user's; empty if the SDK did not say.
	HashedID, UserID, Slug string
	Status                 string    // SCHEDULED, ABORTED or REJECTED
	Run                    ulid.ULID // zero until it is started
}

// Defers lists what a run deferred, in order.
func Defers(t *history.Trace, env Env) []Defer {
	var out []Defer
	at := map[string]int{}
	for i := range t.Records {
		l := &t.Records[i]
		n, known := at[l.Step]
		switch {
		case l.Kind == engine.DeferAdded && !known:
			at[l.Step] = len(out)
			d := Defer{HashedID: l.Step, UserID: l.Name, Slug: l.Target, Status: "SCHEDULED"}
			if l.Expr == "rejected" {
				d.Status = "REJECTED"
			}
			out = append(out, d)
		case l.Kind == engine.DeferEnded && known && l.Expr == "aborted":
			out[n].Status = "ABORTED"
		}
	}
	for i := range out {
		if d := &out[i]; d.Status == "SCHEDULED" && env.Started != nil {
			child, _ := env.Started(deferEvent(t.Run.ID, d.HashedID), d.Slug)
			d.Run = child.Run
		}
	}
	return out
}

// deferEvent is the id of the event that starts a deferred function.
func deferEvent(run ulid.ULID, hashed string) ulid.ULID {
	return ids.Derive(int64(run.Time()), []byte("defer-event"), run[:], []byte(hashed))
}

// DeferredFrom returns the run that deferred this one; ok is false if none did.
func DeferredFrom(t *history.Trace, env Env) (parent ulid.ULID, ok bool) {
	if !t.Run.Deferred || env.Event == nil || len(t.Run.Events) == 0 {
		return parent, false
	}
	var e struct {
		Data struct {
			Inngest struct {
				Run ulid.ULID `json:"parent_run_id"`
			} `json:"_inngest"`
		}
	}
	if json.Unmarshal(env.Event(t.Run.Events[0]), &e) != nil {
		return parent, false
	}
	return e.Data.Inngest.Run, e.Data.Inngest.Run != ulid.ULID{}
}

// HasAI reports whether the run has steps that call models, as far as they say so.
func HasAI(t *history.Trace) bool {
	for i := range t.Records {
		l := &t.Records[i]
		if l.Op == engine.OpAIGateway {
			return true
		}
		if (l.Kind == engine.StepPlanned || l.Op == engine.OpStepRun) && strings.HasPrefix(stepType(l.Input), "step.ai.") {
			return true
		}
	}
	return false
}
