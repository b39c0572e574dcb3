package event

import (
	"fmt"
	"strings"
	"testing"
)

// parseAll returns the number of events of body and the error after them.
func parseAll(body string) (int, error) {
	var p Parser
	var e Event
	p.Reset([]byte(body), testNow)
	n := 0
	for p.Next(&e) {
		n++
	}
	return n, p.Err()
}

func TestLimits(t *testing.T) {
	t.Parallel()
	sized := func(n int) string {
		const frame = `{"name":"a","data":{"s":""}}`
		return `{"name":"a","data":{"s":"` + strings.Repeat("x", n-len(frame)) + `"}}`
	}
	list := func(n int) string { return "[" + strings.Repeat(`{"name":"a"},`, n-1) + `{"name":"a"}]` }
	over := fmt.Sprintf("Event is over the max size: Max 3145728 bytes / Size %d bytes", MaxEventSize+1)
	for _, c := range []struct {
		name, body string
		n          int
		err        string
	}{
		{"largest event", sized(MaxEventSize), 1, ""},
		{"event too large", sized(MaxEventSize + 1), 0, over},
		{"space counts for a single event", sized(MaxEventSize) + " ", 0, over},
		{"largest in an array", "[" + sized(MaxEventSize) + " , " + sized(MaxEventSize) + "]", 2, ""},
		{"too large in an array", `[{"name":"a"},` + sized(MaxEventSize+1) + "]", 1, over},
		{"as many as there may be", list(MaxEvents), MaxEvents, ""},
		{"too many", list(MaxEvents + 1), MaxEvents, "Cannot have more than 5000 events in a batch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n, err := parseAll(c.body)
			if n != c.n || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
				t.Errorf("%d events, error %v; want %d, %s", n, err, c.n, c.err)
			}
		})
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("k", n) }
	for _, c := range []struct{ meta, want, err string }{
		{`{}`, "", ""},
		{`{"sessions":{"b":"2","a":1.50}}`, `{"a":"1.50","b":"2"}`, ""},
		{`{"sessions":{"a":null}}`, "", ""},
		{`{"propagated_sessions":{"b":"2","a":"1"}}`, `{"a":"1","b":"2"}`, ""},
		{`{"sessions":{},"propagated_sessions":{"a":"1"}}`, `{"a":"1"}`, ""},
		{`{"sessions":null,"propagated_sessions":{"a":"1"}}`, "", ""},
		{`{"sessions":{"a":null,"b":"m"},"propagated_sessions":{"a":"1","b":"1","c":"1"}}`, `{"b":"m","c":"1"}`, ""},
		{`{"sessions":{"z":"m","y":"m"},"propagated_sessions":{"a":"p","b":"p","c":"p","d":"p"}}`, `{"a":"p","b":"p","c":"p","y":"m","z":"m"}`, ""},
		{`{"sessions":{"` + long(128) + `":"` + long(512) + `"}}`, `{"` + long(128) + `":"` + long(512) + `"}`, ""},
		{`{"sessions":{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1}}`, "", "event sessions can include at most 5 entries"},
		{`{"sessions":{"":"1"}}`, "", "event session keys cannot be empty"},
		{`{"sessions":{"` + long(129) + `":"1"}}`, "", `event session key "` + long(129) + `" exceeds 128 bytes`},
		{`{"sessions":{"a":""}}`, "", `event session "a" cannot have an empty ID`},
		{`{"sessions":{"a":"` + long(513) + `"}}`, "", `event session "a" exceeds 512 bytes`},
		{`{"sessions":{"a":true}}`, "", `event session "a" must be a string, number, or null`},
		{`{"sessions":{"a":{}}}`, "", `event session "a" must be a string, number, or null`},
		{`{"sessions":[]}`, "", "event sessions must be an object"},
		{`{"propagated_sessions":{"a":1}}`, "", "json: cannot unmarshal number into Go struct field Meta.meta.propagated_sessions of type string"},
	} {
		var p Parser
		var e Event
		p.Reset([]byte(`{"name":"a","meta":`+c.meta+`}`), testNow)
		ok := p.Next(&e)
		if ok != (c.err == "") || !ok && p.Err().Error() != c.err || ok && string(e.Sessions) != c.want {
			t.Errorf("%s: %s, error %v; want %s, %s", c.meta, e.Sessions, p.Err(), c.want, c.err)
		}
	}
}
