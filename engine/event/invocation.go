package event

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrInvocation says that the body of an invocation is not an event object.
var ErrInvocation = errors.New("event: the body is not an event object")

// ParseInvocation reads the body of an invocation by API into e: one event
// object, whose name gives way to NameFunctionInvoked. data._inngest is set so
// that the engine starts the function called slug (spec 02 §4). Errors wrap
// ErrInvocation if the body is not an event object; others are about its values.
func ParseInvocation(body []byte, slug string, now int64, e *Event) error {
	end, plain := parseEvent(body, skipSpace(body, 0), e)
	if !plain || skipSpace(body, end) != len(body) {
		if err := decodeEvent(body, e); err != nil {
			return fmt.Errorf("%w: %w", ErrInvocation, err)
		}
	}
	e.Name = []byte(NameFunctionInvoked)
	e.Data = withInvocation(e.Data, slug)
	return e.complete(now)
}

// withInvocation returns the object data, which has no key _inngest, with the
// one of an invocation that no step waits for.
func withInvocation(data []byte, slug string) []byte {
	name, _ := json.Marshal(slug) // a string always encodes
	const rest = `,"source_app_id":"","source_fn_id":"","source_fn_v":0,"expire":0,"gid":"","name":""}}`
	out := make([]byte, 0, len(data)+len(name)+len(rest)+32)
	if i := skipSpace(data, 1); len(data) > 0 && data[i] != '}' {
		out = append(out, data[:len(data)-1]...)
		out = append(out, ',')
	} else {
		out = append(out, '{')
	}
	out = append(out, `"_inngest":{"fn_id":`...)
	out = append(out, name...)
	return append(out, rest...)
}
