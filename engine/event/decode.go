package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The slow way in, by encoding/json: for events that are invalid, where it words
// the error as the reference does, and for the rare valid ones that the scanner
// leaves to it (doubled fields, escapes in names, deep nesting).

// raw has the name and the field types of the reference's type, because both are
// in the texts of errors that senders see.
type raw struct {
	Name string                 `json:"name"`
	Data map[string]interface{} `json:"data"` //nolint:revive // `any` would change the error's text
	User map[string]interface{} `json:"user"` //nolint:revive // likewise
	ID   string                 `json:"id"`
	TS   int64                  `json:"ts"`
	V    string                 `json:"v"`
	Meta *Meta                  `json:"meta"`
}

// Meta is the part of an event in which SDKs send sessions.
type Meta struct {
	// Sessions is the manual layer: raw, since null, absent and {} differ.
	Sessions json.RawMessage `json:"sessions,omitempty"`
	// Propagated is the layer that SDKs add.
	Propagated map[string]string `json:"propagated_sessions,omitempty"`
}

var errNoComma = errors.New("expected comma after array element")

var errDepth = fmt.Errorf("event is nested too deeply: Max %d levels", MaxDepth)

// depth returns how deep objects and arrays are nested in b, which is valid.
func depth(b []byte) int {
	deepest, d := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			end, _ := scanString(b, i+1)
			i = end - 1
		case '{', '[':
			d++
			deepest = max(deepest, d)
		case '}', ']':
			d--
		}
	}
	return deepest
}

// decodeEvent decodes one event that is not plain.
func decodeEvent(b []byte, e *Event) error {
	var r raw
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	if depth(b) > MaxDepth {
		return errDepth
	}
	delete(r.Data, reservedKey)
	id, seeded := e.InternalID, e.Seeded
	*e = Event{
		InternalID: id, Seeded: seeded,
		Name: []byte(r.Name), ID: []byte(r.ID), V: []byte(r.V), TS: r.TS,
	}
	var err error
	if r.Data != nil {
		if e.Data, err = json.Marshal(r.Data); err != nil {
			return err
		}
	}
	if r.User != nil {
		if e.User, err = json.Marshal(r.User); err != nil {
			return err
		}
	}
	if r.Meta != nil {
		e.Sessions, err = json.Marshal(r.Meta)
	}
	return err
}

// decodeElement returns the length of the array element that b begins with, or
// the error that encoding/json's decoder has with it in the middle of an array.
func decodeElement(b []byte) (int, error) {
	const before = "[0,"
	d := json.NewDecoder(io.MultiReader(bytes.NewReader([]byte(before)), bytes.NewReader(b)))
	if _, err := d.Token(); err != nil {
		return 0, err
	}
	var v json.RawMessage
	if err := d.Decode(&v); err != nil {
		return 0, err
	}
	if err := d.Decode(&v); err != nil {
		return 0, err
	}
	return int(d.InputOffset()) - len(before), nil
}

// stripReserved returns the object data, which is valid, without the keys that
// senders may not use.
func stripReserved(data []byte) []byte {
	out := make([]byte, 1, len(data))
	out[0] = '{'
	i := skipSpace(data, 1)
	for {
		from := i
		key, escaped, value := scanKey(data, i)
		i = scanValue(data, value, 2)
		if !isReserved(key, escaped) {
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(out, data[from:i]...)
		}
		i = skipSpace(data, i)
		if data[i] == '}' {
			return append(out, '}')
		}
		i = skipSpace(data, i+1)
	}
}

func isReserved(key []byte, escaped bool) bool {
	if !escaped {
		return string(key) == reservedKey
	}
	var s string
	quoted := append(append([]byte{'"'}, key...), '"')
	return json.Unmarshal(quoted, &s) == nil && s == reservedKey
}
