package trace

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

const maxOutputID = 4096

// OutputID names the input and output of a span (spec 02 §9.7).
type OutputID struct {
	Account  ids.UUID `json:"acctID"`
	Env      ids.UUID `json:"wsID"`
	App      ids.UUID `json:"appID"`
	Function ids.UUID `json:"fnID"`
	Trace    string   `json:"tid"`
	// Span has the output, Input the input if that is another one. Either may be empty.
	Span string `json:"sid"`
	// Run is also in the ids of legacy trees, unlike in the reference, which finds them
	// by an index over all spans.
	Run     ulid.ULID `json:"rid"`
	Preview bool      `json:"preview,omitempty"`
	Input   string    `json:"in_sid,omitempty"`
}

// String returns the form that the APIs show.
func (o *OutputID) String() string {
	b := make([]byte, 0, 320)
	for _, f := range []struct {
		name string
		id   ids.UUID
	}{{`{"acctID":"`, o.Account}, {`,"wsID":"`, o.Env}, {`,"appID":"`, o.App}, {`,"fnID":"`, o.Function}} {
		b = append(b, f.name...)
		b = append(f.id.Append(b), '"')
	}
	b = appendText(b, "tid", o.Trace)
	b = appendText(b, "sid", o.Span)
	b = appendText(b, "rid", o.Run.String())
	if o.Preview {
		b = append(b, `,"preview":true`...)
	}
	if o.Input != "" {
		b = appendText(b, "in_sid", o.Input)
	}
	return base64.StdEncoding.EncodeToString(append(b, '}'))
}

// appendText adds a field whose value needs no escape.
func appendText(b []byte, name, value string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, `":"`...)
	b = append(b, value...)
	return append(b, '"')
}

// ParseOutputID reads an id that Tree or Legacy gave, so that the run whose trace Output
// needs can be found. The text of the error is the reference's for what is no base64.
func ParseOutputID(text string) (*OutputID, error) {
	if len(text) > maxOutputID {
		return nil, fmt.Errorf("the output id is longer than %d bytes", maxOutputID)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	var o OutputID
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("the output id is not valid: %w", err)
	}
	return &o, nil
}
