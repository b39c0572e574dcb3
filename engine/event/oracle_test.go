package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"ingot/internal/jcs"
)

const testNow = 1_790_000_000_000

// oracleEvent is an event as encoding/json reads it, with the data decoded.
type oracleEvent struct {
	Name, ID, V string
	TS          int64
	Data, User  map[string]any
	Sessions    map[string]any
}

// oracle reads a body the plain way, with encoding/json alone: the Parser must
// give the same events and the same error.
func oracle(body []byte) ([]oracleEvent, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	tok, err := d.Token()
	if err == io.EOF {
		return nil, nil
	}
	if err != nil {
		return nil, ErrBody
	}
	switch tok {
	case json.Delim('{'):
		if err := checkSize(len(body)); err != nil {
			return nil, err
		}
		e, err := oracleOne(body)
		if err != nil {
			return nil, err
		}
		return []oracleEvent{e}, nil
	case json.Delim('['):
		var out []oracleEvent
		for d.More() {
			if len(out) == MaxEvents {
				return out, ErrTooMany
			}
			var span json.RawMessage
			if err := d.Decode(&span); err != nil {
				return out, err
			}
			if err := checkSize(len(span)); err != nil {
				return out, err
			}
			e, err := oracleOne(span)
			if err != nil {
				return out, err
			}
			out = append(out, e)
		}
		return out, nil
	}
	return nil, ErrBody
}

func oracleOne(b []byte) (oracleEvent, error) {
	var r raw
	if err := json.Unmarshal(b, &r); err != nil {
		return oracleEvent{}, err
	}
	if nesting(b) > MaxDepth {
		return oracleEvent{}, errDepth
	}
	if strings.HasPrefix(strings.ToLower(r.Name), InternalPrefix) {
		return oracleEvent{}, fmt.Errorf("event name is reserved for internal use: %s", r.Name)
	}
	delete(r.Data, "_inngest")
	if r.TS == 0 {
		r.TS = testNow
	}
	e := oracleEvent{Name: r.Name, ID: r.ID, V: r.V, TS: r.TS, Data: r.Data, User: r.User}
	var sessions []session
	if r.Meta != nil {
		meta, err := json.Marshal(r.Meta)
		if err != nil {
			return oracleEvent{}, err
		}
		if sessions, err = mergeSessions(meta); err != nil {
			return oracleEvent{}, err
		}
	}
	switch {
	case r.Name == "":
		return oracleEvent{}, ErrNameEmpty
	case r.TS < minTS || r.TS > maxNanoTS:
		return oracleEvent{}, ErrTooEarly
	case r.TS > maxTS:
		return oracleEvent{}, ErrTooLate
	}
	if err := checkSessions(sessions); err != nil {
		return oracleEvent{}, err
	}
	if e.Data == nil {
		e.Data = map[string]any{}
	}
	if e.User == nil {
		e.User = map[string]any{}
	}
	if s := appendSessions(sessions); s != nil {
		if err := json.Unmarshal(s, &e.Sessions); err != nil {
			return oracleEvent{}, err
		}
	}
	return e, nil
}

// nesting counts levels with encoding/json's tokens.
func nesting(b []byte) int {
	deepest, level := 0, 0
	d := json.NewDecoder(bytes.NewReader(b))
	for {
		tok, err := d.Token()
		if err != nil {
			return deepest
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			level++
			deepest = max(deepest, level)
		case json.Delim('}'), json.Delim(']'):
			level--
		}
	}
}

// view decodes a parsed event for the comparison with the oracle's.
func view(t *testing.T, e *Event) oracleEvent {
	t.Helper()
	v := oracleEvent{Name: string(e.Name), ID: string(e.ID), V: string(e.V), TS: e.TS}
	var err error
	if v.Data, err = decodeObject("data", e.Data); err != nil {
		t.Fatalf("data %q: %v", e.Data, err)
	}
	if v.User, err = decodeObject("user", e.User); err != nil {
		t.Fatalf("user %q: %v", e.User, err)
	}
	if e.Sessions != nil {
		if v.Sessions, err = decodeObject("sessions", e.Sessions); err != nil {
			t.Fatalf("sessions %q: %v", e.Sessions, err)
		}
	}
	return v
}

// compare parses body both ways and fails on any difference.
func compare(t *testing.T, body []byte) {
	t.Helper()
	want, wantErr := oracle(body)
	keep := bytes.Clone(body)
	var p Parser
	var e Event
	p.Reset(body, testNow)
	n := 0
	for p.Next(&e) {
		if n >= len(want) {
			t.Fatalf("event %d: parsed %q, the oracle has %d events and error %v", n, e.Name, len(want), wantErr)
		}
		if got := view(t, &e); !reflect.DeepEqual(got, want[n]) {
			t.Fatalf("event %d:\n got %+v\nwant %+v", n, got, want[n])
		}
		checkRecord(t, &e)
		n++
	}
	if n != len(want) || fmt.Sprint(p.Err()) != fmt.Sprint(wantErr) {
		t.Fatalf("parsed %d events and error %v, the oracle %d and %v", n, p.Err(), len(want), wantErr)
	}
	if !bytes.Equal(keep, body) {
		t.Fatal("the parser changed the body")
	}
}

// checkRecord checks that e survives its record and that its JSON is canonical.
func checkRecord(t *testing.T, e *Event) {
	t.Helper()
	rec := e.AppendRecord([]byte("x"))[1:]
	var back Event
	rest, err := DecodeRecord(append(rec, "rest"...), &back)
	if err != nil || string(rest) != "rest" {
		t.Fatalf("DecodeRecord: rest %q, error %v", rest, err)
	}
	if got, want := view(t, &back), view(t, e); !reflect.DeepEqual(got, want) || back.ReceivedAt != e.ReceivedAt {
		t.Fatalf("record changed the event:\n got %+v\nwant %+v", got, want)
	}
	if js := e.AppendJSON(nil); !jcs.Canonical(js) {
		t.Fatalf("AppendJSON is not canonical: %s", js)
	}
}

// decodeTestObject decodes a raw object; none is {}.
func decodeObject(field string, raw []byte) (map[string]any, error) {
	m := map[string]any{}
	if len(raw) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return m, nil
}
