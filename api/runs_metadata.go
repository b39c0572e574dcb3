package api

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"ingot/engine"

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

	metadataCumulative = "Cumulative metadata size exceeds limit"
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

// runMetadata keeps what an SDK says about a run, a step or a span of user code.
func (s *Server) runMetadata(ctx *fasthttp.RequestCtx, p params) {
	id := p.get("runID")
	run, err := ulid.ParseStrict(id)
	if err != nil {
		publicErr(ctx, fasthttp.StatusBadRequest, "", "Invalid run ID: "+id)
		return
	}
	body := ctx.PostBody()
	if len(body) > maxMetadataBody {
		publicErr(ctx, fasthttp.StatusRequestEntityTooLarge, "", metadataCumulative)
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
	if len(in.Metadata) > 0 {
		wait, cancel := context.WithTimeout(context.Background(), restTimeout)
		defer cancel()
		if err := s.appendRecords(wait, run, []engine.Lifecycle{in.record(run)}); err != nil {
			s.restRefused(ctx, err)
			return
		}
	}
	ctx.SetContentType(contentTypeJSON)
}

// record is the metadata as the history keeps it (spec 02 §6.4).
func (m *metadataJSON) record(run ulid.ULID) engine.Lifecycle {
	l := engine.Lifecycle{Kind: engine.StepMetadata, At: time.Now().UnixMilli(), Run: run, Attempt: -1}
	scope, t := "run", &m.Target
	if t.StepID != nil {
		scope = "step"
		l.Step = hashStep(*t.StepID, or(t.StepIndex, 0))
		switch {
		case t.SpanID != nil && t.StepAttempt != nil:
			scope, l.Target = "extended_trace", *t.SpanID
		case t.SpanID == nil:
			l.Attempt = max(or(t.StepAttempt, -1), -1)
		}
	}
	updates := make([]storedUpdate, len(m.Metadata))
	for i := range m.Metadata {
		u := &m.Metadata[i]
		values := make(map[string]any, len(u.Values))
		for k, v := range u.Values {
			values[k] = v
		}
		updates[i] = storedUpdate{Scope: scope, Kind: u.Kind, Op: string(or(&u.Op, "merge")), Values: values}
	}
	l.Payload = updatesPayload(updates)
	return l
}

// or is what p points to, or def if that is nothing.
func or[T comparable](p *T, def T) T {
	var zero T
	if p == nil || *p == zero {
		return def
	}
	return *p
}

// hashStep is the id of a step by what the user calls it: of the index-th one with that
// id (spec 03 §19.2).
func hashStep(id string, index int) string {
	if index > 0 {
		id += ":" + strconv.Itoa(index)
	}
	sum := sha1.Sum([]byte(id))
	return hex.EncodeToString(sum[:])
}

// storedUpdate is an element of the payload of a record of kind engine.StepMetadata.
type storedUpdate struct {
	Scope  string         `json:"scope"`
	Kind   string         `json:"kind"`
	Op     string         `json:"op"`
	Values map[string]any `json:"values"`
}

func (u storedUpdate) payload() []byte { return updatesPayload([]storedUpdate{u}) }

func updatesPayload(list []storedUpdate) []byte {
	b, err := json.Marshal(list)
	if err != nil {
		panic(err) // values are valid JSON or plain; the handler's recover answers 500
	}
	return b
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
		if !scoreName(name) {
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
