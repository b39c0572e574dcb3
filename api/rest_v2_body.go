package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
)

// v2Fields are the fields of a body by their lowerCamelCase names, each with what takes
// its raw value. An error is the text that the reference ends its own with.
type v2Fields map[string]func(raw json.RawMessage) error

// v2Decode reads a body of up to limit bytes. An empty one has no fields; null is as if a field were not
// there; names may be in snake_case too; unknown ones are refused (spec 02 §8.1).
func v2Decode(req *fasthttp.RequestCtx, limit int, fields v2Fields) error {
	if len(req.PostBody()) > limit {
		return v2Fault(fasthttp.StatusRequestEntityTooLarge, "invalid_request", fmt.Sprintf("Request body cannot exceed %d bytes", limit))
	}
	body, err := v2Value(req.PostBody())
	if err != nil || body == nil {
		return err
	}
	if body[0] != '{' {
		return v2Fault(fasthttp.StatusBadRequest, v2APIError, "proto:\u00a0syntax error (line 1:1): unexpected token "+clip(body))
	}
	d := json.NewDecoder(bytes.NewReader(body))
	_, _ = d.Token() // the brace
	seen := map[string]bool{}
	for d.More() {
		at := nextToken(body, d.InputOffset())
		token, _ := d.Token() // the body is valid JSON, and this is a key
		key, _ := token.(string)
		var raw json.RawMessage
		_ = d.Decode(&raw)
		name := lowerCamel(key)
		take := fields[name]
		switch {
		case take == nil:
			return v2Position(body, at, fmt.Sprintf("unknown field %q", key))
		case seen[name]:
			return v2Position(body, at, fmt.Sprintf("duplicate field %q", key))
		case string(raw) == "null":
			continue
		}
		seen[name] = true
		if err := take(raw); err != nil {
			return v2Position(body, nextToken(body, d.InputOffset()-int64(len(raw))), fmt.Sprintf("invalid value for %s: %s", name, err))
		}
	}
	return nil
}

// v2Value returns the first JSON value of a body; nil if there is none.
func v2Value(body []byte) (json.RawMessage, error) {
	var raw json.RawMessage
	err := json.NewDecoder(bytes.NewReader(body)).Decode(&raw)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, v2Fault(fasthttp.StatusBadRequest, v2APIError, err.Error())
	}
	return raw, nil
}

// v2TypeText is what the JSON library says of a value, without the names of our types. field
// is where the value is.
func v2TypeText(field string, err error) string {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return field + ": " + err.Error()
	}
	if wrong.Field != "" {
		field += "." + wrong.Field
	}
	must := "an object"
	switch wrong.Type.Kind() {
	case reflect.String:
		must = "a string"
	case reflect.Slice:
		must = "an array"
	}
	return fmt.Sprintf("invalid value for %s: must be %s", field, must)
}

// v2Position is a refusal that names a place in the body. The space is the one that was
// recorded: the protobuf library picks it by the build, so that nobody relies on its texts.
func v2Position(body []byte, at int64, text string) error {
	before := body[:at]
	line := 1 + bytes.Count(before, []byte{'\n'})
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return v2Fault(fasthttp.StatusBadRequest, v2APIError, fmt.Sprintf("proto:\u00a0(line %d:%d): %s", line, column, text))
}

// nextToken is where the token after an offset begins.
func nextToken(body []byte, from int64) int64 {
	for int(from) < len(body) && strings.IndexByte(" \t\r\n,:", body[from]) >= 0 {
		from++
	}
	return from
}

func clip(b []byte) string {
	if len(b) > 64 {
		b = b[:64]
	}
	return string(b)
}

func lowerCamel(name string) string {
	parts := strings.Split(name, "_")
	for i := 1; i < len(parts); i++ {
		if p := parts[i]; p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}

// takeString, takeInt64, takeObject and takeAny take a field's value.
func takeString(to *string) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		if json.Unmarshal(raw, to) != nil {
			return errors.New("must be a string")
		}
		return nil
	}
}

func takeInt64(to *int64) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
		if err != nil {
			return errors.New("must be a 64-bit integer")
		}
		*to = n
		return nil
	}
}

func takeObject(to *json.RawMessage) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		if raw[0] != '{' {
			return errors.New("must be an object")
		}
		*to = raw
		return nil
	}
}
