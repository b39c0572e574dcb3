package wire

import (
	"encoding/json"
	"strconv"

	"ingot/engine"
	"ingot/internal/jcs"
)

// Codes in engine.Result.ErrorCode.
const (
	CodeNotSDK   = "not_sdk"
	CodeTooLarge = "output_too_large"
	// CodeShutdown marks a call that was given up because this server is stopping.
	// It says nothing about the app and must not count as an attempt.
	CodeShutdown = engine.CodeShutdown
)

// Texts that users see in failed attempts (spec 01 §8).
const (
	TextNotSDK      = "The response did not come from an Inngest SDK"
	TextUnreachable = "Unable to reach SDK URL"
	TextReset       = "Your server reset the connection while we were reading the reply: Unexpected ending response"
	TextTooLarge    = "Your function's response body exceeds the maximum size limit"
	textNoRetry     = "NonRetriableError"
	textRetryAt     = "retry at"
)

// Failure is the result of a call that got no usable answer. text is the attempt's
// error; the output kept for the attempt is the reference's: an error object, as
// text (spec 01 §8.8, §11.5).
func Failure(text string) engine.Result {
	return engine.Result{Error: text, Output: failureOutput(text, "Error", text)}
}

// TooLarge is the result of an answer above the size limit (spec 01 §8.9).
func TooLarge() engine.Result {
	return engine.Result{
		Error:     CodeTooLarge,
		ErrorCode: CodeTooLarge,
		Output:    failureOutput(CodeTooLarge+": "+TextTooLarge, CodeTooLarge, TextTooLarge),
	}
}

// failureOutput is the JSON string that holds {"error":{…}} in the reference's
// key order and escaping.
func failureOutput(text, name, message string) []byte {
	type object struct {
		Error   string `json:"error"`
		Name    string `json:"name"`
		Message string `json:"message"`
	}
	inner, _ := json.Marshal(struct { // strings always marshal
		Error object `json:"error"`
	}{object{text, name, message}})
	return jcs.AppendBytes(nil, inner)
}

// maxUpstreamBody is how much of a foreign answer is kept for display.
const maxUpstreamBody = 8192

// foreignOutput explains an error answer that no SDK gave (spec 01 §8.7).
func foreignOutput(status int, contentType string, body []byte) []byte {
	message := "Your server returned HTTP " + strconv.Itoa(status) + " before the SDK responded."
	stack := "No step output was produced before the request failed — this can mean a proxy or load balancer " +
		"in front of your app returned an error, or your app was unable to respond."
	if len(body) > 0 {
		if contentType == "" {
			contentType = "unknown content-type"
		}
		cut := ""
		if len(body) > maxUpstreamBody {
			body, cut = body[:maxUpstreamBody], "\n… (truncated)"
		}
		stack += "\n\nUpstream response (" + contentType + "):\n" + string(body) + cut
	}
	dst := append(make([]byte, 0, len(stack)+256), `{"error":`...)
	dst = jcs.AppendString(dst, message)
	dst = append(dst, `,"message":`...)
	dst = jcs.AppendString(dst, message)
	dst = append(dst, `,"name":"Server returned a fatal error","stack":`...)
	dst = jcs.AppendString(dst, stack)
	return append(dst, '}')
}
