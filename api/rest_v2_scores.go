package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// maxScores bounds the scores of one request.
const maxScores = 100

// v2Score is a score in a request (spec 02 §8.6).
type v2Score struct {
	Name       string          `json:"name"`
	Value      json.RawMessage `json:"value"`
	StepID     string          `json:"stepId"`
	Experiment *struct {
		ID      string `json:"id"`
		Variant string `json:"variant"`
	} `json:"experiment"`
}

type v2ScoreJSON struct {
	Name   string          `json:"name"`
	RunID  ulid.ULID       `json:"runId"`
	StepID string          `json:"stepId,omitempty"`
	Value  json.RawMessage `json:"value"`
}

// v2Scores stores scores of a run as metadata. Whether there is such a run is not looked at.
func (s *Server) v2Scores(ctx context.Context, req *fasthttp.RequestCtx, p params) (v2Answer, error) {
	id, err := v2ID(p, "run_id", "Run")
	if err != nil {
		return v2Answer{}, err
	}
	scores, err := v2ReadScores(req.PostBody())
	if err != nil {
		return v2Answer{}, err
	}
	var records []engine.Lifecycle
	var out []v2ScoreJSON
	now := time.Now().UnixMilli()
	for i := range scores {
		sc := &scores[i]
		records = append(records, sc.record(id, now))
		out = append(out, v2ScoreJSON{Name: sc.Name, RunID: id, StepID: sc.StepID, Value: sc.Value})
	}
	if err := s.appendRecords(ctx, id, records); err != nil {
		return v2Answer{}, v2MetadataError(err)
	}
	return v2Answer{data: out}, nil
}

func v2MetadataError(err error) error {
	if refused, ok := err.(*restError); ok { //nolint:errorlint // it comes unwrapped
		return v2Fault(refused.status, "invalid_request", refused.text)
	}
	return err
}

// v2ReadScores reads and checks the body, a bare array.
func v2ReadScores(body []byte) ([]v2Score, error) {
	if len(body) > maxMetadataBody {
		return nil, v2Fault(fasthttp.StatusRequestEntityTooLarge, "invalid_request", fmt.Sprintf("Request body cannot exceed %d bytes", maxMetadataBody))
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, v2Fault(fasthttp.StatusBadRequest, v2APIError, err.Error()) // as recorded
	}
	switch {
	case len(raw) == 0:
		return nil, v2Invalid("At least one score is required")
	case len(raw) > maxScores:
		return nil, v2Invalid(fmt.Sprintf("At most %d scores are allowed", maxScores))
	}
	scores := make([]v2Score, len(raw))
	for i, r := range raw {
		d := json.NewDecoder(bytes.NewReader(r))
		d.DisallowUnknownFields()
		if err := d.Decode(&scores[i]); err != nil {
			return nil, v2Fault(fasthttp.StatusBadRequest, v2APIError, v2TypeText(fmt.Sprintf("scores[%d]", i), err))
		}
		if text := scores[i].fault(); text != "" {
			return nil, v2Invalid(fmt.Sprintf("scores[%d]: %s", i, text))
		}
	}
	return scores, nil
}

// fault is what is wrong with a score; empty if nothing is (spec 03 §19.2).
func (sc *v2Score) fault() string {
	var value any
	valid := json.Unmarshal(sc.Value, &value) == nil
	switch v := value.(type) {
	case bool:
	case float64:
		valid = valid && !math.IsInf(v, 0) && !math.IsNaN(v)
	default:
		valid = false
	}
	switch e := sc.Experiment; {
	case sc.Name == "":
		return "Score name is required"
	case !scoreName(sc.Name):
		return fmt.Sprintf("Score name cannot exceed %d bytes nor have control characters or single quotes", maxScoreName)
	case !valid:
		return "Score value must be a finite number or boolean"
	case e != nil && sc.StepID != "":
		return "stepId and experiment are mutually exclusive"
	case e != nil && (e.ID == "" || e.Variant == "" || len(e.ID) > maxScoreName || len(e.Variant) > maxScoreName):
		return fmt.Sprintf("experiment needs an id and a variant of up to %d bytes", maxScoreName)
	}
	return ""
}

func scoreName(name string) bool {
	return name != "" && len(name) <= maxScoreName &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\'' })
}

// record is the score as metadata of the run or of a step of it.
func (sc *v2Score) record(run ulid.ULID, now int64) engine.Lifecycle {
	value := map[string]any{"value": sc.Value}
	if sc.Experiment != nil {
		value["experiment"] = map[string]string{"id": sc.Experiment.ID, "variant": sc.Experiment.Variant}
	}
	u := storedUpdate{Scope: "run", Kind: scoreKind, Op: "merge", Values: map[string]any{sc.Name: value}}
	l := engine.Lifecycle{Kind: engine.StepMetadata, At: now, Run: run, Attempt: -1}
	if sc.StepID != "" {
		u.Scope, l.Step = "step", hashStep(sc.StepID, 0)
	}
	l.Payload = u.payload()
	return l
}
