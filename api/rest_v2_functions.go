package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/engine/function/sdk"
	"ingot/internal/timefmt"
)

// v2FunctionJSON is a function of the REST API v2 (spec 02 §8.5).
type v2FunctionJSON struct {
	App            v2Ref           `json:"app"`
	Configuration  v2Configuration `json:"configuration"`
	FailureHandler *v2Handlers     `json:"failureHandler,omitempty"`
	ID             string          `json:"id"`
	IsArchived     bool            `json:"isArchived,omitempty"`
	IsPaused       bool            `json:"isPaused,omitempty"`
	Name           string          `json:"name"`
	Slug           string          `json:"slug"`
	Triggers       []v2Trigger     `json:"triggers,omitempty"`
}

type v2Ref struct {
	ID string `json:"id"`
}

type v2Handlers struct {
	Name string `json:"name"`
	Slug string `json:"slug"`
}

type v2Trigger struct {
	If    string `json:"if,omitempty"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

type v2Configuration struct {
	Cancellations []v2Cancellation `json:"cancellations,omitempty"`
	Concurrency   []v2Concurrency  `json:"concurrency"`
	Debounce      *v2Limit         `json:"debounce,omitempty"`
	EventsBatch   *v2Batch         `json:"eventsBatch,omitempty"`
	Priority      string           `json:"priority,omitempty"`
	RateLimit     *v2Limit         `json:"rateLimit,omitempty"`
	Retries       v2Retries        `json:"retries"`
	Singleton     *v2Singleton     `json:"singleton,omitempty"`
	Throttle      *v2Limit         `json:"throttle,omitempty"`
}

type v2Cancellation struct {
	Condition string `json:"condition,omitempty"`
	Event     string `json:"event"`
	Timeout   string `json:"timeout,omitempty"`
}

type v2Concurrency struct {
	Key   string       `json:"key,omitempty"`
	Limit v2LimitValue `json:"limit"`
	Scope string       `json:"scope"`
}

type v2LimitValue struct {
	IsPlanLimit bool `json:"isPlanLimit"`
	Value       int  `json:"value,omitempty"`
}

// v2Limit is a debounce, rate limit or throttle; which fields it has depends on that.
type v2Limit struct {
	Burst  uint   `json:"burst,omitempty"`
	Key    string `json:"key,omitempty"`
	Limit  uint   `json:"limit,omitempty"`
	Period string `json:"period"`
}

type v2Batch struct {
	Key     string `json:"key,omitempty"`
	MaxSize int    `json:"maxSize,omitempty"`
	Timeout string `json:"timeout,omitempty"`
}

type v2Retries struct {
	IsDefault bool `json:"isDefault"`
	Value     int  `json:"value,omitempty"`
}

type v2Singleton struct {
	Key  string `json:"key,omitempty"`
	Mode string `json:"mode"`
}

func (s *Server) v2FunctionOf(ctx context.Context, snapshot *engine.Snapshot, f *function.Function) (v2FunctionJSON, error) {
	var d function.Definition
	if err := json.Unmarshal(f.Config, &d); err != nil {
		return v2FunctionJSON{}, fmt.Errorf("the configuration of function %s: %w", f.ID, err)
	}
	slug := v2Slug(f)
	out := v2FunctionJSON{
		App: v2Ref{f.AppName}, ID: slug, Name: f.Name, Slug: slug, Configuration: v2ConfigurationOf(f, &d),
	}
	// SDKs register the handler of a function's failures as a function of its own.
	if h := snapshot.BySlug[f.Slug+"-failure"]; h != nil && h.AppID == f.AppID {
		out.FailureHandler = &v2Handlers{Name: h.Name, Slug: v2Slug(h)}
	}
	for _, t := range d.Triggers {
		switch {
		case t.Event != nil:
			out.Triggers = append(out.Triggers, v2Trigger{If: deref(t.Expression), Type: "EVENT", Value: *t.Event})
		case t.Cron != nil:
			out.Triggers = append(out.Triggers, v2Trigger{Type: "CRON", Value: *t.Cron})
		}
	}
	if s.opts.Operator == nil {
		return out, nil
	}
	mode, err := s.opts.Operator.Mode(ctx, f.ID)
	out.IsPaused = mode == engine.ModePaused
	return out, err //nolint:wrapcheck // the caller logs it with the path
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func v2ConfigurationOf(f *function.Function, d *function.Definition) v2Configuration {
	out := v2Configuration{
		Concurrency: v2ConcurrencyOf(f),
		Retries:     v2Retries{IsDefault: f.MaxAttempts-1 == function.DefaultRetries, Value: f.MaxAttempts - 1},
	}
	for _, c := range d.Cancel {
		out.Cancellations = append(out.Cancellations, v2Cancellation{Condition: deref(c.If), Event: c.Event, Timeout: deref(c.Timeout)})
	}
	if d.Debounce != nil {
		out.Debounce = &v2Limit{Key: deref(d.Debounce.Key), Period: d.Debounce.Period}
	}
	if b := d.Batch; b != nil {
		out.EventsBatch = &v2Batch{Key: deref(b.Key), MaxSize: b.MaxSize, Timeout: b.Timeout}
	}
	if d.Priority != nil {
		out.Priority = deref(d.Priority.Run)
	}
	if r := d.RateLimit; r != nil {
		out.RateLimit = &v2Limit{Key: deref(r.Key), Limit: r.Limit, Period: r.Period}
	}
	if d.Singleton != nil {
		out.Singleton = &v2Singleton{Key: deref(d.Singleton.Key), Mode: strings.ToUpper(string(d.Singleton.Mode))}
	}
	if t := d.Throttle; t != nil {
		out.Throttle = &v2Limit{Burst: t.Burst, Key: deref(t.Key), Limit: t.Limit, Period: throttlePeriod(t)}
	}
	return out
}

// throttlePeriod is in Go's form, unlike other periods, as recorded.
func throttlePeriod(t *sdk.Throttle) string {
	if d, err := timefmt.ParseDuration(t.Period); err == nil {
		return d.String()
	}
	return t.Period
}

var v2Scopes = map[function.Scope]string{
	function.ScopeFunction: "FUNCTION", function.ScopeEnv: "ENVIRONMENT", function.ScopeAccount: "ACCOUNT",
}

// v2ConcurrencyOf lists the limits on steps; without one, the account's, which is none.
func v2ConcurrencyOf(f *function.Function) (out []v2Concurrency) {
	for _, c := range f.Concurrency {
		l := v2Concurrency{Limit: v2LimitValue{Value: c.Limit}, Scope: v2Scopes[c.Scope]}
		if c.Key != nil {
			l.Key = c.Key.Source()
		}
		out = append(out, l)
	}
	if out == nil {
		out = []v2Concurrency{{Limit: v2LimitValue{IsPlanLimit: true, Value: -1}, Scope: "ACCOUNT"}}
	}
	return out
}
