package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
	"google.golang.org/protobuf/encoding/protowire"
)

// maxTraceBody bounds an export of traces (spec 02 §6.8).
const maxTraceBody = 8 << 20

const contentTypeProtobuf = "application/x-protobuf"

// userlandTraces keeps the spans of extended traces that SDKs export, in OTLP. Spans that
// name no run of a known function are rejected, as are those that are too many for a run.
func (s *Server) userlandTraces(ctx *fasthttp.RequestCtx, _ params) {
	isJSON := strings.Contains(string(ctx.Request.Header.ContentType()), "json")
	body := ctx.PostBody()
	if len(body) > maxTraceBody {
		otlpReply(ctx, isJSON, fasthttp.StatusRequestEntityTooLarge, "Request body too large")
		return
	}
	decode := decodeOTLP
	if isJSON {
		decode = decodeOTLPJSON
	}
	spans, err := decode(body)
	if err != nil {
		otlpReply(ctx, isJSON, fasthttp.StatusBadRequest, "Invalid payload")
		return
	}
	rejected, err := s.keepSpans(spans)
	if err != nil {
		s.log.Warn("spans of user code could not be kept", "error", err)
		ctx.Response.Header.Set(headerRetryAfter, retryAfterSeconds)
		otlpReply(ctx, isJSON, fasthttp.StatusServiceUnavailable, "The spans cannot be kept now")
		return
	}
	otlpAccepted(ctx, isJSON, rejected)
}

// keepSpans adds spans to the history and returns how many were rejected.
func (s *Server) keepSpans(spans []otlpSpan) (rejected int, err error) {
	if len(spans) == 0 || s.opts.Catalog == nil {
		return 0, nil
	}
	byRun, rejected := s.spanRecords(spans)
	wait, cancel := context.WithTimeout(context.Background(), restTimeout)
	defer cancel()
	for run, records := range byRun {
		err := s.appendRecords(wait, run, records)
		var full *restError
		switch {
		case errors.As(err, &full):
			rejected += len(records)
		case err != nil:
			return rejected, err
		}
	}
	return rejected, nil
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

// otlpAccepted answers with an export response: in the sender's encoding, compressed if the
// sender takes that.
func otlpAccepted(ctx *fasthttp.RequestCtx, isJSON bool, rejected int) {
	body, contentType := []byte("{}"), contentTypeJSON
	switch {
	case !isJSON && rejected == 0:
		body, contentType = nil, contentTypeProtobuf
	case !isJSON:
		const partialField, rejectedField = 1, 1
		partial := protowire.AppendVarint(protowire.AppendTag(nil, rejectedField, protowire.VarintType), uint64(rejected))
		body = protowire.AppendBytes(protowire.AppendTag(nil, partialField, protowire.BytesType), partial)
		contentType = contentTypeProtobuf
	case rejected > 0:
		body = []byte(`{"partialSuccess":{"rejectedSpans":"` + strconv.Itoa(rejected) + `"}}`)
	}
	ctx.SetContentType(contentType)
	if !ctx.Request.Header.HasAcceptEncoding("gzip") {
		ctx.SetBody(body)
		return
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body) // a buffer takes everything
	_ = z.Close()
	ctx.Response.Header.Set(fasthttp.HeaderContentEncoding, "gzip")
	ctx.SetBody(b.Bytes())
}

// otlpReply answers an error in the sender's encoding: a google.rpc.Status with text as
// its message.
func otlpReply(ctx *fasthttp.RequestCtx, isJSON bool, status int, text string) {
	ctx.SetStatusCode(status)
	if isJSON {
		body, _ := json.Marshal(struct { // strings always encode
			Message string `json:"message"`
		}{text})
		ctx.SetContentType(contentTypeJSON)
		ctx.SetBody(body)
		return
	}
	ctx.SetContentType(contentTypeProtobuf)
	const messageField = 2
	body := protowire.AppendTag(nil, messageField, protowire.BytesType)
	ctx.SetBody(protowire.AppendString(body, text))
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
