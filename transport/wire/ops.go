package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"ingot/engine"
	"ingot/internal/jcs"
)

// MaxStepBytes bounds a step's input and its output, each (spec 01 §16.1).
const MaxStepBytes = 4 << 20

// ErrStepSize is wrapped by the errors of operations beyond MaxStepBytes.
var ErrStepSize = errors.New("size is greater than the limit")

var errNoData = errors.New("no response data")

// ParseOps reads the body of a 206: one operation or an array of them (spec 01
// §8.2, §9.2). The result is never nil without an error; `[]` gives an empty
// slice. Error texts are the reference's. body is not kept.
func ParseOps(body []byte) ([]engine.Op, error) {
	return parseOps(body, keepNoRetry)
}

// ParseOpArray reads the `steps` of a checkpoint. Absent and null are no
// operations; one object counts as an array of one.
func ParseOpArray(raw []byte) ([]engine.Op, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	return parseOps(raw, keepNoRetry)
}

// noRetryMode says what becomes of `noRetry` in the error of a StepError: the
// response's own determination replaces what the SDK wrote (spec 01 §9.3).
type noRetryMode uint8

const (
	keepNoRetry noRetryMode = iota
	clearNoRetry
	setNoRetry
)

func parseOps(body []byte, mode noRetryMode) ([]engine.Op, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, errNoData
	}
	if body[0] != '{' && body[0] != '[' {
		return nil, errors.New("error reading generator opcode response: expected JSON object or array")
	}
	// One allocation holds everything that the operations refer to.
	doc, err := jcs.Append(make([]byte, 0, len(body)+16), body)
	if err != nil {
		return nil, fmt.Errorf("error reading generator opcode response: %w", syntaxError(body, err))
	}
	if doc[0] == '{' {
		ops := make([]engine.Op, 1)
		if err := parseOp(&ops[0], doc, mode); err != nil {
			return nil, fmt.Errorf("error reading generator opcode response: %w", err)
		}
		return ops, validateOp(&ops[0])
	}
	it := elements{b: doc}
	ops := make([]engine.Op, it.count())
	null := -1
	for i := range ops {
		v, _ := it.next()
		if isNull(v) {
			if null < 0 {
				null = i
			}
			continue
		}
		if err := parseOp(&ops[i], v, mode); err != nil {
			return nil, fmt.Errorf("error reading generator opcode response: %w", err)
		}
	}
	for i := range ops {
		if i == null {
			return nil, fmt.Errorf("error validating generator opcode %d: opcode cannot be null", i)
		}
		if err := validateOp(&ops[i]); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

// syntaxError prefers the words of encoding/json, which are the reference's.
func syntaxError(body []byte, err error) error {
	var v any
	if std := json.Unmarshal(body, &v); std != nil {
		return std
	}
	return err
}

// parseOp fills op from one element; fields it does not know are ignored.
func parseOp(op *engine.Op, v []byte, mode noRetryMode) error {
	if !isObject(v) {
		return typeError(v, "GeneratorOpcode", "")
	}
	for m := (members{b: v}); ; {
		key, value, ok := m.next()
		if !ok {
			break
		}
		if isNull(value) && string(key) != "data" {
			continue
		}
		var err error
		switch string(key) {
		case "op":
			err = parseCode(op, value)
		case "id":
			op.ID, err = stringField(value, "GeneratorOpcode.id")
		case "name":
			op.Name, err = stringField(value, "GeneratorOpcode.name")
		case "displayName":
			op.DisplayName, err = stringField(value, "GeneratorOpcode.displayName")
		case "data":
			op.Data = value
		case "opts":
			op.Opts = value
			if isObject(value) {
				op.Race = string(member(value, "parallelMode")) == `"race"`
			}
		case "error":
			op.Error = value // reduced below, once the opcode is known
		case "timing":
			if isObject(value) {
				op.TimingStart, op.TimingDuration = integer(member(value, "a")), integer(member(value, "b"))
			}
		case "userland":
			op.Userland = value
		case "metadata":
			op.Metadata = value
		}
		if err != nil {
			return err
		}
	}
	if op.Error == nil {
		return nil
	}
	if op.Code != engine.OpStepError {
		mode = keepNoRetry
	}
	var err error
	op.Error, err = reduceError(op.Error, mode)
	return err
}

func parseCode(op *engine.Op, v []byte) error {
	if !isString(v) {
		return fmt.Errorf("Opcode should be a string, got %s", v) //nolint:staticcheck // the reference's text
	}
	code, ok := engine.ParseOpcode(text(v))
	if !ok {
		return fmt.Errorf("%s does not belong to Opcode values", text(v))
	}
	op.Code = code
	return nil
}

// validateOp applies the limits of one operation.
func validateOp(op *engine.Op) error {
	if op.Code == engine.OpStepError && op.Error == nil {
		return fmt.Errorf("OpcodeStepError received without Error field set: %s", op.ID)
	}
	if inputSize(op) > MaxStepBytes {
		return fmt.Errorf("error validating generator opcode %s: step input %w", op.ID, ErrStepSize)
	}
	if len(op.Data) > MaxStepBytes || len(op.Error) > MaxStepBytes {
		return fmt.Errorf("error validating generator opcode %s: step output %w", op.ID, ErrStepSize)
	}
	return nil
}

func inputSize(op *engine.Op) int {
	if len(op.Opts) <= MaxStepBytes || !isObject(op.Opts) {
		return 0
	}
	if op.Code == engine.OpAIGateway {
		return len(member(op.Opts, "body"))
	}
	return len(member(op.Opts, "input"))
}

// reduceError rewrites an SDK's error with the keys that survive in a memo
// (spec 01 §9.3). name and message are always there.
func reduceError(v []byte, mode noRetryMode) ([]byte, error) {
	if !isObject(v) {
		return nil, typeError(v, "GeneratorOpcode.error", "UserError")
	}
	out := append(make([]byte, 0, len(v)+len(`,"name":"","message":"","noRetry":true`)), '{')
	if x := member(v, "cause"); x != nil && !isNull(x) {
		out = appendMember(out, "cause", x)
	}
	if x := member(v, "data"); x != nil && !isNull(x) {
		out = appendMember(out, "data", x)
	}
	out, err := appendStringMember(out, v, "message", true)
	if err != nil {
		return nil, err
	}
	if out, err = appendStringMember(out, v, "name", true); err != nil {
		return nil, err
	}
	if mode == setNoRetry || mode == keepNoRetry && string(member(v, "noRetry")) == "true" {
		out = appendMember(out, "noRetry", []byte("true"))
	}
	if out, err = appendStringMember(out, v, "stack", false); err != nil {
		return nil, err
	}
	return append(out, '}'), nil
}

func appendMember(dst []byte, key string, value []byte) []byte {
	if len(dst) > 1 {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, key...)
	dst = append(dst, '"', ':')
	return append(dst, value...)
}

// appendStringMember copies a string member; an empty one only if required.
func appendStringMember(dst, obj []byte, key string, required bool) ([]byte, error) {
	v := member(obj, key)
	if v == nil || isNull(v) {
		v = []byte(`""`)
	}
	if !isString(v) {
		return nil, typeError(v, "GeneratorOpcode.error."+key, "string")
	}
	if len(v) == 2 && !required {
		return dst, nil
	}
	return appendMember(dst, key, v), nil
}

func stringField(v []byte, field string) (string, error) {
	if !isString(v) {
		return "", typeError(v, field, "string")
	}
	return text(v), nil
}

// typeError is worded as encoding/json words it.
func typeError(v []byte, field, want string) error {
	got := "number"
	switch v[0] {
	case '{':
		got = "object"
	case '[':
		got = "array"
	case '"':
		got = "string"
	case 't', 'f':
		got = "bool"
	}
	if want == "" {
		return fmt.Errorf("json: cannot unmarshal %s into Go value of type %s", got, field)
	}
	return fmt.Errorf("json: cannot unmarshal %s into Go struct field %s of type %s", got, field, want)
}

// integer reads a canonical number; anything that is not one is 0, since timings
// are for display only.
func integer(v []byte) int64 {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
