package api

import (
	"encoding/base64"
	"encoding/hex"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The protobuf form of OTLP traces: a reader of the few messages that are needed, rather
// than the generated code of all. Numbers of fields are those of opentelemetry-proto.

// pbField is one field of a message: bytes for length-delimited ones, else number.
type pbField struct {
	number protowire.Number
	bytes  []byte
	value  uint64
}

// pbFields visits the fields of a message until visit fails.
func pbFields(b []byte, visit func(f pbField) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errProtobuf
		}
		b = b[n:]
		f := pbField{number: number}
		switch kind {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			f.value, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return errProtobuf
		}
		b = b[n:]
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

// decodeOTLP reads an ExportTraceServiceRequest in protobuf.
func decodeOTLP(body []byte) (out []otlpSpan, err error) {
	err = pbFields(body, func(f pbField) error {
		if f.number != 1 {
			return nil
		}
		return decodeResource(f.bytes, &out)
	})
	return out, err
}

func decodeResource(b []byte, out *[]otlpSpan) error {
	begin := len(*out)
	var service string
	err := pbFields(b, func(f pbField) error {
		switch f.number {
		case 1:
			attributes, err := pbAttributes(f.bytes, 1, 0)
			service, _ = attributes["service.name"].(string)
			return err
		case 2:
			return decodeScope(f.bytes, out)
		}
		return nil
	})
	for i := begin; i < len(*out); i++ {
		(*out)[i].Service = service // it may stand behind the spans
	}
	return err
}

func decodeScope(b []byte, out *[]otlpSpan) error {
	begin := len(*out)
	var name, version string
	err := pbFields(b, func(f pbField) error {
		switch f.number {
		case 1:
			return pbFields(f.bytes, func(f pbField) error {
				switch f.number {
				case 1:
					name = string(f.bytes)
				case 2:
					version = string(f.bytes)
				}
				return nil
			})
		case 2:
			if len(*out) == maxExportSpans {
				return errTooManySpans
			}
			span, err := decodeSpan(f.bytes)
			*out = append(*out, span)
			return err
		}
		return nil
	})
	for i := begin; i < len(*out); i++ {
		(*out)[i].Scope, (*out)[i].ScopeVersion = name, version
	}
	return err
}

func decodeSpan(b []byte) (otlpSpan, error) {
	s := otlpSpan{Kind: otlpKinds[0], Attributes: map[string]any{}}
	err := pbFields(b, func(f pbField) error {
		switch f.number {
		case 2:
			s.ID = pbID(f.bytes)
		case 4:
			s.Parent = pbID(f.bytes)
		case 5:
			s.Name = string(f.bytes)
		case 6:
			if f.value < uint64(len(otlpKinds)) {
				s.Kind = otlpKinds[f.value]
			}
		case 7:
			s.Start = int64(min(f.value, math.MaxInt64))
		case 8:
			s.End = int64(min(f.value, math.MaxInt64))
		case 9:
			return pbAttribute(f.bytes, s.Attributes, 0)
		case 15:
			return pbFields(f.bytes, func(f pbField) error {
				s.Failed = s.Failed || f.number == 3 && f.value == otlpStatusError
				return nil
			})
		}
		return nil
	})
	return s, err
}

func pbID(b []byte) string {
	if len(b) != 8 {
		return ""
	}
	return hex.EncodeToString(b)
}

// pbAttributes reads the attributes of a message that are its fields of a number.
func pbAttributes(b []byte, number protowire.Number, depth int) (map[string]any, error) {
	out := map[string]any{}
	err := pbFields(b, func(f pbField) error {
		if f.number != number {
			return nil
		}
		return pbAttribute(f.bytes, out, depth)
	})
	return out, err
}

func pbAttribute(b []byte, to map[string]any, depth int) error {
	var key string
	var value any
	err := pbFields(b, func(f pbField) (err error) {
		switch f.number {
		case 1:
			key = string(f.bytes)
		case 2:
			value, err = pbValue(f.bytes, depth+1)
		}
		return err
	})
	to[key] = value
	return err
}

// pbValue reads an AnyValue.
func pbValue(b []byte, depth int) (v any, err error) {
	if depth > maxValueDepth {
		return nil, errProtobuf
	}
	err = pbFields(b, func(f pbField) (err error) {
		switch f.number {
		case 1:
			v = string(f.bytes)
		case 2:
			v = f.value != 0
		case 3:
			v = int64(f.value)
		case 4:
			v = finite(math.Float64frombits(f.value))
		case 5:
			list := []any{}
			err = pbFields(f.bytes, func(f pbField) error {
				if f.number != 1 {
					return nil
				}
				element, err := pbValue(f.bytes, depth+1)
				list = append(list, element)
				return err
			})
			v = list
		case 6:
			v, err = pbAttributes(f.bytes, 1, depth+1)
		case 7:
			v = base64.StdEncoding.EncodeToString(f.bytes)
		}
		return err
	})
	return v, err
}
