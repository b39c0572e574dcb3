package transport

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"ingot/transport/wire"
)

// lambdaPath marks the URL of AWS's Lambda runtime emulator, which takes a
// function's input instead of an HTTP request (spec 01 §7.1). SDKs then expect
// the event of an API Gateway proxy integration, payload format 1.0.
const lambdaPath = "2015-03-31/functions/function/invocations"

type lambdaRequest struct {
	Path            string            `json:"path"`
	HTTPMethod      string            `json:"httpMethod"`
	Headers         map[string]string `json:"headers"`
	Query           map[string]string `json:"queryStringParameters"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

type lambdaResponse struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	// ErrorMessage is set by the emulator when the function itself failed.
	ErrorMessage string `json:"errorMessage"`
}

// wrapLambda returns the event for a request with the given header lines and body.
func wrapLambda(r *request, headers, body []byte) []byte {
	event := lambdaRequest{
		Path:       "/",
		HTTPMethod: r.method,
		Headers:    map[string]string{"Host": r.target.url.Host, "User-Agent": "Inngest"},
		Query:      map[string]string{},
		Body:       string(body),
	}
	for line := range strings.SplitSeq(string(headers), "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			event.Headers[name] = value
		}
	}
	for name, values := range r.target.url.Query() {
		event.Query[name] = values[0]
	}
	event.Query[stepParam] = r.step
	out, _ := json.Marshal(event) // strings always marshal
	return out
}

// unwrapLambda replaces an emulator's answer by the response inside of it.
func unwrapLambda(r *wire.Response) error {
	var inner lambdaResponse
	if err := json.Unmarshal(r.Body, &inner); err != nil {
		return fmt.Errorf("error reading lambda response: %w", err)
	}
	if inner.StatusCode == 0 {
		return fmt.Errorf("error reading lambda response: no statusCode; %s", inner.ErrorMessage)
	}
	body := []byte(inner.Body)
	if inner.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(inner.Body); err != nil {
			return fmt.Errorf("error reading lambda response: %w", err)
		}
	}
	r.Status, r.Body = inner.StatusCode, body
	for name, value := range inner.Headers {
		r.SetHeader(name, value)
	}
	return nil
}
