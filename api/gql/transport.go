package gql

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
)

// Answer is what goes back to the client.
type Answer struct {
	// Status is the HTTP status; Plain says that the body is sent as plain text.
	Status int
	Plain  bool
	Body   []byte
}

// params are the parts of a request (spec 02 §9.1).
type params struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
	Extensions    struct {
		PersistedQuery json.RawMessage `json:"persistedQuery"`
	} `json:"extensions"`
}

// maxEcho bounds what an error repeats of a body.
const maxEcho = 1 << 10

// Post answers a POST.
func (s *Server) Post(ctx context.Context, contentType string, body []byte) Answer {
	if kind, _, err := mime.ParseMediaType(contentType); err != nil || kind != "application/json" {
		a := fail(http.StatusBadRequest, "", "transport not supported")
		a.Plain = true
		return a
	}
	if len(body) > MaxBody {
		return fail(http.StatusRequestEntityTooLarge, "", fmt.Sprintf("the request body has %d bytes; the limit is %d", len(body), MaxBody))
	}
	var p params
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&p); err != nil {
		return fail(http.StatusBadRequest, "", fmt.Sprintf("json request body could not be decoded: %v body:%s", err, body[:min(len(body), maxEcho)]))
	}
	return s.execute(ctx, &p, false)
}

// Get answers a GET; variables is JSON, or empty. It does not change anything: a link that
// somebody follows must not.
func (s *Server) Get(ctx context.Context, query, operationName, variables string) Answer {
	p := params{Query: query, OperationName: operationName}
	if variables != "" {
		if err := json.Unmarshal([]byte(variables), &p.Variables); err != nil {
			return fail(http.StatusBadRequest, "", fmt.Sprintf("variables could not be decoded: %v", err))
		}
	}
	return s.execute(ctx, &p, true)
}

// fail is the answer to a request of which nothing was executed.
func fail(status int, code, text string) Answer {
	return failures(status, []complaint{{Message: text, Extensions: extensionsOf(code)}})
}

func failures(status int, all []complaint) Answer {
	return Answer{Status: status, Body: encode(all, nil, nil)}
}

// encode writes an answer; data is JSON, or nil for null.
func encode(errs []complaint, data json.RawMessage, extensions map[string]any) []byte {
	out := make([]byte, 0, len(data)+256)
	out = append(out, '{')
	if len(errs) > 0 {
		out = append(mustJSON(append(out, `"errors":`...), errs), ',')
	}
	out = append(out, `"data":`...)
	if data == nil {
		data = json.RawMessage("null")
	}
	out = append(out, data...)
	if len(extensions) > 0 {
		out = mustJSON(append(out, `,"extensions":`...), extensions)
	}
	return append(out, '}')
}

// mustJSON appends what can always be encoded.
func mustJSON(dst []byte, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("gql: %v", err))
	}
	return append(dst, b...)
}
