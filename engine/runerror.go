package engine

import (
	"encoding/json"
	"fmt"
	"strings"

	"ingot/internal/jcs"
)

// runError ends a run at once, whatever attempts are left (spec 01 §11.5), or is
// the error that a failed run is stored with (§11.6).
type runError struct {
	err, name, message, stack string
	cause                     json.RawMessage
}

func stepLimitError(limit int) *runError {
	return &runError{name: "InngestErrFunctionOverflowed", message: fmt.Sprintf("The function run exceeded the step limit of %d steps.", limit)}
}

func stateLimitError(limit int64) *runError {
	return &runError{name: "InngestErrStateOverflowed", message: fmt.Sprintf("The function run exceeded the state size limit of %d bytes.", limit)}
}

func timeoutTooLong(message string) *runError {
	return &runError{name: "InngestErrTimeoutTooLong", message: message}
}

// text returns the error as a JSON string that holds `{"error":{…}}`. Its keys are
// in the reference's order.
func (e *runError) text() []byte {
	if e.err == "" {
		e.err = e.name + ": " + e.message
	}
	inner, _ := json.Marshal(struct {
		Error   string `json:"error"`
		Name    string `json:"name"`
		Message string `json:"message"`
		Stack   string `json:"stack,omitempty"`
	}{e.err, e.name, e.message, e.stack})
	out, _ := jcs.Append(nil, mustQuote(`{"error":`+string(inner)+"}"))
	return out
}

func mustQuote(s string) []byte {
	q, _ := json.Marshal(s)
	return q
}

// json returns the canonical error object.
func (e *runError) json() []byte {
	if e.err == "" {
		e.err = e.name + ": " + e.message
	}
	raw, _ := json.Marshal(struct {
		Cause   json.RawMessage `json:"cause,omitempty"`
		Error   string          `json:"error"`
		Message string          `json:"message"`
		Name    string          `json:"name"`
		Stack   string          `json:"stack,omitempty"`
	}{e.cause, e.err, e.message, e.name, e.stack})
	out, err := jcs.Append(nil, raw)
	if err != nil {
		return []byte(`{"error":"Function execution error","message":"Function execution error","name":"Error"}`)
	}
	return out
}

const defaultErrorText = "Function execution error"

// maxNestedError bounds an error object that is held in a JSON string.
const maxNestedError = 32 << 10

// attemptError builds the error of a failed run from its last answer (spec 01 §11.6).
func attemptError(res *Result) *runError {
	e := &runError{err: defaultErrorText, message: defaultErrorText, name: "Error"}
	var obj map[string]json.RawMessage
	if err := json.Unmarshal(res.Output, &obj); err == nil && obj != nil {
		if inner := nestedError(obj); inner != nil {
			obj = inner
		}
		for key, dst := range map[string]*string{"error": &e.err, "name": &e.name, "message": &e.message, "stack": &e.stack} {
			var s string
			if json.Unmarshal(obj[key], &s) == nil && s != "" {
				*dst = s
			}
		}
		if c := obj["cause"]; len(c) > 0 && string(c) != "null" {
			e.cause = c
		}
	} else if len(res.Output) > 0 && string(res.Output) != "null" {
		// Other JSON than text says nothing (golden runs/fail-payload-shapes).
		var s string
		if json.Unmarshal(res.Output, &s) == nil && s != "" {
			e.message = s
		}
	}
	if res.Error == "" {
		return e
	}
	if res.ErrorCode != "" && len(res.Output) == 0 {
		e.name, e.message, e.err = res.ErrorCode, res.Error, res.ErrorCode+": "+res.Error
	}
	if e.err == defaultErrorText {
		e.err = res.Error
	}
	if e.message == defaultErrorText {
		e.message = res.Error
	}
	return e
}

// nestedError finds the object under `error`, else `body`, directly or as a JSON string.
func nestedError(obj map[string]json.RawMessage) map[string]json.RawMessage {
	raw, ok := obj["error"]
	if !ok {
		raw, ok = obj["body"]
	}
	if !ok || len(raw) > maxNestedError {
		return nil
	}
	var inner map[string]json.RawMessage
	if json.Unmarshal(raw, &inner) == nil && inner != nil {
		return inner
	}
	var s string
	if json.Unmarshal(raw, &s) == nil && strings.HasPrefix(strings.TrimSpace(s), "{") && json.Unmarshal([]byte(s), &inner) == nil {
		return inner
	}
	return nil
}
