package api

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/valyala/fasthttp"
	"google.golang.org/protobuf/encoding/protowire"
)

// maxTraceBody bounds an export of traces (spec 02 §6.8).
const maxTraceBody = 8 << 20

const contentTypeProtobuf = "application/x-protobuf"

// userlandTraces takes the spans of extended traces from SDKs, in OTLP. They are
// checked and acknowledged but not kept yet: traces belong to the read model. An
// answer that rejects them would only fill the app's log.
func (s *Server) userlandTraces(ctx *fasthttp.RequestCtx, _ params) {
	isJSON := strings.Contains(string(ctx.Request.Header.ContentType()), "json")
	body := ctx.PostBody()
	switch {
	case len(body) > maxTraceBody:
		otlpReply(ctx, isJSON, fasthttp.StatusRequestEntityTooLarge, "Request body too large")
	case isJSON && !jsonExport(body), !isJSON && !protobufMessage(body):
		otlpReply(ctx, isJSON, fasthttp.StatusBadRequest, "Invalid payload")
	default:
		otlpReply(ctx, isJSON, fasthttp.StatusOK, "")
	}
}

// devTraces is where the reference's server sends its own spans. Nobody else
// calls it; SDKs of old versions may.
func (s *Server) devTraces(ctx *fasthttp.RequestCtx, _ params) {
	contentType := string(ctx.Request.Header.ContentType())
	body := ctx.PostBody()
	switch {
	case contentType != contentTypeJSON && contentType != contentTypeProtobuf:
		publicErr(ctx, fasthttp.StatusBadRequest, "", "unable to handle unknown content type for traces: "+contentType)
	case len(body) > maxTraceBody:
		publicErr(ctx, fasthttp.StatusRequestEntityTooLarge, "", "Request body too large")
	case contentType == contentTypeJSON && !jsonExport(body), contentType == contentTypeProtobuf && !protobufMessage(body):
		publicErr(ctx, fasthttp.StatusBadRequest, "", "unable to decode traces")
	}
}

// otlpReply answers in the sender's encoding: an empty export response, or a
// google.rpc.Status with text as its message.
func otlpReply(ctx *fasthttp.RequestCtx, isJSON bool, status int, text string) {
	ctx.SetStatusCode(status)
	if isJSON {
		body := []byte("{}")
		if text != "" {
			body, _ = json.Marshal(struct { // strings always encode
				Message string `json:"message"`
			}{text})
		}
		ctx.SetContentType(contentTypeJSON)
		ctx.SetBody(body)
		return
	}
	ctx.SetContentType(contentTypeProtobuf)
	if text != "" {
		const messageField = 2
		body := protowire.AppendTag(nil, messageField, protowire.BytesType)
		ctx.SetBody(protowire.AppendString(body, text))
	}
}

// jsonExport reports whether body can be an ExportTraceServiceRequest in JSON.
func jsonExport(body []byte) bool {
	var export struct {
		ResourceSpans []struct {
			ScopeSpans []struct {
				Spans []map[string]json.RawMessage `json:"spans"`
			} `json:"scopeSpans"`
		} `json:"resourceSpans"`
	}
	return json.Unmarshal(bytes.TrimSpace(body), &export) == nil
}

// protobufMessage reports whether body is made of whole protobuf fields.
func protobufMessage(body []byte) bool {
	for len(body) > 0 {
		_, _, n := protowire.ConsumeField(body)
		if n < 0 {
			return false
		}
		body = body[n:]
	}
	return true
}
