package otlp

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"unicode/utf8"
)

// OTLP in JSON, as far as it is sent: ids in hex, 64-bit numbers as text, enums as
// numbers (opentelemetry-proto, trace/v1).

// Kinds of spans, and the one status that is set: what worked has none, by convention.
const (
	kindInternal = 1
	kindClient   = 3
	statusError  = 2
)

type wireSpan struct {
	TraceID    string          `json:"traceId"`
	SpanID     string          `json:"spanId"`
	ParentID   string          `json:"parentSpanId,omitempty"`
	Name       string          `json:"name"`
	Kind       int             `json:"kind"`
	Start      int64           `json:"startTimeUnixNano,string"`
	End        int64           `json:"endTimeUnixNano,string"`
	Attributes []wireAttribute `json:"attributes,omitempty"`
	Status     wireStatus      `json:"status,omitzero"`
}

type wireStatus struct {
	Code int `json:"code,omitempty"`
}

type wireAttribute struct {
	Key   string    `json:"key"`
	Value wireValue `json:"value"`
}

// wireValue is an AnyValue; one of its fields is set.
type wireValue struct {
	String *string `json:"stringValue,omitempty"`
	Int    *int64  `json:"intValue,string,omitempty"`
	Bool   *bool   `json:"boolValue,omitempty"`
}

// maxText bounds names and values, in bytes: some come from users.
const maxText = 256

// clip cuts text off between characters.
func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	n := maxText
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// attributes is a list under construction.
type attributes []wireAttribute

// text adds a value unless it is empty.
func (a *attributes) text(key, value string) {
	if value != "" {
		value = clip(value)
		*a = append(*a, wireAttribute{key, wireValue{String: &value}})
	}
}

func (a *attributes) number(key string, value int64) {
	*a = append(*a, wireAttribute{key, wireValue{Int: &value}})
}

func (a *attributes) flag(key string, value *bool) {
	if value != nil {
		*a = append(*a, wireAttribute{key, wireValue{Bool: value}})
	}
}

// bodyHead is an ExportTraceServiceRequest up to its first span.
func bodyHead(service string) []byte {
	var a attributes
	a.text("service.name", service)
	list, _ := json.Marshal(a) // texts always encode
	head := append([]byte(`{"resourceSpans":[{"resource":{"attributes":`), list...)
	return append(head, `},"scopeSpans":[{"scope":{"name":"ingot"},"spans":[`...)
}

// bodyTail follows the last span.
const bodyTail = "]}]}]}"

// body is a request with the spans.
func (e *Exporter) body(spans [][]byte) []byte {
	var plain, packed bytes.Buffer
	plain.Write(e.head)
	for i, s := range spans {
		if i > 0 {
			plain.WriteByte(',')
		}
		plain.Write(s)
	}
	plain.WriteString(bodyTail)
	if e.cfg.Plain {
		return plain.Bytes()
	}
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed) // the level is a valid one
	_, _ = z.Write(plain.Bytes())                        // a buffer takes everything
	_ = z.Close()
	return packed.Bytes()
}
