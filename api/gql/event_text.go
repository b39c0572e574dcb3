package gql

import (
	"encoding/json"

	"ingot/internal/jcs"
	"ingot/storage/history"
)

// storedEvent is an event as runs have it: without a user that has nothing.
func storedEvent(e *history.Event) json.RawMessage {
	b := appendString([]byte(`{"id":`), e.IDText())
	b = appendString(append(b, `,"name":`...), e.Name)
	b = append(append(b, `,"data":`...), dataOf(e)...)
	b = appendNumber(append(b, `,"ts":`...), e.TS)
	if e.V != "" {
		b = appendString(append(b, `,"v":`...), e.V)
	}
	if len(e.User) > 0 && string(e.User) != "{}" && string(e.User) != "null" {
		b = append(append(b, `,"user":`...), canonical(e.User)...)
	}
	if len(e.Sessions) > 0 {
		b = append(append(append(b, `,"meta":{"sessions":`...), canonical(e.Sessions)...), '}')
	}
	return append(b, '}')
}

// sortedEvent is an event as eventsV2 shows it: in the order of names, without its user.
func sortedEvent(e *history.Event) string {
	b := append([]byte(`{"data":`), dataOf(e)...)
	b = appendString(append(b, `,"id":`...), e.IDText())
	b = appendString(append(b, `,"name":`...), e.Name)
	b = appendNumber(append(b, `,"ts":`...), e.TS)
	if e.V == "" {
		return string(append(b, `,"v":null}`...))
	}
	return string(append(appendString(append(b, `,"v":`...), e.V), '}'))
}

// dataOf is the event's data as functions see it: its names in order.
func dataOf(e *history.Event) []byte {
	if len(e.Data) == 0 {
		return []byte("{}")
	}
	return canonical(e.Data)
}

// canonical is JSON in canonical form; what has none as it is.
func canonical(raw []byte) []byte {
	out, err := jcs.Append(nil, raw)
	if err != nil {
		return raw
	}
	return out
}

func appendString(dst []byte, s string) []byte {
	b, _ := json.Marshal(s) // a string always encodes
	return append(dst, b...)
}

func appendNumber(dst []byte, n int64) []byte {
	b, _ := json.Marshal(n) // a number always encodes
	return append(dst, b...)
}
