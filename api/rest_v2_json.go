package api

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/valyala/fasthttp"
)

// JSON as a protobuf gateway writes it (spec 02 §8.1): fields in the order of their names,
// which the structs here have; what is zero is left out; 64-bit numbers are text.

// v2JSON answers with v.
func v2JSON(req *fasthttp.RequestCtx, status int, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // Only a bug can bring an unencodable value here; the handler's recover answers 500.
	}
	req.SetStatusCode(status)
	req.SetContentType(contentTypeJSON)
	req.SetBody(bytes.TrimSuffix(b.Bytes(), []byte{'\n'}))
}

// v2TimeText is a timestamp with 0, 3, 6 or 9 digits of its second's fraction.
func v2TimeText(t time.Time) string {
	layout := "2006-01-02T15:04:05.000000000Z"
	switch ns := t.Nanosecond(); {
	case ns == 0:
		layout = "2006-01-02T15:04:05Z"
	case ns%1e6 == 0:
		layout = "2006-01-02T15:04:05.000Z"
	case ns%1e3 == 0:
		layout = "2006-01-02T15:04:05.000000Z"
	}
	return t.UTC().Format(layout)
}

// v2Time is a unix ms timestamp; "" if it is 0.
func v2Time(ms int64) string {
	if ms == 0 {
		return ""
	}
	return v2TimeText(time.UnixMilli(ms))
}

// v2Duration is the time between two unix ms times; nil without an end.
func v2Duration(from, to int64) *int64 {
	if to == 0 {
		return nil
	}
	return new(max(to-from, 0))
}

// v2Object is a JSON object as it is, and any other value as `{"data":value}`; nil for nothing.
func v2Object(raw []byte) json.RawMessage {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0:
		return nil
	case raw[0] == '{':
		return raw
	}
	out := append([]byte(`{"data":`), raw...)
	return append(out, '}')
}
