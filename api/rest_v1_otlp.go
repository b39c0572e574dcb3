package api

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// OTLP traces in JSON, as far as they are kept. The protobuf form is in rest_v1_otlp_pb.go.

// otlpSpan is one span with what its surroundings say of it.
type otlpSpan struct {
	// ID and Parent are lower-case hex; Parent is empty for the first span of a trace.
	ID, Parent                   string
	Name, Kind                   string
	Start, End                   int64 // unix ns
	Failed                       bool
	Attributes                   map[string]any
	Service, Scope, ScopeVersion string
}

// Bounds of what is taken of one export.
const (
	maxExportSpans = 10_000
	maxValueDepth  = 32
)

var errTooManySpans = fmt.Errorf("the export has more than %d spans", maxExportSpans)

// otlpKinds are the names of span kinds, by their number.
var otlpKinds = []string{
	"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER",
}

// otlpStatusError is the status code of a failed span.
const otlpStatusError = 2

type otlpJSON struct {
	ResourceSpans []struct {
		Resource struct {
			Attributes []otlpAttribute `json:"attributes"`
		} `json:"resource"`
		ScopeSpans []struct {
			Scope struct {
				Name    string `json:"name"`
				Version string `json:"version"`
			} `json:"scope"`
			Spans []otlpSpanJSON `json:"spans"`
		} `json:"scopeSpans"`
	} `json:"resourceSpans"`
}

type otlpSpanJSON struct {
	SpanID     string          `json:"spanId"`
	ParentID   string          `json:"parentSpanId"`
	Name       string          `json:"name"`
	Kind       otlpEnum        `json:"kind"`
	Start      otlpInt         `json:"startTimeUnixNano"`
	End        otlpInt         `json:"endTimeUnixNano"`
	Attributes []otlpAttribute `json:"attributes"`
	Status     struct {
		Code otlpEnum `json:"code"`
	} `json:"status"`
}

type otlpAttribute struct {
	Key   string    `json:"key"`
	Value otlpValue `json:"value"`
}

// otlpInt is a 64-bit number, which JSON has as text or as a number.
type otlpInt int64

func (n *otlpInt) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil // absent, as in protobuf's JSON
	}
	v, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a 64-bit number", b)
	}
	*n = otlpInt(v)
	return nil
}

// otlpEnum is a number, or the name of one.
type otlpEnum string

func (e *otlpEnum) UnmarshalJSON(b []byte) error {
	*e = otlpEnum(strings.Trim(string(b), `"`))
	return nil
}

// index is the place of the value among names, or the number itself.
func (e otlpEnum) index(names []string) int {
	for i, n := range names {
		if string(e) == n || string(e) == strconv.Itoa(i) {
			return i
		}
	}
	return 0
}

// otlpValue is an AnyValue as a plain one.
type otlpValue struct{ plain any }

func (v *otlpValue) UnmarshalJSON(b []byte) error {
	var in struct {
		String *string  `json:"stringValue"`
		Bool   *bool    `json:"boolValue"`
		Int    *otlpInt `json:"intValue"`
		Double *float64 `json:"doubleValue"`
		Bytes  *string  `json:"bytesValue"`
		Array  *struct {
			Values []otlpValue `json:"values"`
		} `json:"arrayValue"`
		List *struct {
			Values []otlpAttribute `json:"values"`
		} `json:"kvlistValue"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err //nolint:wrapcheck // only whether there is one is looked at
	}
	switch {
	case in.String != nil:
		v.plain = *in.String
	case in.Bool != nil:
		v.plain = *in.Bool
	case in.Int != nil:
		v.plain = int64(*in.Int)
	case in.Double != nil:
		v.plain = *in.Double
	case in.Bytes != nil:
		v.plain = *in.Bytes
	case in.Array != nil:
		list := make([]any, len(in.Array.Values))
		for i := range list {
			list[i] = in.Array.Values[i].plain
		}
		v.plain = list
	case in.List != nil:
		v.plain = plainAttributes(in.List.Values)
	}
	return nil
}

func plainAttributes(list []otlpAttribute) map[string]any {
	out := make(map[string]any, len(list))
	for i := range list {
		out[list[i].Key] = list[i].Value.plain
	}
	return out
}

// decodeOTLPJSON reads an ExportTraceServiceRequest in JSON.
func decodeOTLPJSON(body []byte) ([]otlpSpan, error) {
	if deep(body) {
		return nil, errTooDeep
	}
	if crowded(body) {
		return nil, errTooManySpans
	}
	var in otlpJSON
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err //nolint:wrapcheck // only whether there is one is looked at
	}
	var out []otlpSpan
	for _, r := range in.ResourceSpans {
		service, _ := plainAttributes(r.Resource.Attributes)["service.name"].(string)
		for _, sc := range r.ScopeSpans {
			for i := range sc.Spans {
				if len(out) == maxExportSpans {
					return nil, errTooManySpans
				}
				sp := &sc.Spans[i]
				out = append(out, otlpSpan{
					ID: otlpID(sp.SpanID), Parent: otlpID(sp.ParentID), Name: sp.Name, Kind: otlpKinds[sp.Kind.index(otlpKinds)],
					Start: int64(sp.Start), End: int64(sp.End), Attributes: plainAttributes(sp.Attributes),
					Failed:  sp.Status.Code == "2" || sp.Status.Code == "STATUS_CODE_ERROR",
					Service: service, Scope: sc.Scope.Name, ScopeVersion: sc.Scope.Version,
				})
			}
		}
	}
	return out, nil
}

// Bounds of the JSON of an export before it is decoded: two bytes of it may become a span of
// 200 bytes. maxExportSpans spans with twenty attributes each stay below them.
const (
	maxExportObjects = 500_000
	maxExportCommas  = 800_000
)

// crowded reports whether the text has more objects or elements than an export may have.
func crowded(body []byte) bool {
	objects, commas, inText := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{':
			objects++
		case c == ',':
			commas++
		}
	}
	return objects > maxExportObjects || commas > maxExportCommas
}

// otlpID is a span's id in hex. OTLP in JSON has ids in hex; what was made by protobuf's
// own rules has them in base64.
func otlpID(text string) string {
	if text == "" {
		return ""
	}
	if b, err := hex.DecodeString(text); err == nil && len(b) == 8 {
		return strings.ToLower(text)
	}
	if b, err := base64.StdEncoding.DecodeString(text); err == nil && len(b) == 8 {
		return hex.EncodeToString(b)
	}
	return ""
}

var errTooDeep = fmt.Errorf("values are nested deeper than %d", maxValueDepth)

// deep reports whether values in a body are nested deeper than is read: reading takes
// time for each level. The envelope has levels of its own, and each value has two.
func deep(body []byte) bool {
	const most = 16 + 3*maxValueDepth
	depth, text := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if depth++; depth > most {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

var errProtobuf = errors.New("not an OTLP export in protobuf")

// finite keeps numbers that JSON has.
func finite(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return f
}
