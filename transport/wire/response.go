package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ingot/engine"
	"ingot/internal/jcs"
)

// Response is an answer of user code: what of its headers has a meaning, and its
// decoded body. Slices are borrowed from the driver.
type Response struct {
	Status      int
	SDK         []byte // x-inngest-sdk
	ReqVersion  []byte // x-inngest-req-version
	NoRetry     []byte // x-inngest-no-retry
	RetryAfter  []byte // retry-after
	ContentType []byte
	Body        []byte
}

// Classify says what an answer means (spec 01 §8). The result shares no memory
// with r, which it may change. now is the time of the answer. The caller fills in
// what the answer does not tell: Ref, StartedAt and Duration.
func Classify(r *Response, now time.Time) engine.Result {
	if r.Status == 201 {
		if err := r.unwrapStream(); err != nil {
			return r.stamp(Failure("error parsing stream: " + err.Error()))
		}
	}
	if r.Status == 206 {
		return r.operations(now)
	}
	return r.outcome(now)
}

// ClassifySync is Classify for the re-entry into a durable endpoint (spec 01
// §14.5), whose operations may come with any status.
func ClassifySync(r *Response, now time.Time) engine.Result {
	body := bytes.TrimSpace(r.Body)
	if len(r.SDK) > 0 && len(body) > 0 && (body[0] == '[' || body[0] == '{' && holdsOp(body)) {
		return r.operations(now)
	}
	return r.outcome(now)
}

// holdsOp reports whether a JSON object looks like an operation. TS ends a sync
// run with a single one outside of an array.
func holdsOp(body []byte) bool {
	doc, err := jcs.Append(nil, body)
	if err != nil {
		return false
	}
	v := member(doc, "op")
	if !isString(v) {
		return false
	}
	_, ok := engine.ParseOpcode(text(v))
	return ok
}

// stamp adds what every result tells of its answer.
func (r *Response) stamp(res engine.Result) engine.Result {
	res.Status = r.Status
	res.SDK = string(r.SDK)
	if v, err := strconv.Atoi(string(r.ReqVersion)); err == nil {
		res.RequestVersion = v
	}
	return res
}

func (r *Response) operations(now time.Time) engine.Result {
	mode := clearNoRetry
	noRetry := r.noRetry()
	if noRetry {
		mode = setNoRetry
	}
	ops, err := parseOps(r.Body, mode)
	if err != nil {
		res := Failure(err.Error())
		res.NoRetry, res.RetryAt = noRetry, r.retryAt(now)
		return r.stamp(res)
	}
	if len(r.SDK) == 0 {
		return r.stamp(engine.Result{Error: TextNotSDK, ErrorCode: CodeNotSDK, Output: jcs.AppendBytes(nil, r.Body)})
	}
	return r.stamp(engine.Result{Ops: ops, NoRetry: noRetry, RetryAt: r.retryAt(now)})
}

// outcome is the function's result or error.
func (r *Response) outcome(now time.Time) engine.Result {
	success := r.Status >= 200 && r.Status <= 299
	res := engine.Result{NoRetry: r.noRetry(), RetryAt: r.retryAt(now)}
	if !success && len(r.SDK) == 0 {
		res.Output = foreignOutput(r.Status, string(r.ContentType), r.Body)
	} else {
		res.Output, res.Text = decodeResult(r.Body)
	}
	switch {
	case res.NoRetry:
		res.Error, res.RetryAt = textNoRetry, 0
	case success && len(r.SDK) == 0:
		res.Error, res.ErrorCode = TextNotSDK, CodeNotSDK
	case !success:
		res.Error = "invalid status code: " + strconv.Itoa(r.Status)
	case res.RetryAt != 0:
		res.Error = textRetryAt
	}
	return r.stamp(res)
}

// decodeResult reads a result's body (spec 01 §8.4): JSON as it is, an object
// inside of a JSON string as that object, anything else as text, nothing as nil.
// isText says that it is no JSON.
func decodeResult(body []byte) (output []byte, isText bool) {
	if len(body) == 0 {
		return nil, false
	}
	v, err := jcs.Append(make([]byte, 0, len(body)), body)
	if err != nil {
		return jcs.AppendBytes(nil, body), true
	}
	if !isString(v) {
		return v, false
	}
	if inner := bytes.TrimSpace([]byte(text(v))); isObject(inner) {
		if obj, err := jcs.Append(nil, inner); err == nil {
			return obj, false
		}
	}
	return v, false
}

// unwrapStream replaces the response by the one inside of a streaming envelope
// (spec 01 §8.3).
func (r *Response) unwrapStream() error {
	body := bytes.TrimSpace(r.Body)
	doc, err := jcs.Append(make([]byte, 0, len(body)), body)
	if err != nil {
		return fmt.Errorf("error reading response body to check for status code: %w", syntaxError(body, err))
	}
	if !isObject(doc) {
		return fmt.Errorf("error reading response body to check for status code: %w", typeError(doc, "StreamResponse", ""))
	}
	if v := member(doc, "error"); v != nil && !isNull(v) {
		if isString(v) {
			return fmt.Errorf("%s", text(v))
		}
		return fmt.Errorf("%s", v)
	}
	status, err := strconv.Atoi(string(member(doc, "status")))
	if err != nil {
		return fmt.Errorf("error reading response body to check for status code: %q is not a status", member(doc, "status"))
	}
	if v := member(doc, "headers"); isObject(v) {
		for m := (members{b: v}); ; {
			key, value, ok := m.next()
			if !ok {
				break
			}
			if isString(value) {
				r.SetHeader(string(key), text(value))
			}
		}
	}
	r.Status = status
	r.Body = member(doc, "body")
	if isString(r.Body) {
		r.Body = []byte(text(r.Body))
	}
	return nil
}

// SetHeader sets one of the headers that have a meaning, by its name in any
// case. Others are ignored.
func (r *Response) SetHeader(name, value string) {
	switch strings.ToLower(name) {
	case "x-inngest-sdk":
		r.SDK = []byte(value)
	case "x-inngest-req-version":
		r.ReqVersion = []byte(value)
	case "x-inngest-no-retry":
		r.NoRetry = []byte(value)
	case "retry-after":
		r.RetryAfter = []byte(value)
	case "content-type":
		r.ContentType = []byte(value)
	}
}

// AppendError adds an error object {"data","message","name","stack"} as a memo
// holds it; empty data and stack are left out. data is raw JSON of any spelling.
func AppendError(dst []byte, name, message string, data []byte, stack string) []byte {
	obj, _ := json.Marshal(struct {
		Data    json.RawMessage `json:"data,omitempty"`
		Message string          `json:"message"`
		Name    string          `json:"name"`
		Stack   string          `json:"stack,omitempty"`
	}{data, message, name, stack})
	out, err := jcs.Append(dst, obj)
	if err != nil { // data was not acceptable JSON
		return AppendError(dst, name, message, nil, stack)
	}
	return out
}
