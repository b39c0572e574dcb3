package api

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// Limits of metadata (spec 02 §6.4).
const (
	maxMetadataKind  = 128
	maxMetadataSpan  = 64 << 10
	maxMetadataBody  = 1 << 20
	maxScoreName     = 128
	metadataPrefix   = "inngest."
	userlandPrefix   = "userland."
	scoreKind        = "inngest.score"
	metadataTooLarge = "Metadata span exceeds maximum size of 64KB"
)

// metadataKinds are the kinds of the reserved prefix that SDKs may send.
var metadataKinds = map[string]bool{
	"inngest.ai": true, "inngest.http": true, "inngest.http.timing": true, "inngest.response_headers": true,
	"inngest.warnings": true, "inngest.experiment": true, scoreKind: true,
}

// metadataJSON is the body of POST /v1/runs/{id}/metadata.
type metadataJSON struct {
	Target struct {
		StepID      *string `json:"step_id"`
		StepIndex   *int    `json:"step_index"`
		StepAttempt *int    `json:"step_attempt"`
		SpanID      *string `json:"span_id"`
	} `json:"target"`
	Metadata []metadataUpdate `json:"metadata"`
}

type metadataUpdate struct {
	Kind   string                     `json:"kind"`
	Op     metadataOp                 `json:"op"`
	Values map[string]json.RawMessage `json:"values"`
}

// metadataOp is how values join those that are there; "" counts as merge.
type metadataOp string

func (o *metadataOp) UnmarshalText(b []byte) error {
	switch string(b) {
	case "merge", "set", "delete", "add":
		*o = metadataOp(b)
		return nil
	}
	return fmt.Errorf("unknown op %q", b)
}

// runMetadata checks an SDK's metadata for a run and acknowledges it. It is not
// kept yet: metadata belongs to the read model, which the engine's state is not.
func (s *Server) runMetadata(ctx *fasthttp.RequestCtx, p params) {
	id := p.get("runID")
	if _, err := ulid.ParseStrict(id); err != nil {
		publicErr(ctx, fasthttp.StatusBadRequest, "", "Invalid run ID: "+id)
		return
	}
	body := ctx.PostBody()
	if len(body) > maxMetadataBody {
		publicErr(ctx, fasthttp.StatusRequestEntityTooLarge, "", "Cumulative metadata size exceeds limit")
		return
	}
	var in metadataJSON
	if err := json.Unmarshal(body, &in); err != nil || !in.targetValid() {
		publicErr(ctx, fasthttp.StatusBadRequest, "", "Invalid metadata target")
		return
	}
	for i := range in.Metadata {
		m := &in.Metadata[i]
		if !m.valid() {
			publicErr(ctx, fasthttp.StatusBadRequest, "", "Invalid metadata")
			return
		}
		if m.bytes() > maxMetadataSpan {
			publicErr(ctx, fasthttp.StatusRequestEntityTooLarge, "", metadataTooLarge)
			return
		}
	}
	ctx.SetContentType(contentTypeJSON)
}

// targetValid reports whether what narrows a step down comes with a step.
func (m *metadataJSON) targetValid() bool {
	t := &m.Target
	return t.StepID != nil || t.StepIndex == nil && t.StepAttempt == nil && t.SpanID == nil
}

func (m *metadataUpdate) valid() bool {
	switch {
	case m.Kind == "" || len(m.Kind) > maxMetadataKind:
		return false
	case strings.HasPrefix(m.Kind, metadataPrefix):
		return metadataKinds[m.Kind] && (m.Kind != scoreKind || m.scoresValid())
	}
	return strings.HasPrefix(m.Kind, userlandPrefix)
}

// scoresValid checks `{"<name>":{"value":<finite number or boolean>}}` (spec 03 §19.2).
func (m *metadataUpdate) scoresValid() bool {
	for name, raw := range m.Values {
		if name == "" || len(name) > maxScoreName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\'' }) {
			return false
		}
		var score struct {
			Value any `json:"value"`
		}
		if json.Unmarshal(raw, &score) != nil {
			return m.Op == "delete"
		}
		switch v := score.Value.(type) {
		case bool:
		case float64:
			if math.IsInf(v, 0) || math.IsNaN(v) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// bytes is the size that counts for the limit of one span.
func (m *metadataUpdate) bytes() int {
	n := len(m.Kind)
	for name, raw := range m.Values {
		n += len(name) + len(raw)
	}
	return n
}
