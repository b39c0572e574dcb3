package gql

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	Extensions    extensions     `json:"extensions"`
}

type extensions struct {
	PersistedQuery *persistedQuery `json:"persistedQuery"`
}

// maxEcho bounds what an error repeats of a body.
const maxEcho = 1 << 10

// Values are what the query string of a request's URL says: all of a GET.
type Values struct {
	Query, OperationName string
	// Variables and Extensions are JSON, or empty.
	Variables, Extensions string
}

// params reads the values; an error names the one that is wrong.
func (v *Values) params() (params, error) {
	p := params{Query: v.Query, OperationName: v.OperationName}
	if v.Variables != "" {
		if err := decodeExact([]byte(v.Variables), &p.Variables); err != nil {
			return p, fmt.Errorf("variables could not be decoded: %w", err)
		}
	}
	if v.Extensions != "" {
		if err := decodeExact([]byte(v.Extensions), &p.Extensions); err != nil {
			return p, fmt.Errorf("extensions could not be decoded: %w", err)
		}
	}
	return p, nil
}

// Post answers a POST: of JSON, or of application/graphql, whose body is the query and
// whose URL has the rest.
func (s *Server) Post(ctx context.Context, contentType string, body []byte, url Values) Answer {
	kind, _, _ := mime.ParseMediaType(contentType)
	switch kind {
	case "application/json", "application/graphql":
	case "multipart/form-data":
		return fail(http.StatusBadRequest, "", "transport not supported: nothing in the schema takes an Upload; send application/json")
	default:
		a := fail(http.StatusBadRequest, "", "transport not supported")
		a.Plain = true
		return a
	}
	if len(body) > MaxBody {
		return fail(http.StatusRequestEntityTooLarge, "", fmt.Sprintf("the request body has %d bytes; the limit is %d", len(body), MaxBody))
	}
	if kind == "application/graphql" {
		url.Query = string(body)
		return s.values(ctx, url, false)
	}
	var p params
	if err := decodeBody(body, &p); err != nil {
		return fail(http.StatusBadRequest, "", fmt.Sprintf("json request body could not be decoded: %v body:%s", err, body[:min(len(body), maxEcho)]))
	}
	return s.execute(ctx, &p, false)
}

// Get answers a GET. It does not change anything: a link that somebody follows must not.
func (s *Server) Get(ctx context.Context, url Values) Answer { return s.values(ctx, url, true) }

func (s *Server) values(ctx context.Context, v Values, readOnly bool) Answer {
	p, err := v.params()
	if err != nil {
		return fail(http.StatusBadRequest, "", err.Error())
	}
	return s.execute(ctx, &p, readOnly)
}

var errBatch = errors.New("it is a list, and one request has one operation")

func decodeBody(body []byte, p *params) error {
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		return errBatch
	}
	return decodeExact(body, p)
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
