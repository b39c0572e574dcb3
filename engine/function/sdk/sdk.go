// Package sdk holds what SDKs send when an app registers (spec 01 §5.3, §6.1),
// and reads it with the reference's tolerance: keys in any case, several forms
// of one setting. The names of its types are part of the protocol, since they
// occur in the texts of decode errors.
//
// What does not live here: the rules that a function must keep (package function).
package sdk

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// RegisterRequest is the body of POST /fn/register.
type RegisterRequest struct {
	V              string          `json:"v"`
	DeployType     string          `json:"deployType"`
	URL            string          `json:"url"`
	SDK            string          `json:"sdk"`
	Framework      string          `json:"framework"`
	AppName        string          `json:"appName"`
	AppVersion     string          `json:"appVersion,omitempty"`
	Functions      []SDKFunction   `json:"functions"`
	Headers        json.RawMessage `json:"headers,omitempty"`
	IdempotencyKey string          `json:"idempotencyKey,omitempty"`
	Capabilities   json.RawMessage `json:"capabilities,omitempty"`
	// FeatureObservations are telemetry: read so that they do not change the
	// checksum, and otherwise ignored (spec 01 §5.14).
	FeatureObservations json.RawMessage `json:"featureObservations,omitempty"`
}

// Checksum identifies the content: hex SHA-256 of the request without feature observations.
func (r *RegisterRequest) Checksum() (string, error) {
	c := *r
	c.FeatureObservations = nil
	b, err := json.Marshal(&c)
	if err != nil {
		return "", fmt.Errorf("checksum of the registration: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Connects reports whether the app's functions are reached over Connect (spec 05 §5.7.3).
func (r *RegisterRequest) Connects() bool {
	if r.DeployType != "connect" {
		return false
	}
	var capabilities struct {
		Connect string `json:"connect"`
	}
	return json.Unmarshal(r.Capabilities, &capabilities) == nil && capabilities.Connect == "v1"
}

// Platform is where the app says it runs ("vercel", …); empty if it does not.
func (r *RegisterRequest) Platform() string {
	var headers struct {
		Platform string `json:"platform"`
	}
	if json.Unmarshal(r.Headers, &headers) != nil {
		return ""
	}
	return headers.Platform
}

// SDKFunction is one element of `functions`.
type SDKFunction struct {
	Name        string          `json:"name"`
	Slug        string          `json:"id"`
	Priority    *Priority       `json:"priority,omitempty"`
	Timeouts    *Timeouts       `json:"timeouts,omitempty"`
	Concurrency *Concurrency    `json:"concurrency,omitempty"`
	Debounce    *Debounce       `json:"debounce,omitempty"`
	Triggers    []Trigger       `json:"triggers"`
	Batch       *Batch          `json:"batchEvents,omitempty"`
	RateLimit   *RateLimit      `json:"rateLimit,omitempty"`
	Idempotency *string         `json:"idempotency,omitempty"`
	Throttle    *Throttle       `json:"throttle,omitempty"`
	Cancel      []Cancel        `json:"cancel,omitempty"`
	Singleton   *Singleton      `json:"singleton,omitempty"`
	Checkpoint  json.RawMessage `json:"checkpoint,omitempty"`
	// Retries is the Go SDK's place for what others put into the step.
	Retries *int               `json:"retries,omitempty"`
	Steps   map[string]SDKStep `json:"steps"`
}

// SDKStep says where and how often a function is called.
type SDKStep struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Runtime map[string]any `json:"runtime"`
	Retries *StepRetries   `json:"retries,omitempty"`
}

// URL is the address to call; empty if there is none.
func (s *SDKStep) URL() string {
	url, _ := s.Runtime["url"].(string)
	return url
}

// SetURL replaces the address to call.
func (s *SDKStep) SetURL(url string) {
	if s.Runtime == nil {
		s.Runtime = map[string]any{}
	}
	s.Runtime["url"] = url
}

// StepRetries counts the attempts after the first one.
type StepRetries struct {
	Attempts int `json:"attempts"`
}

// Trigger starts a function, by event or by schedule. Pointers tell an empty
// name from none.
type Trigger struct {
	Event      *string `json:"event,omitempty"`
	Expression *string `json:"expression,omitempty"`
	Cron       *string `json:"cron,omitempty"`
	Jitter     *string `json:"jitter,omitempty"`
}

// Priority orders runs of one function.
type Priority struct {
	Run *string `json:"run"`
}

// Timeouts bound a run; durations as text.
type Timeouts struct {
	Start  *string `json:"start,omitempty"`
	Finish *string `json:"finish,omitempty"`
}

// Debounce is the debounce setting; durations as text.
type Debounce struct {
	Key     *string `json:"key,omitempty"`
	Period  string  `json:"period"`
	Timeout *string `json:"timeout,omitempty"`
}

// Batch is the batching setting; the timeout is in Go's duration form only.
type Batch struct {
	Key     *string `json:"key,omitempty"`
	MaxSize int     `json:"maxSize"`
	Timeout string  `json:"timeout"`
	If      *string `json:"if,omitempty"`
}

// RateLimit drops run starts above the limit.
type RateLimit struct {
	Limit  uint    `json:"limit"`
	Period string  `json:"period"`
	Key    *string `json:"key,omitempty"`
}

// Cancel is one event that cancels runs.
type Cancel struct {
	Event   string  `json:"event"`
	Timeout *string `json:"timeout,omitempty"`
	If      *string `json:"if,omitempty"`
}
