package gql

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// text is a scalar that is a JSON string. Arguments keep what was sent, so that the
// resolver can refuse it under its field's name; see parseID, parseUUID and parseTime.
type text string

var textScalars = []string{"ULID", "UUID", "Time", "Bytes", "Environment", "SpanMetadataKind", "SpanMetadataScope"}

// ImplementsGraphQLType implements decode.Unmarshaler.
func (text) ImplementsGraphQLType(name string) bool { return slices.Contains(textScalars, name) }

// UnmarshalGraphQL implements decode.Unmarshaler.
func (t *text) UnmarshalGraphQL(input any) error {
	s, ok := input.(string)
	if !ok {
		return fmt.Errorf("%v must be a string", input)
	}
	*t = text(s)
	return nil
}

// moment is the scalar Time as a result: unix ms.
type moment int64

// ImplementsGraphQLType implements decode.Unmarshaler.
func (moment) ImplementsGraphQLType(name string) bool { return name == "Time" }

// UnmarshalGraphQL implements decode.Unmarshaler; arguments are of type text.
func (*moment) UnmarshalGraphQL(any) error { return errOutputOnly }

// MarshalJSON writes RFC 3339.
func (m moment) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 32), '"')
	return append(time.UnixMilli(int64(m)).UTC().AppendFormat(b, time.RFC3339Nano), '"'), nil
}

// optional is ms as a Time that may be absent: 0 is.
func optional(ms int64) *moment {
	if ms == 0 {
		return nil
	}
	m := moment(ms)
	return &m
}

// raw is a scalar of any JSON.
type raw json.RawMessage

var rawScalars = []string{"HTTPHeaders", "Map", "SpanMetadataValues", "Unknown"}

var errOutputOnly = fmt.Errorf("gql: a scalar that is no argument")

// ImplementsGraphQLType implements decode.Unmarshaler.
func (raw) ImplementsGraphQLType(name string) bool { return slices.Contains(rawScalars, name) }

// UnmarshalGraphQL implements decode.Unmarshaler.
func (*raw) UnmarshalGraphQL(any) error { return errOutputOnly }

// MarshalJSON writes the JSON as it is.
func (r raw) MarshalJSON() ([]byte, error) { return r, nil }

// object is the scalar Map as an argument.
type object map[string]any

// ImplementsGraphQLType implements decode.Unmarshaler.
func (object) ImplementsGraphQLType(name string) bool { return name == "Map" }

// UnmarshalGraphQL implements decode.Unmarshaler.
func (o *object) UnmarshalGraphQL(input any) error {
	m, ok := input.(map[string]any)
	if !ok {
		return fmt.Errorf("%v must be an object", input)
	}
	*o = m
	return nil
}

// number is a scalar that is a JSON number.
type number int64

// ImplementsGraphQLType implements decode.Unmarshaler.
func (number) ImplementsGraphQLType(name string) bool { return name == "Uint" || name == "Int64" }

// UnmarshalGraphQL implements decode.Unmarshaler.
func (*number) UnmarshalGraphQL(any) error { return errOutputOnly }

// count is n as GraphQL's Int, at most the largest one.
func count(n int64) int32 { return int32(min(max(n, math.MinInt32), math.MaxInt32)) }

func idText(id ulid.ULID) text { return text(id.String()) }

// optionalID is an id that may be absent: the zero one is.
func optionalID(id ulid.ULID) *text {
	if id == (ulid.ULID{}) {
		return nil
	}
	return new(idText(id))
}

// optionalText is a string that may be absent: the empty one is.
func optionalText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func bytesOf(json []byte) *text {
	if json == nil {
		return nil
	}
	return new(text(json))
}

// parseID reads a ULID; the refusal is the reference's.
func parseID(t text) (ulid.ULID, error) {
	id, err := ulid.ParseStrict(string(t))
	if err != nil {
		return id, refuse(err.Error())
	}
	return id, nil
}

func parseUUID(field string, t text) (ids.UUID, error) {
	u, ok := ids.ParseUUID(string(t))
	if !ok {
		return u, refuse(fmt.Sprintf("%s: %q is not a UUID", field, t))
	}
	return u, nil
}

// parseTime reads a time as unix ms; 0 if there is none. Times before 1970 are 1: nothing
// is as old, and 0 would be no bound.
func parseTime(field string, t *text) (int64, error) {
	if t == nil {
		return 0, nil
	}
	at, err := time.Parse(time.RFC3339Nano, string(*t))
	if err != nil {
		return 0, refuse(fmt.Sprintf("%s: %q is not an RFC 3339 time", field, *t))
	}
	return max(at.UnixMilli(), 1), nil
}
