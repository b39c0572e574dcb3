package gql

import (
	"testing"

	"ingot/storage/history"
)

// TestStoredEvent: parts that an event does not have are left out.
func TestStoredEvent(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]history.Event{
		`{"id":"i","name":"n","data":{},"ts":7}`: {ExternalID: "i", Name: "n", TS: 7, User: []byte("{}")},
		`{"id":"i","name":"n","data":{"a":1,"b":2},"ts":7,"v":"1","user":{"u":1},"meta":{"sessions":{"chat":"7"}}}`: {
			ExternalID: "i", Name: "n", TS: 7, V: "1", Data: []byte(`{"b":2,"a":1}`), User: []byte(`{"u":1}`), Sessions: []byte(`{"chat":"7"}`),
		},
	} {
		if got := string(storedEvent(&e)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
