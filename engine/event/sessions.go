package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of an event's sessions (spec 03 §3.2).
const (
	maxSessions       = 5
	maxSessionKeySize = 128
	maxSessionIDSize  = 512
)

// session is one entry of meta.sessions.
type session struct{ key, id string }

// mergeSessions reads the raw object meta and merges its two layers (spec 03
// §3.6): the sender's own entries win, one that is null removes the propagated
// entry of its key, and the layer itself being null removes them all. What is
// propagated fills the places that are left, in order of keys. The result is
// ordered by key.
func mergeSessions(meta []byte) ([]session, error) {
	var r raw
	if err := json.Unmarshal(slices.Concat([]byte(`{"meta":`), meta, []byte("}")), &r); err != nil {
		return nil, err
	}
	manual, propagated := r.Meta.Sessions, r.Meta.Propagated
	var out []session
	if string(manual) == "null" {
		propagated = nil
	} else if len(manual) > 0 {
		var entries map[string]json.RawMessage
		if err := json.Unmarshal(manual, &entries); err != nil {
			return nil, errors.New("event sessions must be an object")
		}
		for _, k := range sortedKeys(entries) {
			delete(propagated, k)
			id, ok := sessionID(entries[k])
			if !ok {
				return nil, fmt.Errorf("event session %q must be a string, number, or null", k)
			}
			if id != nil {
				out = append(out, session{k, *id})
			}
		}
	}
	for _, k := range sortedKeys(propagated) {
		if len(out) >= maxSessions {
			break
		}
		out = append(out, session{k, propagated[k]})
	}
	slices.SortFunc(out, func(a, b session) int { return strings.Compare(a.key, b.key) })
	return out, nil
}

// sessionID reads the value of a manual entry: a string, the text of a number,
// or nil for null.
func sessionID(v json.RawMessage) (id *string, ok bool) {
	var x any
	d := json.NewDecoder(bytes.NewReader(v))
	d.UseNumber()
	if err := d.Decode(&x); err != nil {
		return nil, false
	}
	switch x := x.(type) {
	case nil:
		return nil, true
	case string:
		return &x, true
	case json.Number:
		s := x.String()
		return &s, true
	}
	return nil, false
}

func checkSessions(sessions []session) error {
	if len(sessions) > maxSessions {
		return fmt.Errorf("event sessions can include at most %d entries", maxSessions)
	}
	for _, s := range sessions {
		switch {
		case s.key == "":
			return errors.New("event session keys cannot be empty")
		case len(s.key) > maxSessionKeySize:
			return fmt.Errorf("event session key %q exceeds %d bytes", s.key, maxSessionKeySize)
		case s.id == "":
			return fmt.Errorf("event session %q cannot have an empty ID", s.key)
		case len(s.id) > maxSessionIDSize:
			return fmt.Errorf("event session %q exceeds %d bytes", s.key, maxSessionIDSize)
		}
	}
	return nil
}

// appendSessions returns the sessions as a JSON object, nil if there are none.
func appendSessions(sessions []session) []byte {
	if len(sessions) == 0 {
		return nil
	}
	out := []byte{'{'}
	for i, s := range sessions {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendString(out, []byte(s.key))
		out = append(out, ':')
		out = appendString(out, []byte(s.id))
	}
	return append(out, '}')
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
