package inngestdb

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"
)

// attributes are those of a span, as raw JSON by their whole keys (spec 02 §10.4). The
// methods take the keys of the reference without their prefix, and give the zero value
// for what is absent or of another type.
type attributes map[string]json.RawMessage

const attributePrefix = "_inngest."

// parseAttributes reads a JSON object; an absent one is empty.
func parseAttributes(text string) (attributes, bool) {
	a := attributes{}
	if text == "" {
		return a, true
	}
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return attributes{}, false
	}
	return a, true
}

// text returns a string, or the text of something else.
func (a attributes) text(key string) string {
	raw := a[attributePrefix+key]
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}

// number returns a number, also one in a string, as times are: unix ms.
func (a attributes) number(key string) int64 {
	text := a.text(key)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return int64(f)
}

// time returns unix ms; 0 for those before 1970.
func (a attributes) time(key string) int64 { return max(a.number(key), 0) }

func (a attributes) flag(key string) bool { return a.text(key) == "true" || a.text(key) == "1" }

func (a attributes) ulid(key string) ulid.ULID { return parseULID(a.text(key)) }

// ulids returns an array of ids; nil if one of them is none.
func (a attributes) ulids(key string) []ulid.ULID {
	var list []string
	if json.Unmarshal(a[attributePrefix+key], &list) != nil {
		return nil
	}
	var out []ulid.ULID
	for _, text := range list {
		id := parseULID(text)
		if id == (ulid.ULID{}) {
			return nil
		}
		out = append(out, id)
	}
	return out
}

// object reads JSON that is held in a string, or as it is, into out.
func (a attributes) object(key string, out any) bool {
	text := a.text(key)
	return text != "" && json.Unmarshal([]byte(text), out) == nil
}

// users are the attributes of user code as a JSON object; nil if there are none.
func (a attributes) users() json.RawMessage {
	out := map[string]json.RawMessage{}
	for k, v := range a {
		if !strings.HasPrefix(k, attributePrefix) {
			out[k] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return nil // cannot be: the parts were read as JSON
	}
	return raw
}

// member returns a member of a JSON object; nil if there is none.
func member(object []byte, key string) json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(object, &m) != nil {
		return nil
	}
	return m[key]
}
