package engine_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/internal/ids"
)

// The functions of the flow-control simulation and their configurations.

// flowData is what the events carry. N is unique; it tells events apart.
type flowData struct {
	N int    `json:"n"`
	K int    `json:"k"`
	S string `json:"s"`
	P int    `json:"p"`
	// Long makes the event so long that it is not kept in its run's record.
	Long string `json:"long,omitempty"`
}

// flowKey is a key expression with what it means, in Go. The expressions have no
// value in common.
type flowKey struct {
	src string
	// value gives the key's text, keyFalse or keyBroken.
	value func(d flowData) string
}

const (
	keyFalse  = "false"
	keyBroken = "(broken)" // it cannot be evaluated: such events share one key
)

var flowKeys = []flowKey{
	{src: "event.data.k", value: func(d flowData) string { return strconv.Itoa(d.K) }},
	{src: "event.data.s", value: func(d flowData) string { return d.S }},
	{src: `event.data.k == 0.0 ? dyn(false) : dyn(event.data.s + "!")`, value: func(d flowData) string {
		if d.K == 0 {
			return keyFalse
		}
		return d.S + "!"
	}},
	{src: "int(event.data.s) + 100", value: func(d flowData) string {
		n, err := strconv.Atoi(d.S)
		if err != nil {
			return keyBroken
		}
		return strconv.Itoa(n + 100)
	}},
}

var noKey = flowKey{value: func(flowData) string { return "" }}

// exempts reports whether rate limits and singletons do not apply to the value.
func (k *flowKey) exempts(value string) bool { return k.src != "" && value == keyFalse }

// flowShared turns on limits that functions share, which the engine does not have yet.
const flowShared = true

// stepLimit is one limit on calls in flight.
type stepLimit struct {
	scope string
	limit int
	key   flowKey
}

// name identifies what the limit counts, given the key's value: the function's own,
// or what functions share.
func (l *stepLimit) name(f *flowFn, value string) string {
	if l.scope == "fn" {
		return fmt.Sprint(f.slug, "|", l.key.src, "|", value)
	}
	return fmt.Sprint(l.scope, "|", l.key.src, "|", value)
}

func (l *stepLimit) same(m *stepLimit) bool { return l.scope == m.scope && l.key.src == m.key.src }

// rate is a throttle or a rate limit.
type rate struct {
	limit, burst int
	atOnce       int // what is admitted at once after a long rest
	period       time.Duration
	key          flowKey
}

func (r flowRandom) throttle(key flowKey) *rate {
	t := &rate{limit: 1 + r.IntN(7), burst: r.IntN(3), period: r.duration(1000, 3000), key: key}
	t.atOnce = t.limit + t.burst
	return t
}

func (r flowRandom) rateLimit(key flowKey) *rate {
	t := &rate{limit: 1 + r.IntN(30), period: r.duration(1000, 5000), key: key}
	t.atOnce = t.limit/10 + 1
	return t
}

type debounce struct {
	period, timeout time.Duration
	key             flowKey
}

type batching struct {
	size    int
	timeout time.Duration
	key     flowKey
	cond    bool // only events with k > 0
}

func (b *batching) takes(d flowData) bool { return b != nil && (!b.cond || d.K > 0) }

type singleton struct {
	cancel bool
	key    flowKey
}

type runLimit struct {
	limit int
	key   flowKey
}

// flowConfig is one version of a function's flow control; nil parts are absent.
type flowConfig struct {
	gen       int   // of the catalog, from which on it holds
	since     int64 // when it was registered, unix ms
	version   int
	steps     []stepLimit
	runs      *runLimit
	throttle  *rate
	rate      *rate
	debounce  *debounce
	batch     *batching
	singleton *singleton
	priority  bool
	start     time.Duration
}

// limitLike returns the version's limit that counts the same as l, or nil. A limit of
// 0 is as if it were not there.
func (c *flowConfig) limitLike(l *stepLimit) *stepLimit {
	for i := range c.steps {
		if c.steps[i].same(l) && c.steps[i].limit > 0 {
			return &c.steps[i]
		}
	}
	return nil
}

// flowFn is a function of the simulation with all versions of its configuration.
type flowFn struct {
	slug, trigger string
	id            ids.UUID
	script        string // see flowAnswer
	configs       []*flowConfig
	mode          engine.FunctionMode
	// failed says that events were put aside, before the rules or after them.
	failed bool
}

// at returns the version that holds in a generation of the catalog.
func (f *flowFn) at(gen int) *flowConfig {
	for _, c := range slices.Backward(f.configs) {
		if c.gen <= gen {
			return c
		}
	}
	return f.configs[0]
}

func (f *flowFn) current() *flowConfig { return f.configs[len(f.configs)-1] }

// flowRandom makes configurations.
type flowRandom struct {
	*rand.Rand
	shared int // the limit of those that functions share; 0 gives each function its own
	// crowd lets all functions crowd at the same shared limits.
	crowd bool
	// runs is one in how many functions limits its runs.
	runs int
}

func (r flowRandom) one(n int) bool { return r.IntN(n) == 0 }

func (r flowRandom) key() flowKey {
	if r.one(3) {
		return noKey
	}
	return r.someKey()
}

func (r flowRandom) someKey() flowKey { return flowKeys[r.IntN(len(flowKeys))] }

func (r flowRandom) duration(from, to int) time.Duration {
	return time.Duration(from+r.IntN(to-from+1)) * time.Millisecond
}

// config makes a configuration of legal parts (spec 03 §6).
func (r flowRandom) config() *flowConfig {
	c := &flowConfig{}
	if r.crowd {
		c.steps = []stepLimit{{scope: "env", limit: r.sharedLimit(), key: flowKeys[0]}, {scope: "account", limit: r.sharedLimit(), key: flowKeys[1]}}[:1+r.IntN(2)]
		return c
	}
	for range r.IntN(3) {
		l := stepLimit{scope: "fn", limit: 1 + r.IntN(4), key: r.key()}
		if flowShared && r.one(3) {
			l = stepLimit{scope: []string{"env", "account"}[r.IntN(2)], limit: r.sharedLimit(), key: r.someKey()}
		}
		if c.limitLike(&l) == nil {
			c.steps = append(c.steps, l)
		}
	}
	if r.one(r.runs) {
		c.runs = &runLimit{limit: 1 + r.IntN(4), key: r.key()}
	}
	if r.one(3) {
		c.throttle = r.throttle(r.key())
	}
	if r.one(4) {
		c.rate = r.rateLimit(r.key())
	}
	if r.one(8) {
		c.start = r.duration(500, 3000)
	}
	switch r.IntN(6) {
	case 0:
		c.debounce = r.debounce()
	case 1:
		c.batch = &batching{size: 2 + r.IntN(4), timeout: r.duration(1000, 2500), key: r.key(), cond: r.one(3)}
		return c // excludes the rest
	}
	if r.one(4) {
		c.singleton = &singleton{cancel: r.one(2), key: r.key()}
	}
	c.priority = r.one(3)
	return c
}

func (r flowRandom) debounce() *debounce {
	d := &debounce{period: r.duration(1000, 2000), key: r.key()}
	if r.one(2) {
		d.timeout = r.duration(1000, 5000)
	}
	return d
}

// changed makes a function's next version: mostly other numbers, sometimes all anew.
func (r flowRandom) changed(f *flowFn) *flowConfig {
	old := f.current()
	if r.one(3) {
		c := r.config()
		if slices.ContainsFunc(f.configs, func(c *flowConfig) bool { return c.batch != nil }) {
			c.singleton = nil // runs of batches that are still open take no part in it
		}
		return c
	}
	c := *old
	c.steps = slices.Clone(old.steps)
	for i := range c.steps {
		if c.steps[i].scope == "fn" {
			c.steps[i].limit = r.IntN(5) // 0 is none
		}
	}
	if c.runs != nil {
		c.runs = &runLimit{limit: 1 + r.IntN(4), key: c.runs.key}
	}
	if c.throttle != nil {
		c.throttle = r.throttle(c.throttle.key)
	}
	if c.rate != nil {
		c.rate = r.rateLimit(c.rate.key)
	}
	return &c
}

// definition is the function's configuration as it is stored.
func (f *flowFn) definition(c *flowConfig) json.RawMessage {
	m := map[string]any{
		"slug": f.slug, "name": f.slug,
		"triggers": []any{map[string]any{"event": f.trigger}},
		"steps":    []any{map[string]any{"id": "step", "name": "step", "uri": "http://x", "retries": 3}},
	}
	concurrency := map[string]any{}
	var steps []any
	for _, l := range c.steps {
		steps = append(steps, withKey(l.key, map[string]any{"limit": l.limit, "scope": l.scope}))
	}
	if steps != nil {
		concurrency["step"] = steps
	}
	if c.runs != nil {
		concurrency["fn"] = []any{withKey(c.runs.key, map[string]any{"limit": c.runs.limit, "scope": "fn"})}
	}
	if len(concurrency) > 0 {
		m["concurrency"] = concurrency
	}
	if t := c.throttle; t != nil {
		m["throttle"] = withKey(t.key, map[string]any{"limit": t.limit, "burst": t.burst, "period": t.period.String()})
	}
	if t := c.rate; t != nil {
		m["rateLimit"] = withKey(t.key, map[string]any{"limit": t.limit, "period": t.period.String()})
	}
	if d := c.debounce; d != nil {
		e := withKey(d.key, map[string]any{"period": d.period.String()})
		if d.timeout > 0 {
			e["timeout"] = d.timeout.String()
		}
		m["debounce"] = e
	}
	if b := c.batch; b != nil {
		e := withKey(b.key, map[string]any{"maxSize": b.size, "timeout": b.timeout.String()})
		if b.cond {
			e["if"] = "event.data.k > 0.0"
		}
		m["batchEvents"] = e
	}
	if s := c.singleton; s != nil {
		m["singleton"] = withKey(s.key, map[string]any{"mode": map[bool]string{false: "skip", true: "cancel"}[s.cancel]})
	}
	if c.priority {
		m["priority"] = map[string]any{"run": "int(event.data.p)"}
	}
	if c.start > 0 {
		m["timeouts"] = map[string]any{"start": c.start.String()}
	}
	b, _ := json.Marshal(m) // plain values always encode
	return b
}

func withKey(k flowKey, m map[string]any) map[string]any {
	if k.src != "" {
		m["key"] = k.src
	}
	return m
}

// build makes the function's newest version. What registration would refuse is a
// defect of the simulation.
func (f *flowFn) build() (*function.Function, error) {
	c := f.current()
	config := f.definition(c)
	var d function.Definition
	if err := json.Unmarshal(config, &d); err != nil {
		return nil, fmt.Errorf("definition %s: %w", config, err)
	}
	if errs := d.Validate(); len(errs) > 0 {
		return nil, fmt.Errorf("definition %s: %w", config, errs)
	}
	return function.Restore(function.Identity{ID: f.id, AppName: "sim", Version: c.version}, config)
}

// sharedLimit is a function's number for a key that it shares with others.
func (r flowRandom) sharedLimit() int {
	if r.shared == 0 {
		return 1 + r.IntN(3)
	}
	return r.shared
}
