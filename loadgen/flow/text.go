package flow

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is a throttle or a rate limit: "100/1s", with a burst "100/1s+10".
type Rate struct {
	Limit  int
	Period time.Duration
	Burst  int
}

// emission is the time between two starts at the full rate.
func (r Rate) emission() time.Duration {
	if r.Limit == 0 {
		return 0
	}
	return r.Period / time.Duration(r.Limit)
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Rate) UnmarshalText(text []byte) error {
	rate, burst, bursts := strings.Cut(string(text), "+")
	n, period, ok := strings.Cut(rate, "/")
	limit, err := number(n)
	if !ok || err != nil {
		return fmt.Errorf("%q: it must be LIMIT/PERIOD or LIMIT/PERIOD+BURST, such as 100/1s+10", text)
	}
	out := Rate{Limit: limit}
	if out.Period, err = time.ParseDuration(period); err != nil {
		return fmt.Errorf("%q: its period: %w", text, err)
	}
	if bursts {
		if out.Burst, err = number(burst); err != nil {
			return fmt.Errorf("%q: its burst: %w", text, err)
		}
	}
	*r = out
	return nil
}

// String is the form that UnmarshalText reads.
func (r Rate) String() string {
	s := fmt.Sprintf("%d/%s", r.Limit, r.Period)
	if r.Burst > 0 {
		s += fmt.Sprintf("+%d", r.Burst)
	}
	return s
}

// Debounce is "1s", or with a timeout "1s/10s".
type Debounce struct{ Period, Timeout time.Duration }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Debounce) UnmarshalText(text []byte) error {
	period, timeout, both := strings.Cut(string(text), "/")
	var out Debounce
	var err error
	if out.Period, err = time.ParseDuration(period); err != nil {
		return fmt.Errorf("%q: it must be PERIOD or PERIOD/TIMEOUT, such as 1s/10s: %w", text, err)
	}
	if both {
		if out.Timeout, err = time.ParseDuration(timeout); err != nil {
			return fmt.Errorf("%q: its timeout: %w", text, err)
		}
	}
	*d = out
	return nil
}

// String is the form that UnmarshalText reads.
func (d Debounce) String() string {
	if d.Timeout == 0 {
		return d.Period.String()
	}
	return d.Period.String() + "/" + d.Timeout.String()
}

// Batch is "100/1s": so many events, or as many as come in that time.
type Batch struct {
	Size    int
	Timeout time.Duration
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Batch) UnmarshalText(text []byte) error {
	n, timeout, ok := strings.Cut(string(text), "/")
	size, err := number(n)
	if !ok || err != nil {
		return fmt.Errorf("%q: it must be SIZE/TIMEOUT, such as 100/1s", text)
	}
	out := Batch{Size: size}
	if out.Timeout, err = time.ParseDuration(timeout); err != nil {
		return fmt.Errorf("%q: its timeout: %w", text, err)
	}
	*b = out
	return nil
}

// String is the form that UnmarshalText reads.
func (b Batch) String() string { return fmt.Sprintf("%d/%s", b.Size, b.Timeout) }

func number(text string) (int, error) { return strconv.Atoi(strings.ReplaceAll(text, "_", "")) }

// Parameters are the settings of c as text, by the names of a result.
func (c Config) Parameters() map[string]string {
	m := map[string]string{}
	set := func(name string, value any, given bool) {
		if given {
			m[name] = fmt.Sprint(value)
		}
	}
	set("keys", c.Keys, c.Keys > 0)
	set("limit", c.Limit, c.Limit > 0)
	set("scope", c.Scope, c.Scope != "")
	set("run_limit", c.RunLimit, c.RunLimit > 0)
	set("throttle", c.Throttle, c.Throttle.Limit > 0)
	set("rate_limit", c.RateLimit, c.RateLimit.Limit > 0)
	set("debounce", c.Debounce, c.Debounce.Period > 0)
	set("batch_events", c.Batch, c.Batch.Size > 0)
	set("singleton", c.Singleton, c.Singleton != "")
	set("priority", c.Priority, c.Priority > 0)
	return m
}
