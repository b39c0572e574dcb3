package inngestdb

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// value is a column of a row as a driver gives it. The databases, and releases of the
// reference, differ in what they store; each of the following reads all of it, and gives
// the zero value for what it cannot read (spec 02 §12.3).
type value struct{ v any }

// text returns text or bytes.
func (v value) text() string {
	switch x := v.v.(type) {
	case string:
		return x
	case []byte:
		return string(x)
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	case time.Time:
		return x.Format(time.RFC3339Nano)
	}
	return ""
}

// number returns a number or the text of one.
func (v value) number() int64 {
	switch x := v.v.(type) {
	case int64:
		return x
	case float64:
		return int64(x)
	case bool:
		if x {
			return 1
		}
		return 0
	}
	n, err := strconv.ParseInt(v.text(), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// flag returns a boolean.
func (v value) flag() bool { return v.number() != 0 || strings.EqualFold(v.text(), "true") }

// ulid returns an id of 16 bytes or 26 characters; 16 zero bytes are the absent id.
func (v value) ulid() ulid.ULID {
	var id ulid.ULID
	if b, ok := v.v.([]byte); ok && len(b) == len(id) {
		copy(id[:], b)
		return id
	}
	return parseULID(v.text())
}

// parseULID reads 26 characters; what is no id is the zero one.
func parseULID(text string) ulid.ULID {
	id, err := ulid.ParseStrict(text)
	if err != nil {
		return ulid.ULID{}
	}
	return id
}

// uuid returns an id of 16 bytes or 36 characters.
func (v value) uuid() ids.UUID {
	switch x := v.v.(type) {
	case [16]byte:
		return x
	case []byte:
		if len(x) == len(ids.UUID{}) {
			return ids.UUID(x)
		}
	}
	id, _ := ids.ParseUUID(strings.TrimSpace(v.text()))
	return id
}

// time returns a time as unix ns; 0 for those before 1970, such as Go's zero time.
func (v value) time() int64 {
	t, ok := v.v.(time.Time)
	if !ok {
		t = parseTime(v.text())
	}
	if t.Unix() < 0 {
		return 0
	}
	return t.UnixNano()
}

// parseTime reads Go's format, with or without a reading of the monotonic clock, that of
// SQLite's defaults, and RFC 3339.
func parseTime(text string) time.Time {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t
	}
	f := strings.Fields(text)
	if len(f) < 2 {
		return time.Time{}
	}
	layout, text := "2006-01-02 15:04:05", f[0]+" "+f[1] // fractions are read too
	if len(f) > 2 {
		layout, text = layout+" -0700", text+" "+f[2]
	}
	t, err := time.Parse(layout, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// json returns raw JSON, and whether it is any; nil for an absent value and null.
func (v value) json() (raw []byte, ok bool) {
	text := strings.TrimSpace(v.text())
	if text == "" || text == "null" {
		return nil, true
	}
	if !json.Valid([]byte(text)) {
		return nil, false
	}
	return []byte(text), true
}

// ulids returns ids that are joined by commas; nil if one of them is none.
func (v value) ulids() []ulid.ULID {
	var out []ulid.ULID
	for text := range strings.SplitSeq(v.text(), ",") {
		id := parseULID(strings.TrimSpace(text))
		if id == (ulid.ULID{}) {
			return nil
		}
		out = append(out, id)
	}
	return out
}

// millis makes unix ms of ns.
func millis(ns int64) int64 { return ns / 1e6 }
