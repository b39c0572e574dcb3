package event

import (
	"fmt"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"
)

var someID = ulid.MustParse("01HF7YAT0060RK4CSM6MV3EE1T")

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		e    Event
		want string
	}{
		{"defaults", Event{InternalID: someID, Name: []byte("a/b"), TS: 5},
			`{"data":{},"id":"01HF7YAT0060RK4CSM6MV3EE1T","name":"a/b","ts":5,"user":{}}`},
		{"everything", Event{
			InternalID: someID, ID: []byte("mine"), Name: []byte("n"), V: []byte("1"), TS: 1790000000000,
			Data: []byte(`{"b": 1.0, "a":[ ]}`), User: []byte(`{"x":"\u00e9"}`), Sessions: []byte(`{"s":"1"}`),
		}, `{"data":{"a":[],"b":1},"id":"mine","meta":{"sessions":{"s":"1"}},"name":"n","ts":1790000000000,"user":{"x":"é"},"v":"1"}`},
		{"escapes", Event{InternalID: someID, ID: []byte("\"\\/\b\t\n\f\r\x00\x1f é\u2028<"), Name: []byte("n")},
			`{"data":{},"id":"\"\\/\b\t\n\f\r\u0000\u001f é` + "\u2028" + `<","name":"n","ts":0,"user":{}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := string(c.e.AppendJSON([]byte("x")))
			if got != "x"+c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestNewInternal(t *testing.T) {
	t.Parallel()
	e := NewInternal(someID, NameFunctionFailed, "run", []byte(`{"a":1}`), 7)
	if got, want := string(e.AppendJSON(nil)), `{"data":{"a":1},"id":"run","name":"inngest/function.failed","ts":7,"user":{}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !e.Dedupable() {
		t.Error("an event with an id is dedupable")
	}
	e = NewInternal(someID, NameFunctionFinished, "", nil, 7)
	if e.Dedupable() || e.ReceivedAt != 7 {
		t.Errorf("%+v", e)
	}
	e.Seeded = true
	if !e.Dedupable() {
		t.Error("a seeded event is dedupable")
	}
}

func TestParseInvocation(t *testing.T) {
	t.Parallel()
	const inngest = `{"expire":0,"fn_id":"a\"b","gid":"","name":"","source_app_id":"","source_fn_id":"","source_fn_v":0}`
	for _, c := range []struct{ body, want string }{
		{`{}`, `{"_inngest":` + inngest + `}`},
		{` {"name":"inngest/x","data":{ }} `, `{"_inngest":` + inngest + `}`},
		{`{"data":{"a":1 }}`, `{"_inngest":` + inngest + `,"a":1}`},
		{`{"data":{"_inngest":5,"a":1}}`, `{"_inngest":` + inngest + `,"a":1}`},
		{`{"data":{"a":1},"data":{"b":2}}`, `{"_inngest":` + inngest + `,"a":1,"b":2}`},
		{`null`, `{"_inngest":` + inngest + `}`},
	} {
		e := Event{InternalID: someID}
		if err := ParseInvocation([]byte(c.body), `a"b`, testNow, &e); err != nil {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		want := fmt.Sprintf(`{"data":%s,"id":"%s","name":"inngest/function.invoked","ts":%d,"user":{}}`, c.want, someID, testNow)
		if got := string(e.AppendJSON(nil)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.body, got, want)
		}
	}
	for _, body := range []string{``, `{`, `5`, `[]`, `{}x`, `{"data":5}`} {
		var e Event
		if err := ParseInvocation([]byte(body), "f", testNow, &e); err == nil || !strings.Contains(err.Error(), ErrInvocation.Error()) {
			t.Errorf("%s: error %v", body, err)
		}
	}
	var e Event
	if err := ParseInvocation([]byte(`{"ts":1}`), "f", testNow, &e); err != ErrTooEarly {
		t.Errorf("error %v, want ErrTooEarly", err)
	}
}
