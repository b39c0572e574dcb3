package function

import (
	"net/url"
	"time"

	"ingot/engine/expr"
	"ingot/engine/function/sdk"
	"ingot/internal/cron"
	"ingot/internal/timefmt"
)

// Bounds of durations (spec 01 §6).
const (
	IdempotencyPeriod = 24 * time.Hour
	MaxRatePeriod     = 24 * time.Hour
	MinDebounce       = time.Second
	MaxDebounce       = 7 * 24 * time.Hour
	MinBatchTimeout   = time.Second
	MinBatchSize      = 2
	MinJitter         = cron.MinJitter
	MaxJitter         = 5 * time.Minute
)

// Validate checks all rules and returns every broken one; nil if there is none.
func (d *Definition) Validate() Errors {
	var errs Errors
	if d.Name == "" {
		errs.add("A function name is required")
	}
	d.validateConcurrency(&errs)
	d.validateTriggers(&errs)
	d.validateSteps(&errs)
	d.validateBatch(&errs)
	if d.Priority != nil && d.Priority.Run != nil {
		if err := compiles(*d.Priority.Run); err != nil {
			errs.add("Priority.Run expression is invalid: %s", err)
		}
	}
	d.validateCancel(&errs)
	d.validateDebounce(&errs)
	d.validateRateLimit(&errs)
	return errs
}

func compiles(src string) error {
	_, err := expr.Compile(src)
	return err //nolint:wrapcheck // the text is part of the protocol
}

// given is the text of an optional setting; empty if absent.
func given(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (d *Definition) validateSteps(errs *Errors) {
	if len(d.Steps) != 1 {
		errs.add("Functions must contain one step")
	}
	for _, s := range d.Steps {
		if s.Name == "" {
			errs.add("All steps must have a name")
		}
		u, err := url.Parse(s.URI)
		if err != nil {
			errs.add("Steps must have a valid URI")
			continue
		}
		switch u.Scheme {
		case "http", "https", "ws", "wss":
		default:
			errs.add("Non-supported step schema: %s", u.Scheme)
		}
	}
}

func (d *Definition) validateConcurrency(errs *Errors) {
	if d.Concurrency == nil {
		return
	}
	if len(d.Concurrency.Step) > MaxConcurrency {
		errs.addCode(CodeConcurrency, "There are more concurrency limits specified than the allowed max of: %d", MaxConcurrency)
	}
	for _, c := range d.Concurrency.Step {
		key := given(c.Key)
		if key == "" {
			if c.Scope != "Fn" {
				errs.add("A concurrency key must be specified for %s scoped limits", c.Scope)
			}
			continue
		}
		if err := compiles(key); err != nil {
			errs.add("Invalid concurrency key '%s': %s", key, err)
		}
	}
	if len(d.Concurrency.Run) > 1 {
		errs.addCode(CodeConcurrency, "Only one function concurrency limit is allowed")
	}
	for _, c := range d.Concurrency.Run {
		switch c.Scope {
		case "", "fn", "Fn":
		case "app":
			errs.add("app-scoped function concurrency cannot be set by users")
		default:
			errs.add("invalid function concurrency scope: %s", c.Scope)
		}
		if c.Limit <= 0 {
			errs.add("function concurrency limit must be > 0")
		}
		if key := given(c.Key); key != "" {
			if err := compiles(key); err != nil {
				errs.add("invalid function concurrency key '%s': %s", key, err)
			}
		}
	}
}

func (d *Definition) validateBatch(errs *Errors) {
	b := d.Batch
	if b == nil {
		return
	}
	if b.MaxSize < MinBatchSize {
		errs.addCode(CodeBatchSize, "batch size cannot be smaller than %d: %d", MinBatchSize, b.MaxSize)
	}
	// The only setting in Go's own form: days and weeks are errors.
	if timeout, err := time.ParseDuration(b.Timeout); err != nil {
		errs.addCode(CodeBatchWait, "failed to parse time duration: %s", err)
	} else if timeout < MinBatchTimeout {
		errs.addCode(CodeBatchWait, "batch timeout should be more than 1s")
	}
	if key := given(b.Key); key != "" {
		if err := compiles(key); err != nil {
			errs.add("batch key expression is invalid: %s", err)
		}
	}
	if cond := given(b.If); cond != "" {
		if err := compiles(cond); err != nil {
			errs.add("conditional batch expression is invalid %s", err)
		}
	}
	if len(d.Cancel) > 0 {
		errs.addCode(CodeCombo, "Batching and cancellation are mutually exclusive")
	}
	if d.Debounce != nil {
		errs.addCode(CodeCombo, "Batching and debouncing are mutually exclusive")
	}
	if d.Singleton != nil {
		errs.addCode(CodeCombo, "Batching and singletons are mutually exclusive")
	}
	if d.Priority != nil && d.Priority.Run != nil {
		errs.add("A function cannot specify Priority.Run and Batch together")
	}
}

func (d *Definition) validateCancel(errs *Errors) {
	if len(d.Cancel) > MaxCancels {
		errs.add("This function exceeds the max number of cancellation events: %d", MaxCancels)
	}
	for _, c := range d.Cancel {
		if cond := given(c.If); cond != "" {
			if err := expr.ValidateRestricted(cond); err != nil {
				errs.add("Cancellation expression is invalid: %s", err)
			}
		}
	}
}

func (d *Definition) validateDebounce(errs *Errors) {
	b := d.Debounce
	if b == nil {
		return
	}
	if key := given(b.Key); key != "" {
		if err := compiles(key); err != nil {
			errs.add("Debounce expression is invalid: %s", err)
		}
	}
	period, err := timefmt.ParseDuration(b.Period)
	if err != nil {
		errs.add("The debounce period of '%s' is invalid: %s", b.Period, err)
	}
	if period < MinDebounce {
		errs.add("The debounce period of '%s' is less than the min of: %s", b.Period, MinDebounce)
	}
	if period > MaxDebounce {
		errs.add("The debounce period of '%s' is greater than the max of: %s", b.Period, MaxDebounce)
	}
}

func (d *Definition) validateRateLimit(errs *Errors) {
	r := d.RateLimit
	if r == nil {
		return
	}
	if r.Limit == 0 {
		errs.add("limit must be greater than 0")
	}
	if key := given(r.Key); key != "" {
		if err := compiles(key); err != nil {
			errs.add("key is invalid: %s", err)
		}
	}
	if r.Period == "" {
		errs.add("period must be specified")
		return
	}
	switch period, err := timefmt.ParseDuration(r.Period); {
	case err != nil:
		errs.add("failed to parse time duration: %s", err)
	case period > MaxRatePeriod:
		errs.add("period must be less than %s", MaxRatePeriod)
	}
}

// triggerKey is what makes two triggers the same.
type triggerKey struct{ event, expression, cron, jitter string }

func (d *Definition) validateTriggers(errs *Errors) {
	if len(d.Triggers) > MaxTriggers {
		errs.add("This function exceeds the max number of triggers: %d", MaxTriggers)
		return // at most so many texts per function
	}
	seen := make(map[triggerKey]bool, len(d.Triggers))
	crons := make(map[string]bool, len(d.Triggers))
	for _, t := range d.Triggers {
		key := triggerKey{given(t.Event), given(t.Expression), given(t.Cron), given(t.Jitter)}
		if key != (triggerKey{}) && seen[key] {
			if t.Cron != nil {
				errs.add("duplicate trigger cron: %s", key.cron)
			} else {
				errs.add("duplicate trigger event: %s", key.event)
			}
		}
		seen[key] = true
		if t.Cron != nil {
			if crons[key.cron] {
				errs.add("duplicate cron expression: %s", key.cron)
			}
			crons[key.cron] = true
		}
		validateTrigger(t, errs)
	}
}

func validateTrigger(t sdk.Trigger, errs *Errors) {
	switch {
	case t.Event == nil && t.Cron == nil:
		errs.add("A trigger must supply an event name or a cron schedule")
	case t.Event != nil && t.Cron != nil:
		errs.add("A trigger cannot have both an event and a cron trigger")
	case t.Event != nil:
		validateEventTrigger(t, errs)
	default:
		validateCronTrigger(t, errs)
	}
}

func validateEventTrigger(t sdk.Trigger, errs *Errors) {
	if *t.Event == "" {
		errs.add("An event trigger must specify an event name")
	}
	if len(*t.Event) > MaxEventNameLen {
		errs.addCode(CodeEventName, "event name is too long. maximum length is %d characters", MaxEventNameLen)
	}
	if cond := given(t.Expression); cond != "" {
		if err := compiles(cond); err != nil {
			errs.add("invalid trigger expression on '%s': %s", *t.Event, err)
		}
	}
}

func validateCronTrigger(t sdk.Trigger, errs *Errors) {
	if len(*t.Cron) > MaxCronLen {
		errs.addCode(CodeSchedule, "cron is too long. maximum length is %d characters", MaxCronLen)
	} else if _, err := cron.Parse(*t.Cron); err != nil {
		errs.add("'%s' isn't a valid cron schedule", *t.Cron)
	}
	if given(t.Jitter) == "" {
		return
	}
	jitter, err := timefmt.ParseDuration(*t.Jitter)
	switch {
	case err != nil:
		errs.add("'%s' isn't a valid jitter duration", *t.Jitter)
	case jitter < 0:
		errs.add("cron jitter must be greater than or equal to zero")
	case jitter > 0 && jitter < MinJitter:
		errs.add("cron jitter must be at least %s", MinJitter)
	case jitter > MaxJitter:
		errs.add("cron jitter must be less than or equal to %s", MaxJitter)
	}
}
