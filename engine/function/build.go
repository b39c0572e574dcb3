package function

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"ingot/engine/expr"
	"ingot/engine/function/sdk"
	"ingot/internal/cron"
	"ingot/internal/ids"
	"ingot/internal/timefmt"
)

// Identity is what a function has besides its configuration.
type Identity struct {
	ID      ids.UUID
	AppID   ids.UUID
	AppName string
	Version int
}

// Build makes the function of a valid definition.
func (d *Definition) Build(id Identity) (*Function, error) {
	d.ID, d.Version = id.ID.String(), id.Version
	f, err := d.compile(id)
	if err != nil {
		return nil, err
	}
	f.Driver = d.driver()
	return f, d.render(f)
}

// BuildSync makes the function of a durable endpoint, defined by NewSync. The
// HTTP method is how it is entered again.
func (d *Definition) BuildSync(id Identity, method string) (*Function, error) {
	f, err := d.Build(id)
	if err != nil {
		return nil, err
	}
	f.Driver, f.Method = DriverSync, method
	return f, nil
}

func (d *Definition) render(f *Function) error {
	config, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("configuration of function %q: %w", d.Slug, err)
	}
	f.Config = config
	return nil
}

// Restore rebuilds a function from its stored configuration. The error tells
// what could not be rebuilt (an expression that a former version accepted, say);
// the function is then usable without it. It is nil only if the configuration
// cannot be read at all.
func Restore(id Identity, config json.RawMessage) (*Function, error) {
	var d Definition
	if err := json.Unmarshal(config, &d); err != nil {
		return nil, fmt.Errorf("configuration of function %s: %w", id.ID, err)
	}
	f, err := d.compile(id)
	f.Driver = d.driver()
	f.Config = config
	return f, err
}

// compile makes the typed form. What does not compile is left out and reported.
func (d *Definition) compile(id Identity) (*Function, error) {
	f := &Function{
		ID: id.ID, AppID: id.AppID, AppName: id.AppName, Version: id.Version,
		Slug: d.Slug, Name: d.Name, URL: d.uri(), MaxAttempts: d.maxAttempts(),
	}
	c := compiler{slug: d.Slug}
	c.triggers(f, d.Triggers)
	for _, in := range d.Cancel {
		f.Cancel = append(f.Cancel, Cancel{Event: in.Event, If: given(in.If), Timeout: given(in.Timeout)})
	}
	if d.Timeouts != nil {
		f.Timeouts = Timeouts{Start: leniently(d.Timeouts.Start), Finish: leniently(d.Timeouts.Finish)}
	}
	if d.Concurrency != nil {
		c.concurrency(f, d.Concurrency)
	}
	c.flow(f, d)
	if d.Priority != nil {
		f.Priority = c.expr("priority", d.Priority.Run)
	}
	return f, errors.Join(c.errs...)
}

func (d *Definition) maxAttempts() int {
	retries := DefaultRetries
	if len(d.Steps) > 0 && d.Steps[0].Retries != nil {
		retries = min(max(*d.Steps[0].Retries, 0), MaxRetries)
	}
	return retries + 1
}

// leniently reads a duration that is not checked at registration: what cannot be
// read counts as absent (spec 01 §6.11).
func leniently(s *string) time.Duration {
	d, err := timefmt.ParseDuration(given(s))
	if err != nil {
		return 0
	}
	return max(d, 0)
}

// clamp keeps limits within what arithmetic on counters can hold.
func clamp(n uint) int { return int(min(n, math.MaxInt32)) }

// compiler compiles the parts of one definition and collects what fails.
type compiler struct {
	slug string
	errs []error
}

// expr compiles an optional expression; nil if absent or broken.
func (c *compiler) expr(field string, src *string) *expr.Expr {
	if given(src) == "" {
		return nil
	}
	e, err := expr.Compile(*src)
	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("function %q: %s: %w", c.slug, field, err))
		return nil
	}
	return e
}

func (c *compiler) triggers(f *Function, triggers []sdk.Trigger) {
	for _, in := range triggers {
		t := Trigger{Event: given(in.Event), Cron: given(in.Cron), Jitter: leniently(in.Jitter)}
		before := len(c.errs)
		t.If = c.expr("trigger", in.Expression)
		if in.Cron != nil {
			schedule, err := cron.Parse(t.Cron)
			if err != nil {
				c.errs = append(c.errs, fmt.Errorf("function %q: trigger: %w", c.slug, err))
			}
			t.Schedule = schedule
		}
		// Without its condition a trigger would start too much.
		if len(c.errs) == before {
			f.Triggers = append(f.Triggers, t)
		}
	}
}

func (c *compiler) concurrency(f *Function, in *sdk.Concurrency) {
	for _, l := range in.Step {
		if l.Limit <= 0 {
			continue
		}
		scope := ScopeFunction
		switch l.Scope {
		case "Env":
			scope = ScopeEnv
		case "Account":
			scope = ScopeAccount
		}
		f.Concurrency = append(f.Concurrency, Concurrency{
			Limit: l.Limit, Key: c.expr("concurrency", l.Key), KeyHash: l.Hash, Scope: scope,
		})
	}
	for _, l := range in.Run {
		limit := Concurrency{Limit: l.Limit, Key: c.expr("concurrency.fn", l.Key)}
		if limit.Key != nil {
			limit.KeyHash = ids.Hash36([]byte(*l.Key))
		}
		f.RunLimit = &limit
	}
}

// flow compiles throttle, rate limit, debounce, batching and singleton.
func (c *compiler) flow(f *Function, d *Definition) {
	if t := d.Throttle; t != nil && t.PeriodDuration() > 0 {
		f.Throttle = &Throttle{
			Limit: clamp(t.Limit), Burst: clamp(t.Burst), Period: t.PeriodDuration(),
			// Registration accepts a broken key: all runs then share one.
			Key: unchecked(t.Key),
		}
	}
	if r := d.RateLimit; r != nil {
		if period := leniently(&r.Period); period > 0 {
			f.RateLimit = &RateLimit{Limit: clamp(r.Limit), Period: period, Key: c.expr("rateLimit", r.Key)}
		}
	}
	if b := d.Debounce; b != nil {
		f.Debounce = &Debounce{Period: leniently(&b.Period), Timeout: leniently(b.Timeout), Key: c.expr("debounce", b.Key)}
	}
	if b := d.Batch; b != nil {
		f.Batch = &Batch{
			MaxSize: b.MaxSize, Timeout: leniently(&b.Timeout),
			Key: c.expr("batchEvents.key", b.Key), If: c.expr("batchEvents.if", b.If),
		}
	}
	if s := d.Singleton; s != nil {
		mode := SingletonSkip
		if s.Mode == "cancel" {
			mode = SingletonCancel
		}
		// Registration accepts a broken key: it then never applies (spec 03 §20.1).
		if key := unchecked(s.Key); key != nil || given(s.Key) == "" {
			f.Singleton = &Singleton{Mode: mode, Key: key}
		}
	}
}

// unchecked compiles a key that registration does not check; nil if broken.
func unchecked(src *string) *expr.Expr {
	if given(src) == "" {
		return nil
	}
	e, err := expr.Compile(*src)
	if err != nil {
		return nil
	}
	return e
}
