package api

import (
	"encoding/json"
)

// appendStoredEvent appends an event as GET /v0/runs/{id}/batch shows it: unlike
// in a call, there is no `user` if it is empty. event is canonical JSON.
func appendStoredEvent(dst, event []byte) []byte {
	start := len(dst)
	f := fields{b: event}
	dst = append(dst, '{')
	for f.next() {
		if string(f.key) == "user" && string(f.value) == "{}" {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, f.key...)
		dst = append(dst, '"', ':')
		dst = append(dst, f.value...)
	}
	if !f.ok {
		return append(dst[:start], event...) // not an object with plain keys: as it is
	}
	return append(dst, '}')
}

// appendJSONString appends s as a JSON string. Ids of steps are hex, which needs
// no escapes.
func appendJSONString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			b, _ := json.Marshal(s) // a string always encodes
			return append(dst, b...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
