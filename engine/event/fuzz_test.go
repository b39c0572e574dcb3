package event

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

// FuzzParser compares the parser with encoding/json: same events, same errors.
func FuzzParser(f *testing.F) {
	for _, b := range seedBodies(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) { compare(t, body) })
}

// FuzzDecodeRecord feeds arbitrary bytes to the record decoder: it must refuse
// them or read an event that encodes to one that reads the same.
func FuzzDecodeRecord(f *testing.F) {
	for _, b := range seedBodies(f) {
		var p Parser
		var e Event
		p.Reset(b, testNow)
		for p.Next(&e) {
			f.Add(e.AppendRecord(nil))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var e, again Event
		rest, err := DecodeRecord(b, &e)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Fatalf("error %v is neither ErrCorrupt nor ErrVersion", err)
			}
			return
		}
		if !bytes.HasSuffix(b, rest) {
			t.Fatal("rest is not the end of the input")
		}
		if _, err := DecodeRecord(e.AppendRecord(nil), &again); err != nil || !reflect.DeepEqual(e, again) {
			t.Fatalf("%+v became %+v, error %v", e, again, err)
		}
	})
}
