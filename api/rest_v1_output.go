package api

import (
	"encoding/json"
	"strings"

	"ingot/storage/history"
)

// shownOutput is what a run ended with as REST shows it; nil if there is nothing. Text that
// holds an object or a list is shown as that, as recorded: SDKs wrap their errors so.
func shownOutput(run *history.Run) json.RawMessage {
	out := unwrapText(run.Output)
	if run.Status != history.Failed {
		return out
	}
	// Where nothing came of the app, the reference shows the bare text of the error.
	var e map[string]string
	if json.Unmarshal(out, &e) != nil || len(e) != 3 || e["name"] != "Error" || e["message"] == "" || e["error"] != e["message"] {
		return out
	}
	text, err := json.Marshal(e["message"])
	if err != nil {
		return out
	}
	return unwrapText(text)
}

// unwrapText returns the object or list that a JSON string holds; other JSON as it is.
func unwrapText(raw []byte) json.RawMessage {
	if len(raw) == 0 || raw[0] != '"' {
		return raw
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return raw
	}
	text = strings.TrimSpace(text)
	if (strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")) && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return raw
}
