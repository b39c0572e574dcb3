package api

import (
	"time"

	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/internal/trace"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// v1JobJSON is an outstanding job (spec 02 §6.3). Raw is the queue item of the reference,
// as far as there are counterparts.
type v1JobJSON struct {
	JobID    string    `json:"JobID"`
	At       time.Time `json:"at"`
	Position int       `json:"position"`
	Kind     string    `json:"kind"`
	Attempt  int       `json:"attempt"`
	Raw      v1JobRaw  `json:"Raw"`
}

type v1JobRaw struct {
	ID         string    `json:"id"`
	At         int64     `json:"at"` // unix ms, as are wt and eat
	WallTime   int64     `json:"wt"`
	Function   ids.UUID  `json:"wfID"`
	Env        ids.UUID  `json:"wsID"`
	Generation int       `json:"genID"`
	Data       v1JobData `json:"data"`
	EnqueuedAt int64     `json:"eat"`
}

type v1JobData struct {
	GroupID     string       `json:"groupID"`
	Env         ids.UUID     `json:"wsID"`
	Kind        string       `json:"kind"`
	Identifier  v1JobRun     `json:"identifier"`
	Attempt     int          `json:"atts"`
	MaxAttempts int          `json:"maxAtts,omitempty"`
	Payload     v1JobPayload `json:"payload"`
	Priority    int          `json:"pf"`
}

type v1JobRun struct {
	Run      ulid.ULID   `json:"runID"`
	Function ids.UUID    `json:"wID"`
	Version  int         `json:"wv"`
	Event    ulid.ULID   `json:"evtID"`
	Events   []ulid.ULID `json:"eventIDs"`
	Account  ids.UUID    `json:"aID"`
	Env      ids.UUID    `json:"wsID"`
	App      ids.UUID    `json:"appID"`
	Priority int         `json:"pf"`
}

type v1JobPayload struct {
	Edge struct {
		Incoming string `json:"incoming"`
		Outgoing string `json:"outgoing"`
	} `json:"edge"`
}

var accountID = mustUUID(ids.AccountID)

// v1JobOf shows a job; fn is nil if the function is unknown.
func v1JobOf(j *trace.Job, run *history.Run, fn *function.Function) v1JobJSON {
	out := v1JobJSON{JobID: j.ID, At: time.UnixMilli(j.At).UTC(), Kind: j.Kind, Attempt: j.Attempt}
	out.Raw = v1JobRaw{
		ID: j.ID, At: j.At, WallTime: j.At, Function: run.Function, Env: envID, Generation: 1, EnqueuedAt: j.At,
		Data: v1JobData{
			GroupID: j.GroupID, Env: envID, Kind: j.Kind, Attempt: j.Attempt,
			Identifier: v1JobRun{
				Run: run.ID, Function: run.Function, Version: 1, Events: run.Events, Account: accountID, Env: envID,
			},
		},
	}
	data := &out.Raw.Data
	if len(run.Events) > 0 {
		data.Identifier.Event = run.Events[0]
	}
	if fn != nil {
		data.Identifier.App, data.MaxAttempts = fn.AppID, fn.MaxAttempts
	}
	data.Payload.Edge.Incoming, data.Payload.Edge.Outgoing = "step", j.Step
	if j.Kind == "start" {
		data.Payload.Edge.Incoming = "$trigger"
	}
	return out
}
