package function

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"ingot/engine/function/sdk"
	"ingot/internal/ids"
)

// Definition is the normalised configuration of a function. Its JSON is what is
// stored, and what the APIs show (spec 03 §6).
type Definition struct {
	ID          string           `json:"id"`
	Version     int              `json:"fv"`
	Name        string           `json:"name"`
	Slug        string           `json:"slug"`
	Priority    *sdk.Priority    `json:"priority,omitempty"`
	Timeouts    *sdk.Timeouts    `json:"timeouts,omitempty"`
	Concurrency *sdk.Concurrency `json:"concurrency,omitempty"`
	Debounce    *sdk.Debounce    `json:"debounce,omitempty"`
	Triggers    []sdk.Trigger    `json:"triggers"`
	Batch       *sdk.Batch       `json:"batchEvents,omitempty"`
	RateLimit   *sdk.RateLimit   `json:"rateLimit,omitempty"`
	Throttle    *sdk.Throttle    `json:"throttle,omitempty"`
	Cancel      []sdk.Cancel     `json:"cancel,omitempty"`
	Singleton   *sdk.Singleton   `json:"singleton,omitempty"`
	Checkpoint  *Checkpoint      `json:"checkpoint,omitempty"`
	Steps       []Step           `json:"steps"`
}

// Step is where a function is called.
type Step struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	URI  string `json:"uri"`
	// Retries counts attempts after the first; nil is DefaultRetries.
	Retries *int `json:"retries,omitempty"`
}

// Checkpoint is kept for display; only the SDK acts on it (spec 01 §6.13).
type Checkpoint struct {
	BatchSteps    int    `json:"batch_steps,omitempty"`
	BatchInterval string `json:"batch_interval,omitempty"`
	MaxRuntime    string `json:"max_runtime,omitempty"`
}

// Normalize brings what an SDK sent into the stored form. An error means that
// the function has no address to call, so that no other rule can be checked.
func Normalize(f *sdk.SDKFunction) (*Definition, error) {
	d := &Definition{
		Name: f.Name, Slug: f.Slug, Priority: f.Priority, Timeouts: f.Timeouts, Concurrency: f.Concurrency,
		Debounce: f.Debounce, Triggers: f.Triggers, Batch: f.Batch, RateLimit: f.RateLimit, Throttle: f.Throttle,
		Cancel: f.Cancel, Singleton: f.Singleton, Checkpoint: parseCheckpoint(f.Checkpoint),
	}
	if d.Slug == "" {
		d.Slug = slugify(d.Name)
	}
	if f.Idempotency != nil {
		d.RateLimit = &sdk.RateLimit{Limit: 1, Period: IdempotencyPeriod.String(), Key: f.Idempotency}
	}
	for _, s := range f.Steps {
		step := Step{ID: s.ID, Name: s.Name, URI: s.URL()}
		if step.URI == "" {
			return nil, Error{Code: CodeConfig, Message: fmt.Sprintf("No SDK URL provided for function '%s'", d.Name)}
		}
		switch {
		case s.Retries != nil:
			step.Retries = new(min(s.Retries.Attempts, MaxRetries))
		case f.Retries != nil:
			step.Retries = new(min(*f.Retries, MaxRetries))
		}
		d.Steps = append(d.Steps, step)
	}
	return d, nil
}

// NewID is the function's id unless the function already has one: it depends on
// the name and on the address (spec 01 §1.3).
func (d *Definition) NewID() ids.UUID {
	return ids.UUIDv5([]byte(d.Name + d.uri()))
}

// uri is the address of the only step.
func (d *Definition) uri() string {
	if len(d.Steps) == 0 {
		return ""
	}
	return d.Steps[0].URI
}

// driver follows from the address' scheme.
func (d *Definition) driver() Driver {
	if u, err := url.Parse(d.uri()); err == nil && (u.Scheme == "ws" || u.Scheme == "wss") {
		return DriverConnect
	}
	return DriverHTTP
}

// NewSync defines the function behind a user's own HTTP endpoint (spec 01 §14.2):
// its slug is given, or made of method and path.
func NewSync(domain, method, path, slug string) *Definition {
	if slug == "" {
		slug = method + " " + path
	}
	return &Definition{
		Name: slug, Slug: slug, Triggers: []sdk.Trigger{},
		Steps: []Step{{ID: "step", Name: "step", URI: domain}},
	}
}

// slugify makes a slug of a display name: lower case, other characters than
// letters and digits as single dashes.
func slugify(name string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(name) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			dash = b.Len() > 0
			continue
		}
		if dash {
			b.WriteByte('-')
			dash = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// parseCheckpoint reads the setting where it has the known form. Other SDKs also
// send booleans; those say nothing to the server.
func parseCheckpoint(raw json.RawMessage) *Checkpoint {
	var in struct {
		BatchSteps    json.RawMessage `json:"batch_steps"`
		BatchInterval json.RawMessage `json:"batch_interval"`
		MaxRuntime    json.RawMessage `json:"max_runtime"`
	}
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &in) != nil {
		return nil
	}
	c := &Checkpoint{BatchInterval: looseDuration(in.BatchInterval), MaxRuntime: looseDuration(in.MaxRuntime)}
	if json.Unmarshal(in.BatchSteps, &c.BatchSteps) != nil {
		c.BatchSteps = 0
	}
	return c
}

// looseDuration reads a duration given as text or as a number of nanoseconds.
func looseDuration(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var ns int64
	if json.Unmarshal(raw, &ns) == nil {
		return time.Duration(ns).String()
	}
	return ""
}
