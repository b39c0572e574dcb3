package api

import (
	"encoding/json"
	"time"

	"github.com/valyala/fasthttp"
)

// Names and values of headers, in canonical form. They are bytes where fasthttp
// takes bytes, so that setting them does not allocate.
var (
	headerServerKind = []byte("X-Inngest-Server-Kind")
	kindDev          = []byte(ModeDev)
	kindStart        = []byte(ModeStart)
)

const (
	headerAllow       = "Allow"
	headerNoSniff     = "X-Content-Type-Options"
	headerRetryAfter  = "Retry-After"
	contentTypeJSON   = "application/json"
	contentTypeText   = "text/plain; charset=utf-8"
	contentTypeHTML   = "text/html; charset=utf-8"
	notFoundText      = "404 page not found\n"
	authFailedText    = "Authentication failed\n"
	retryAfterSeconds = "1"
)

func kindValue(m Mode) []byte {
	if m == ModeStart {
		return kindStart
	}
	return kindDev
}

// errorBody is the public error envelope (spec 02 §2.4). Field order is part of it.
type errorBody struct {
	Code   string `json:"code,omitempty"`
	Error  string `json:"error"`
	Data   any    `json:"data"`
	Status int    `json:"status"`
}

// publicErr answers with the public error envelope; code may be empty.
func publicErr(ctx *fasthttp.RequestCtx, status int, code, text string) {
	publicErrData(ctx, status, code, text, nil)
}

// publicErrData is publicErr with the envelope's data, an object or nil.
func publicErrData(ctx *fasthttp.RequestCtx, status int, code, text string, data any) {
	writeJSON(ctx, status, errorBody{Code: code, Error: text, Data: data, Status: status})
}

// internalErr logs err and answers 500 without telling it.
func (s *Server) internalErr(ctx *fasthttp.RequestCtx, text string, err error) {
	s.log.Error("a request failed", "method", string(ctx.Method()), "path", string(ctx.Path()), "error", err)
	publicErr(ctx, fasthttp.StatusInternalServerError, "", text)
}

// successBody is the success envelope of /v1 (spec 02 §2.5).
type successBody struct {
	Data     any          `json:"data"`
	Metadata bodyMetadata `json:"metadata"`
}

type bodyMetadata struct {
	FetchedAt time.Time `json:"fetched_at"`
}

// success answers 200 with data in the envelope of /v1.
func success(ctx *fasthttp.RequestCtx, data any) {
	writeJSON(ctx, fasthttp.StatusOK, successBody{Data: data, Metadata: bodyMetadata{FetchedAt: time.Now().UTC()}})
}

// writeJSON answers with v as JSON and a final newline. v must be encodable.
func writeJSON(ctx *fasthttp.RequestCtx, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // Only a bug can bring an unencodable value here; the handler's recover answers 500.
	}
	ctx.SetStatusCode(status)
	ctx.SetContentType(contentTypeJSON)
	ctx.SetBody(append(b, '\n'))
}

// textErr answers with plain text, in the form of Go's http.Error.
func textErr(ctx *fasthttp.RequestCtx, status int, text string) {
	ctx.SetStatusCode(status)
	ctx.SetContentType(contentTypeText)
	ctx.Response.Header.Set(headerNoSniff, "nosniff")
	ctx.SetBodyString(text)
}

func notFound(ctx *fasthttp.RequestCtx) { textErr(ctx, fasthttp.StatusNotFound, notFoundText) }
