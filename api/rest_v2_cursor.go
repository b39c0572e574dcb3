package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"

	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// maxCursor bounds the text of a cursor.
const maxCursor = 1024

// runCursorJSON is what a cursor of a list of runs says, in the reference's form: the last
// run, and its time by the column of the list's order in unix µs.
type runCursorJSON struct {
	ID      ulid.ULID                  `json:"id"`
	Columns map[string]runCursorColumn `json:"c"`
}

type runCursorColumn struct {
	Name  string `json:"f"`
	Value int64  `json:"v"`
}

func runColumn(f history.TimeField) string {
	if f == history.ByEnded {
		return "end_time"
	}
	return "start_time"
}

func runCursor(run *history.Run, f history.TimeField) string {
	at := run.QueuedAt
	if f == history.ByEnded {
		at = run.EndedAt
	}
	column := runColumn(f)
	// A ULID, a name and a number always encode.
	b, _ := json.Marshal(runCursorJSON{run.ID, map[string]runCursorColumn{column: {column, at * 1000}}})
	return base64.StdEncoding.EncodeToString(b)
}

var errCursor = errors.New("the cursor is not one that this list has given")

func parseRunCursor(text string, f history.TimeField) (*history.RunPosition, error) {
	if len(text) > maxCursor {
		return nil, errCursor
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errCursor
	}
	var c runCursorJSON
	if json.Unmarshal(raw, &c) != nil || c.ID == (ulid.ULID{}) {
		return nil, errCursor
	}
	column, ok := c.Columns[runColumn(f)]
	if !ok {
		return nil, errCursor
	}
	return &history.RunPosition{ID: c.ID, At: column.Value / 1000}, nil
}
