package gql

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// maxCursor bounds a cursor in bytes.
const maxCursor = 4096

var errCursorSize = fmt.Errorf("a cursor has at most %d bytes", maxCursor)

// eventCursor is the place of an event in eventsV2 (spec 02 §9.4).
func eventCursor(id ulid.ULID) string {
	return base64.StdEncoding.EncodeToString([]byte(`{"ID":"` + id.String() + `"}`))
}

func parseEventCursor(text string) (ulid.ULID, error) {
	var c struct{ ID ulid.ULID }
	err := decodeCursor(text, &c)
	if err == nil && c.ID == (ulid.ULID{}) {
		err = errors.New("it has no ID")
	}
	if err != nil {
		return c.ID, refuse("error decoding eventsv2 cursor: " + err.Error())
	}
	return c.ID, nil
}

func decodeCursor(text string, to any) error {
	if len(text) > maxCursor {
		return errCursorSize
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err //nolint:wrapcheck // the text is the reference's
	}
	return json.Unmarshal(raw, to) //nolint:wrapcheck // likewise
}

// runPlace is how cursors of the list of runs tell a place (spec 02 §9.5): the name of the
// field by which it is ordered, and the unit of its values.
type runPlace struct {
	name string
	unit int64 // of a ms
}

// The places of the default list and of the one without preview.
var (
	spanPlaces  = map[string]runPlace{"QUEUED_AT": {"start_time", 1000}, "STARTED_AT": {"start_time", 1000}, "ENDED_AT": {"end_time", 1000}}
	tracePlaces = map[string]runPlace{"QUEUED_AT": {"queued_at", 1}, "STARTED_AT": {"started_at", 1}, "ENDED_AT": {"ended_at", 1}}
)

// placeUnits are the units of all names: a cursor of either list leads on in the other.
var placeUnits = map[string]int64{
	"start_time": 1000, "end_time": 1000, "queued_at": 1, "started_at": 1, "ended_at": 1,
}

// cursorField is one field of a run's cursor.
type cursorField struct {
	Field string `json:"f"`
	Value int64  `json:"v"`
}

type runCursorJSON struct {
	ID     ulid.ULID              `json:"id"`
	Fields map[string]cursorField `json:"c"`
}

// cursor is the place of a run. Without a field the list is in the order of ids.
func (p runPlace) cursor(at history.RunPosition) string {
	c := runCursorJSON{ID: at.ID, Fields: map[string]cursorField{}}
	if p.name != "" {
		c.Fields[p.name] = cursorField{p.name, at.At * p.unit}
	}
	return base64.StdEncoding.EncodeToString(mustJSON(nil, c))
}

// parseRunCursor reads a place. byEnd asks for the time of the run's end; else the id has it.
func parseRunCursor(text string, byEnd bool) (*history.RunPosition, error) {
	var c runCursorJSON
	if err := decodeCursor(text, &c); err != nil {
		return nil, refuse("error retrieving runs: error decoding cursor: " + err.Error())
	}
	if c.ID == (ulid.ULID{}) {
		return nil, refuse("error retrieving runs: error decoding cursor: it has no id")
	}
	at := &history.RunPosition{ID: c.ID, At: int64(c.ID.Time())}
	if !byEnd {
		return at, nil
	}
	for _, name := range []string{"end_time", "ended_at"} {
		if f, ok := c.Fields[name]; ok && f.Value > 0 {
			at.At = f.Value / placeUnits[name]
			return at, nil
		}
	}
	return nil, refuse("error retrieving runs: error decoding cursor: it has no time of an end, by which the runs are ordered")
}
